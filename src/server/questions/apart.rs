//! Questions that processes of their own answer: the server's side.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::messages::{self, wire};
use super::{Described, Failure, Head, Question, Rows};
use crate::error::{Error, Result};
use crate::fair_semaphore::QueueFull;
use crate::server::jobs::Jobs;
use crate::server::memory_shares::beside_bytes;
use crate::sql::spool::{Spools, Watch, Writer};
use crate::sql::{Limits, STACK_BYTES, Truncation};
use crate::workers::{Frame, Lease, Lost, Pool, Program, Terms, Turn, frames, sandbox};

/// Name of the command that answers questions, with the folder behind it.
const COMMAND: &str = "worker";

/// How long something may go on in a process after its question was answered.
const REST_TIME: Duration = Duration::from_secs(1);

pub struct Workers {
    pool: Pool,
    jobs: Jobs,
    limits: Limits,
    /// Rows that were received and not read yet.
    spools: Spools,
    /// The newest version that was asked for, and by whom.
    asked: Mutex<Asked>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    version: Option<u64>,
    by_engine: bool,
    by_postgres: bool,
}

type Answer<T> = std::result::Result<T, Failure>;

impl Workers {
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
        let setup = frame(wire::SETUP, &setup).map_err(wire::unwritten)?;
        let folder = std::path::absolute(folder);
        let folder = folder.map_err(|error| Error::io("find", Path::new("."), error))?;
        let spools = Spools::new(limits.spool_bytes, limits.spool_memory_bytes);
        let spools = spools.in_folder(&folder).with_rows_of(limits.row_bytes);
        let program = Program { path, arguments: vec![COMMAND.into(), folder.into()] };
        let kept_bytes_max = beside_bytes(limits.memory_bytes) / 2;
        let pool = Pool::new(program, limits.at_once, kept_bytes_max, setup).map_err(no_thread)?;
        Ok(Self { pool, jobs, limits, spools, asked: Mutex::default() })
    }

    /// Has processes ready for questions about a version.
    pub fn warm(&self, version: u64) {
        self.note(Asked { version: Some(version), by_engine: true, by_postgres: false });
    }

    pub fn close(&self) {
        self.pool.close();
    }

    #[cfg(feature = "postgres")]
    pub async fn read(&self, text: &str) -> Answer<Vec<crate::server::postgres::Outline>> {
        let mut lease = self.lease(Turn::Short, self.limits).await?;
        let answer = self.asked(&mut lease, self.limits, wire::READ, &[text.as_bytes()]).await?;
        match answer.kind {
            wire::STATEMENTS => {
                let (statements, _) = read(answer)?;
                lease.keep();
                Ok(statements)
            }
            _ => Err(refused(lease, &self.jobs, answer)),
        }
    }

    pub async fn describe(&self, question: &Question) -> Answer<Described> {
        let (answer, lease) = self.begun(Turn::Short, wire::DESCRIBE, question).await?;
        match answer.kind {
            wire::DESCRIBED => {
                let described = Described::from_message(answer.payload).map_err(misunderstood)?;
                lease.keep();
                Ok(described)
            }
            _ => Err(refused(lease, &self.jobs, answer)),
        }
    }

    pub async fn run(&self, question: &Question) -> Answer<Rows> {
        let (answer, lease) = self.begun(Turn::Long, wire::RUN, question).await?;
        if answer.kind != wire::BEGUN {
            return Err(refused(lease, &self.jobs, answer));
        }
        let (head, schema): (Head, _) = read(answer)?;
        let schema = messages::schema(&schema).map_err(misunderstood)?;
        let limits = question.limits(self.limits);
        let (writer, batches) = self.spools.open(limits.spool_bytes);
        let (jobs, cut) = (self.jobs.clone(), Truncation::default());
        let receiving = Receiving { lease, jobs, limits, writer, cut: cut.clone() };
        let mut tasks = JoinSet::new();
        tasks.spawn(receiving.watched_by(batches.watch()));
        Ok(Rows::apart(head, schema, cut, batches, tasks))
    }

    /// A process with the question, and how it answers.
    async fn begun(&self, turn: Turn, kind: u8, question: &Question) -> Answer<(Frame, Lease)> {
        self.note(Asked {
            version: Some(question.version),
            by_engine: !question.is_postgres(),
            by_postgres: question.is_postgres(),
        });
        let limits = question.limits(self.limits);
        let mut lease = self.lease(turn, limits).await?;
        let (version, is_postgres) = (question.version, question.is_postgres());
        let warm = frame(wire::WARM, &wire::Warm { version, is_postgres });
        let prepared = lease.prepare(&warm.map_err(wire::unwritten)?).await;
        prepared.map_err(|lost| of_lost(lost, &limits))?;
        let header = frames::header(question).map_err(wire::unwritten)?;
        let answer = self.asked(&mut lease, limits, kind, &[&header, &question.bytes]).await?;
        Ok((answer, lease))
    }

    /// Remembers what is asked, so that processes which start later are ready for it.
    fn note(&self, now: Asked) {
        let mut asked = self.asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = *asked;
        // Older versions are asked now and then; most questions are about the newest.
        asked.version = asked.version.max(now.version);
        asked.by_engine |= now.by_engine;
        asked.by_postgres |= now.by_postgres;
        if *asked == before {
            return;
        }
        let Some(version) = asked.version else { return };
        let by = [(asked.by_engine, false), (asked.by_postgres, true)];
        let warm = by.iter().filter(|(is_asked, _)| *is_asked);
        let warm = warm.filter_map(|(_, is_postgres)| {
            frame(wire::WARM, &wire::Warm { version, is_postgres: *is_postgres }).ok()
        });
        self.pool.warm(warm);
    }

    async fn lease(&self, turn: Turn, limits: Limits) -> Answer<Lease> {
        // A time that no clock can tell is for ever.
        let for_ever = Duration::from_secs(100 * 365 * 24 * 3600);
        let ends_at = Instant::now() + limits.time.min(for_ever);
        let memory_bytes = match turn {
            // Nothing runs.
            Turn::Short => beside_bytes(self.limits.memory_bytes),
            Turn::Long => memory_bytes_max(self.limits),
        };
        let terms = Terms { ends_at, memory_bytes };
        self.pool.lease(turn, terms).await.map_err(|lost| of_lost(lost, &limits).into())
    }

    /// The answer to a frame.
    async fn asked(
        &self,
        lease: &mut Lease,
        limits: Limits,
        kind: u8,
        parts: &[&[u8]],
    ) -> Answer<Frame> {
        let said = lease.say(kind, parts).await;
        said.map_err(|lost| of_lost(lost, &limits))?;
        Ok(answer(lease, &self.jobs, &limits).await?)
    }
}

