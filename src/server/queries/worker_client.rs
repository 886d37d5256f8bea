//! Queries in worker processes: the server's end.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::messages::{self, wire};
use super::work::{Work, data_bytes_max};
use super::{Described, Failure, Head, Rows, SqlQuery};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::server::jobs::Jobs;
use crate::server::memory_limits::beside_bytes;
use crate::sql::Truncation;
use crate::sql::spool::{Spools, Watch, Writer, decode};
use crate::workers::{Frame, Lease, LeaseError, Pool, Program, frames, sandbox};

/// Command of a worker process, followed by the folder.
const COMMAND: &str = "worker";

/// Time for which parts of a query may run on after its end.
const REST_TIME: Duration = Duration::from_secs(1);

pub struct WorkerClient {
    pool: Pool,
    jobs: Jobs,
    limits: Limits,
    /// Rows that were received but not read yet.
    spools: Spools,
    /// Newest version that was queried, and the dialects that were used.
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
    /// If the system has no thread left.
    pub fn new(path: PathBuf, folder: &Path, jobs: Jobs, limits: Limits) -> Result<Self> {
        let no_thread = |error: std::io::Error| Error::Resource {
            what: "cannot start a thread for worker processes".into(),
            source: error.into(),
        };
        let missing = sandbox::missing().map_err(no_thread)?;
        if !missing.is_empty() {
            tracing::warn!(
                missing = missing.join(", "),
                "the sandbox is incomplete; an attacker in a worker could reach more than the tables"
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
        let spools = spools.in_folder(&folder).with_row_limit(limits.row_bytes);
        let program = Program { path, arguments: vec![COMMAND.into(), folder.into()] };
        let retained_bytes_max = beside_bytes(limits.memory_bytes) / 2;
        let pool =
            Pool::new(program, limits.at_once, retained_bytes_max, setup).map_err(no_thread)?;
        Ok(Self { pool, jobs, limits, spools, target: Mutex::default() })
    }

    /// Prepares processes for queries at a version.
    pub fn warm(&self, version: u64) {
        self.note(WarmTarget { version: Some(version), by_engine: true, by_postgres: false });
    }

    pub fn close(&self) {
        self.pool.close();
    }

    #[cfg(feature = "postgres")]
    pub async fn read(&self, text: &str) -> Answer<Vec<crate::server::postgres::Outline>> {
        let work = Work::planning(self.limits);
        let mut lease = self.lease(work).await?;
        let answer = self.exchange(&mut lease, work, wire::READ, &[text.as_bytes()]).await?;
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
        let work = Work::planning(query.limits(self.limits));
        let (answer, lease) = self.start(work, wire::DESCRIBE, query).await?;
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
        let work = Work::running(query.limits(self.limits));
        let (answer, lease) = self.start(work, wire::RUN, query).await?;
        if answer.kind != wire::BEGUN {
            return Err(take_failure(lease, &self.jobs, answer));
        }
        let (head, schema): (Head, _) = read(answer)?;
        let schema = messages::read_schema(&schema).map_err(malformed)?;
        let (writer, batches) = self.spools.open(work.limits.spool_bytes);
        let (jobs, cut) = (self.jobs.clone(), Truncation::default());
        let receiving = RowReceiver { lease, jobs, work, writer, cut: cut.clone() };
        let mut tasks = JoinSet::new();
        tasks.spawn(receiving.run(batches.watch()));
        Ok(Rows::from_worker(head, schema, cut, batches, tasks))
    }

    /// Leases a process, sends it the query, and returns its first answer.
    async fn start(&self, work: Work, kind: u8, query: &SqlQuery) -> Answer<(Frame, Lease)> {
        self.note(WarmTarget {
            version: Some(query.version),
            by_engine: !query.is_postgres(),
            by_postgres: query.is_postgres(),
        });
        let mut lease = self.lease(work).await?;
        let (version, is_postgres) = (query.version, query.is_postgres());
        let warm = frame(wire::WARM, &wire::Warm { version, is_postgres });
        let prepared = lease.prepare(&warm.map_err(wire::unencodable)?).await;
        prepared.map_err(|lost| work.error(lost))?;
        let header = frames::header(query).map_err(wire::unencodable)?;
        let answer = self.exchange(&mut lease, work, kind, &[&header, &query.bytes]).await?;
        Ok((answer, lease))
    }

    /// Notes version and dialect of a query, so that later processes start prepared for it.
    fn note(&self, now: WarmTarget) {
        let mut target = self.target.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = *target;
        // Old versions are queried now and then; most queries are about the newest.
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

    async fn lease(&self, work: Work) -> Answer<Lease> {
        let leased = self.pool.lease(work.kind, work.terms()).await;
        leased.map_err(|lost| work.error(lost).into())
    }

    /// Sends a frame and receives the answer.
    async fn exchange(
        &self,
        lease: &mut Lease,
        work: Work,
        kind: u8,
        parts: &[&[u8]],
    ) -> Answer<Frame> {
        let said = lease.send(kind, parts).await;
        said.map_err(|lost| work.error(lost))?;
        Ok(answer(lease, &self.jobs, &work).await?)
    }
}

/// Like [`next_frame`], with the error for the client.
async fn answer(lease: &mut Lease, jobs: &Jobs, work: &Work) -> Result<Frame> {
    next_frame(lease, jobs).await.map_err(|lost| work.error(lost))
}

/// Next frame about the query, after requests of the process for reports.
async fn next_frame(lease: &mut Lease, jobs: &Jobs) -> std::result::Result<Frame, LeaseError> {
    loop {
        let frame = lease.receive().await?;
        let told = match frame.kind {
            wire::REPORTS => {
                let jobs = jobs.clone();
                // There may be many, with many stores each.
                let listed = move || frames::header(&jobs.listed());
                let listed = tokio::task::spawn_blocking(listed).await;
                let listed = listed.map_err(std::io::Error::other).flatten();
                listed
                    .map_err(|error| LeaseError::Broken(format!("cannot list reports: {error}")))?
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

/// Moves rows from a process into a spool; after the last one, the process returns to the pool.
struct RowReceiver {
    lease: Lease,
    jobs: Jobs,
    work: Work,
    writer: Writer,
    cut: Truncation,
}

/// End of a stream of rows.
enum StreamEnd {
    /// All rows were received, or as many as the limit allows.
    All,
    /// The reader is gone.
    Gone,
    /// The process reports a failure.
    Failed(Failure),
}

impl RowReceiver {
    /// Receives the rows; discards them if the client is idle. Dropping this ends the process.
    async fn run(self, spool: Watch) {
        let limits = self.work.limits;
        let mut receiving = pin!(async {
            self.receive_all().await;
            pending::<()>().await;
        });
        // The rows are not dropped before the client is told the reason.
        tokio::select! {
            () = &mut receiving => {}
            () = spool.until_idle(limits.idle_time) => {
                spool.discard(limits.idle_time_exceeded());
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
            let frame = answer(&mut self.lease, &self.jobs, &self.work).await?;
            match frame.kind {
                wire::BATCH => {
                    let batch = decode(frame.payload)?;
                    // Backpressure: a full spool blocks here, and thereby the process.
                    let sent = tokio::select! {
                        biased;
                        sent = self.writer.send(batch) => sent,
                        lost = self.lease.expired() => return Err(match lost {
                            LeaseError::Time => {
                                self.work.limits.deadline_exceeded(self.writer.is_full())
                            }
                            lost => self.work.error(lost),
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
                other => return Err(Error::bug(format!("a worker sent frame {other} among rows"))),
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
    Error::bug(format!("a message of a worker cannot be decoded: {error}"))
}

/// Failure that a process reports for a query.
fn failure(answer: Frame) -> Failure {
    if answer.kind != wire::FAILED {
        return Error::bug(format!("a worker answered with frame {}", answer.kind)).into();
    }
    read::<Failure>(answer).map_or_else(Failure::from, |(failure, _)| failure)
}

/// Like [`failure`], before the first row; returns the process to the pool if it may be reused.
fn take_failure(lease: Lease, jobs: &Jobs, answer: Frame) -> Failure {
    let failure = failure(answer);
    return_after(&failure, lease, jobs.clone());
    failure
}

/// Returns the process to the pool if the query was at fault and little memory is retained.
fn return_after(failure: &Failure, lease: Lease, jobs: Jobs) {
    if failure.is_client_error() {
        return_when_idle(lease, jobs, Lease::keep_if_light);
    }
}

/// Returns the process to the pool once nothing of the query runs; ends it if that takes too long.
fn return_when_idle(mut lease: Lease, jobs: Jobs, keep: fn(Lease)) {
    // Detached: it takes no longer than the time left.
    drop(tokio::spawn(async move {
        lease.set_time_left(REST_TIME);
        let heard = next_frame(&mut lease, &jobs).await;
        if heard.is_ok_and(|frame| frame.kind == wire::IDLE) {
            keep(lease);
        }
    }));
}
