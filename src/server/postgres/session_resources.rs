//! The statements and portals that a connection keeps: a limited number, of limited size, of which
//! fewer have rows that were not read.
//!
//! The protocol crate stores them and says neither how many they are nor how large. Those of all
//! connections together have to fit into the memory of the server.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::budget::{Budget, ROWS_BYTES, Share};
use super::failure::{self, error};
use super::message_log;
use super::prepared::{Planner, Prepared};
use super::suspended_portal::SuspendedPortal;
use crate::client::Client;

/// Statements of a connection, and portals.
const COUNT_MAX: usize = 1000;
/// What a plan takes, roughly, beside so many bytes for each byte of its text.
const PLAN_BYTES: usize = 16 << 10;
const PLAN_BYTES_PER_TEXT_BYTE: usize = 16;
/// Of their names with texts or values.
const TOTAL_BYTES_MAX: usize = 16 << 20;
/// Answers of a connection that were not read to their end: each holds some rows in memory.
const OPEN_RESULTS_MAX: usize = 8;

/// What a connection keeps.
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
    /// The room in the memory of all connections.
    _share: Share,
    /// Of a portal that was read in part.
    suspended: Option<SuspendedPortal>,
}

impl SessionResources {
    fn for_client(client: &impl ClientInfo) -> Arc<Self> {
        client.session_extensions().get_or_insert_with(Self::default)
    }
}

impl Reservations {
    /// Makes room for something of a name, in place of what has the name already.
    ///
    /// # Errors
    /// Where there is too much; then nothing has changed.
    fn put(&self, kind: &str, name: &str, bytes: usize, share: Share) -> PgWireResult<()> {
        let mut reservations = self.lock();
        let others = reservations.iter().filter(|(kept, _)| *kept != name);
        let (count, total) = others.fold((1, 0), |(count, total), (_, reservation)| {
            (count + 1, total + reservation.bytes)
        });
        let bytes = name.len() + bytes;
        if count > COUNT_MAX {
            return Err(error(
                "53400",
                format!("a connection keeps at most {COUNT_MAX} {kind}; close those that are done"),
            ));
        }
        if total + bytes > TOTAL_BYTES_MAX {
            return Err(error(
                "53400",
                format!(
                    "a connection keeps {kind} of at most {TOTAL_BYTES_MAX} bytes; close those that are done"
                ),
            ));
        }
        reservations.insert(name.to_owned(), Reservation { bytes, _share: share, suspended: None });
        Ok(())
    }

    fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Removes all, and returns their names.
    fn clear(&self) -> Vec<String> {
        self.lock().drain().map(|(name, _)| name).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Reservation>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct OpenResults(Arc<Semaphore>);

impl OpenResults {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(OPEN_RESULTS_MAX)))
    }

    fn take(&self) -> PgWireResult<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            error(
                "53400",
                format!(
                    "a connection has at most {OPEN_RESULTS_MAX} answers open; close portals that are done"
                ),
            )
        })
    }
}

/// An answer that is open until this is dropped.
pub struct OpenResult {
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

/// Opens one more answer.
///
/// # Errors
/// Where too many are open, or there is no memory for its rows.
pub fn open_result(client: &impl ClientInfo, budget: &Arc<Budget>) -> PgWireResult<OpenResult> {
    let permit = client.session_extensions().get_or_insert_with(OpenResults::new).take()?;
    let share = budget.take(Client::current(), ROWS_BYTES).map_err(failure::from_error)?;
    Ok(OpenResult { _permit: permit, _share: share })
}

/// Room for so many bytes that the current client keeps. Where there is none, sessions end that are
/// idle: the client's own, and those of clients that keep as much as it would.
///
/// # Errors
/// Where there is no room even so.
async fn reserve(planner: &Planner, bytes: usize) -> PgWireResult<Share> {
    let (client, budget) = (Client::current(), &planner.service.work.kept);
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

/// Whether the client keeps anything.
pub fn holds_any(client: &impl ClientInfo) -> bool {
    let kept = SessionResources::for_client(client);
    !kept.statements.lock().is_empty() || !kept.portals.lock().is_empty()
}

/// Prepares a statement, in place of the one of its name.
///
/// # Errors
/// Where there is no room, or the statement cannot be planned; the one before is gone then as well.
pub async fn parse<C>(client: &mut C, planner: Arc<Planner>, message: &Parse) -> PgWireResult<()>
where
    C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::PortalStore: PortalStore<Statement = Arc<Prepared>>,
{
    let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
    let bytes = message.query.len() + size_of_val(message.type_oids.as_slice());
    let plan_bytes = PLAN_BYTES + PLAN_BYTES_PER_TEXT_BYTE * bytes;
    let share = reserve(planner.as_ref(), plan_bytes).await;
    let kept = SessionResources::for_client(client);
    let put =
        share.and_then(|share| kept.statements.put("prepared statements", name, bytes, share));
    if let Err(full) = put {
        // Those that there is room for the planner logs itself.
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

/// Binds values to a statement.
///
/// # Errors
/// Where there is no such statement, or no room for a portal.
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
        return Err(error("08P01", "values are bound to a statement without any text"));
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

/// The portal's client has all rows that it asked for, and may come for more.
pub fn suspend_portal(client: &impl ClientInfo, name: &str, suspended: SuspendedPortal) {
    if let Some(portal) = SessionResources::for_client(client).portals.lock().get_mut(name) {
        portal.suspended = Some(suspended);
    }
}

/// The portal's client comes for more rows; `None` where it was not suspended.
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

/// Forgets the portals, as at the end of a transaction.
pub fn close_portals<C>(client: &C)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    SessionResources::for_client(client).portals.clear();
    client.portal_store().clear_portals();
}

/// Forgets all that the client keeps.
pub fn release_all<C>(client: &C)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    close_portals(client);
    deallocate(client, None);
}

/// Forgets the statement of a name, or all.
pub fn deallocate<C>(client: &C, name: Option<&str>)
where
    C: ClientInfo + ClientPortalStore,
    C::PortalStore: PortalStore,
{
    let kept = SessionResources::for_client(client);
    let names = match name {
        Some(name) => {
            kept.statements.remove(name);
            vec![name.to_owned()]
        }
        None => kept.statements.clear(),
    };
    names.iter().for_each(|name| client.portal_store().rm_statement(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Share {
        Arc::new(Budget::new(0)).take(Client::Own, 0).unwrap()
    }

    #[test]
    fn a_connection_keeps_so_many_and_takes_more_where_one_is_closed() {
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
    fn a_connection_has_so_many_answers_open_and_more_where_one_is_closed() {
        let open = OpenResults::new();
        let mut answers: Vec<_> = (0..OPEN_RESULTS_MAX).map(|_| open.take().unwrap()).collect();
        let refused = open.take().unwrap_err().to_string();
        assert!(refused.contains("53400") && refused.contains("8 answers"), "{refused}");
        answers.pop();
        assert!(open.take().is_ok());
    }

    #[test]
    fn a_connection_keeps_so_many_bytes() {
        let reservations = Reservations::default();
        let half = TOTAL_BYTES_MAX / 2;
        reservations.put("portals", "a", half, nothing()).unwrap();
        reservations.put("portals", "a", half + 1, nothing()).unwrap();
        assert!(reservations.put("portals", "b", half, nothing()).is_err());
        reservations.put("portals", "b", half - 10, nothing()).unwrap();
    }
}
