//! Makes the reports: takes them from the queue, a few at once, each within its time. Clients take
//! turns.

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

/// Runs what is queued until nobody can queue any more.
pub async fn all(
    inner: Weak<Inner>,
    at_once: usize,
    mut queued: mpsc::UnboundedReceiver<Arc<Job>>,
) {
    let turns = Arc::new(FairSemaphore::new(at_once));
    while let Some(job) = queued.recv().await {
        // Before the next job is looked at, so that a client's reports are made in its order.
        let turn = turns.acquire(job.client);
        tokio::spawn(in_turn(Weak::clone(&inner), job, turn));
    }
}

/// Runs a report once it is its turn, unless nobody wants it any more.
async fn in_turn(inner: Weak<Inner>, job: Arc<Job>, turn: Acquire) {
    let turn = turn.await;
    let Some(inner) = inner.upgrade() else { return };
    if inner.is_running_out.load(Ordering::Relaxed) {
        return;
    }
    let started_at = inner.clock();
    let running = State::Running { started_at, step: Step::Reading };
    if job.go(|state| *state == State::Queued, running) {
        one(inner, job, started_at, turn).await;
    }
}

/// One making of a report; its turn is over when the last thread that works on it lets go of it.
struct Making {
    inner: Arc<Inner>,
    job: Arc<Job>,
    started_at: i64,
    /// Whether nobody wants it any more.
    is_given_up: AtomicBool,
    _turn: Permit,
}

impl Making {
    fn give_up(&self, work: &AbortHandle) {
        self.is_given_up.store(true, Ordering::Relaxed);
        match self.job.settled.request.engine {
            Engine::DataFusion => work.abort(),
            // Its threads cannot be stopped: they finish what nobody will see, in their turn.
            Engine::Polars => {}
        }
    }

    /// # Errors
    /// Where nobody wants it any more.
    fn go_on(&self) -> Result<()> {
        match self.is_given_up.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

/// Runs one report to its end, and has the end recorded.
async fn one(inner: Arc<Inner>, job: Arc<Job>, started_at: i64, turn: Permit) {
    let making = Arc::new(Making {
        inner: Arc::clone(&inner),
        job: Arc::clone(&job),
        started_at,
        is_given_up: AtomicBool::new(false),
        _turn: turn,
    });
    let made = tokio::spawn(make(Arc::clone(&making)));
    let work = made.abort_handle();
    let limit = inner.limits.report_time;
    let made = tokio::select! {
        made = tokio::time::timeout(limit, made) => made,
        () = job.stop.notified() => return making.give_up(&work),
    };
    let ending = match made {
        Ok(Ok(Ok(finished))) => Ending::Complete(finished),
        Ok(Ok(Err(error))) => {
            tracing::error!(id = %job.id, error = error.sentence(), "a report failed");
            match error {
                Error::Argument(sentence) => failed(&inner, sentence),
                // Where files lie is nobody's business.
                _ => failed(&inner, "the server could not make it; its log says why"),
            }
        }
        Ok(Err(broken)) => {
            tracing::error!(id = %job.id, %broken, "a report broke off");
            failed(&inner, "the report broke off; this is a bug in uptally")
        }
        Err(_) => {
            making.give_up(&work);
            let limit = humantime::format_duration(limit);
            failed(&inner, format!("took longer than {limit}, the limit of --report-time"))
        }
    };
    inner.end(job, ending);
}

fn failed(inner: &Inner, detail: impl Into<String>) -> Ending {
    Ending::Failed { finished_at: inner.clock(), detail: detail.into() }
}

async fn make(making: Arc<Making>) -> Result<Finished> {
    let Making { inner, job, started_at, .. } = &*making;
    let settled = &job.settled;
    if job.unread.is_some() {
        let sentence = "what was asked cannot be read by this version of uptally";
        return Err(Error::Argument(sentence.into()));
    }
    let edition = inner.catalog.version(settled.version).await?;
    let edition = edition.filter(|edition| edition.fingerprint == settled.fingerprint);
    let edition = edition.ok_or_else(|| {
        Error::Argument("the data that it was asked of is no longer there".into())
    })?;
    let question = settled.request.report_query(Some(settled.now));
    let answer = answer(&edition.dataset, &question, settled.request.engine).await?;
    making.go_on()?;
    let writing = State::Running { started_at: *started_at, step: Step::Writing };
    job.go(|state| matches!(state, State::Running { .. }), writing);
    let report = lay_out(&answer.figures, settled.request.layout)?;
    let written = write(&making, report).await?;
    Ok(finished(written, answer.stores, *started_at, inner.clock()))
}

/// Writes the report's file, and has its CSV ready for whoever waits for it.
async fn write(making: &Arc<Making>, report: RecordBatch) -> Result<Written> {
    let making = Arc::clone(making);
    let write = move || {
        making.go_on()?;
        let Making { inner, job, .. } = &*making;
        let written = inner.files.write(job.id, &report)?;
        renderings::prepare(inner, job.id, &report)?;
        Ok(written)
    };
    let done = tokio::task::spawn_blocking(write).await;
    done.unwrap_or_else(|error| Err(Error::bug(format!("writing a report broke off: {error}"))))
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