/// As [`next_frame`], and what whoever asked hears where there is none.
async fn answer(lease: &mut Lease, jobs: &Jobs, limits: &Limits) -> Result<Frame> {
    next_frame(lease, jobs).await.map_err(|lost| of_lost(lost, limits))
}

/// The next frame that is about the question, after those that the process asks meanwhile.
async fn next_frame(lease: &mut Lease, jobs: &Jobs) -> std::result::Result<Frame, Lost> {
    loop {
        let frame = lease.hear().await?;
        let told = match frame.kind {
            wire::REPORTS => {
                let jobs = jobs.clone();
                // There may be many, of many stores each.
                let listed = move || frames::header(&jobs.listed());
                let listed = tokio::task::spawn_blocking(listed).await;
                let listed = listed.map_err(std::io::Error::other).flatten();
                listed
                    .map_err(|error| Lost::Broken(format!("reports cannot be listed: {error}")))?
            }
            wire::BROKEN_REPORT => {
                let (jobs, id) = (jobs.clone(), frame.payload);
                // It reads a file.
                let looked = move || jobs.look_at(&String::from_utf8_lossy(&id));
                drop(tokio::task::spawn_blocking(looked).await);
                Vec::new()
            }
            _ => return Ok(frame),
        };
        lease.say(frame.kind, &[&told]).await?;
    }
}

/// Rows on their way from a process into a spool, from which whoever asked reads them. The process may
/// have other work once the last one is there.
struct Receiving {
    lease: Lease,
    jobs: Jobs,
    limits: Limits,
    writer: Writer,
    cut: Truncation,
}

/// How rows come to their end.
enum End {
    /// All were received, or as many as there may be.
    All,
    /// Nobody takes them any more.
    Gone,
    /// The process tells why there are no more.
    Failed(Failure),
}

