//! Portals of which some rows were read: a tool shows them, and comes for more when somebody scrolls.
//!
//! Their rows wait for longer than those of a client that stops reading in the middle of an answer, and
//! not for ever: somebody may have gone home.

use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::pgwire::api::portal::PortalExecutionState;
use datafusion_postgres::pgwire::api::results::QueryResponse;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::Settings;
use super::failure::error;
use crate::sql::Deliveries;

/// How long a portal is suspended at least before its rows are freed.
const SUSPENDED_TIME: Duration = Duration::from_secs(600);

/// How long a portal may be suspended.
pub fn suspended_time(settings: &Settings) -> Duration {
    settings.stall_time().max(SUSPENDED_TIME)
}

/// A suspended portal, until its client comes for more or this is dropped.
pub struct SuspendedPortal {
    deliveries: Deliveries,
    _closing: JoinSet<()>,
}

impl SuspendedPortal {
    /// Once the time is over, the portal's rows are freed, and an error comes in their place.
    pub fn new(
        portal: Arc<Mutex<PortalExecutionState>>,
        deliveries: Deliveries,
        time: Duration,
    ) -> Self {
        deliveries.suspend();
        // Unlike a task, a set of tasks ends with its owner.
        let mut closing = JoinSet::new();
        closing.spawn(async move {
            sleep(time).await;
            let time = humantime::format_duration(time);
            let sentence = format!(
                "no rows of the portal were fetched for {time}, and the rest of them is gone; ask again"
            );
            let rows = futures::stream::iter([Err(error("57014", sentence))]);
            let closed = QueryResponse::new(Arc::default(), rows);
            *portal.lock().await = PortalExecutionState::Suspended(closed);
        });
        Self { deliveries, _closing: closing }
    }

    /// The client comes for more.
    pub fn resume(self) -> Deliveries {
        self.deliveries.resume();
        self.deliveries
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use datafusion_postgres::pgwire::messages::data::DataRow;
    use futures::{FutureExt, StreamExt};
    use tokio::task::yield_now;

    use super::*;
    use crate::sql::spool::Spools;

    /// A portal of which no row was read, and a mark that is gone once its rows are.
    fn portal() -> (Arc<Mutex<PortalExecutionState>>, Weak<()>) {
        let mark = Arc::new(());
        let rows_alive = Arc::downgrade(&mark);
        let rows = futures::stream::repeat_with(move || {
            let _mark = &mark;
            Ok(DataRow::default())
        });
        let rows = QueryResponse::new(Arc::default(), rows);
        (Arc::new(Mutex::new(PortalExecutionState::Suspended(rows))), rows_alive)
    }

    #[tokio::test]
    async fn a_portal_that_is_left_alone_is_closed_with_an_error_in_place_of_its_rows() {
        let (_writer, reader) = Spools::new(0, 1 << 20).open(0);
        let (portal, rows_alive) = portal();
        let suspended =
            SuspendedPortal::new(Arc::clone(&portal), reader.deliveries(), Duration::ZERO);
        while rows_alive.strong_count() > 0 {
            yield_now().await;
        }
        drop(suspended);
        let mut state = portal.lock().await;
        let PortalExecutionState::Suspended(rows) = &mut *state else { panic!("is suspended") };
        let told = rows.data_rows().next().await.unwrap().err().unwrap().to_string();
        assert!(told.contains("57014") && told.contains("no rows of the portal"), "{told}");
        assert!(rows.data_rows().next().now_or_never().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_portal_that_goes_on_keeps_its_rows() {
        let (_writer, reader) = Spools::new(0, 1 << 20).open(0);
        let (portal, rows_alive) = portal();
        let suspended =
            SuspendedPortal::new(Arc::clone(&portal), reader.deliveries(), Duration::ZERO);
        // Before the task that closes it has run.
        drop(suspended.resume());
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(rows_alive.strong_count(), 1);
    }

    #[test]
    fn portals_wait_for_ten_minutes_or_as_long_as_rows_do_where_that_is_longer() {
        for (idle_s, expected_s) in [(1, 600), (60, 600), (3600, 3600)] {
            let mut settings = Settings::default();
            settings.sql.idle_time = Duration::from_secs(idle_s);
            assert_eq!(suspended_time(&settings), Duration::from_secs(expected_s));
        }
    }
}
