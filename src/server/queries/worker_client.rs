//! QueryService that processes of their own answer: the server's side.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::messages::{self, wire};
use super::{Described, Failure, Head, Rows, SqlQuery};
use crate::error::{Error, Result};
use crate::fair_semaphore::QueueFull;
use crate::server::jobs::Jobs;
use crate::server::memory_limits::beside_bytes;
use crate::sql::spool::{Spools, Watch, Writer};
use crate::sql::{Cut, Limits, STACK_BYTES};
use crate::workers::{Frame, Lease, LeaseError, Pool, Program, Terms, WorkKind, frames, sandbox};

/// Name of the command that answers queries, with the folder behind it.
const COMMAND: &str = "worker";

/// How long something may go on in a process after its query was answered.
const REST_TIME: Duration = Duration::from_secs(1);

pub struct WorkerClient {
    pool: Pool,
    jobs: Jobs,
    limits: Limits,
    /// Rows that were received and not read yet.
    spools: Spools,
    /// The newest version that was asked for, and by whom.
    target: Mutex<WarmTarget>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct WarmTarget {
    version: Option<u64>,
    by_engine: bool,
    by_postgres: bool,
}

type Answer<T> = std::result::Result<T, Failure>;

impl WorkerClient {
    /// # Errors
    /// Where the system has no thread left.
    pub fn new(path: PathBuf, folder: &Path, jobs: Jobs, limits: Limits) -> Result<Self> {
        let no_thread = |error: std::io::Error| Error::Resource {
            what: "cannot start a thread for processes of queries".into(),
            source: error.into(),
        };
        let missing = sandbox::missing().map_err(no_thread)?;
        if !missing.is_empty() {
            tracing::warn!(
                missing = missing.join(", "),
                "what takes over a query can reach more than the tables"
            );
        }
        let setup = wire::Setup {
            time: limits.time,
            rows: limits.rows,
            memory_bytes: limits.memory_bytes,
            data_bytes_max: data_bytes_max(limits),
        };
        let setup = frame(wire::SETUP, &setup).map_err(wire::unencodable)?;
        let folder = std::path::absolute(folder);
        let folder = folder.map_err(|error| Error::io("find", Path::new("."), error))?;
        let spools = Spools::new(limits.spool_bytes, limits.spool_memory_bytes);
        let spools = spools.in_folder(&folder).with_rows_of(limits.row_bytes);
        let program = Program { path, arguments: vec![COMMAND.into(), folder.into()] };
        let kept_bytes_max = beside_bytes(limits.memory_bytes) / 2;
        let pool = Pool::new(program, limits.at_once, kept_bytes_max, setup).map_err(no_thread)?;
        Ok(Self { pool, jobs, limits, spools, target: Mutex::default() })
    }

    /// Has processes ready for queries about a version.
    pub fn warm(&self, version: u64) {
        self.note(WarmTarget { version: Some(version), by_engine: true, by_postgres: false });
    }

    pub fn close(&self) {
        self.pool.close();
    }

    #[cfg(feature = "postgres")]
    pub async fn read(&self, text: &str) -> Answer<Vec<crate::server::postgres::Outline>> {
        let mut lease = self.lease(WorkKind::Short, self.limits).await?;
        let answer = self.exchange(&mut lease, self.limits, wire::READ, &[text.as_bytes()]).await?;
        match answer.kind {
            wire::STATEMENTS => {
                let (statements, _) = read(answer)?;
                lease.keep();
                Ok(statements)
            }
            _ => Err(take_failure(lease, &self.jobs, answer)),
        }
    }

    pub async fn describe(&self, query: &SqlQuery) -> Answer<Described> {
        let (answer, lease) = self.start(WorkKind::Short, wire::DESCRIBE, query).await?;
        match answer.kind {
            wire::DESCRIBED => {
                let described = Described::from_message(answer.payload).map_err(malformed)?;
                lease.keep();
                Ok(described)
            }
            _ => Err(take_failure(lease, &self.jobs, answer)),
        }
    }

    pub async fn run(&self, query: &SqlQuery) -> Answer<Rows> {
        let (answer, lease) = self.start(WorkKind::Long, wire::RUN, query).await?;
        if answer.kind != wire::BEGUN {
            return Err(take_failure(lease, &self.jobs, answer));
        }
        let (head, schema): (Head, _) = read(answer)?;
        let schema = messages::read_schema(&schema).map_err(malformed)?;
        let limits = query.limits(self.limits);
        let (writer, batches) = self.spools.open(limits.spool_bytes);
        let (jobs, cut) = (self.jobs.clone(), Cut::default());
        let receiving = RowReceiver { lease, jobs, limits, writer, cut: cut.clone() };
        let mut tasks = JoinSet::new();
        tasks.spawn(receiving.run(batches.watch()));
        Ok(Rows::from_worker(head, schema, cut, batches, tasks))
    }

