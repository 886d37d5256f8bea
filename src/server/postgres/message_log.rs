//! Messages as they are logged: logins, texts of statements, and statements that are prepared and run.

use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};

use super::super::Service;
use super::super::audit::Listener;
use super::super::keys::Pass;
use super::super::request_log::Entry;
use super::failure;
use super::startup::check_admission;

/// A message of a client.
pub fn begin(service: &Service, client: &impl ClientInfo, method: &'static str) -> Entry {
    let address = Some(client.socket_addr());
    let mut entry = Entry::begin(&service.settings, Listener::Postgres, address, method);
    entry.set_key(client.session_extensions().get::<Pass>().map(|pass| pass.key()));
    entry
}

/// A message that is about a text of SQL.
///
/// # Errors
/// Where the client's key was removed since it was let in, or has expired.
pub fn begin_sql(
    service: &Service,
    client: &impl ClientInfo,
    method: &'static str,
    sql: &str,
) -> PgWireResult<Entry> {
    let mut entry = begin(service, client, method);
    entry.set_sql(sql);
    let admitted = check_admission(service, client);
    if let Err(denied) = &admitted {
        log_failure(&mut entry, denied);
    }
    admitted.map(|()| entry)
}

/// Notes that the message was answered, with as many rows, or why not.
pub fn log_answer(entry: &mut Entry, answer: &PgWireResult<Option<usize>>) {
    match answer {
        Ok(rows) => {
            if let Some(rows) = rows {
                entry.count_rows(*rows);
            }
            entry.answered(failure::SUCCESSFUL);
        }
        Err(failed) => log_failure(entry, failed),
    }
}

pub fn log_failure(entry: &mut Entry, failed: &PgWireError) {
    entry.answered(failure::sqlstate(failed));
}
