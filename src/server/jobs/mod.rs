//! Durable jobs: a report is triggered once, computed once, and kept until it expires.
//!
//! A trigger becomes a [`record`] in the [`database`], synced before the client is told its id; the
//! [`writer`] alone changes the database and the [`index`]. The [`runner`] computes the report on
//! threads of the pool, and [`files`] holds it; [`renderings`] encodes it in a format. When the
//! server starts, unfinished reports run again under their ids. Knows nothing of HTTP.

mod database;
mod file_identity;
mod files;
mod index;
mod job;
mod offline;
mod record;
mod renderings;
mod runner;
mod tables;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc as queue, oneshot};
use uuid::Uuid;

use self::database::JobDatabase;
use self::files::Files;
use self::index::JobIndex;
pub use self::index::{KEYS_OF_REPORT_MAX, Retention};
pub use self::job::{Job, State, Step};
pub use self::record::{Ending, Finished, ResolvedRequest};
use self::renderings::Renderings;
pub use self::renderings::{Compression, Rendering};
pub use self::tables::tables_of;
#[cfg(unix)]
pub use self::tables::{ListedReport, read_report};
use self::writer::{Change, TriggerRequest};
pub use self::writer::{Removed, Repeatable, Triggered};
use super::compute_pool::ComputePool;
use super::snapshots::Snapshots;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::tables::sync_folder;

/// Database, in the folder of the reports.
const DATABASE: &str = "jobs.redb";
/// Folder of the files, in that of the reports.
const FILES: &str = "files";

/// 1/`RESERVED_SHARE` of the unfinished reports is reserved for clients besides the busiest.
const RESERVED_SHARE: usize = 8;

/// Limits on reports.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub retention: Retention,
    /// Reports that may wait for a permit; with 0, a trigger is accepted only if a permit is free.
    pub queue_max: usize,
    /// Reports that run at once; none if it is 0.
    pub at_once: usize,
    /// Longest time that a report may run.
    pub report_time: Duration,
}

impl Limits {
    /// Limit on queued and running reports together, so that starting one changes nothing.
    fn unfinished_max(&self) -> usize {
        self.at_once.saturating_add(self.queue_max)
    }

    /// Limit for a single client; the rest is reserved for others.
    fn unfinished_of_client_max(&self) -> usize {
        let max = self.unfinished_max();
        max - max / RESERVED_SHARE
    }
}

/// Reason why a change was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    QueueFull,
    /// The idempotency key came with a different request before.
    OtherRequest,
    Conflict,
    NotRecorded(String),
    Stopping,
}

/// Result of looking up an id.
pub enum Found {
    Job(Arc<Job>),
    /// A report had the id once.
    Gone,
    /// The report's record cannot be parsed by this version of the program.
    Unreadable,
    Unknown,
}

/// All reports; a cheap handle.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    index: RwLock<JobIndex>,
    database: JobDatabase,
    files: Files,
    renderings: Renderings,
    changes: mpsc::Sender<Change>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    queue: queue::UnboundedSender<Arc<Job>>,
    limits: Limits,
    snapshots: Arc<Snapshots>,
    compute: Arc<ComputePool>,
    /// Returns microseconds UTC.
    clock: fn() -> i64,
    /// Set once queued reports are left to the next start.
    is_draining: AtomicBool,
}

