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
    ///
    /// # Errors
    /// Where the system lets nobody listen.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let heard = stop.clone();
        let mut signals = Signals::new().map_err(|error| Error::Resource {
            what: "cannot listen to signals".into(),
            source: error.into(),
        })?;
        tokio::spawn(async move {
            loop {
                signals.next().await;
                if heard.asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("stopping; once more to stop at once");
                heard.told.notify_one();
            }
        });
        Ok(stop)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// Ends when somebody asks to stop.
    pub async fn asked(&self) {
        self.told.notified().await;
    }

    /// What the work makes, unless it is asked to stop before.
    pub async fn unless<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.told.notified() => Err(Error::Interrupted),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupted: tokio::signal::unix::Signal,
    terminated: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupted, terminated) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupted, terminated })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
