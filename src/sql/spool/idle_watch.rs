//! Whether a client takes what there is for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::queue::Queue;
use crate::error::Error;

/// Within the time that a client may take nothing, it is looked at so often.
const LOOKS: u32 = 4;

/// Counts what a client takes of an answer, for whoever sends it in smaller parts than batches.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Delivered>);

#[derive(Default)]
struct Delivered {
    parts: AtomicU64,
    is_suspended: AtomicBool,
}

impl Deliveries {
    /// The client has taken a part, and wants the next one.
    pub fn count(&self) {
        self.0.parts.fetch_add(1, Ordering::Relaxed);
    }

    /// The client has all that it asked for; until it asks for more, it is not idle.
    #[cfg(feature = "postgres")]
    pub fn suspend(&self) {
        self.0.is_suspended.store(true, Ordering::Relaxed);
    }

    /// The client asks for more.
    #[cfg(feature = "postgres")]
    pub fn resume(&self) {
        // From now on it has its time.
        self.count();
        self.0.is_suspended.store(false, Ordering::Relaxed);
    }

    fn parts(&self) -> u64 {
        self.0.parts.load(Ordering::Relaxed)
    }

    fn are_suspended(&self) -> bool {
        self.0.is_suspended.load(Ordering::Relaxed)
    }
}

/// Looks after a queue from beside it.
pub struct Watch(pub(super) Arc<Queue>);

impl Watch {
    /// Whether a batch has no reservation, so that the writer waits for the reader.
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The error comes behind what was sent, unless the result has ended before.
    pub fn end(&self, error: Error) {
        self.0.end(Err(error));
    }

    /// The error comes in place of what was not read.
    pub fn discard(&self, error: Error) {
        self.0.discard(error);
    }

    /// Ends once the client has taken nothing for so long, though there was something to take.
    pub async fn client_is_idle(&self, time: Duration) {
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
