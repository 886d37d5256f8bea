//! Detection of idle clients.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::queue::Queue;
use crate::error::Error;

/// Number of checks within the idle time.
const LOOKS: u32 = 4;

/// Handle to a queue beside its two ends.
pub struct Watch(pub(super) Arc<Queue>);

impl Watch {
    /// Returns whether the writer waits for the reader, for lack of a reservation.
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Ends the result with an error after the batches already sent, unless it has ended.
    pub fn end(&self, error: Error) {
        self.0.end(Err(error));
    }

    /// Replaces unread batches by an error.
    pub fn discard(&self, error: Error) {
        self.0.discard(error);
    }

    /// Returns once the client has taken nothing for `time` although there was something to take.
    pub async fn until_idle(&self, time: Duration) {
        let pause = (time / LOOKS).max(Duration::from_millis(1));
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            sleep(pause).await;
            let deliveries = &self.0.deliveries;
            let parts = deliveries.parts();
            if parts != seen || deliveries.are_suspended() || self.0.is_empty() {
                (seen, since) = (parts, Instant::now());
            } else if since.elapsed() >= time {
                return;
            }
        }
    }
}
