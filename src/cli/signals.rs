//! Ctrl-C and SIGTERM: asks the work to stop, and stops it at the second time of asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, Result};

/// Whether somebody asked to stop.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    told: Arc<Notify>,
}

impl Stop {
    /// Listens from now on.
    pub fn on_signals() -> Self {
        let stop = Self::default();
        let heard = stop.clone();
        tokio::spawn(async move {
            while interrupted().await {
                if heard.asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                heard.told.notify_one();
            }
        });
        stop
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// What the work makes, unless it is asked to stop before.
    pub async fn unless<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.told.notified() => Err(Error::Interrupted),
        }
    }
}

/// Waits for a signal; false where none can be waited for.
#[cfg(unix)]
async fn interrupted() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return false };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
        heard = terminated.recv() => heard.is_some(),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
