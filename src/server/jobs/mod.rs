//! Reports as jobs that survive: asked for once, made once, kept until they expire.
//!
//! A trigger becomes a [`record`] in the [`ledger`], synced before anybody hears its id; the
//! [`clerk`] is the only one who changes either ledger or [`board`]. [`run`] makes the report on
//! threads of its own and [`files`] keeps it; [`renderings`] turns it into the bytes of a format.
//! When the server starts, what has no ending runs again under its id. Knows nothing of HTTP.

mod board;
mod clerk;
mod files;
mod job;
mod ledger;
mod record;
mod renderings;
mod run;
mod tables;
#[cfg(test)]
mod tests;
mod unserved;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc as queue, oneshot};
use uuid::Uuid;

use self::board::Board;
pub use self::board::{KEYS_OF_REPORT_MAX, Retention};
use self::clerk::{Asked, Change};
pub use self::clerk::{Removed, Repeatable, Triggered};
use self::files::Files;
pub use self::job::{Job, State, Step};
use self::ledger::Ledger;
pub use self::record::{Ending, Finished, Settled};
use self::renderings::Renderings;
pub use self::renderings::{Coding, Rendering};
pub use self::tables::tables_of;
#[cfg(unix)]
pub use self::tables::{Listed, read_report};
use super::catalog::Catalog;
use super::compute_pool::ComputePool;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::tables::sync_folder;

/// The records, in the folder of the reports.
const LEDGER: &str = "jobs.redb";
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
    Never,
}

/// The reports, for whoever asks; a cheap handle.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    board: RwLock<Board>,
    ledger: Ledger,
    files: Files,
    renderings: Renderings,
    changes: mpsc::Sender<Change>,
    clerk: Mutex<Option<std::thread::JoinHandle<()>>>,
    queue: queue::UnboundedSender<Arc<Job>>,
    limits: Limits,
    catalog: Arc<Catalog>,
    compute: Arc<ComputePool>,
    /// Microseconds UTC.
    clock: fn() -> i64,
    /// Whether those that wait are left to the next start.
    is_running_out: AtomicBool,
}

impl Jobs {
    /// Opens the folder's reports and runs those that have no ending.
    ///
    /// # Errors
    /// Where the folder cannot be written, or another server has it.
    pub fn open(
        folder: &Path,
        limits: Limits,
        catalog: Arc<Catalog>,
        compute: Arc<ComputePool>,
        clock: fn() -> i64,
    ) -> Result<Self> {
        let files = Files::in_folder(folder.join(FILES))?;
        let ledger = Ledger::open(&folder.join(LEDGER))?;
        sync_folder(folder)?;
        let board = board_of(&ledger)?;
        let (changes, changed) = mpsc::channel();
        let (queue, queued) = queue::unbounded_channel();
        let inner = Arc::new(Inner {
            board: RwLock::new(board),
            ledger,
            files,
            renderings: Renderings::within(&compute.budget),
            changes,
            clerk: Mutex::default(),
            queue,
            limits,
            catalog,
            compute,
            clock,
            is_running_out: AtomicBool::new(false),
        });
        let jobs = Self(Arc::clone(&inner));
        inner.files.remove_all_but(&inner.board().ids())?;
        let clerk = std::thread::Builder::new().name("clerk".into());
        let started = clerk.spawn({
            let inner = Arc::clone(&inner);
            move || clerk::work(&inner, &changed)
        });
        let started = started.map_err(|error| Error::Resource {
            what: "cannot start a thread for the records of reports".into(),
            source: error.into(),
        })?;
        *jobs.0.clerk.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(started);
        inner.board().unfinished().for_each(|job| inner.enqueue(Arc::clone(job)));
        let runs = run::all(Arc::downgrade(&inner), limits.at_once, queued);
        inner.compute.handle().spawn(runs);
        Ok(jobs)
    }

    /// The report that answers the question, made now or before.
    pub async fn trigger(
        &self,
        settled: Settled,
        repeatable: Option<Repeatable>,
    ) -> std::result::Result<Triggered, Refused> {
        let same = self.0.board().same(&settled.key()).filter(|job| !self.0.is_past_age(job));
        if repeatable.is_none()
            && let Some(job) = same
            && !matches!(job.state(), State::Ended(Ending::Failed { .. }))
        {
            return Ok(Triggered { job, is_new: false });
        }
        let (client, at) = (Client::current(), self.0.clock());
        let asked = Asked { settled, repeatable, client, at };
        self.change(|reply| Change::Trigger { asked, reply }).await
    }

