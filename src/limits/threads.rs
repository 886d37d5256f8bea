//! Threads of one query, or of planning one: a long computation delays nobody else.
//!
//! A computation cannot be aborted from outside. Its caller waits on other threads, at most until
//! the deadline. What is left of the computation observes the [`CancellationFlag`] or runs to its
//! end, and keeps its permit until then. Threads have large stacks, of which only used pages take
//! memory: statements are recursed into as deeply as [`super::statement_depth`] allows.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::cancellation::CancellationFlag;
use super::query_limits::Limits;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::fair_semaphore::{FairSemaphore, Permit};

/// Stack size of a thread; enough for the deepest statement in an unoptimised build.
pub const STACK_BYTES: usize = 64 << 20;
/// Maximum number of threads for reading files, beside those that compute; started on demand.
const READING_THREADS_MAX: usize = 16;

pub struct Threads {
    runtime: Option<Runtime>,
    cancellation: CancellationFlag,
    _permit: Arc<Permit>,
}

thread_local! {
    static PERMIT: RefCell<Option<Arc<Permit>>> = const { RefCell::new(None) };
}

impl Threads {
    /// Starts `count` threads; each holds the permit until it ends.
    ///
    /// # Errors
    /// Fails if the system cannot start a thread.
    pub fn start(count: usize, permit: Permit) -> Result<Self> {
        let (cancellation, permit) = (CancellationFlag::default(), Arc::new(permit));
        // Handles may outlive all threads and must not hold the permit.
        let of_threads: Weak<_> = Arc::downgrade(&permit);
        let begin = {
            let cancellation = cancellation.clone();
            move || {
                cancellation.install();
                PERMIT.with(|permit| permit.replace(of_threads.upgrade()));
            }
        };
        let end = || drop(PERMIT.with(RefCell::take));
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .max_blocking_threads(READING_THREADS_MAX)
            .thread_stack_size(STACK_BYTES)
            .thread_name("query")
            .on_thread_start(begin)
            .on_thread_stop(end)
            .enable_time()
            .build()
            .map_err(|error| Error::Resource {
                what: "cannot start threads for a query".into(),
                source: error.into(),
            })?;
        Ok(Self { runtime: Some(runtime), cancellation, _permit: permit })
    }

    /// Spawns a task; it ends with the threads at the latest.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            drop(runtime.spawn(work));
        }
    }
}

impl Drop for Threads {
    /// Cancels without blocking.
    fn drop(&mut self) {
        self.cancellation.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a future on its own thread, with a permit and within the time limit, and returns its
/// output. Dropping the call cancels the work.
///
/// # Errors
/// Fails if the time limit is exceeded.
pub async fn compute<T: Send + 'static>(
    permits: &Arc<FairSemaphore>,
    limits: &Limits,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let ends_at = Instant::now() + limits.time;
    let threads = Threads::start(1, acquire_permit(permits, ends_at, limits).await?)?;
    let (sender, made) = oneshot::channel();
    threads.spawn(async move { drop(sender.send(work.await)) });
    match timeout_at(ends_at, made).await {
        Ok(made) => made.map_err(|_| Error::bug("a query was aborted")),
        Err(_) => Err(limits.time_exceeded()),
    }
}

/// Acquires a permit for the current client.
///
/// # Errors
/// Fails if none is free within the time, or if too many requests of the client wait.
pub async fn acquire_permit(
    permits: &Arc<FairSemaphore>,
    ends_at: Instant,
    limits: &Limits,
) -> Result<Permit> {
    let permit = timeout_at(ends_at, permits.acquire_bounded(Client::current())?).await;
    permit.map_err(|_| limits.permits_taken())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::error::Limit;

    fn exceeded(ended: Result<()>) -> Option<Limit> {
        match ended {
            Err(Error::Limit(exceeded)) => Some(exceeded.limit),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_caller_returns_in_time_and_the_permit_when_the_work_ends() {
        let permits = Arc::new(FairSemaphore::new(1));
        let (finish, may_finish) = mpsc::channel::<()>();
        let limits = Limits { time: Duration::from_millis(50), ..Limits::default() };
        let stuck = compute(&permits, &limits, async move {
            may_finish.recv().unwrap();
            CancellationFlag::current().check().unwrap_err();
        });
        assert_eq!(exceeded(stuck.await), Some(Limit::Time));
        // The permit is still held while the work runs.
        assert!(matches!(compute(&permits, &limits, async {}).await, Err(Error::Busy(_))));
        finish.send(()).unwrap();
        drop(permits.acquire(Client::Own).await);
    }

    #[tokio::test]
    async fn permits_are_released() {
        let permits = Arc::new(FairSemaphore::new(1));
        for made in 0..100 {
            assert_eq!(
                compute(&permits, &Limits::default(), async move { made }).await.unwrap(),
                made
            );
        }
    }
}
