//! Reports as jobs that survive: asked for once, made once, kept until they expire.
//!
//! A trigger becomes a [`record`] in the [`database`], synced before anybody hears its id; the
//! [`writer`] is the only one who changes either database or [`index`]. [`runner`] makes the report on
//! threads of its own and [`files`] keeps it; [`renderings`] turns it into the bytes of a format.
//! When the server starts, what has no ending runs again under its id. Knows nothing of HTTP.

mod database;
mod files;
mod index;
mod job;
mod offline;
mod record;
mod renderings;
mod runner;
mod tables;
#[cfg(test)]
mod tests;
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
pub use self::renderings::{Coding, Rendering};
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

/// The records, in the folder of the reports.
const DATABASE: &str = "jobs.redb";
/// The folder of the files, in that of the reports.
const FILES: &str = "files";

/// Of the reports that may run or wait, one of so many is not for a client that has all others.
const RESERVED_SHARE: usize = 8;

/// What bounds the reports.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub retention: Retention,
    /// Reports that wait for their turn; where it is 0, one is taken on only if a turn is free.
    pub queue_max: usize,
    /// Reports that are made at once; none where it is 0.
    pub at_once: usize,
    /// How long one may take.
    pub report_time: Duration,
}

impl Limits {
    /// Reports that run or wait. Counted together, so that one that is about to run is in nobody's
    /// way.
    fn unfinished_max(&self) -> usize {
        self.at_once.saturating_add(self.queue_max)
    }

    /// As many of one client: the last ones are for others.
    fn unfinished_of_client_max(&self) -> usize {
        let max = self.unfinished_max();
        max - max / RESERVED_SHARE
    }
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    QueueFull,
    /// The key was given with a request for something else.
    OtherRequest,
    NotThere,
    Unwritten(String),
    Stopping,
}

/// What became of an id.
pub enum Found {
    Job(Arc<Job>),
    /// It was a report's once.
    Gone,
    /// It is one's whose record this version of the program cannot read.
    Unreadable,
    Unknown,
}

/// The reports, for whoever asks; a cheap handle.
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
    /// Microseconds UTC.
    clock: fn() -> i64,
    /// Whether those that wait are left to the next start.
    is_draining: AtomicBool,
}

impl Jobs {
    /// Opens the folder's reports and runs those that have no ending.
    ///
    /// # Errors
    /// Where the folder cannot be written, or another server has it.
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

    /// The report that answers the question, made now or before.
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

    /// The report of a request that was sent before under its key; `None` where it was not.
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

    /// Newest first, those before the sequence number.
    pub fn newest(&self, before: Option<u64>, count: usize) -> Vec<Arc<Job>> {
        let (at, retention) = (self.0.clock(), self.0.limits.retention);
        self.0.index().newest(before, count, |job| !retention.is_past_age(job, at))
    }

    /// Cancels a report that has not ended and forgets one that has.
    pub async fn remove(&self, id: Uuid) -> std::result::Result<Removed, Refused> {
        let at = self.0.clock();
        self.change(|reply| Change::Remove { id, at, reply }).await
    }

    /// Forgets what is due at an instant, and says how many reports that were.
    pub async fn expire(&self, at: i64) -> std::result::Result<usize, Refused> {
        self.change(|reply| Change::Expire { at, reply: Some(reply) }).await
    }

    /// The bytes of a finished report; `None` where its file is broken, and the report runs again.
    pub async fn rendering(
        &self,
        job: &Arc<Job>,
        format: crate::report::Format,
        coding: Coding,
    ) -> Result<Option<Arc<Rendering>>> {
        renderings::rendering(&self.0, job, format, coding).await
    }

    /// How many reports are in each state.
    pub fn counts(&self) -> [(&'static str, i64); 5] {
        self.0.index().counts()
    }

    /// Whether reports can be written down; where that failed, it is tried.
    pub async fn can_record(&self) -> bool {
        let database = &self.0.database;
        database.is_there() && (!database.is_failing() || self.expire(self.0.clock()).await.is_ok())
    }

    /// Whether changes are taken.
    pub fn accept_changes(&self) -> bool {
        let writer = self.0.writer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        writer.as_ref().is_some_and(|writer| !writer.is_finished())
    }

    /// Starts no report any more, and returns when those that run have ended.
    pub async fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
        let running = |job: &&Arc<Job>| matches!(job.state(), State::Running { .. });
        let running: Vec<_> = self.0.index().unfinished().filter(running).cloned().collect();
        for job in running {
            job.ended().await;
        }
    }

    /// Lets what was decided reach the disk, and changes nothing from then on.
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
        // Nobody takes from the queue only when the threads of reports are gone; then the report
        // runs after the next start.
        let _ = self.queue.send(job);
    }

    fn end(&self, job: Arc<Job>, ending: Ending) {
        let _ = self.changes.send(Change::End { job, ending });
    }

    /// Whether the report is to be forgotten for its age, which then happens before any change that
    /// is asked for from now on.
    fn is_past_age(&self, job: &Job) -> bool {
        let is_past = self.limits.retention.is_past_age(job, self.clock());
        if is_past {
            self.expire_due();
        }
        is_past
    }

    /// Has what is due forgotten, after the changes that were asked for before.
    fn expire_due(&self) {
        let _ = self.changes.send(Change::Expire { at: self.clock(), reply: None });
    }

    fn forget(&self, id: Uuid) {
        self.index_mut().remove(id);
        self.renderings.forget(id);
        self.files.remove(id);
    }
}

/// What the database keeps.
fn load_index(database: &JobDatabase) -> Result<JobIndex> {
    let mut index = JobIndex::default();
    let kept = database.read_all()?;
    for (id, record) in kept.reports {
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
    kept.unreadable.into_iter().for_each(|id| index.note_unreadable(id));
    for (key, remembered) in kept.remembered {
        index.remember(key, remembered);
    }
    Ok(index)
}
