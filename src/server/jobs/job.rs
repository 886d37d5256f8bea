//! Job: a report in memory, with its request and state.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::record::{Ending, Finished, Record, ResolvedRequest};
use crate::client::Client;

pub struct Job {
    pub id: Uuid,
    pub sequence: u64,
    /// Microseconds UTC.
    pub created_at: i64,
    pub resolved: ResolvedRequest,
    pub key: [u8; 32],
    /// Client of the first trigger; unknown for triggers from before the server started.
    pub client: Client,
    /// Options that this version of the program cannot parse.
    pub unread: Option<Value>,
    state: watch::Sender<State>,
    /// Notified on cancellation.
    pub(super) cancelled: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Queued,
    Running { started_at: i64, step: Step },
    Ended(Ending),
}

/// Phase of a running report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reading,
    Writing,
}

impl Job {
    pub fn new(
        id: Uuid,
        sequence: u64,
        created_at: i64,
        resolved: ResolvedRequest,
        state: State,
    ) -> Self {
        let key = resolved.key();
        let (state, cancelled) = (watch::Sender::new(state), Notify::new());
        let client = Client::Own;
        Self { id, sequence, created_at, resolved, key, client, unread: None, state, cancelled }
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    /// Microseconds UTC; `None` until the report has ended.
    pub fn finished_at(&self) -> Option<i64> {
        match &*self.state.borrow() {
            State::Ended(ending) => Some(ending.finished_at()),
            _ => None,
        }
    }

    /// Facts of a complete report; `None` otherwise.
    pub fn finished(&self) -> Option<Finished> {
        match &*self.state.borrow() {
            State::Ended(Ending::Complete(finished)) => Some(finished.clone()),
            _ => None,
        }
    }

    /// Options of the request, in the form in which they could be sent again.
    pub fn options(&self) -> Value {
        self.unread.clone().unwrap_or_else(|| self.resolved.request.to_json())
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Changes the state if it matches, and returns whether it did.
    pub(super) fn transition(&self, from: impl Fn(&State) -> bool, to: State) -> bool {
        self.state.send_if_modified(|state| {
            let goes = from(state);
            if goes {
                *state = to.clone();
            }
            goes
        })
    }

    /// Completes when the report has ended, or after the time.
    pub async fn ended_within(&self, time: Duration) {
        let _ = tokio::time::timeout(time, self.ended()).await;
    }

    /// Completes when the report has ended.
    pub async fn ended(&self) {
        let mut state = self.state.subscribe();
        // Fails only if the job is gone.
        let _ = state.wait_for(|state| matches!(state, State::Ended(_))).await;
    }

    pub(super) fn record(&self, ending: Option<Ending>) -> Record {
        Record {
            sequence: self.sequence,
            created_at: self.created_at,
            version: self.resolved.version,
            fingerprint: self.resolved.fingerprint,
            zone_rules: self.resolved.zone_rules.clone(),
            now: self.resolved.now,
            options: self.options(),
            ending,
        }
    }
}
