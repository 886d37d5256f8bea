//! Portals that were read in part, as by a tool that fetches more rows when the user scrolls.
//!
//! Their rows are kept longer than those of a client that stalls within a result, but not forever:
//! an abandoned portal would hold its spooled rows.

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

/// Minimum time for which a suspended portal keeps its rows.
const SUSPENDED_TIME: Duration = Duration::from_secs(600);

/// Time for which a suspended portal keeps its rows.
pub fn suspended_time(settings: &Settings) -> Duration {
    settings.stall_time().max(SUSPENDED_TIME)
}

/// Suspended portal with the timer that closes it. Dropping it stops the timer.
pub struct SuspendedPortal {
    deliveries: Deliveries,
    _closing: JoinSet<()>,
}

impl SuspendedPortal {
    /// Suspends a portal; after `time` its rows are freed and replaced by an error.
    pub fn new(
        portal: Arc<Mutex<PortalExecutionState>>,
        deliveries: Deliveries,
        time: Duration,
    ) -> Self {
        deliveries.suspend();
        // Unlike a spawned task, a `JoinSet` is aborted on drop.
        let mut closing = JoinSet::new();
        closing.spawn(async move {
            sleep(time).await;
            let time = humantime::format_duration(time);
            let sentence = format!(
                "no rows of the portal were fetched for {time}, so the rest was discarded; run the query again"
            );
            let rows = futures::stream::iter([Err(error("57014", sentence))]);
            let closed = QueryResponse::new(Arc::default(), rows);
            *portal.lock().await = PortalExecutionState::Suspended(closed);
        });
        Self { deliveries, _closing: closing }
    }

    /// Resumes the portal.
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

    /// Unread portal, and a weak reference that dies with its rows.
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
    async fn an_abandoned_portal_ends_with_an_error_in_place_of_its_rows() {
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
        let error = rows.data_rows().next().await.unwrap().err().unwrap().to_string();
        assert!(error.contains("57014") && error.contains("no rows of the portal"), "{error}");
        assert!(rows.data_rows().next().now_or_never().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_resumed_portal_keeps_its_rows() {
        let (_writer, reader) = Spools::new(0, 1 << 20).open(0);
        let (portal, rows_alive) = portal();
        let suspended =
            SuspendedPortal::new(Arc::clone(&portal), reader.deliveries(), Duration::ZERO);
        // Before the timer task has run.
        drop(suspended.resume());
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(rows_alive.strong_count(), 1);
    }

    #[test]
    fn portals_keep_rows_for_ten_minutes_or_the_longer_stall_time() {
        for (idle_s, expected_s) in [(1, 600), (60, 600), (3600, 3600)] {
            let mut settings = Settings::default();
            settings.sql.idle_time = Duration::from_secs(idle_s);
            assert_eq!(suspended_time(&settings), Duration::from_secs(expected_s));
        }
    }
}
