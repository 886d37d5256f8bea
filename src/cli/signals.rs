//! Signals. Ctrl-C and SIGTERM ask the work to stop, and stop it at the second time of asking; SIGHUP
//! asks a server to read its files again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, Result};

/// Whether somebody asked to stop.
#[derive(Clone, Default)]
pub struct StopSignal {
    requested: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl StopSignal {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the system refuses to deliver signals.
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
                eprintln!("stopping; once more to stop at once");
                handler.notify.notify_one();
            }
        });
        Ok(stop)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }

    /// Ends when somebody asks to stop.
    pub async fn requested(&self) {
        self.notify.notified().await;
    }

    /// What the work makes, unless it is asked to stop before.
    pub async fn or_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.notify.notified() => Err(Error::Interrupted),
        }
    }
}

fn signal_error(error: std::io::Error) -> Error {
    Error::Resource { what: "cannot listen to signals".into(), source: error.into() }
}

/// SIGHUP, which does not end the process from then on; never comes where the system has no signals.
pub struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Hangups {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the system refuses to deliver signals.
    pub fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup()).map_err(signal_error)? })
    }

    /// Ends when the signal comes, or came since it was last waited for.
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
