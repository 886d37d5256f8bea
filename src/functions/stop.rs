//! Whether whoever asked still waits.
//!
//! An engine gives way to others between batches; a function may work on one batch for minutes. The
//! threads of a query carry a [`Stop`], which functions look at row by row, so that a query whose
//! time is over ends within a row. Threads that carry none, those of a report say, are never stopped.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::exec_err;
use datafusion::error::Result;

thread_local! {
    static OF_THREAD: RefCell<Stop> = RefCell::default();
}

/// Set once, by whoever waits no longer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// What this thread does from now on, it does for whoever holds the stop.
    pub fn carry(&self) {
        OF_THREAD.with(|of_thread| of_thread.replace(self.clone()));
    }

    /// The one that this thread carries.
    pub fn of_thread() -> Self {
        OF_THREAD.with(|of_thread| of_thread.borrow().clone())
    }

    /// # Errors
    /// Where nobody waits any more; nobody hears it.
    pub fn unless_set(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return exec_err!("nobody waits for the query any more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_stopped_by_the_stop_that_it_carries() {
        let stop = Stop::default();
        let carried = std::thread::spawn({
            let stop = stop.clone();
            move || {
                assert!(Stop::of_thread().unless_set().is_ok());
                stop.carry();
                stop.set();
                Stop::of_thread().unless_set()
            }
        });
        assert!(carried.join().unwrap().is_err());
        assert!(stop.unless_set().is_err());
        assert!(Stop::of_thread().unless_set().is_ok());
    }
}
