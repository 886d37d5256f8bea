//! Session commands: `BEGIN`, `COMMIT`, `SET`, `DEALLOCATE`, `DISCARD` and their like.

use datafusion_postgres::pgwire::api::results::Tag;
use datafusion_postgres::pgwire::api::store::PortalStore;
use datafusion_postgres::pgwire::api::{ClientInfo, ClientPortalStore};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage as Message;
use datafusion_postgres::pgwire::messages::response::TransactionStatus;
use datafusion_postgres::pgwire::messages::startup::ParameterStatus;
use futures::{Sink, SinkExt};

use super::failure::error;
use super::session_resources;
use super::settings;
use super::statement::Command;

/// Executes a session command and returns its tag. The data is read-only, so a transaction is only
/// a status.
///
/// # Errors
/// When the transaction has failed (25P02), or a setting is rejected.
pub async fn run_command<C>(client: &mut C, command: &Command) -> PgWireResult<Tag>
where
    C: ClientInfo + ClientPortalStore + Sink<Message> + Unpin,
    C::PortalStore: PortalStore,
    PgWireError: From<<C as Sink<Message>>::Error>,
{
    let status = client.transaction_status();
    Ok(match command {
        Command::End(tag) => {
            client.set_transaction_status(TransactionStatus::Idle);
            match status {
                TransactionStatus::Error => Tag::new("ROLLBACK"),
                _ => Tag::new(tag),
            }
        }
        // Rolling back to a savepoint clears a failure.
        Command::NoOp("ROLLBACK") => {
            client.set_transaction_status(status.to_idle_state().to_in_transaction_state());
            Tag::new("ROLLBACK")
        }
        _ if status == TransactionStatus::Error => return Err(failed_transaction()),
        Command::Begin => {
            client.set_transaction_status(status.to_in_transaction_state());
            Tag::new("BEGIN")
        }
        Command::NoOp(tag) => Tag::new(tag),
        Command::Deallocate(name) => {
            session_resources::deallocate(client, name.as_deref());
            Tag::new(if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" })
        }
        Command::Discard => {
            session_resources::deallocate(client, None);
            session_resources::close_portals(client);
            Tag::new("DISCARD ALL")
        }
        Command::Set(name, value) => {
            let reported = settings::set(name, value.as_deref(), client.metadata_mut())?;
            if let Some((name, value)) = reported {
                let status = ParameterStatus::new(name.to_owned(), value);
                client.feed(Message::ParameterStatus(status)).await?;
            }
            Tag::new("SET")
        }
    })
}

/// Rejects queries in a failed transaction with 25P02, as PostgreSQL does.
pub fn check_transaction(client: &impl ClientInfo) -> PgWireResult<()> {
    match client.transaction_status() {
        TransactionStatus::Error => Err(failed_transaction()),
        _ => Ok(()),
    }
}

fn failed_transaction() -> PgWireError {
    error("25P02", "the transaction has failed; send ROLLBACK")
}
