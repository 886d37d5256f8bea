//! Pool of processes, idle or leased.
//!
//! The most recently used one is leased first: it has most of the next query's data in memory. A
//! process that ends is replaced at once.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::frames::Frame;
use super::lease::Lease;
use super::process::{Program, START_TIME, Worker};
use super::processes::{MAINTENANCE_INTERVAL, Shared, State};
use super::terms::{LeaseError, Terms};
use crate::client::Client;
use crate::fair_semaphore::FairSemaphore;

/// Kind of work; each has permits of its own, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    Short,
    Long,
}

/// Pool of processes of a program; ends them on drop.
#[derive(Debug)]
pub struct Pool(Arc<Shared>);

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
        let worker =
            worker.map_err(|_| LeaseError::StartFailed("it is not ready in time".into()))??;
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

#[cfg(test)]
mod tests;
