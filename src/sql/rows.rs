//! The rows of a query, computed on threads of its own, until it ends, meets a limit, or is dropped.
//!
//! The query hands its rows to a spool, and ends when the last one is there, whether or not they were
//! read: its threads, its memory and its turn are free while a client reads on.

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

use super::limits::Limits;
use super::progress::Progress;
use super::spool::{Deliveries, Reader, Spools, Watch, Writer};
use super::threads::{Threads, turn};
use super::wrong::failed_within;
use crate::error::{Error, Result};
use crate::fair::FairSemaphore;

/// Whether rows were cut off; known once they have ended.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Notes that there were more rows.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The rows of a query, in batches. Dropping them ends the query.
pub struct Rows {
    schema: SchemaRef,
    batches: Reader,
    cut: Cut,
    running: Arc<Running>,
    _watch: JoinSet<()>,
}

/// What a query needs while it computes.
struct Running {
    /// None once it has ended.
    threads: Mutex<Option<Threads>>,
    progress: Progress,
}

impl Running {
    /// Ends the query where it has not ended, and gives its turn and its memory back.
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

    /// Tells, after the last batch, whether there were more than the limit.
    pub fn cut(&self) -> Cut {
        self.cut.clone()
    }

    /// How much has been read for them so far.
    pub fn progress(&self) -> Progress {
        self.running.progress.clone()
    }

