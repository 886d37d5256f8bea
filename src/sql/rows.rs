//! Execution of a query on its own threads, until it completes, exceeds a limit or its rows are
//! dropped.
//!
//! The query writes into a spool and completes independently of its reader: threads, memory and
//! permit are released while a slow client still reads.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::errors::query_error_within;
use super::progress::Progress;
use super::spool::{Deliveries, Reader, Spools, Watch, Writer};
use crate::error::{Error, Result};
use crate::fair_semaphore::FairSemaphore;
use crate::limits::Limits;
use crate::limits::threads::{Threads, acquire_permit};

/// Flag for whether the row limit truncated the result; meaningful once the rows have ended.
#[derive(Clone, Debug, Default)]
pub struct Truncation(Arc<AtomicBool>);

impl Truncation {
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Records that rows were omitted.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Stream of result batches. Dropping it cancels the query.
pub struct Rows {
    schema: SchemaRef,
    batches: Reader,
    cut: Truncation,
    running: Arc<Running>,
    _watch: JoinSet<()>,
}

/// Resources of a running query.
struct Running {
    /// `None` once the query has ended.
    threads: Mutex<Option<Threads>>,
    progress: Progress,
}

impl Running {
    /// Cancels the query unless it has ended; releases its permit and memory.
    fn end(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if threads.is_some() {
            self.progress.end();
        }
    }
}

impl Rows {
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Truncation flag, valid after the last batch.
    pub fn cut(&self) -> Truncation {
        self.cut.clone()
    }

    /// Progress of the query.
    pub fn progress(&self) -> Progress {
        self.running.progress.clone()
    }

    /// Delivery counter for senders whose parts are smaller than batches. Each delivered part
    /// resets the idle time of the client.
    pub fn deliveries(&self) -> Deliveries {
        self.batches.deliveries()
    }

    /// Collects all rows, and whether they were truncated.
    ///
    /// # Errors
    /// Fails if the query fails or exceeds a limit other than that of rows.
    pub async fn collect(mut self) -> Result<(Vec<RecordBatch>, bool)> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok((batches, self.cut.is_cut()))
    }

    /// Starts a query once it has a permit, and returns its rows.
    pub(super) async fn start(
        query: Query,
        permits: &Arc<FairSemaphore>,
        spools: &Spools,
    ) -> Result<Self> {
        let limits = query.limits;
        let ends_at = Instant::now() + limits.time;
        let permit = acquire_permit(permits, ends_at, &limits).await?;
        let threads = Threads::start(query.state.config().target_partitions(), permit)?;
        let (mut writer, batches) = spools.open(limits.spool_bytes);
        let (planned, schema) = oneshot::channel();
        let (computing, computed) = oneshot::channel();
        let (cut, progress) = (Truncation::default(), Progress::default());
        threads.spawn({
            let (cut, progress) = (cut.clone(), progress.clone());
            async move {
                let _computing: oneshot::Sender<()> = computing;
                let running = query.run(planned, &progress, &mut writer, &cut);
                let ended = timeout_at(ends_at, running).await;
                let is_full = writer.is_full();
                writer.end(ended.unwrap_or_else(|_| Err(limits.deadline_exceeded(is_full))));
            }
        });
        let running = Arc::new(Running { threads: Mutex::new(Some(threads)), progress });
        let mut watch = JoinSet::new();
        watch.spawn(supervise(batches.watch(), Arc::clone(&running), computed, ends_at, limits));
        let schema_of_none = Arc::new(Schema::empty());
        let mut rows = Self { schema: schema_of_none, batches, cut, running, _watch: watch };
        match timeout_at(ends_at, schema).await {
            Ok(Ok(schema)) => rows.schema = schema,
            // The query failed before it had a schema.
            Ok(Err(_)) => match rows.next().await {
                Some(Err(error)) => return Err(error),
                _ => return Err(Error::bug("a query was aborted")),
            },
            Err(_) => return Err(limits.time_exceeded()),
        }
        Ok(rows)
    }
}

/// Cancels the query at its deadline, releases its resources when it ends, and discards its rows if
/// the client is idle.
async fn supervise(
    spool: Watch,
    running: Arc<Running>,
    computed: oneshot::Receiver<()>,
    ends_at: Instant,
    limits: Limits,
) {
    let over = async {
        if timeout_at(ends_at, computed).await.is_err() {
            spool.end(limits.deadline_exceeded(spool.is_full()));
        }
        running.end();
        pending::<()>().await;
    };
    tokio::select! {
        () = over => {}
        () = spool.until_idle(limits.idle_time) => {
            spool.discard(limits.idle_time_exceeded());
            running.end();
        }
    }
}

/// A plan with its execution environment.
pub struct Query {
    pub plan: LogicalPlan,
    pub state: SessionState,
    pub tasks: TaskContext,
    pub limits: Limits,
}

impl Query {
    /// Executes the plan: first sends the schema, then writes the rows to the spool.
    async fn run(
        self,
        planned: oneshot::Sender<SchemaRef>,
        progress: &Progress,
        writer: &mut Writer,
        cut: &Truncation,
    ) -> Result<()> {
        let Self { plan, state, tasks, limits } = self;
        let failed = |error| query_error_within(error, &limits);
        let plan = state.create_physical_plan(&plan).await.map_err(failed)?;
        progress.watch(&plan);
        let mut batches = execute_stream(plan, Arc::new(tasks)).map_err(failed)?;
        drop(planned.send(batches.schema()));
        let mut left = limits.rows;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed)?;
            let taken = batch.slice(0, batch.num_rows().min(left));
            left -= taken.num_rows();
            let is_more = taken.num_rows() < batch.num_rows();
            if is_more {
                cut.set();
            }
            let is_gone = taken.num_rows() > 0 && writer.send(taken).await.is_err();
            if is_more || is_gone {
                break;
            }
        }
        Ok(())
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        let next = ready!(self.batches.poll_next_unpin(context));
        if !matches!(next, Some(Ok(_))) {
            self.running.end();
        }
        Poll::Ready(next)
    }
}

impl Drop for Rows {
    /// Cancels the query without blocking.
    fn drop(&mut self) {
        self.running.end();
    }
}

#[cfg(test)]
mod tests;
