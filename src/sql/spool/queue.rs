//! Batches on their way, in order, and what comes behind the last of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow::array::RecordBatch;
use tokio::sync::Notify;

use super::budget::Reservation;
use super::idle_watch::Deliveries;
use super::spill_files::SpilledBatch;
use crate::error::{Error, Result};

/// A queue, as its two ends and its watch share it.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Told when the batch that was offered is taken, or the queue closed.
    taken: Notify,
    pub deliveries: Deliveries,
}

#[derive(Default)]
pub struct State {
    pub batches: VecDeque<Entry>,
    /// Behind all others; there is no room for it.
    pub offered: Option<RecordBatch>,
    /// What comes behind the last batch; nothing is sent any more.
    end: Option<Result<()>>,
    /// Of a reader that waits for a batch.
    waiting: Option<Waker>,
}

pub enum Entry {
    Held { batch: RecordBatch, reservation: Reservation },
    SpilledBatch(SpilledBatch),
}

/// Nobody takes batches any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

impl Queue {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, entry: Entry) -> std::result::Result<(), Closed> {
        let mut state = self.state();
        state.open()?.batches.push_back(entry);
        state.wake();
        Ok(())
    }

    pub fn offer(&self, batch: RecordBatch) -> std::result::Result<(), Closed> {
        let mut state = self.state();
        state.open()?.offered = Some(batch);
        state.wake();
        Ok(())
    }

    /// Puts the batch that was offered into the queue, unless the reader has taken it by now.
    pub fn place_offered(&self, entry: Entry) -> std::result::Result<(), Closed> {
        let mut state = self.state();
        if state.open()?.offered.take().is_some() {
            state.batches.push_back(entry);
            state.wake();
        }
        Ok(())
    }

    /// Waits until the reader has taken the batch that was offered.
    pub async fn until_taken(&self) -> std::result::Result<(), Closed> {
        loop {
            let taken = self.taken.notified();
            {
                let mut state = self.state();
                if state.open()?.offered.is_none() {
                    return Ok(());
                }
            }
            taken.await;
        }
    }

    /// The first end that is told counts.
    pub fn end(&self, end: Result<()>) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        // It has no reservation, and its writer keeps the room of a query no longer.
        state.offered = None;
        state.end = Some(end);
        state.wake();
        drop(state);
        self.taken.notify_one();
    }

    /// Frees what was not read, in place of which comes the error.
    pub fn discard(&self, error: Error) {
        let mut state = self.state();
        if state.batches.is_empty() && state.end.is_some() {
            return;
        }
        let unread = (std::mem::take(&mut state.batches), state.offered.take());
        state.end = Some(Err(error));
        state.wake();
        drop(state);
        drop(unread);
        self.taken.notify_one();
    }

    /// Whether a batch has no reservation, and waits for the reader to take it.
    pub fn is_full(&self) -> bool {
        self.state().offered.is_some()
    }

    /// Whether there is nothing that a reader could take.
    pub fn is_empty(&self) -> bool {
        let state = self.state();
        state.batches.is_empty() && state.offered.is_none() && state.end.is_none()
    }

    pub fn next(&self, context: &Context) -> Poll<Next> {
        let mut state = self.state();
        state.waiting = None;
        if let Some(entry) = state.batches.pop_front() {
            return Poll::Ready(match entry {
                Entry::Held { batch, reservation } => Next::Batch(batch, Some(reservation)),
                Entry::SpilledBatch(filed) => Next::SpilledBatch(filed),
            });
        }
        if let Some(batch) = state.offered.take() {
            self.taken.notify_one();
            return Poll::Ready(Next::Batch(batch, None));
        }
        if let Some(end) = &mut state.end {
            return Poll::Ready(Next::End(std::mem::replace(end, Ok(()))));
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl State {
    fn open(&mut self) -> std::result::Result<&mut Self, Closed> {
        if self.end.is_some() { Err(Closed) } else { Ok(self) }
    }

    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

pub enum Next {
    /// With its reservation, where it has any.
    Batch(RecordBatch, Option<Reservation>),
    SpilledBatch(SpilledBatch),
    End(Result<()>),
}