    /// For whoever sends them in parts that are smaller than batches: each counts as progress of a
    /// client that may not be idle.
    pub fn deliveries(&self) -> Deliveries {
        self.batches.deliveries()
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

    /// The rows of a query that runs from now on, once it has a turn.
    pub(super) async fn start(
        query: Query,
        turns: &Arc<FairSemaphore>,
        spools: &Spools,
    ) -> Result<Self> {
        let limits = query.limits;
        let ends_at = Instant::now() + limits.time;
        let turn = turn(turns, ends_at, &limits).await?;
        let threads = Threads::start(query.state.config().target_partitions(), turn)?;
        let (mut writer, batches) = spools.open(limits.spool_bytes);
        let (planned, schema) = oneshot::channel();
        let (computing, computed) = oneshot::channel();
        let (cut, progress) = (Cut::default(), Progress::default());
        threads.spawn({
            let (cut, progress) = (cut.clone(), progress.clone());
            async move {
                let _computing: oneshot::Sender<()> = computing;
                let running = query.run(planned, &progress, &mut writer, &cut);
                let ended = timeout_at(ends_at, running).await;
                let is_full = writer.is_full();
                writer.end(ended.unwrap_or_else(|_| Err(late(&limits, is_full))));
            }
        });
        let running = Arc::new(Running { threads: Mutex::new(Some(threads)), progress });
        let mut watch = JoinSet::new();
        watch.spawn(watched(batches.watch(), Arc::clone(&running), computed, ends_at, limits));
        let schema_of_none = Arc::new(Schema::empty());
        let mut rows = Self { schema: schema_of_none, batches, cut, running, _watch: watch };
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
}

/// What a query hears at its deadline, by whether its rows had no room left. Where there is never any on
/// disk, nobody could give it more.
fn late(limits: &Limits, is_full: bool) -> Error {
    match is_full && limits.spool_bytes > 0 {
        true => limits.out_of_spool(),
        false => limits.out_of_time(),
    }
}

/// Ends the query when its time is over, whatever it does; frees what it needs when it has ended; and
/// frees its rows where the client takes none of them.
async fn watched(
    spool: Watch,
    running: Arc<Running>,
    computed: oneshot::Receiver<()>,
    ends_at: Instant,
    limits: Limits,
) {
    let over = async {
        if timeout_at(ends_at, computed).await.is_err() {
            spool.end(late(&limits, spool.is_full()));
        }
        running.end();
        pending::<()>().await;
    };
    tokio::select! {
        () = over => {}
        () = spool.client_is_idle(limits.idle_time) => {
            spool.discard(limits.out_of_patience());
            running.end();
        }
    }
}

/// A plan, and all that it is carried out with.
pub struct Query {
    pub plan: LogicalPlan,
    pub state: SessionState,
    pub tasks: TaskContext,
    pub limits: Limits,
}

impl Query {
    /// Runs the plan: tells the schema of its rows first, and hands these on.
    async fn run(
        self,
        planned: oneshot::Sender<SchemaRef>,
        progress: &Progress,
        writer: &mut Writer,
        cut: &Cut,
    ) -> Result<()> {
        let Self { plan, state, tasks, limits } = self;
        let failed = |error| failed_within(error, &limits);
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
    /// Waits for nothing.
    fn drop(&mut self) {
        self.running.end();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

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
        assert!(matches!(&error, Error::Timeout(limit) if limit.contains("200ms")), "{error}");
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

    const MANY: &str = "SELECT a.store_id, b.polled_at FROM polls a, polls b";

    #[tokio::test(flavor = "multi_thread")]
    async fn clients_that_never_read_keep_nobody_from_an_answer() {
        for at_once in [1, 2] {
            let limits = Limits { at_once, time: Duration::from_secs(60), ..Limits::default() };
            let (_folder, session) = session(limits).await;
            let mut unread = Vec::new();
            for _ in 0..8 {
                let plan = session.plan(MANY).await.unwrap();
                unread.push(session.run(plan, limits).await.unwrap());
            }
            let ninth = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
            assert_eq!(ninth.collect().await.unwrap().0.len(), 1);
            // Whoever reads after all has all rows up to the limit.
            let (batches, is_cut) = unread.swap_remove(3).collect().await.unwrap();
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!((rows, is_cut), (limits.rows, true));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_has_ended_lets_its_plan_go() {
        let limits = Limits { at_once: 1, ..Limits::default() };
        let (_folder, session) = session(limits).await;
        let sql = "SELECT store_id, count(*) FROM polls WHERE active GROUP BY store_id";
        let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
        // It has the only turn, once the query before it has ended.
        let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
        let progress = format!("{:?}", rows.progress());
        assert!(progress.contains("Ended"), "{progress}");
        assert!(rows.running.threads.lock().unwrap().is_none());
        assert!(!rows.collect().await.unwrap().0.is_empty());
        assert_eq!(next.collect().await.unwrap().0.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_memory_has_no_room_for_come_back_from_disk() {
        let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
        let (_folder, session) = session(limits).await;
        let sql = "SELECT value, repeat('x', 1000) AS text FROM range(0, 40000) ORDER BY 1";
        let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
        let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
        assert_eq!(next.collect().await.unwrap().0.len(), 1);
        let (batches, is_cut) = rows.collect().await.unwrap();
        let values =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
        assert!(values.copied().eq(0..40_000) && !is_cut);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_takes_nothing_loses_its_answer() {
        let limits = Limits { idle_time: Duration::ZERO, at_once: 1, ..Limits::default() };
        let (_folder, session) = session(limits).await;
        let plan = session.plan("SELECT * FROM polls").await.unwrap();
        let mut rows = session.run(plan, limits).await.unwrap();
        // The watch ends when it has discarded the rows.
        assert!(rows._watch.join_next().await.unwrap().is_ok());
        let error = rows.next().await.unwrap().unwrap_err();
        assert!(matches!(&error, Error::Timeout(limit) if limit.contains("--sql-idle")), "{error}");
        assert!(rows.next().await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_room_for_its_rows_a_query_meets_the_limit_of_time() {
        let usual = Limits { rows: usize::MAX, ..Limits::default() };
        let limits = Limits { spool_bytes: 0, time: Duration::from_secs(2), at_once: 1, ..usual };
        let (_folder, session) = session(limits).await;
        let sql = "SELECT a.store_id FROM polls a, polls b, polls c";
        let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
        let patient = Limits { time: Duration::from_secs(60), ..limits };
        let next = session.run(session.plan("SELECT 1").await.unwrap(), patient).await.unwrap();
        assert_eq!(next.collect().await.unwrap().0.len(), 1);
        let error = rows.collect().await.unwrap_err();
        assert!(
            matches!(&error, Error::Timeout(limit) if limit.contains("limit of time")),
            "{error}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_waits_for_room_at_its_deadline_names_the_limit_of_the_room() {
        let usual = Limits { rows: usize::MAX, ..Limits::default() };
        let limits = Limits {
            spool_bytes: 1 << 20,
            spool_memory_bytes: 1 << 20,
            time: Duration::from_secs(2),
            at_once: 1,
            ..usual
        };
        let (_folder, session) = session(limits).await;
        let sql = "SELECT a.store_id FROM polls a, polls b, polls c";
        let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
        let patient = Limits { time: Duration::from_secs(60), ..limits };
        let next = session.run(session.plan("SELECT 1").await.unwrap(), patient).await.unwrap();
        assert_eq!(next.collect().await.unwrap().0.len(), 1);
        let error = rows.collect().await.unwrap_err();
        assert!(
            matches!(&error, Error::Limit(limit) if limit.contains("1 MiB on disk, the limit (--sql-spool)")),
            "{error}"
        );
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
