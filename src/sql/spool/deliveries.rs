//! Counter of what a client has taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts delivered parts of an answer, for senders whose parts are smaller than batches.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Delivered>);

#[derive(Default)]
struct Delivered {
    parts: AtomicU64,
    is_suspended: AtomicBool,
}

impl Deliveries {
    /// Records that the client has taken a part and is ready for the next.
    pub fn count(&self) {
        self.0.parts.fetch_add(1, Ordering::Relaxed);
    }

    /// Suspends the idle time: the client has all that it requested so far.
    #[cfg(feature = "postgres")]
    pub fn suspend(&self) {
        self.0.is_suspended.store(true, Ordering::Relaxed);
    }

    /// Resumes the idle time: the client requests more.
    #[cfg(feature = "postgres")]
    pub fn resume(&self) {
        // Restart the idle time.
        self.count();
        self.0.is_suspended.store(false, Ordering::Relaxed);
    }

    /// Number of parts that the client has taken.
    pub fn parts(&self) -> u64 {
        self.0.parts.load(Ordering::Relaxed)
    }

    /// Returns whether the client has all that it requested so far.
    pub fn are_suspended(&self) -> bool {
        self.0.is_suspended.load(Ordering::Relaxed)
    }
}
