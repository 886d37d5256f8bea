//! Cancellation of queries within a batch.
//!
//! DataFusion checks for cancellation between batches, but a function may work on one batch for
//! minutes. The threads of a query carry a [`CancellationFlag`], which functions check once per
//! row. Threads without a flag, such as those of a report, are never cancelled.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::exec_err;
use datafusion::error::Result;

thread_local! {
    static CURRENT: RefCell<CancellationFlag> = RefCell::default();
}

/// Flag that is set once, when the client no longer waits for the result.
#[derive(Clone, Debug, Default)]
pub struct CancellationFlag(Arc<AtomicBool>);

impl CancellationFlag {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Installs the flag on the current thread, for all functions that run on it from now on.
    pub fn install(&self) {
        CURRENT.with(|current| current.replace(self.clone()));
    }

    /// Flag of the current thread; an unset one if none is installed.
    pub fn current() -> Self {
        CURRENT.with(|current| current.borrow().clone())
    }

    /// Returns an error once the flag is set.
    ///
    /// # Errors
    /// If the query was cancelled. No client receives this error.
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