impl Jobs {
    /// Opens the reports of a folder, and runs the unfinished ones.
    ///
    /// # Errors
    /// If the folder cannot be written, or another server has it open.
    pub fn open(
        folder: &Path,
        limits: Limits,
        snapshots: Arc<Snapshots>,
        compute: Arc<ComputePool>,
        clock: fn() -> i64,
    ) -> Result<Self> {
        let files = Files::create(folder.join(FILES))?;
        let database = JobDatabase::open(&folder.join(DATABASE))?;
        sync_folder(folder)?;
        let index = load_index(&database)?;
        let (changes, changed) = mpsc::channel();
        let (queue, queued) = queue::unbounded_channel();
        let inner = Arc::new(Inner {
            index: RwLock::new(index),
            database,
            files,
            renderings: Renderings::new(&compute.budget),
            changes,
            writer: Mutex::default(),
            queue,
            limits,
            snapshots,
            compute,
            clock,
            is_draining: AtomicBool::new(false),
        });
        let jobs = Self(Arc::clone(&inner));
        inner.files.remove_all_but(&inner.index().ids())?;
        let writer = std::thread::Builder::new().name("job-writer".into());
        let started = writer.spawn({
            let inner = Arc::clone(&inner);
            move || writer::run(&inner, &changed)
        });
        let started = started.map_err(|error| Error::Resource {
            what: "cannot start a thread for the records of reports".into(),
            source: error.into(),
        })?;
        *jobs.0.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(started);
        inner.index().unfinished().for_each(|job| inner.enqueue(Arc::clone(job)));
        let runs = runner::run_queue(Arc::downgrade(&inner), limits.at_once, queued);
        inner.compute.handle().spawn(runs);
        Ok(jobs)
    }

    /// Returns the report for the request, a new one or an equal earlier one, once it is on disk.
    pub async fn trigger(
        &self,
        resolved: ResolvedRequest,
        repeatable: Option<Repeatable>,
    ) -> std::result::Result<Triggered, Refused> {
        let same =
            self.0.index().equivalent(&resolved.key()).filter(|job| !self.0.is_past_age(job));
        if repeatable.is_none()
            && let Some(job) = same
            && !matches!(job.state(), State::Ended(Ending::Failed { .. }))
        {
            return Ok(Triggered { job, is_new: false });
        }
        let (client, at) = (Client::current(), self.0.clock());
        let asked = TriggerRequest { resolved, repeatable, client, at };
        self.change(|reply| Change::Trigger { asked, reply }).await
    }

    /// Report of an earlier request with the idempotency key; `None` if there was none.
    pub fn triggered_before(
        &self,
        repeatable: &Repeatable,
    ) -> Option<std::result::Result<Triggered, Refused>> {
        let index = self.0.index();
        let before = index.remembered(&repeatable.key)?;
        let job = index.job(before.id);
        if job.as_ref().is_some_and(|job| self.0.is_past_age(job)) {
            return None;
        }
        Some(match job {
            Some(job) if before.fingerprint == repeatable.fingerprint => {
                Ok(Triggered { job, is_new: false })
            }
            _ => Err(Refused::OtherRequest),
        })
    }

    pub fn find(&self, id: Uuid) -> Result<Found> {
        if let Some(job) = self.0.index().job(id) {
            return Ok(if self.0.is_past_age(&job) { Found::Gone } else { Found::Job(job) });
        }
        if self.0.index().is_unreadable(id) {
            return Ok(Found::Unreadable);
        }
        Ok(if self.0.database.gone_at(id)?.is_some() { Found::Gone } else { Found::Unknown })
    }

    /// Reports before the sequence number, newest first.
    pub fn newest(&self, before: Option<u64>, count: usize) -> Vec<Arc<Job>> {
        let (at, retention) = (self.0.clock(), self.0.limits.retention);
        self.0.index().newest(before, count, |job| !retention.is_past_age(job, at))
    }

    /// Cancels an unfinished report, or forgets a finished one.
    pub async fn remove(&self, id: Uuid) -> std::result::Result<Removed, Refused> {
        let at = self.0.clock();
        self.change(|reply| Change::Remove { id, at, reply }).await
    }

    /// Forgets the reports that are due at an instant, microseconds UTC, and returns their number.
    pub async fn expire(&self, at: i64) -> std::result::Result<usize, Refused> {
        self.change(|reply| Change::Expire { at, reply: Some(reply) }).await
    }

    /// Encodes a finished report; `None` if its file is broken, and the report runs again.
    pub async fn rendering(
        &self,
        job: &Arc<Job>,
        format: crate::report::Format,
        compression: Compression,
    ) -> Result<Option<Arc<Rendering>>> {
        renderings::rendering(&self.0, job, format, compression).await
    }