    /// The report of a request that was sent before under its key; `None` where it was not.
    pub fn triggered_before(
        &self,
        repeatable: &Repeatable,
    ) -> Option<std::result::Result<Triggered, Refused>> {
        let board = self.0.board();
        let before = board.remembered(&repeatable.key)?;
        let job = board.job(before.id);
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
        if let Some(job) = self.0.board().job(id) {
            return Ok(if self.0.is_past_age(&job) { Found::Gone } else { Found::Job(job) });
        }
        if self.0.board().is_unreadable(id) {
            return Ok(Found::Unreadable);
        }
        Ok(if self.0.ledger.gone_at(id)?.is_some() { Found::Gone } else { Found::Never })
    }

    /// Newest first, those before the sequence number.
    pub fn newest(&self, before: Option<u64>, count: usize) -> Vec<Arc<Job>> {
        let (at, retention) = (self.0.clock(), self.0.limits.retention);
        self.0.board().newest(before, count, |job| !retention.is_past_age(job, at))
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
        self.0.board().counts()
    }

    /// Whether reports can be written down; where that failed, it is tried.
    pub async fn are_written(&self) -> bool {
        let ledger = &self.0.ledger;
        ledger.is_there() && (!ledger.is_failing() || self.expire(self.0.clock()).await.is_ok())
    }

    /// Whether changes are taken.
    pub fn are_open(&self) -> bool {
        let clerk = self.0.clerk.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        clerk.as_ref().is_some_and(|clerk| !clerk.is_finished())
    }

    /// Starts no report any more, and returns when those that run have ended.
    pub async fn run_out(&self) {
        self.0.is_running_out.store(true, Ordering::Relaxed);
        let running = |job: &&Arc<Job>| matches!(job.state(), State::Running { .. });
        let running: Vec<_> = self.0.board().unfinished().filter(running).cloned().collect();
        for job in running {
            job.ended().await;
        }
    }

    /// Lets what was decided reach the disk, and changes nothing from then on.
    pub fn close(&self) {
        let _ = self.0.changes.send(Change::Close);
        let clerk = self.0.clerk.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let _ = clerk.map(std::thread::JoinHandle::join);
        self.0.ledger.close();
    }

    async fn change<T>(
        &self,
        change: impl FnOnce(clerk::Reply<T>) -> Change,
    ) -> std::result::Result<T, Refused> {
        let (reply, answer) = oneshot::channel();
        self.0.changes.send(change(reply)).map_err(|_| Refused::Stopping)?;
        answer.await.map_err(|_| Refused::Stopping)?
    }
}

impl Inner {
    fn board(&self) -> RwLockReadGuard<'_, Board> {
        self.board.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn board_mut(&self) -> RwLockWriteGuard<'_, Board> {
        self.board.write().unwrap_or_else(|poisoned| poisoned.into_inner())
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
            self.clear_away();
        }
        is_past
    }

    /// Has what is due forgotten, after the changes that were asked for before.
    fn clear_away(&self) {
        let _ = self.changes.send(Change::Expire { at: self.clock(), reply: None });
    }

    fn forget(&self, id: Uuid) {
        self.board_mut().take_down(id);
        self.renderings.forget(id);
        self.files.remove(id);
    }
}

/// What the ledger keeps.
fn board_of(ledger: &Ledger) -> Result<Board> {
    let mut board = Board::default();
    let kept = ledger.kept()?;
    for (id, record) in kept.reports {
        let settled = record.settled();
        let unread = settled.is_none().then(|| record.options.clone());
        let settled = settled.unwrap_or_else(|| Settled {
            version: record.version,
            fingerprint: record.fingerprint,
            zone_rules: record.zone_rules.clone(),
            now: record.now,
            request: super::report_request::ReportRequest::default(),
        });
        let state = record.ending.clone().map_or(State::Queued, State::Ended);
        let mut job = Job::new(id, record.sequence, record.created_at, settled, state);
        job.unread = unread;
        board.post(Arc::new(job));
    }
    kept.unreadable.into_iter().for_each(|id| board.note_unreadable(id));
    for (key, remembered) in kept.remembered {
        board.remember(key, remembered);
    }
    Ok(board)
}
