//! Request log entries of logins, simple queries, and prepared and executed statements.

use datafusion_postgres::pgwire::api::ClientInfo;
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};

use super::super::Service;
use super::super::audit::Listener;
use super::super::keys::Pass;
use super::super::request_log::Entry;
use super::admission::check_admission;
use super::failure;

/// Begins the log entry of a client message.
pub fn begin(service: &Service, client: &impl ClientInfo, method: &'static str) -> Entry {
    let address = Some(client.socket_addr());
    let mut entry = Entry::begin(&service.settings, Listener::Postgres, address, method);
    entry.set_key(client.session_extensions().get::<Pass>().map(|pass| pass.key()));
    entry
}

/// Begins the log entry of a message with SQL text, after checking that the client's key is valid.
///
/// # Errors
/// When the key was removed or has expired since the login; the entry is then already logged.
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

/// Logs the outcome: the number of rows, if any, or the SQLSTATE of the error.
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
