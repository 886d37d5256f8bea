//! Runs queued reports, a few at once, each within its time limit. Clients share the permits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::files::Written;
use super::job::{Job, State, Step};
use super::record::{Ending, Finished};
use super::{Inner, renderings};
use crate::engine::{Engine, StoreCounts, answer};
use crate::error::{Error, Result};
use crate::fair_semaphore::{Acquire, FairSemaphore, Permit};
use crate::report::lay_out;

/// Runs queued reports until all senders are gone.
pub async fn run_queue(
    inner: Weak<Inner>,
    at_once: usize,
    mut queued: mpsc::UnboundedReceiver<Arc<Job>>,
) {
    let permits = Arc::new(FairSemaphore::new(at_once));
    while let Some(job) = queued.recv().await {
        // Before the next job is received, so that a client's reports run in order.
        let permit = permits.acquire(job.client);
        tokio::spawn(run_when_permitted(Weak::clone(&inner), job, permit));
    }
}

/// Runs a report once it has a permit, unless it was cancelled meanwhile.
async fn run_when_permitted(inner: Weak<Inner>, job: Arc<Job>, permit: Acquire) {
    let permit = permit.await;
    let Some(inner) = inner.upgrade() else { return };
    if inner.is_draining.load(Ordering::Relaxed) {
        return;
    }
    let started_at = inner.clock();
    let running = State::Running { started_at, step: Step::Reading };
    if job.transition(|state| *state == State::Queued, running) {
        run_job(inner, job, started_at, permit).await;
    }
}

/// Attempt at a report; its permit is released when the last thread that works on it ends.
struct Attempt {
    inner: Arc<Inner>,
    job: Arc<Job>,
    started_at: i64,
    /// Set once the result is not wanted any more.
    is_aborted: AtomicBool,
    _permit: Permit,
}

impl Attempt {
    fn abort(&self, task: &AbortHandle) {
        self.is_aborted.store(true, Ordering::Relaxed);
        match self.job.resolved.request.engine {
            Engine::DataFusion => task.abort(),
            // Polars threads cannot be stopped: they finish under their permit.
            Engine::Polars => {}
        }
    }

    /// # Errors
    /// [`Error::Interrupted`] if the attempt was aborted.
    fn check_aborted(&self) -> Result<()> {
        match self.is_aborted.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

/// Runs a report to its end, and queues the outcome for the writer.
async fn run_job(inner: Arc<Inner>, job: Arc<Job>, started_at: i64, permit: Permit) {
    let attempt = Arc::new(Attempt {
        inner: Arc::clone(&inner),
        job: Arc::clone(&job),
        started_at,
        is_aborted: AtomicBool::new(false),
        _permit: permit,
    });
    let made = tokio::spawn(compute_report(Arc::clone(&attempt)));
    let task = made.abort_handle();
    let limit = inner.limits.report_time;
    let made = tokio::select! {
        made = tokio::time::timeout(limit, made) => made,
        () = job.cancelled.notified() => return attempt.abort(&task),
    };
    let ending = match made {
        Ok(Ok(Ok(finished))) => Ending::Complete(finished),
        Ok(Ok(Err(error))) => {
            tracing::error!(id = %job.id, error = error.sentence(), "a report failed");
            match error {
                Error::Argument(sentence) => failed(&inner, sentence),
                // Error messages may name folders, which clients must not see.
                _ => failed(&inner, "the server could not compute it; its log says why"),
            }
        }
        Ok(Err(broken)) => {
            tracing::error!(id = %job.id, %broken, "a report aborted");
            failed(&inner, "the report aborted; this is a bug in uptally")
        }
        Err(_) => {
            attempt.abort(&task);
            let limit = humantime::format_duration(limit);
            failed(&inner, format!("took longer than {limit}, the limit of --report-time"))
        }
    };
    inner.end(job, ending);
}

fn failed(inner: &Inner, detail: impl Into<String>) -> Ending {
    Ending::Failed { finished_at: inner.clock(), detail: detail.into() }
}

async fn compute_report(attempt: Arc<Attempt>) -> Result<Finished> {
    let Attempt { inner, job, started_at, .. } = &*attempt;
    let resolved = &job.resolved;
    if job.unread.is_some() {
        let sentence = "the options cannot be read by this version of uptally";
        return Err(Error::Argument(sentence.into()));
    }
    let snapshot = inner.snapshots.open_for_report(resolved.version).await?;
    let snapshot = snapshot.filter(|snapshot| snapshot.fingerprint == resolved.fingerprint);
    let snapshot = snapshot
        .ok_or_else(|| Error::Argument("the version of the data is no longer there".into()))?;
    let question = resolved.request.report_query(Some(resolved.now));
    let answer = answer(&snapshot.dataset, &question, resolved.request.engine).await?;
    attempt.check_aborted()?;
    let writing = State::Running { started_at: *started_at, step: Step::Writing };
    job.transition(|state| matches!(state, State::Running { .. }), writing);
    let report = lay_out(&answer.figures, resolved.request.layout)?;
    let written = write(&attempt, report).await?;
    Ok(finished(written, answer.stores, *started_at, inner.clock()))
}

/// Writes the report's file, and prepares its CSV.
async fn write(attempt: &Arc<Attempt>, report: RecordBatch) -> Result<Written> {
    let attempt = Arc::clone(attempt);
    let write = move || {
        attempt.check_aborted()?;
        let Attempt { inner, job, .. } = &*attempt;
        let written = inner.files.write(job.id, &report)?;
        renderings::prerender_csv(inner, job.id, &report)?;
        Ok(written)
    };
    let done = tokio::task::spawn_blocking(write).await;
    done.unwrap_or_else(|error| Err(Error::bug(format!("writing a report aborted: {error}"))))
}

fn finished(written: Written, stores: StoreCounts, started_at: i64, finished_at: i64) -> Finished {
    Finished {
        started_at,
        finished_at,
        size_bytes: written.size_bytes,
        checksum: written.checksum,
        stores: stores.stores,
        without_hours: stores.without_hours,
        without_time_zone: stores.without_time_zone,
        without_polls: stores.without_polls,
    }
}
