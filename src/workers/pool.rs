//! Pool of processes, idle or leased.
//!
//! The most recently used one is leased first: it has most of the next query's data in memory. A
//! process that ends is replaced at once.

#[cfg(test)]
mod tests;

use std::io;
use std::pin::pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::frames::Frame;
use super::lease::{Lease, LeaseError, Terms};
use super::process::{Program, START_TIME, Worker};
use crate::client::Client;
use crate::fair_semaphore::FairSemaphore;

/// Processes that stay however long they are idle.
const WARM_MAX: usize = 2;
/// Idle time after which further processes end.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Interval between two checks of idle processes; allocators take as long to return memory.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// Kind of work; each has permits of its own, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    Short,
    Long,
}

/// Pool of processes of a program; ends them on drop.
#[derive(Debug)]
pub struct Pool(Arc<Shared>);

/// State that a pool shares with its leases.
#[derive(Debug)]
pub struct Shared {
    program: Program,
    /// Permits for leases of each kind, shared among clients.
    short: Arc<FairSemaphore>,
    long: Arc<FairSemaphore>,
    at_once: usize,
    /// Memory that an idle process may retain.
    pub(super) retained_bytes_max: usize,
    state: Mutex<State>,
    available: Notify,
    starts: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Most recently used last.
    idle: Vec<Worker>,
    /// Processes that are starting, idle or leased.
    alive: usize,
    starting: usize,
    /// Leases that wait for a process.
    waiting: usize,
    /// Frames that prepare a process for work.
    greetings: Vec<Frame>,
    /// Error of the last start.
    failed: Option<String>,
    is_closed: bool,
}

impl Pool {
    /// Pool of at most `at_once` leases for each kind of work; starts no process yet. A process
    /// that retains more than `retained_bytes_max` of earlier work is replaced while it is idle.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn new(
        program: Program,
        at_once: usize,
        retained_bytes_max: usize,
        greeting: Frame,
    ) -> io::Result<Self> {
        let (starts, to_start) = mpsc::channel();
        let shared = Arc::new(Shared {
            program,
            short: Arc::new(FairSemaphore::new(at_once)),
            long: Arc::new(FairSemaphore::new(at_once)),
            at_once,
            retained_bytes_max,
            state: Mutex::new(State { greetings: vec![greeting], ..State::default() }),
            available: Notify::new(),
            starts,
        });
        let weak = Arc::downgrade(&shared);
        // Processes end with the thread that started them: this one lives as long as the pool.
        std::thread::Builder::new()
            .name("workers".into())
            .spawn(move || maintain(&weak, &to_start))?;
        Ok(Self(shared))
    }

    /// Prepares later processes with these frames too, instead of earlier ones; starts some.
    pub fn warm(&self, greetings: impl IntoIterator<Item = Frame>) {
        let mut state = self.0.state();
        state.greetings.truncate(1);
        state.greetings.extend(greetings);
        self.0.start_missing(&mut state);
    }

    /// Leases a process once the client has a permit for the kind of work.
    ///
    /// # Errors
    /// If no permit is free until the deadline, too many requests of the client wait, or no process
    /// can be started.
    pub async fn lease(&self, kind: WorkKind, mut terms: Terms) -> Result<Lease, LeaseError> {
        let permits = match kind {
            WorkKind::Short => &self.0.short,
            WorkKind::Long => &self.0.long,
        };
        let queued =
            permits.acquire_bounded(Client::current()).map_err(|_| LeaseError::QueueFull)?;
        let permit = timeout_at(terms.ends_at, queued).await;
        let permit = permit.map_err(|_| LeaseError::NoPermit)?;
        // With a permit, only a start is left to wait for; it does not count against the work.
        let begun_at = Instant::now();
        let worker = timeout_at(begun_at + START_TIME, self.0.next_idle()).await;
        let worker = worker.map_err(|_| LeaseError::StartFailed("it takes too long".into()))??;
        terms.ends_at += begun_at.elapsed();
        Lease::new(worker, Arc::clone(&self.0), permit, terms)
    }

    /// Ends the idle processes, and starts no more.
    pub fn close(&self) {
        let idle = {
            let mut state = self.0.state();
            state.is_closed = true;
            let idle = std::mem::take(&mut state.idle);
            state.alive -= idle.len();
            idle
        };
        drop(idle);
        // Leases that wait for a start learn that there is none.
        self.0.available.notify_waiters();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn warm(&self) -> usize {
        self.at_once.min(WARM_MAX)
    }

    /// Starts as many processes as leases wait for, and a spare one if none is idle, so that the
    /// next lease need not wait.
    fn start_missing(&self, state: &mut State) {
        let spare = usize::from(state.idle.is_empty() && state.alive > 0);
        let wanted = (state.waiting + spare).max(self.warm().saturating_sub(state.alive));
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

    async fn next_idle(&self) -> Result<Worker, LeaseError> {
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
    fn make_ready(&self, mut worker: Worker) -> io::Result<()> {
        let greetings = self.state().greetings.clone();
        worker.handshake(&greetings)?;
        // Behind those that have worked before.
        self.put(worker, |state, worker| {
            state.starting -= 1;
            state.idle.insert(0, worker);
        });
        Ok(())
    }

    fn start_failed(&self, error: &io::Error) {
        tracing::error!(%error, program = ?self.program.path, "a worker process did not start");
        let mut state = self.state();
        state.alive -= 1;
        state.starting -= 1;
        state.failed = Some(error.to_string());
        drop(state);
        self.available.notify_waiters();
    }

    /// Removes idle processes that have ended, retain too much, or were not used for long.
    fn take_surplus(&self) -> Vec<Worker> {
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

/// Starts processes on request, and maintains the idle ones, as long as the pool exists.
fn maintain(pool: &Weak<Shared>, to_start: &mpsc::Receiver<()>) {
    loop {
        let asked = to_start.recv_timeout(MAINTENANCE_INTERVAL);
        let Some(pool) = pool.upgrade() else { return };
        match asked {
            Ok(()) => start(&pool),
            Err(RecvTimeoutError::Timeout) => drop(pool.take_surplus()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn start(pool: &Arc<Shared>) {
    let worker = match Worker::start(&pool.program) {
        Ok(worker) => worker,
        Err(error) => return pool.start_failed(&error),
    };
    // On its own thread, so that the next one starts meanwhile.
    let readying = std::thread::Builder::new().name("worker starts".into()).spawn({
        let pool = Arc::clone(pool);
        move || pool.make_ready(worker).unwrap_or_else(|error| pool.start_failed(&error))
    });
    if let Err(error) = readying {
        pool.start_failed(&error);
    }
}