impl Receiving {
    /// Receives the rows, and frees them where the client takes none of them; dropped before the last
    /// one is there, it ends the process.
    async fn watched_by(self, spool: Watch) {
        let limits = self.limits;
        let mut receiving = pin!(async {
            self.receive_all().await;
            pending::<()>().await;
        });
        // What is received is not dropped before the client is told why.
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
            Ok(End::All) => {
                keep_at_rest(lease, jobs, Lease::keep);
                Ok(())
            }
            Ok(End::Failed(failure)) => {
                keep_after(&failure, lease, jobs);
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

    async fn receive_until_end(&mut self) -> Result<End> {
        loop {
            let frame = answer(&mut self.lease, &self.jobs, &self.limits).await?;
            match frame.kind {
                wire::BATCH => {
                    let batch = messages::batch(frame.payload)?;
                    // It waits where there is no room, and then the process does.
                    let sent = tokio::select! {
                        biased;
                        sent = self.writer.send(batch) => sent,
                        lost = self.lease.over() => return Err(match lost {
                            Lost::Time if self.writer.is_full() => self.limits.spool_exceeded(),
                            lost => of_lost(lost, &self.limits),
                        }),
                    };
                    if sent.is_err() {
                        return Ok(End::Gone);
                    }
                }
                wire::ENDED => {
                    let (is_cut, _): (bool, _) = read(frame)?;
                    if is_cut {
                        self.cut.set();
                    }
                    return Ok(End::All);
                }
                wire::FAILED => {
                    let (failure, _): (Failure, _) = read(frame)?;
                    return Ok(End::Failed(failure));
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
    frames::message(frame.payload).map_err(misunderstood)
}

fn misunderstood(error: impl std::fmt::Display) -> Error {
    Error::bug(format!("what a worker says cannot be read: {error}"))
}

/// What a process tells of a question that it could not answer.
fn failure(answer: Frame) -> Failure {
    if answer.kind != wire::FAILED {
        return Error::bug(format!("a worker answers with {}", answer.kind)).into();
    }
    read::<Failure>(answer).map_or_else(Failure::from, |(failure, _)| failure)
}

/// As [`failure`], before the first row.
fn refused(lease: Lease, jobs: &Jobs, answer: Frame) -> Failure {
    let failure = failure(answer);
    keep_after(&failure, lease, jobs.clone());
    failure
}

/// Ends a process that failed where the process is at fault, or keeps much memory; otherwise it may
/// have other questions.
fn keep_after(failure: &Failure, lease: Lease, jobs: Jobs) {
    if failure.is_of_question() {
        keep_at_rest(lease, jobs, Lease::keep_if_light);
    }
}

/// Lets the process have other questions once nothing goes on of the last one. Where something does for
/// long, as of a query that needed few of its rows, the process ends.
fn keep_at_rest(mut lease: Lease, jobs: Jobs, keep: fn(Lease)) {
    // Nobody waits for it, and it takes no longer than the time left.
    drop(tokio::spawn(async move {
        lease.set_time_left(REST_TIME);
        let heard = next_frame(&mut lease, &jobs).await;
        if heard.is_ok_and(|frame| frame.kind == wire::RESTED) {
            keep(lease);
        }
    }));
}

/// What whoever asked hears of a process that did not answer.
fn of_lost(lost: Lost, limits: &Limits) -> Error {
    match lost {
        Lost::Time => limits.time_exceeded(),
        Lost::Crowded => QueueFull.into(),
        Lost::Memory => {
            limits.memory_exceeded("expected a query that keeps or makes less at a time")
        }
        Lost::Killed => Error::Resource {
            what: "a process of a query was killed".into(),
            source: "not by the server; the system does so where memory runs out".into(),
        },
        Lost::Unstarted(why) => Error::Resource {
            what: "no process for a query can be started".into(),
            source: why.into(),
        },
        Lost::Broken(why) => Error::bug(format!("a query broke off: {why}")),
    }
}

/// What a process that runs a question may have more than when it was ready: operators have the limit.
fn memory_bytes_max(limits: Limits) -> usize {
    limits.memory_bytes.saturating_add(beside_bytes(limits.memory_bytes))
}

/// Beyond which the system gives a process no memory, used or not: room for the stacks of its threads
/// and for what the allocator sets aside.
fn data_bytes_max(limits: Limits) -> usize {
    const SET_ASIDE: usize = 4 << 30;
    /// Beside those that compute: for reading files, and of a question that is just ending.
    const THREADS: usize = 48;
    let computing = std::thread::available_parallelism().map_or(1, usize::from);
    let stacks = (2 * computing + THREADS).saturating_mul(STACK_BYTES);
    memory_bytes_max(limits).saturating_add(SET_ASIDE).saturating_add(stacks)
}
