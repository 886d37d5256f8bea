//! Threads that compute reports and encode rows, apart from the threads that serve connections,
//! which never compute. All work shares the machine: a request may wait for a permit.
//!
//! Knows nothing of the work it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use super::budget::Budget;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::fair_semaphore::{FairSemaphore, no_permit};
use crate::limits::STACK_BYTES;

/// Queries about stores that run at once; further ones wait, with a share for each client.
const QUERIES_AT_ONCE: usize = 8;
/// The budget for what clients keep between requests is 1/`RETAINED_PARTS` of the whole.
const RETAINED_PARTS: usize = 2;

pub struct ComputePool {
    runtime: Option<Runtime>,
    queries: Arc<FairSemaphore>,
    query_time: Duration,
    /// Memory for requests and responses.
    pub budget: Arc<Budget>,
    /// Part of the budget for what clients keep between requests; only they release it.
    pub retained: Arc<Budget>,
}

impl ComputePool {
    pub fn start(query_time: Duration, client_bytes_max: usize) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK_BYTES)
            .thread_name("report")
            .enable_all()
            .build()
            .map_err(|error| Error::Resource {
                what: "cannot start threads for reports".into(),
                source: error.into(),
            })?;
        let queries = Arc::new(FairSemaphore::new(QUERIES_AT_ONCE));
        let budget = Arc::new(Budget::new(client_bytes_max));
        let retained = Arc::new(budget.part(RETAINED_PARTS));
        Ok(Self { runtime: Some(runtime), queries, query_time, budget, retained })
    }

    pub fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("the threads run until the service is dropped").handle()
    }

    /// Runs a future on the pool and returns its output. Dropping the call leaves the work running.
    ///
    /// # Errors
    /// [`Error::Busy`] if no permit is free or the work is not done within the query time, or too
    /// many requests of the client wait.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (limit, begun_at) = (self.query_time, Instant::now());
        let queued = self.queries.acquire_bounded(Client::current()).map_err(Error::from)?;
        let permit = timeout(limit, queued).await.map_err(|_| no_permit(limit))?;
        // Work that nobody waits for any more keeps its permit until it is done.
        let work = self.handle().spawn(async move {
            let _permit = permit;
            work.await
        });
        match timeout(limit.saturating_sub(begun_at.elapsed()), work).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => Err(Error::bug(format!("a query aborted: {error}"))),
            Err(_) => Err(Error::Busy(format!(
                "the answer takes longer than {}, the limit of --query-time",
                humantime::format_duration(limit)
            ))),
        }
    }

    /// Like [`Self::run`], for work that blocks.
    pub async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let handle = self.handle().clone();
        self.run(async move {
            let done = handle.spawn_blocking(work).await;
            done.unwrap_or_else(|error| Err(Error::bug(format!("a query aborted: {error}"))))
        })
        .await
    }
}

impl Drop for ComputePool {
    fn drop(&mut self) {
        // A thread that must not block may drop the pool.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn waiting_for_a_permit_differs_from_slow_work() {
        let pool = ComputePool::start(Duration::ZERO, 0).unwrap();
        let busy = async || match pool.run(pending::<Result<()>>()).await {
            Err(Error::Busy(sentence)) => sentence,
            other => panic!("{other:?}"),
        };
        let slow = busy().await;
        assert_eq!(slow, "the answer takes longer than 0s, the limit of --query-time");
        let clients = (0..QUERIES_AT_ONCE as u8).map(|number| Client::Key([number; 4]));
        let others = clients.map(|client| pool.queries.acquire(client));
        // One permit is that of the slow work, which never ends.
        let _held: Vec<_> = others.map(FutureExt::now_or_never).collect();
        let waits = busy().await;
        assert_eq!(waits, "no permit for a query became free within 0s; try again later");
    }

    #[tokio::test]
    async fn work_keeps_its_permit_when_its_client_is_gone() {
        let pool = Arc::new(ComputePool::start(Duration::from_secs(60), 0).unwrap());
        let (started, mut has_started) = tokio::sync::mpsc::channel(1);
        let (finish, may_finish) = mpsc::channel::<()>();
        let client = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let computed = pool.run_blocking(move || {
                    started.blocking_send(()).unwrap();
                    may_finish.recv().unwrap();
                    Ok(())
                });
                drop(computed.await);
            }
        });
        has_started.recv().await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(pool.queries.free(), QUERIES_AT_ONCE - 1);
        finish.send(()).unwrap();
        let clients = (0..QUERIES_AT_ONCE as u8).map(|number| Client::Key([number; 4]));
        let all = clients.map(|client| pool.queries.acquire(client));
        assert_eq!(futures::future::join_all(all).await.len(), QUERIES_AT_ONCE);
    }
}