    /// A process with the query, and how it answers.
    async fn start(&self, work: WorkKind, kind: u8, query: &SqlQuery) -> Answer<(Frame, Lease)> {
        self.note(WarmTarget {
            version: Some(query.version),
            by_engine: !query.is_postgres(),
            by_postgres: query.is_postgres(),
        });
        let limits = query.limits(self.limits);
        let mut lease = self.lease(work, limits).await?;
        let (version, is_postgres) = (query.version, query.is_postgres());
        let warm = frame(wire::WARM, &wire::Warm { version, is_postgres });
        let prepared = lease.prepare(&warm.map_err(wire::unencodable)?).await;
        prepared.map_err(|lost| lost_error(lost, &limits))?;
        let header = frames::header(query).map_err(wire::unencodable)?;
        let answer = self.exchange(&mut lease, limits, kind, &[&header, &query.bytes]).await?;
        Ok((answer, lease))
    }

    /// Remembers what is asked, so that processes which start later are ready for it.
    fn note(&self, now: WarmTarget) {
        let mut target = self.target.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = *target;
        // Older versions are asked now and then; most queries are about the newest.
        target.version = target.version.max(now.version);
        target.by_engine |= now.by_engine;
        target.by_postgres |= now.by_postgres;
        if *target == before {
            return;
        }
        let Some(version) = target.version else { return };
        let by = [(target.by_engine, false), (target.by_postgres, true)];
        let warm = by.iter().filter(|(is_asked, _)| *is_asked);
        let warm = warm.filter_map(|(_, is_postgres)| {
            frame(wire::WARM, &wire::Warm { version, is_postgres: *is_postgres }).ok()
        });
        self.pool.warm(warm);
    }

    async fn lease(&self, kind: WorkKind, limits: Limits) -> Answer<Lease> {
        // A time that no clock can tell is for ever.
        let for_ever = Duration::from_secs(100 * 365 * 24 * 3600);
        let ends_at = Instant::now() + limits.time.min(for_ever);
        let memory_bytes = match kind {
            // Nothing runs.
            WorkKind::Short => beside_bytes(self.limits.memory_bytes),
            WorkKind::Long => memory_bytes_max(self.limits),
        };
        let terms = Terms { ends_at, memory_bytes };
        self.pool.lease(kind, terms).await.map_err(|lost| lost_error(lost, &limits).into())
    }

    /// The answer to a frame.
    async fn exchange(
        &self,
        lease: &mut Lease,
        limits: Limits,
        kind: u8,
        parts: &[&[u8]],
    ) -> Answer<Frame> {
        let said = lease.send(kind, parts).await;
        said.map_err(|lost| lost_error(lost, &limits))?;
        Ok(answer(lease, &self.jobs, &limits).await?)
    }
}

/// As [`next_frame`], and what whoever asked hears where there is none.
async fn answer(lease: &mut Lease, jobs: &Jobs, limits: &Limits) -> Result<Frame> {
    next_frame(lease, jobs).await.map_err(|lost| lost_error(lost, limits))
}

/// The next frame that is about the query, after those that the process asks meanwhile.
async fn next_frame(lease: &mut Lease, jobs: &Jobs) -> std::result::Result<Frame, LeaseError> {
    loop {
        let frame = lease.receive().await?;
        let told = match frame.kind {
            wire::REPORTS => {
                let jobs = jobs.clone();
                // There may be many, of many stores each.
                let listed = move || frames::header(&jobs.listed());
                let listed = tokio::task::spawn_blocking(listed).await;
                let listed = listed.map_err(std::io::Error::other).flatten();
                listed.map_err(|error| {
                    LeaseError::Broken(format!("reports cannot be listed: {error}"))
                })?
            }
            wire::BROKEN_REPORT => {
                let (jobs, id) = (jobs.clone(), frame.payload);
                // It reads a file.
                let looked = move || jobs.requeue_if_broken(&String::from_utf8_lossy(&id));
                drop(tokio::task::spawn_blocking(looked).await);
                Vec::new()
            }
            _ => return Ok(frame),
        };
        lease.send(frame.kind, &[&told]).await?;
    }
}

/// Rows on their way from a process into a spool, from which whoever asked reads them. The process may
/// have other work once the last one is there.
struct RowReceiver {
    lease: Lease,
    jobs: Jobs,
    limits: Limits,
    writer: Writer,
    cut: Cut,
}

/// How rows come to their end.
enum StreamEnd {
    /// All were received, or as many as there may be.
    All,
    /// Nobody takes them any more.
    Gone,
    /// The process tells why there are no more.
    Failed(Failure),
}

impl RowReceiver {
    /// Receives the rows, and frees them where the client takes none of them; dropped before the last
    /// one is there, it ends the process.
    async fn run(self, spool: Watch) {
        let limits = self.limits;
        let mut receiving = pin!(async {
            self.receive_all().await;
            pending::<()>().await;
        });
        // What is received is not dropped before the client is told why.
        tokio::select! {
            () = &mut receiving => {}
            () = spool.client_is_idle(limits.idle_time) => {
                spool.discard(limits.out_of_patience());
            }
        }
    }

