//! A process that is lent for one piece of work, within its terms.
//!
//! Whoever drops a lease before the work is done ends the process, wherever it is.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until};

use super::frames::{self, Frame};
use super::memory::{CHECK_INTERVAL, MemoryGauge};
use super::pool::Shared;
use super::process::{START_TIME, Worker};
use crate::fair_semaphore::Permit;

/// Of a frame that answers, beside what the work may take.
const FRAME_BYTES: usize = 16 << 20;

/// What a piece of work may take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub ends_at: Instant,
    /// Memory that the process has more than when it was ready.
    pub memory_bytes: usize,
}

/// Why work did not come to its end.
#[derive(Debug)]
pub enum LeaseError {
    /// Its time was over, perhaps before it had a process.
    Time,
    /// Too much of its client waited before it.
    QueueFull,
    /// It had more memory than it may have, or could not have as much as it wanted.
    Memory,
    /// Something else ended the process, as the system does where memory runs out.
    Killed,
    /// No process can be started.
    StartFailed(String),
    /// The process broke off, or said what it must not.
    Broken(String),
}

/// A process that does one piece of work; dropped before [`Self::keep`], it ends.
#[derive(Debug)]
pub struct Lease {
    /// None once it has ended.
    lent: Option<(Worker, UnixStream)>,
    pool: Arc<Shared>,
    pub(super) terms: Terms,
    /// Of the process.
    pub(super) memory_bytes_max: usize,
    next_check_at: Instant,
    _permit: Permit,
}

impl Lease {
    /// # Errors
    /// Where the system has no room to watch the socket.
    pub fn new(
        mut worker: Worker,
        pool: Arc<Shared>,
        permit: Permit,
        terms: Terms,
    ) -> Result<Self, LeaseError> {
        // Registered anew each time: it may be lent to a task of another runtime than before.
        let socket =
            worker.socket.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        match socket.and_then(UnixStream::from_std) {
            Ok(socket) => {
                let memory_bytes_max = memory_bytes_max(&worker, &pool, terms);
                let (lent, next_check_at) =
                    (Some((worker, socket)), Instant::now() + CHECK_INTERVAL);
                Ok(Self { lent, pool, terms, memory_bytes_max, next_check_at, _permit: permit })
            }
            Err(error) => {
                pool.discard(worker);
                Err(LeaseError::Broken(error.to_string()))
            }
        }
    }

    #[cfg(test)]
    pub fn process(&self) -> Option<u32> {
        self.lent.as_ref().map(|(worker, _)| worker.id())
    }

    /// Has the process hear a frame and answer it by one of the same kind, unless it has before. The
    /// time that this takes comes on top of what the terms give.
    ///
    /// # Errors
    /// Where the process has ended, says something else, or takes too long.
    pub async fn prepare(&mut self, frame: &Frame) -> Result<(), LeaseError> {
        if self.lent.as_ref().is_some_and(|(worker, _)| worker.is_prepared_for(frame)) {
            return Ok(());
        }
        let begun_at = Instant::now();
        let ends_at = std::mem::replace(&mut self.terms.ends_at, begun_at + START_TIME);
        self.send(frame.kind, &[&frame.payload]).await?;
        let answer = self.receive().await?.expect_kind(frame.kind);
        answer.map_err(|error| LeaseError::Broken(error.to_string()))?;
        self.terms.ends_at = ends_at + begun_at.elapsed();
        if let Some((worker, _)) = &mut self.lent {
            worker.note(frame);
            self.memory_bytes_max = memory_bytes_max(worker, &self.pool, self.terms);
        }
        Ok(())
    }

    /// What is left of the work may take so long from now on.
    pub fn set_time_left(&mut self, time: Duration) {
        self.terms.ends_at = Instant::now() + time;
    }

