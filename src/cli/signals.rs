//! Signals: Ctrl-C and SIGTERM request a stop, and a second one exits at once. SIGHUP requests a
//! reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, Result};

/// Stop request; cheap to clone.
#[derive(Clone, Default)]
pub struct StopSignal {
    requested: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl StopSignal {
    /// Installs the signal handlers.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let handler = stop.clone();
        let mut signals = Signals::new().map_err(signal_error)?;
        tokio::spawn(async move {
            loop {
                signals.next().await;
                if handler.requested.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("stopping; repeat to exit immediately");
                handler.notify.notify_one();
            }
        });
        Ok(stop)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }

    /// Completes when a stop is requested.
    pub async fn requested(&self) {
        self.notify.notified().await;
    }

    /// Runs `work`; [`Error::Interrupted`] if a stop is requested first, which drops it.
    pub async fn or_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.notify.notified() => Err(Error::Interrupted),
        }
    }
}

fn signal_error(error: std::io::Error) -> Error {
    Error::Resource { what: "cannot handle signals".into(), source: error.into() }
}

/// Stream of SIGHUP, which no longer ends the process; never yields on systems without it.
pub struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Hangups {
    /// Installs the signal handlers.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup()).map_err(signal_error)? })
    }

    /// Completes on the next signal, or at once if one arrived since the last call.
    pub async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
impl Hangups {
    pub fn new() -> Result<Self> {
        Ok(Self {})
    }

    pub async fn next(&mut self) {
        std::future::pending().await
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
