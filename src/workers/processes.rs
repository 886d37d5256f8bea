//! Processes of a pool and their counts, shared with its leases.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Duration;

use tokio::sync::Notify;

use super::frames::Frame;
use super::process::{Program, Worker};
use super::terms::LeaseError;
use crate::fair_semaphore::FairSemaphore;

/// Processes that stay however long they are idle.
const WARM_MAX: usize = 2;

/// Idle time after which further processes end.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Interval between two checks of idle processes; allocators take as long to return memory.
pub const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// State that a pool shares with its leases.
#[derive(Debug)]
pub struct Shared {
    pub program: Program,
    /// Permits for leases of each kind, shared among clients.
    pub short: Arc<FairSemaphore>,
    pub long: Arc<FairSemaphore>,
    pub at_once: usize,
    /// Memory that an idle process may retain.
    pub retained_bytes_max: usize,
    pub state: Mutex<State>,
    pub available: Notify,
    pub starts: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
pub struct State {
    /// Most recently used last.
    pub idle: Vec<Worker>,
    /// Processes that are starting, idle or leased.
    pub alive: usize,
    pub starting: usize,
    /// Leases that wait for a process.
    pub waiting: usize,
    /// Frames that prepare a process for work.
    pub greetings: Vec<Frame>,
    /// Error of the last start.
    pub failed: Option<String>,
    pub is_closed: bool,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn warm(&self) -> usize {
        self.at_once.min(WARM_MAX)
    }

    /// Starts processes for the leases that wait, and a spare one, so that the next lease need not
    /// wait, unless as many are idle.
    pub fn start_missing(&self, state: &mut State) {
        let needed = state.waiting + usize::from(state.alive > 0);
        let wanted = needed.saturating_sub(state.idle.len());
        let wanted = wanted.max(self.warm().saturating_sub(state.alive));
        // As many as there are permits, so that each permit finds a process.
        let free = (2 * self.at_once).saturating_sub(state.alive);
        for _ in 0..wanted.saturating_sub(state.starting).min(free) {
            if state.is_closed || self.starts.send(()).is_err() {
                return;
            }
            state.alive += 1;
            state.starting += 1;
            // The next lease must not see an earlier error.
            state.failed = None;
        }
    }

    pub async fn next_idle(&self) -> Result<Worker, LeaseError> {
        let mut waiting = None;
        loop {
            let mut available = pin!(self.available.notified());
            // Registers for notifications before looking, so that none is missed.
            available.as_mut().enable();
            let found = self.take_idle(waiting.is_some())?;
            if found.is_some() {
                waiting = None;
            } else if waiting.is_none() {
                waiting = Some(Waiting::new(self));
            }
            self.start_missing(&mut self.state());
            if let Some(worker) = found {
                return Ok(worker);
            }
            available.await;
        }
    }

    /// Takes the most recently used idle process, if any.
    ///
    /// # Errors
    /// The error of a failed start, if the lease has waited for one.
    fn take_idle(&self, has_waited: bool) -> Result<Option<Worker>, LeaseError> {
        // Dropped after the lock is released: dropping removes their folders.
        let mut ended = Vec::new();
        let mut state = self.state();
        let mut found = None;
        while found.is_none() {
            let Some(mut worker) = state.idle.pop() else { break };
            if worker.has_ended() {
                state.alive -= 1;
                ended.push(worker);
            } else {
                found = Some(worker);
            }
        }
        if found.is_none()
            && has_waited
            && let Some(failed) = state.failed.take()
        {
            // A single lease gets the error; for others the start is tried again.
            return Err(LeaseError::StartFailed(failed));
        }
        if state.is_closed && found.is_none() {
            return Err(LeaseError::StartFailed("the server is stopping".into()));
        }
        Ok(found)
    }

    /// Returns a process whose work is done.
    pub fn give_back(&self, worker: Worker) {
        self.put(worker, |state, worker| state.idle.push(worker));
    }

    fn put(&self, worker: Worker, put: impl FnOnce(&mut State, Worker)) {
        let mut state = self.state();
        if state.is_closed {
            drop(state);
            return self.discard(worker);
        }
        put(&mut state, worker);
        drop(state);
        self.available.notify_one();
    }

    /// Kills a process without waiting for its end; starts another.
    pub fn discard(&self, mut worker: Worker) {
        worker.kill();
        self.replace();
        // Without a thread the worker is dropped here.
        let _ = std::thread::Builder::new().name("worker ends".into()).spawn(|| drop(worker));
    }

    /// Accounts for a process that ended; starts another.
    pub fn replace(&self) {
        let mut state = self.state();
        state.alive -= 1;
        self.start_missing(&mut state);
    }

    /// Prepares a process that was started.
    pub fn make_ready(&self, mut worker: Worker) -> io::Result<()> {
        let greetings = self.state().greetings.clone();
        worker.handshake(&greetings)?;
        // Behind those that have worked before.
        self.put(worker, |state, worker| {
            state.starting -= 1;
            state.idle.insert(0, worker);
        });
        Ok(())
    }

    pub fn start_failed(&self, error: &io::Error) {
        tracing::error!(%error, program = ?self.program.path, "a worker process did not start");
        let mut state = self.state();
        state.alive -= 1;
        state.starting -= 1;
        state.failed = Some(error.to_string());
        drop(state);
        self.available.notify_waiters();
    }

    /// Removes idle processes that have ended, retain too much, or were not used for long.
    pub fn take_surplus(&self) -> Vec<Worker> {
        let mut state = self.state();
        let mut surplus = state.alive.saturating_sub(self.warm());
        let all = std::mem::take(&mut state.idle);
        let mut away = Vec::new();
        for mut worker in all {
            let idle_for = worker.idle_since.elapsed();
            let is_heavy = idle_for >= MAINTENANCE_INTERVAL
                && worker.retained_bytes() > self.retained_bytes_max;
            let is_surplus = surplus > 0 && idle_for >= IDLE_TIME;
            if worker.has_ended() || is_heavy || is_surplus {
                surplus = surplus.saturating_sub(1);
                away.push(worker);
            } else {
                state.idle.push(worker);
            }
        }
        state.alive -= away.len();
        if !away.is_empty() {
            self.start_missing(&mut state);
        }
        away
    }
}

/// Counts a lease that waits for a process, until dropped.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(pool: &'a Shared) -> Self {
        pool.state().waiting += 1;
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}
