//! Cancellation and progress of a load.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// Cancellation and progress of a load.
pub struct LoadControl<'a> {
    /// Cancels the load once true.
    pub stopped: &'a AtomicBool,
    /// Called with the number of bytes just read from the files on disk.
    pub on_read: &'a (dyn Fn(u64) + Sync),
}

/// Never cancels the load, and ignores its progress.
impl Default for LoadControl<'_> {
    fn default() -> Self {
        static RUNNING: AtomicBool = AtomicBool::new(false);
        Self { stopped: &RUNNING, on_read: &|_| {} }
    }
}

impl LoadControl<'_> {
    /// # Errors
    /// [`Error::Interrupted`] if the load was cancelled.
    pub fn check(&self) -> Result<()> {
        match self.stopped.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}