    /// Says one frame of these parts.
    ///
    /// # Errors
    /// Where the process has ended, or the terms are over.
    pub async fn send(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), LeaseError> {
        let Some((worker, socket)) = &mut self.lent else { return Err(LeaseError::Killed) };
        let max = self.memory_bytes_max;
        let broken = tokio::select! {
            said = frames::send(socket, kind, parts) => match said {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            lost = terms_exceeded(&worker.gauge, max, self.terms.ends_at, &mut self.next_check_at) => {
                return Err(lost);
            }
        };
        Err(self.ended(broken).await)
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// Where the process has ended, or the terms are over.
    pub async fn receive(&mut self) -> Result<Frame, LeaseError> {
        let Some((worker, socket)) = &mut self.lent else { return Err(LeaseError::Killed) };
        let max = self.memory_bytes_max;
        let bytes_max = self.terms.memory_bytes.saturating_add(FRAME_BYTES);
        let broken = tokio::select! {
            lost = terms_exceeded(&worker.gauge, max, self.terms.ends_at, &mut self.next_check_at) => {
                return Err(lost);
            }
            heard = frames::receive(socket, bytes_max) => match heard {
                Ok(frame) => return Ok(frame),
                Err(error) => error,
            },
        };
        Err(self.ended(broken).await)
    }

    /// Ends when the terms are over, for whoever waits for something else than the process.
    pub async fn expired(&mut self) -> LeaseError {
        let Some((worker, _)) = &self.lent else { return LeaseError::Killed };
        let max = self.memory_bytes_max;
        terms_exceeded(&worker.gauge, max, self.terms.ends_at, &mut self.next_check_at).await
    }

    /// The work has come to its end: the process may have other work.
    pub fn keep(mut self) {
        let Some((mut worker, socket)) = self.lent.take() else { return };
        match socket.into_std() {
            Ok(socket) => {
                worker.socket = Some(socket);
                worker.idle_since = std::time::Instant::now();
                self.pool.give_back(worker);
            }
            Err(_) => self.pool.discard(worker),
        }
    }

    /// As [`Self::keep`], but the process ends where it keeps much memory: that is free at once, not when
    /// the process has been idle.
    pub fn keep_if_light(self) {
        let kept_bytes = self.lent.as_ref().map_or(0, |(worker, _)| worker.kept_bytes());
        if kept_bytes <= self.pool.kept_bytes_max {
            self.keep();
        }
    }

    /// Why a process ended that cannot be talked to any more.
    async fn ended(&mut self, error: io::Error) -> LeaseError {
        if error.kind() == io::ErrorKind::InvalidData {
            return LeaseError::Broken(error.to_string());
        }
        let Some((worker, _)) = self.lent.take() else { return LeaseError::Killed };
        self.pool.replace();
        match tokio::task::spawn_blocking(|| worker.status()).await {
            Ok(Ok(status)) => LeaseError::from_status(status),
            Ok(Err(error)) => LeaseError::Broken(error.to_string()),
            Err(error) => LeaseError::Broken(error.to_string()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((worker, _)) = self.lent.take() {
            tracing::debug!(process = worker.id(), "a process for queries is ended");
            self.pool.discard(worker);
        }
    }
}

/// How much memory a process may have that is to work now. Where larger work has just left much, which
/// is not this one's doing, it may have as much more as an idle one.
fn memory_bytes_max(worker: &Worker, pool: &Shared, terms: Terms) -> usize {
    let with_kept = worker.kept_bytes().saturating_add(pool.kept_bytes_max);
    worker.ready_bytes.saturating_add(terms.memory_bytes.max(with_kept))
}

impl LeaseError {
    fn from_status(status: ExitStatus) -> Self {
        use rustix::process::Signal;
        match status.signal() {
            // Rust aborts where it cannot have memory, which a limit of the process sees to. So it does
            // where a stack overflows, which nothing but the log tells.
            Some(signal) if signal == Signal::ABORT.as_raw() => Self::Memory,
            Some(signal) if signal == Signal::KILL.as_raw() => Self::Killed,
            _ => Self::Broken(format!("a process ended: {status}")),
        }
    }
}

/// Ends when a process has more memory than so much, or its time is over.
async fn terms_exceeded(
    gauge: &MemoryGauge,
    bytes_max: usize,
    ends_at: Instant,
    next_check_at: &mut Instant,
) -> LeaseError {
    loop {
        let now = Instant::now();
        if now >= ends_at {
            return LeaseError::Time;
        }
        if now >= *next_check_at {
            if gauge.bytes() > bytes_max {
                return LeaseError::Memory;
            }
            *next_check_at = now + CHECK_INTERVAL;
        }
        sleep_until(ends_at.min(*next_check_at)).await;
    }
}