    async fn receive_all(mut self) {
        let end = self.receive_until_end().await;
        let Self { lease, jobs, writer, .. } = self;
        let end = match end {
            Ok(StreamEnd::All) => {
                return_when_idle(lease, jobs, Lease::keep);
                Ok(())
            }
            Ok(StreamEnd::Failed(failure)) => {
                return_after(&failure, lease, jobs);
                Err(failure.into())
            }
            // The process is still at work.
            other => {
                drop(lease);
                other.map(drop)
            }
        };
        writer.end(end);
    }

    async fn receive_until_end(&mut self) -> Result<StreamEnd> {
        loop {
            let frame = answer(&mut self.lease, &self.jobs, &self.limits).await?;
            match frame.kind {
                wire::BATCH => {
                    let batch = messages::read_batch(frame.payload)?;
                    // It waits where there is no room, and then the process does.
                    let sent = tokio::select! {
                        biased;
                        sent = self.writer.send(batch) => sent,
                        lost = self.lease.expired() => return Err(match lost {
                            LeaseError::Time if self.writer.is_full() => self.limits.out_of_spool(),
                            lost => lost_error(lost, &self.limits),
                        }),
                    };
                    if sent.is_err() {
                        return Ok(StreamEnd::Gone);
                    }
                }
                wire::ENDED => {
                    let (is_cut, _): (bool, _) = read(frame)?;
                    if is_cut {
                        self.cut.set();
                    }
                    return Ok(StreamEnd::All);
                }
                wire::FAILED => {
                    let (failure, _): (Failure, _) = read(frame)?;
                    return Ok(StreamEnd::Failed(failure));
                }
                other => return Err(Error::bug(format!("a worker says {other} amid rows"))),
            }
        }
    }
}

fn frame(kind: u8, header: &impl serde::Serialize) -> std::io::Result<Frame> {
    Ok(Frame { kind, payload: frames::header(header)? })
}

fn read<T: DeserializeOwned>(frame: Frame) -> Result<(T, bytes::Bytes)> {
    frames::message(frame.payload).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::bug(format!("what a worker says cannot be read: {error}"))
}

/// What a process tells of a query that it could not answer.
fn failure(answer: Frame) -> Failure {
    if answer.kind != wire::FAILED {
        return Error::bug(format!("a worker answers with {}", answer.kind)).into();
    }
    read::<Failure>(answer).map_or_else(Failure::from, |(failure, _)| failure)
}

/// As [`failure`], before the first row.
fn take_failure(lease: Lease, jobs: &Jobs, answer: Frame) -> Failure {
    let failure = failure(answer);
    return_after(&failure, lease, jobs.clone());
    failure
}

/// Ends a process that failed where the process is at fault, or keeps much memory; otherwise it may
/// have other queries.
fn return_after(failure: &Failure, lease: Lease, jobs: Jobs) {
    if failure.is_client_error() {
        return_when_idle(lease, jobs, Lease::keep_if_light);
    }
}

/// Lets the process have other queries once nothing goes on of the last one. Where something does for
/// long, as of a query that needed few of its rows, the process ends.
fn return_when_idle(mut lease: Lease, jobs: Jobs, keep: fn(Lease)) {
    // Nobody waits for it, and it takes no longer than the time left.
    drop(tokio::spawn(async move {
        lease.set_time_left(REST_TIME);
        let heard = next_frame(&mut lease, &jobs).await;
        if heard.is_ok_and(|frame| frame.kind == wire::IDLE) {
            keep(lease);
        }
    }));
}

/// What whoever asked hears of a process that did not answer.
fn lost_error(lost: LeaseError, limits: &Limits) -> Error {
    match lost {
        LeaseError::Time => limits.out_of_time(),
        LeaseError::QueueFull => QueueFull.into(),
        LeaseError::Memory => {
            limits.out_of_memory("expected a query that keeps or makes less at a time")
        }
        LeaseError::Killed => Error::Resource {
            what: "a process of a query was killed".into(),
            source: "not by the server; the system does so where memory runs out".into(),
        },
        LeaseError::StartFailed(why) => Error::Resource {
            what: "no process for a query can be started".into(),
            source: why.into(),
        },
        LeaseError::Broken(why) => Error::bug(format!("a query broke off: {why}")),
    }
}

/// What a process that runs a query may have more than when it was ready: operators have the limit.
fn memory_bytes_max(limits: Limits) -> usize {
    limits.memory_bytes.saturating_add(beside_bytes(limits.memory_bytes))
}

/// Beyond which the system gives a process no memory, used or not: room for the stacks of its threads
/// and for what the allocator sets aside.
fn data_bytes_max(limits: Limits) -> usize {
    const SET_ASIDE: usize = 4 << 30;
    /// Beside those that compute: for reading files, and of a query that is just ending.
    const THREADS: usize = 48;
    let computing = std::thread::available_parallelism().map_or(1, usize::from);
    let stacks = (2 * computing + THREADS).saturating_mul(STACK_BYTES);
    memory_bytes_max(limits).saturating_add(SET_ASIDE).saturating_add(stacks)
}
