//! Limits on the prepared statements and portals of a connection.
//!
//! pgwire stores statements and portals without counting them. Here each reserves its size, in the
//! connection and in the memory budget that all connections share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use datafusion_postgres::pgwire::api::portal::Portal;
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::api::store::{Entry, PortalStore};
use datafusion_postgres::pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME};
use datafusion_postgres::pgwire::error::{PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::extendedquery::{Bind, Parse};
use futures::Sink;

use super::super::budget::Share;
use super::failure::{self, error};
use super::message_log;
use super::planner::Planner;
use super::prepared::Prepared;
use super::suspended_portal::SuspendedPortal;
use crate::client::Client;

/// Limit of a connection's prepared statements, and of its portals.
const COUNT_MAX: usize = 1000;
/// Estimated memory of a plan: a constant, and bytes per byte of text.
const PLAN_BYTES: usize = 16 << 10;
const PLAN_BYTES_PER_TEXT_BYTE: usize = 16;
/// Limit of their names plus texts or values.
const TOTAL_BYTES_MAX: usize = 16 << 20;

/// Reservations of one connection; an extension of its session.
#[derive(Default)]
struct SessionResources {
    statements: Reservations,
    portals: Reservations,
}

/// Reservations by name.
#[derive(Default)]
struct Reservations(Mutex<HashMap<String, Reservation>>);

struct Reservation {
    bytes: usize,
    /// Share of the budget of all connections.
    _share: Share,
    /// Set while the portal has been read in part.
    suspended: Option<SuspendedPortal>,
}

impl SessionResources {
    fn for_client(client: &impl ClientInfo) -> Arc<Self> {
        client.session_extensions().get_or_insert_with(Self::default)
    }
}

impl Reservations {
    /// Adds a reservation, replacing one of the same name.
    ///
    /// # Errors
    /// When a limit is exceeded; then nothing changes.
    fn put(&self, kind: &str, name: &str, bytes: usize, share: Share) -> PgWireResult<()> {
        let mut reservations = self.lock();
        let others = reservations.iter().filter(|(other, _)| *other != name);
        let (count, total) = others.fold((1, 0), |(count, total), (_, reservation)| {
            (count + 1, total + reservation.bytes)
        });
        let bytes = name.len() + bytes;
        if count > COUNT_MAX {
            return Err(error(
                "53400",
                format!("a connection may hold at most {COUNT_MAX} {kind}; close unused ones"),
            ));
        }
        if total + bytes > TOTAL_BYTES_MAX {
            return Err(error(
                "53400",
                format!(
                    "a connection may hold {kind} of at most {TOTAL_BYTES_MAX} bytes; close unused ones"
                ),
            ));
        }
        reservations.insert(name.to_owned(), Reservation { bytes, _share: share, suspended: None });
        Ok(())
    }

    fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Removes all and returns their names.
    fn clear(&self) -> Vec<String> {
        self.lock().drain().map(|(name, _)| name).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Reservation>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Reserves bytes for the current client. When the budget is exhausted, evicts idle sessions: the
/// client's own, and those of clients that hold at least as much as it would then.
///
/// # Errors
/// When that does not free enough.
async fn reserve(planner: &Planner, bytes: usize) -> PgWireResult<Share> {
    let (client, budget) = (Client::current(), &planner.service.compute.retained);
    loop {
        let full = match budget.take(client, bytes) {
            Ok(share) => return Ok(share),
            Err(full) => full,
        };
        let wanted = budget.bytes_of(client).saturating_add(bytes);
        let may_go = |other: Client| other == client || budget.bytes_of(other) >= wanted;
        if !planner.idle.evict(may_go).await {
            return Err(failure::from_error(full));
        }
    }
}

/// Returns true if the session holds a statement or portal.
pub fn holds_any(client: &impl ClientInfo) -> bool {
    let resources = SessionResources::for_client(client);
    !resources.statements.lock().is_empty() || !resources.portals.lock().is_empty()
}

/// Prepares a statement, replacing one of the same name.
///
/// # Errors
/// When a limit is exceeded, or planning fails; a replaced statement may be gone then as well.
pub async fn parse<C>(client: &mut C, planner: Arc<Planner>, message: &Parse) -> PgWireResult<()>
where
    C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
{
    let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
    let bytes = message.query.len() + size_of_val(message.type_oids.as_slice());
    let plan_bytes = PLAN_BYTES + PLAN_BYTES_PER_TEXT_BYTE * bytes;
    let share = reserve(planner.as_ref(), plan_bytes).await;
    let resources = SessionResources::for_client(client);
    let put =
        share.and_then(|share| resources.statements.put("prepared statements", name, bytes, share));
    if let Err(full) = put {
        // The planner logs statements that it gets to see.
        let mut entry = message_log::begin_sql(&planner.service, client, "Parse", &message.query)?;
        message_log::log_failure(&mut entry, &full);
        return Err(full);
    }
    match StoredStatement::parse(client, message, planner).await {
        Ok(Some(statement)) => client.portal_store().put_statement(Arc::new(statement)),
        Ok(None) => client.portal_store().put_empty_statement(name),
        Err(failed) => {
            deallocate(client, Some(name));
            return Err(failed);
        }
    }
    Ok(())
}

/// Creates a portal: a statement with values bound to it.
///
/// # Errors
/// When the statement does not exist, or a limit is exceeded.
pub async fn bind<C>(client: &C, planner: &Planner, message: &Bind) -> PgWireResult<()>
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
{
    let statement = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
    let name = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
    let Some(statement) = client.portal_store().get_statement(statement) else {
        return Err(PgWireError::StatementNotFound(statement.to_owned()));
    };
    if statement.is_empty() && !message.parameters.is_empty() {
        return Err(error("08P01", "an empty statement takes no values"));
    }
    let values = message.parameters.iter().flatten().map(|value| value.len());
    let bytes = values.sum::<usize>() + size_of_val(message.parameters.as_slice());
    let share = reserve(planner, bytes).await?;
    SessionResources::for_client(client).portals.put("portals", name, bytes, share)?;
    match statement {
        Entry::Value(statement) => {
            let portal = Portal::try_new(message, statement)?;
            client.portal_store().put_portal(Arc::new(portal));
        }
        Entry::Empty => client.portal_store().put_empty_portal(name),
    }
    Ok(())
}

/// Marks a portal as read in part.
pub fn suspend_portal(client: &impl ClientInfo, name: &str, suspended: SuspendedPortal) {
    if let Some(portal) = SessionResources::for_client(client).portals.lock().get_mut(name) {
        portal.suspended = Some(suspended);
    }
}

/// Resumes a portal; `None` if it was not suspended.
pub fn resume_portal(client: &impl ClientInfo, name: &str) -> Option<SuspendedPortal> {
    SessionResources::for_client(client).portals.lock().get_mut(name)?.suspended.take()
}

pub fn close_portal<C>(client: &C, name: &str)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    SessionResources::for_client(client).portals.remove(name);
    client.portal_store().rm_portal(name);
}

/// Closes all portals, as at the end of a transaction.
pub fn close_portals<C>(client: &C)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    SessionResources::for_client(client).portals.clear();
    client.portal_store().clear_portals();
}

/// Closes all portals and statements.
pub fn release_all<C>(client: &C)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    close_portals(client);
    deallocate(client, None);
}

