//! Lease of a process for one piece of work, within terms.
//!
//! Dropping a lease before the work is done ends the process at once.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until};

use super::frames::{self, Frame};
use super::memory::{CHECK_INTERVAL, MemoryGauge};
use super::process::{ProcessEnd, START_TIME, Worker};
use super::processes::Shared;
use super::terms::{LeaseError, Terms};
use crate::fair_semaphore::Permit;

/// Size of an answer's frame, besides the memory of the work.
const FRAME_BYTES: usize = 16 << 20;

/// Process leased for one piece of work; it ends if dropped before [`Self::keep`].
#[derive(Debug)]
pub struct Lease {
    /// `None` once the process has ended.
    lent: Option<(Worker, UnixStream)>,
    pool: Arc<Shared>,
    pub(super) terms: Terms,
    /// Limit of the whole process.
    pub(super) memory_bytes_max: usize,
    next_check_at: Instant,
    _permit: Permit,
}

impl Lease {
    /// # Errors
    /// If the system cannot watch the socket.
    pub fn new(
        mut worker: Worker,
        pool: Arc<Shared>,
        permit: Permit,
        terms: Terms,
    ) -> Result<Self, LeaseError> {
        // Registered for each lease, since the runtime may be another one.
        let socket =
            worker.socket.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        match socket.and_then(UnixStream::from_std) {
            Ok(socket) => {
                worker.granted_bytes_max = worker.granted_bytes_max.max(terms.memory_bytes);
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

    /// Sends the process a frame that it must answer with the same kind, unless it has done so
    /// before. The time for this does not count against the terms.
    ///
    /// # Errors
    /// If the process has ended, sends something else, or takes too long.
    pub async fn prepare(&mut self, frame: &Frame) -> Result<(), LeaseError> {
        self.prepare_within(frame, START_TIME).await
    }

    pub(super) async fn prepare_within(
        &mut self,
        frame: &Frame,
        time: Duration,
    ) -> Result<(), LeaseError> {
        if self.lent.as_ref().is_some_and(|(worker, _)| worker.is_prepared_for(frame)) {
            return Ok(());
        }
        let begun_at = Instant::now();
        let ends_at = std::mem::replace(&mut self.terms.ends_at, begun_at + time);
        let answer = match self.send(frame.kind, &[&frame.payload]).await {
            Ok(()) => self.receive().await,
            Err(lost) => Err(lost),
        };
        let answer = answer.map_err(|lost| match lost {
            // The time of the start, not that of the work.
            LeaseError::Time => LeaseError::StartFailed("it is not ready in time".into()),
            lost => lost,
        })?;
        let answer = answer.expect_kind(frame.kind);
        answer.map_err(|error| LeaseError::Broken(error.to_string()))?;
        self.terms.ends_at = ends_at + begun_at.elapsed();
        if let Some((worker, _)) = &mut self.lent {
            worker.note(frame);
            self.memory_bytes_max = memory_bytes_max(worker, &self.pool, self.terms);
        }
        Ok(())
    }

    /// Sets the deadline to so long from now.
    pub fn set_time_left(&mut self, time: Duration) {
        self.terms.ends_at = Instant::now() + time;
    }

    /// Sends a frame of the parts.
    ///
    /// # Errors
    /// If the process has ended, or the terms are exceeded.
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

    /// Receives the next frame.
    ///
    /// # Errors
    /// If the process has ended, or the terms are exceeded.
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

    /// Completes when the terms are exceeded, for callers that wait for something else.
    pub async fn expired(&mut self) -> LeaseError {
        let Some((worker, _)) = &self.lent else { return LeaseError::Killed };
        let max = self.memory_bytes_max;
        terms_exceeded(&worker.gauge, max, self.terms.ends_at, &mut self.next_check_at).await
    }

    /// Returns the process to the pool: its work is done.
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

    /// Like [`Self::keep`], but ends a process that retains much memory, which is freed at once
    /// rather than when the process is idle.
    pub fn keep_if_light(self) {
        let retained_bytes = self.lent.as_ref().map_or(0, |(worker, _)| worker.retained_bytes());
        if retained_bytes <= self.pool.retained_bytes_max {
            self.keep();
        }
    }

    /// Reason why a process ended that does not respond any more.
    async fn ended(&mut self, error: io::Error) -> LeaseError {
        if error.kind() == io::ErrorKind::InvalidData {
            return LeaseError::Broken(error.to_string());
        }
        let Some((worker, _)) = self.lent.take() else { return LeaseError::Killed };
        self.pool.replace();
        match tokio::task::spawn_blocking(|| worker.end()).await {
            Ok(Ok(end)) => LeaseError::from_end(end),
            Ok(Err(error)) => LeaseError::Broken(error.to_string()),
            Err(error) => LeaseError::Broken(error.to_string()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((worker, _)) = self.lent.take() {
            tracing::debug!(process = worker.id(), "a worker process is ended");
            self.pool.discard(worker);
        }
    }
}

/// Memory limit for the process during the next work.
fn memory_bytes_max(worker: &Worker, pool: &Shared, terms: Terms) -> usize {
    let retained = Retained {
        bytes: worker.retained_bytes(),
        granted_bytes_max: worker.granted_bytes_max,
        idle_bytes_max: pool.retained_bytes_max,
    };
    worker.ready_bytes.saturating_add(retained.next_limit(terms.memory_bytes))
}

/// Memory that a process retains of earlier work, because its allocator returns it late.
#[derive(Clone, Copy, Debug)]
struct Retained {
    bytes: usize,
    /// Memory granted to the largest work of the process.
    granted_bytes_max: usize,
    /// Memory that an idle process may retain.
    idle_bytes_max: usize,
}

impl Retained {
    /// Limit for work to which so much memory is granted, beyond the size when ready. Small work
    /// may follow larger work. What is retained counts no more than what was granted; otherwise
    /// each work would raise the limit of the next.
    fn next_limit(self, granted_bytes: usize) -> usize {
        let retained = self.bytes.min(self.granted_bytes_max).saturating_add(self.idle_bytes_max);
        granted_bytes.max(retained)
    }
}

impl LeaseError {
    fn from_end(end: ProcessEnd) -> Self {
        use rustix::process::Signal;
        let is_by = |signal: Signal| end.status.signal() == Some(signal.as_raw());
        // Rust's runtime knows the stacks of threads, but not those by which DataFusion extends
        // them; their overflow ends in the signal itself.
        let is_fault = is_by(Signal::SEGV) || cfg!(target_os = "macos") && is_by(Signal::BUS);
        if end.has_overflowed_stack || is_fault {
            tracing::error!(status = %end.status, "a worker process ran out of stack");
            return Self::StackOverflow;
        }
        // Rust aborts if an allocation fails, for instance at the process's limit.
        if is_by(Signal::ABORT) {
            return Self::Memory;
        }
        if is_by(Signal::KILL) {
            return Self::Killed;
        }
        Self::Broken(format!("a process ended: {}", end.status))
    }
}

/// Completes when the process exceeds its memory, or at the deadline.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_follows_at_once_does_not_raise_its_limit() {
        let mut retained = Retained { bytes: 0, granted_bytes_max: 640, idle_bytes_max: 96 };
        assert_eq!(retained.next_limit(640), 640);
        // Each work takes all that it may, and nothing is returned to the system.
        for _ in 0..10 {
            retained.bytes = retained.next_limit(640);
        }
        assert_eq!(retained.bytes, 736);
        assert_eq!(retained.next_limit(1), 736);
    }
}
