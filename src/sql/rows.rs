//! The rows of a query, computed on threads of its own, until it ends, meets a limit, or is dropped.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::limits::Limits;
use super::progress::Progress;
use super::threads::{Threads, turn};
use super::wrong::failed_within;
use crate::error::{Error, Result};
use crate::fair::FairSemaphore;

/// Batches that wait for who takes them.
const BATCHES_AHEAD: usize = 2;

/// Whether rows were cut off; known once they have ended.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The rows of a query, in batches. Dropping them ends the query.
pub struct Rows {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch>>,
    cut: Cut,
    progress: Progress,
    limits: Limits,
    /// Whoever waits hears that the time is over when it is, whatever the query does.
    time_is_over: Pin<Box<Sleep>>,
    has_ended: Arc<AtomicBool>,
    /// None once there are no more rows.
    threads: Option<Threads>,
}

impl Rows {
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Tells, after the last batch, whether there were more than the limit.
    pub fn cut(&self) -> Cut {
        self.cut.clone()
    }

    /// How much has been read for them so far.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// All of them, and whether there were more.
    ///
    /// # Errors
    /// Where the query fails or meets a limit other than that of rows.
    pub async fn collect(mut self) -> Result<(Vec<RecordBatch>, bool)> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok((batches, self.cut.is_cut()))
    }

    pub(super) async fn of(
        state: SessionState,
        plan: LogicalPlan,
        limits: Limits,
        turns: &Arc<FairSemaphore>,
    ) -> Result<Self> {
        let ends_at = Instant::now() + limits.time;
        let turn = turn(turns, ends_at, &limits).await?;
        let threads = Threads::start(state.config().target_partitions(), turn)?;
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let (planned, schema) = oneshot::channel();
        let mut rows = Self {
            schema: SchemaRef::clone(&NO_COLUMNS),
            batches,
            cut: Cut::default(),
            progress: Progress::default(),
            limits,
            time_is_over: Box::pin(sleep_until(ends_at)),
            has_ended: Arc::default(),
            threads: None,
        };
        threads.spawn({
            let (cut, progress) = (rows.cut.clone(), rows.progress.clone());
            let has_ended = Arc::clone(&rows.has_ended);
            async move {
                let query = query(state, plan, limits, (planned, &progress), (&sender, &cut));
                let failed = match timeout_at(ends_at, query).await {
                    Ok(Ok(())) => return has_ended.store(true, Ordering::Release),
                    Ok(Err(error)) => error,
                    Err(_) => limits.out_of_time(),
                };
                drop(sender.send(Err(failed)).await);
            }
        });
        rows.threads = Some(threads);
        match timeout_at(ends_at, schema).await {
            Ok(Ok(schema)) => rows.schema = schema,
            // It failed before it had one.
            Ok(Err(_)) => match rows.next().await {
                Some(Err(error)) => return Err(error),
                _ => return Err(Error::bug("a query broke off")),
            },
            Err(_) => return Err(limits.out_of_time()),
        }
        Ok(rows)
    }

    /// No more rows come; the query ends, and gives its turn back.
    fn end(&mut self) {
        self.batches.close();
        self.threads = None;
    }
}

static NO_COLUMNS: std::sync::LazyLock<SchemaRef> =
    std::sync::LazyLock::new(|| Arc::new(arrow::datatypes::Schema::empty()));