/// Deallocates the statement of that name, or all.
pub fn deallocate<C>(client: &C, name: Option<&str>)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    let resources = SessionResources::for_client(client);
    let names = match name {
        Some(name) => {
            resources.statements.remove(name);
            vec![name.to_owned()]
        }
        None => resources.statements.clear(),
    };
    names.iter().for_each(|name| client.portal_store().rm_statement(name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::budget::Budget;

    fn nothing() -> Share {
        Arc::new(Budget::new(0)).take(Client::Own, 0).unwrap()
    }

    #[test]
    fn a_connection_may_hold_more_statements_once_one_is_closed() {
        let reservations = Reservations::default();
        for number in 0..COUNT_MAX {
            reservations.put("statements", &number.to_string(), 10, nothing()).unwrap();
        }
        reservations.put("statements", "7", 20, nothing()).unwrap();
        let refused =
            reservations.put("statements", DEFAULT_NAME, 0, nothing()).unwrap_err().to_string();
        assert!(refused.contains("53400") && refused.contains("1000 statements"), "{refused}");
        reservations.remove("7");
        reservations.put("statements", DEFAULT_NAME, 0, nothing()).unwrap();
        assert_eq!(reservations.clear().len(), COUNT_MAX);
        reservations.put("statements", "again", 0, nothing()).unwrap();
    }

    #[test]
    fn a_connection_has_a_limit_of_bytes() {
        let reservations = Reservations::default();
        let half = TOTAL_BYTES_MAX / 2;
        reservations.put("portals", "a", half, nothing()).unwrap();
        reservations.put("portals", "a", half + 1, nothing()).unwrap();
        assert!(reservations.put("portals", "b", half, nothing()).is_err());
        reservations.put("portals", "b", half - 10, nothing()).unwrap();
    }
}
