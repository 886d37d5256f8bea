//! Ordered queue of batches, with the end of the result.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow::array::RecordBatch;
use tokio::sync::Notify;

use super::budget::Reservation;
use super::deliveries::Deliveries;
use super::spill_files::SpilledBatch;
use crate::error::{Error, Result};

/// State shared by writer, reader and watch.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Notified when the offered batch is taken or the queue is closed.
    taken: Notify,
    pub deliveries: Deliveries,
}

#[derive(Default)]
pub struct State {
    pub batches: VecDeque<Entry>,
    /// Last batch, held without a reservation.
    pub offered: Option<RecordBatch>,
    /// End of the result; nothing can be sent once it is set.
    end: Option<Result<()>>,
    /// Waker of a reader that waits for a batch.
    waiting: Option<Waker>,
}

pub enum Entry {
    Held { batch: RecordBatch, reservation: Reservation },
    Spilled(SpilledBatch),
}

/// The result has ended or its reader is gone.
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

    /// Enqueues the offered batch, unless the reader has taken it meanwhile.
    pub fn place_offered(&self, entry: Entry) -> std::result::Result<(), Closed> {
        let mut state = self.state();
        if state.open()?.offered.take().is_some() {
            state.batches.push_back(entry);
            state.wake();
        }
        Ok(())
    }

    /// Waits until the reader has taken the offered batch.
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

    /// Ends the result; only the first call counts.
    pub fn end(&self, end: Result<()>) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        // The offered batch has no reservation, and its writer must not retain the memory of the
        // query.
        state.offered = None;
        state.end = Some(end);
        state.wake();
        drop(state);
        self.taken.notify_one();
    }

    /// Discards unread batches; the reader gets the error instead.
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

    /// Returns whether a batch without a reservation waits for the reader.
    pub fn is_full(&self) -> bool {
        self.state().offered.is_some()
    }

    /// Returns whether there is nothing to read.
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
                Entry::Spilled(filed) => Next::Spilled(filed),
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
    /// A batch with its reservation, if any.
    Batch(RecordBatch, Option<Reservation>),
    Spilled(SpilledBatch),
    End(Result<()>),
}