/// Runs the plan, and hands on its rows.
async fn query(
    state: SessionState,
    plan: LogicalPlan,
    limits: Limits,
    (planned, progress): (oneshot::Sender<SchemaRef>, &Progress),
    (sender, cut): (&mpsc::Sender<Result<RecordBatch>>, &Cut),
) -> Result<()> {
    let failed = |error| failed_within(error, &limits);
    let plan = state.create_physical_plan(&plan).await.map_err(failed)?;
    progress.watch(&plan);
    let mut batches = execute_stream(plan, state.task_ctx()).map_err(failed)?;
    drop(planned.send(batches.schema()));
    let mut left = limits.rows;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        let taken = batch.slice(0, batch.num_rows().min(left));
        left -= taken.num_rows();
        let is_more = taken.num_rows() < batch.num_rows();
        if is_more {
            cut.0.store(true, Ordering::Release);
        }
        let is_gone = taken.num_rows() > 0 && sender.send(Ok(taken)).await.is_err();
        if is_more || is_gone {
            break;
        }
    }
    Ok(())
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        if self.threads.is_none() {
            return Poll::Ready(None);
        }
        let failed = match self.batches.poll_recv(context) {
            Poll::Ready(Some(Ok(batch))) => return Poll::Ready(Some(Ok(batch))),
            Poll::Ready(Some(Err(failed))) => Some(failed),
            Poll::Ready(None) if self.has_ended.load(Ordering::Acquire) => None,
            // Part of the rows must not look like all of them.
            Poll::Ready(None) => Some(Error::bug("a query broke off")),
            Poll::Pending => {
                ready!(self.time_is_over.as_mut().poll(context));
                Some(self.limits.out_of_time())
            }
        };
        self.end();
        Poll::Ready(failed.map(Err))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::Database;
    use super::*;
    use crate::generate::{DEFAULT_END_US, Spec, generate};
    use crate::ingest::{Request, Watch, load};
    use crate::sql::Session;
    use crate::tables::{Dataset, WriteLock};

    /// A session over a small made-up chain, whose files live as long as the folder.
    pub async fn session(limits: Limits) -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().unwrap();
        let (files, data) = (folder.path().join("files"), folder.path().join("data"));
        let spec = Spec { stores: 20, days: 2, seed: 5, ends_at_us: DEFAULT_END_US };
        generate(&spec, &files).unwrap();
        let loaded_at = DEFAULT_END_US;
        let request =
            Request { paths: vec![files], max_reject_rate: 0.01, loaded_at, ..Request::default() };
        let watch = Watch { stopped: &AtomicBool::new(false), read: &|_| {} };
        load(&request, &WriteLock::take(&data).unwrap(), &watch, |_| Ok(())).await.unwrap();
        let dataset = Dataset::open(&data, None).await.unwrap().unwrap();
        let database = Database::new(limits);
        (folder, database.session(&dataset).unwrap())
    }

    pub async fn asked(limits: Limits, sql: &str) -> Result<(usize, bool)> {
        let (_folder, session) = session(limits).await;
        let rows = session.run(session.plan(sql).await?, limits).await?;
        let (batches, is_cut) = rows.collect().await?;
        Ok((batches.iter().map(RecordBatch::num_rows).sum(), is_cut))
    }

    const ENDLESS_JOIN: &str = "SELECT count(*) FROM polls a, polls b, polls c, polls d, polls e, \
        polls f, polls g WHERE a.polled_at + (g.polled_at - f.polled_at) <> b.polled_at";

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_beyond_the_limit_are_cut_off_and_it_shows() {
        let limits = Limits { rows: 7, ..Limits::default() };
        assert_eq!(asked(limits, "SELECT * FROM polls").await.unwrap(), (7, true));
        assert_eq!(asked(limits, "SELECT * FROM polls LIMIT 7").await.unwrap(), (7, false));
        assert_eq!(asked(limits, "SELECT * FROM polls LIMIT 0").await.unwrap(), (0, false));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_takes_too_long_ends_and_names_the_limit() {
        let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
        let error = asked(limits, ENDLESS_JOIN).await.unwrap_err();
        assert!(matches!(&error, Error::Limit(limit) if limit.contains("200ms")), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_needs_too_much_memory_fails_and_names_the_limit() {
        let limits = Limits { memory_bytes: 1 << 10, ..Limits::default() };
        let sql = "SELECT a.store_id, count(DISTINCT b.polled_at) FROM polls a JOIN polls b USING (store_id) GROUP BY 1";
        let error = asked(limits, sql).await.unwrap_err();
        assert!(matches!(&error, Error::Limit(limit) if limit.contains("--sql-memory")), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_query_gives_its_turn_back() {
        let limits = Limits { at_once: 1, ..Limits::default() };
        let (_folder, session) = session(limits).await;
        let sql = "SELECT a.store_id FROM polls a, polls b";
        let mut rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
        assert!(rows.next().await.unwrap().is_ok());
        drop(rows);
        let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
        assert_eq!(next.collect().await.unwrap().0.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_but_reading_is_planned() {
        for sql in [
            "CREATE TABLE t AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "INSERT INTO polls SELECT * FROM polls",
            "COPY polls TO '/tmp/polls.csv'",
            "DROP TABLE polls",
            "SET datafusion.execution.batch_size = 1",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "EXPLAIN ANALYZE INSERT INTO polls SELECT * FROM polls",
        ] {
            let error = asked(Limits::default(), sql).await.unwrap_err();
            assert!(matches!(error, Error::Query(_)), "{sql}: {error}");
        }
    }
}
