//! Whether whoever asked still waits.
//!
//! An engine gives way to others between batches; a function may work on one batch for minutes. The
//! threads of a query carry a [`CancellationFlag`], which functions look at row by row, so that a query whose
//! time is over ends within a row. Threads that carry none, those of a report say, are never stopped.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::exec_err;
use datafusion::error::Result;

thread_local! {
    static CURRENT: RefCell<CancellationFlag> = RefCell::default();
}

/// Set once, by whoever waits no longer.
#[derive(Clone, Debug, Default)]
pub struct CancellationFlag(Arc<AtomicBool>);

impl CancellationFlag {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// What this thread does from now on, it does for whoever holds the cancellation.
    pub fn install(&self) {
        CURRENT.with(|current| current.replace(self.clone()));
    }

    /// The one that this thread carries.
    pub fn current() -> Self {
        CURRENT.with(|current| current.borrow().clone())
    }

    /// # Errors
    /// Where nobody waits any more; nobody hears it.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return exec_err!("the query was cancelled");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_cancelled_by_the_flag_installed_on_it() {
        let cancellation = CancellationFlag::default();
        let carried = std::thread::spawn({
            let cancellation = cancellation.clone();
            move || {
                assert!(CancellationFlag::current().check().is_ok());
                cancellation.install();
                cancellation.cancel();
                CancellationFlag::current().check()
            }
        });
        assert!(carried.join().unwrap().is_err());
        assert!(cancellation.check().is_err());
        assert!(CancellationFlag::current().check().is_ok());
    }
}