    /// Number of reports in each state.
    pub fn counts(&self) -> [(&'static str, i64); 5] {
        self.0.index().counts()
    }

    /// Checks that changes can be written; after a failure it tries again.
    ///
    /// # Errors
    /// If they cannot, with a reason that is also logged.
    pub async fn check_records(&self) -> std::result::Result<(), Refused> {
        self.check_file()?;
        if self.0.database.is_failing() {
            self.expire(self.0.clock()).await?;
        }
        Ok(())
    }

    /// Checks that the folder still has the open database.
    ///
    /// # Errors
    /// If it does not, so that what is recorded would be lost.
    pub fn check_file(&self) -> std::result::Result<(), Refused> {
        self.0.database.check_file().map_err(|error| {
            tracing::error!(error = error.sentence(), "reports cannot be recorded");
            Refused::NotRecorded(error.to_string())
        })
    }

    /// Returns true until the jobs are closed.
    pub fn accept_changes(&self) -> bool {
        let writer = self.0.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        writer.as_ref().is_some_and(|writer| !writer.is_finished())
    }

    /// Starts no more reports, and completes when the running ones have ended.
    pub async fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
        let running = |job: &&Arc<Job>| matches!(job.state(), State::Running { .. });
        let running: Vec<_> = self.0.index().unfinished().filter(running).cloned().collect();
        for job in running {
            job.ended().await;
        }
    }

    /// Writes pending changes, and refuses later ones. Blocks until they are on disk.
    pub fn close(&self) {
        let _ = self.0.changes.send(Change::Close);
        let writer = self.0.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let _ = writer.map(std::thread::JoinHandle::join);
        self.0.database.close();
    }

    async fn change<T>(
        &self,
        change: impl FnOnce(writer::Reply<T>) -> Change,
    ) -> std::result::Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        self.0.changes.send(change(reply)).map_err(|_| Refused::Stopping)?;
        answer.await.map_err(|_| Refused::Stopping)?
    }
}

impl Inner {
    fn index(&self) -> RwLockReadGuard<'_, JobIndex> {
        self.index.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, JobIndex> {
        self.index.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn clock(&self) -> i64 {
        (self.clock)()
    }

    fn enqueue(&self, job: Arc<Job>) {
        // Sending fails only when the pool is gone; the report then runs after the next start.
        let _ = self.queue.send(job);
    }

    fn end(&self, job: Arc<Job>, ending: Ending) {
        let _ = self.changes.send(Change::End { job, ending });
    }

    /// Returns true if the report is too old, and queues its removal ahead of any later change.
    fn is_past_age(&self, job: &Job) -> bool {
        let is_past = self.limits.retention.is_past_age(job, self.clock());
        if is_past {
            self.expire_due();
        }
        is_past
    }

    /// Queues the removal of reports that are due, after earlier changes.
    fn expire_due(&self) {
        let _ = self.changes.send(Change::Expire { at: self.clock(), reply: None });
    }

    fn forget(&self, id: Uuid) {
        self.index_mut().remove(id);
        self.renderings.forget(id);
        self.files.remove(id);
    }
}

/// Builds the index from the database.
fn load_index(database: &JobDatabase) -> Result<JobIndex> {
    let mut index = JobIndex::default();
    let records = database.read_all()?;
    for (id, record) in records.reports {
        let resolved = record.resolved();
        let unread = resolved.is_none().then(|| record.options.clone());
        let resolved = resolved.unwrap_or_else(|| ResolvedRequest {
            version: record.version,
            fingerprint: record.fingerprint,
            zone_rules: record.zone_rules.clone(),
            now: record.now,
            request: super::report_request::ReportRequest::default(),
        });
        let state = record.ending.clone().map_or(State::Queued, State::Ended);
        let mut job = Job::new(id, record.sequence, record.created_at, resolved, state);
        job.unread = unread;
        index.insert(Arc::new(job));
    }
    records.unreadable.into_iter().for_each(|id| index.note_unreadable(id));
    for (key, remembered) in records.remembered {
        index.remember(key, remembered);
    }
    Ok(index)
}

#[cfg(test)]
mod tests;
