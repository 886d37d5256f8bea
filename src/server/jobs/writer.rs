//! Writer thread: applies changes to the database, then to the index, then replies.
//!
//! Changes that arrive during a sync are committed together (group commit), so that many clients
//! cost one sync. Nothing is reported to anybody before it is on disk.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::database::Entry;
use super::index::{JobIndex, KEYS_OF_REPORT_MAX};
use super::job::{Job, State};
use super::record::{Ending, Remembered, ResolvedRequest};
use super::{Inner, Limits, Refused};
use crate::client::Client;
use crate::error::Error;

/// Most changes in a commit.
const BATCH_CHANGES_MAX: usize = 256;
// Keys added by one batch must never evict each other.
const _: () = assert!(BATCH_CHANGES_MAX <= KEYS_OF_REPORT_MAX);

pub type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// Idempotency key of a request that may be repeated.
#[derive(Clone, Debug)]
pub struct Repeatable {
    pub key: String,
    /// Fingerprint of the request.
    pub fingerprint: [u8; 32],
}

/// Trigger of a report, with its client and instant.
pub struct TriggerRequest {
    pub resolved: ResolvedRequest,
    pub repeatable: Option<Repeatable>,
    pub client: Client,
    pub at: i64,
}

pub enum Change {
    Trigger {
        asked: TriggerRequest,
        reply: Reply<Triggered>,
    },
    End {
        job: Arc<Job>,
        ending: Ending,
    },
    /// Cancels an unfinished report, or forgets a finished one.
    Remove {
        id: Uuid,
        at: i64,
        reply: Reply<Removed>,
    },
    Expire {
        at: i64,
        reply: Option<Reply<usize>>,
    },
    Close,
}

/// Report for a trigger.
#[derive(Clone)]
pub struct Triggered {
    pub job: Arc<Job>,
    /// Set if this trigger makes the report run.
    pub is_new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Cancelled,
    Forgotten,
}

/// Change to apply and reply to send once the entries are on disk.
enum Effect {
    Start(Arc<Job>, bool, Option<(String, Remembered)>, Reply<Triggered>),
    Known(Arc<Job>, Option<(String, Remembered)>, Reply<Triggered>),
    Refuse(Refused, Reply<Triggered>),
    End(Arc<Job>, Ending),
    Remove(Arc<Job>, Removed, i64, Reply<Removed>),
    Conflict(Reply<Removed>),
    Expired(Vec<Uuid>, Option<Reply<usize>>),
}

/// Changes that were decided but not written.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    opened: HashMap<[u8; 32], Arc<Job>>,
    remembered: HashMap<String, Remembered>,
    ended: HashSet<Uuid>,
    /// Cancelled or forgotten: they answer no request, although the index still has them.
    removed: HashSet<Uuid>,
    /// Unfinished reports in the index when the batch first asked.
    unfinished: Option<usize>,
    unfinished_of: HashMap<Client, usize>,
}

/// Handles changes until [`Change::Close`].
pub fn run(inner: &Inner, changes: &mpsc::Receiver<Change>) {
    while let Ok(first) = changes.recv() {
        let mut batch = Batch::default();
        let mut open = batch.add(inner, first);
        while open && batch.effects.len() < BATCH_CHANGES_MAX {
            let Ok(next) = changes.try_recv() else { break };
            open = batch.add(inner, next);
        }
        batch.finish(inner);
        if !open {
            return;
        }
    }
}

impl Batch {
    /// Decides on a change; `false` for the last one.
    fn add(&mut self, inner: &Inner, change: Change) -> bool {
        match change {
            Change::Trigger { asked, reply } => self.trigger(inner, asked, reply),
            Change::End { job, ending } => self.end(inner, job, ending),
            Change::Remove { id, at, reply } => self.remove(inner, id, at, reply),
            Change::Expire { at, reply } => self.expire(inner, at, reply),
            Change::Close => return false,
        }
        true
    }

    fn trigger(&mut self, inner: &Inner, asked: TriggerRequest, reply: Reply<Triggered>) {
        let TriggerRequest { resolved, repeatable, client, at } = asked;
        let index = inner.index();
        if let Some(given) = &repeatable {
            let before = self.remembered.get(&given.key).copied();
            let before = before.or_else(|| index.remembered(&given.key));
            if let Some(before) = before.filter(|before| !self.is_forgotten(&index, before.id)) {
                let opened = self.opened.values().find(|job| job.id == before.id).cloned();
                let effect = match opened.or_else(|| index.job(before.id)) {
                    Some(job) if before.fingerprint == given.fingerprint => {
                        Effect::Known(job, None, reply)
                    }
                    _ => Effect::Refuse(Refused::OtherRequest, reply),
                };
                return self.effects.push(effect);
            }
        }
        let key = resolved.key();
        let opened = self.opened.get(&key).cloned();
        let is_opened = opened.is_some();
        let same = opened.or_else(|| index.equivalent(&key));
        let same = same.filter(|job| !self.removed.contains(&job.id));
        let is_again = !is_opened && same.as_ref().is_some_and(|job| has_failed(job));
        let same_is_there = same.is_some() && !is_again;
        if !same_is_there && self.is_full(&index, inner.limits, client) {
            return self.effects.push(Effect::Refuse(Refused::QueueFull, reply));
        }
        let job = same.unwrap_or_else(|| {
            let sequence = index.next_sequence() + self.opened.len() as u64;
            let mut job = Job::new(Uuid::new_v4(), sequence, at, resolved, State::Queued);
            job.client = client;
            Arc::new(job)
        });
        let remembered = repeatable.map(|given| {
            (given.key, Remembered { fingerprint: given.fingerprint, id: job.id, at })
        });
        if let Some((key, remembered)) = &remembered {
            self.remember(&index, key, *remembered);
        }
        if same_is_there {
            return self.effects.push(Effect::Known(job, remembered, reply));
        }
        self.entries.push(Entry::Put(job.id, job.record(None)));
        self.opened.insert(key, Arc::clone(&job));
        self.effects.push(Effect::Start(job, is_again, remembered, reply));
    }

    /// Returns true if no more reports are accepted, at least from this client.
    fn is_full(&mut self, index: &JobIndex, limits: Limits, client: Client) -> bool {
        let unfinished = *self.unfinished.get_or_insert_with(|| index.unfinished().count());
        let of_client = *self
            .unfinished_of
            .entry(client)
            .or_insert_with(|| index.unfinished().filter(|job| job.client == client).count());
        let opened_of = self.opened.values().filter(|job| job.client == client).count();
        unfinished + self.opened.len() >= limits.unfinished_max()
            || of_client + opened_of >= limits.unfinished_of_client_max()
    }

    /// Records the key; beyond the limit, the report's oldest key is removed.
    fn remember(&mut self, index: &JobIndex, key: &str, remembered: Remembered) {
        let new = self.remembered.values().filter(|new| new.id == remembered.id).count();
        let place = (index.keys_of(remembered.id).len() + new).checked_sub(KEYS_OF_REPORT_MAX);
        if let Some(oldest) = place.and_then(|place| index.keys_of(remembered.id).nth(place)) {
            self.entries.push(Entry::Unremember(oldest.to_owned()));
        }
        self.entries.push(Entry::Remember(key.to_owned(), remembered));
        self.remembered.insert(key.to_owned(), remembered);
    }

    /// Returns true if the report is gone after this batch.
    fn is_forgotten(&self, index: &JobIndex, id: Uuid) -> bool {
        self.removed.contains(&id) && index.job(id).is_some_and(|job| job.has_ended())
    }

    fn end(&mut self, inner: &Inner, job: Arc<Job>, ending: Ending) {
        if inner.index().job(job.id).is_none() {
            // The report was forgotten while it ran again.
            return inner.forget(job.id);
        }
        if !job.has_ended() && self.ended.insert(job.id) {
            self.entries.push(Entry::Put(job.id, job.record(Some(ending.clone()))));
            self.effects.push(Effect::End(job, ending));
        }
    }

    fn remove(&mut self, inner: &Inner, id: Uuid, at: i64, reply: Reply<Removed>) {
        let Some(job) = inner.index().job(id) else {
            return self.effects.push(Effect::Conflict(reply));
        };
        let removed = if job.has_ended() { Removed::Forgotten } else { Removed::Cancelled };
        if self.is_opened(id) || !self.ended.insert(id) {
            // Another change in this batch affects it; the client may try again.
            return self.effects.push(Effect::Conflict(reply));
        }
        self.removed.insert(id);
        match removed {
            Removed::Forgotten => self.bury(&inner.index(), id, at),
            Removed::Cancelled => {
                let ending = Ending::Cancelled { finished_at: at };
                self.entries.push(Entry::Put(id, job.record(Some(ending))));
            }
        }
        self.effects.push(Effect::Remove(job, removed, at, reply));
    }

    fn expire(&mut self, inner: &Inner, at: i64, reply: Option<Reply<usize>>) {
        let index = inner.index();
        let mut due = index.due(at, inner.limits.retention, |id| inner.files.usage(id));
        due.retain(|id| !self.is_opened(*id) && self.ended.insert(*id));
        for id in &due {
            self.removed.insert(*id);
            self.bury(&index, *id, at);
        }
        self.effects.push(Effect::Expired(due, reply));
    }

    /// Returns true if this batch makes the report run.
    fn is_opened(&self, id: Uuid) -> bool {
        self.opened.values().any(|job| job.id == id)
    }

    fn bury(&mut self, index: &JobIndex, id: Uuid, at: i64) {
        let new = self.remembered.extract_if(|_, remembered| remembered.id == id);
        let keys = index.keys_of(id).map(str::to_owned).chain(new.map(|(key, _)| key)).collect();
        self.entries.push(Entry::Bury(id, at, keys));
    }

    fn finish(self, inner: &Inner) {
        // While the disk fails, an expiry also probes it.
        let is_trial = inner.database.is_failing()
            && self.effects.iter().any(|effect| matches!(effect, Effect::Expired(..)));
        let writes = is_trial || !self.entries.is_empty();
        let written = if writes { inner.database.write(&self.entries) } else { Ok(()) };
        match written {
            Ok(()) => self.effects.into_iter().for_each(|effect| effect.happen(inner)),
            Err(error) => {
                tracing::error!(error = error.sentence(), "reports cannot be recorded");
                self.effects.into_iter().for_each(|effect| effect.fail(inner, &error));
            }
        }
    }
}

/// Returns true if the report failed: an equal request runs it again under its id.
fn has_failed(job: &Job) -> bool {
    matches!(job.state(), State::Ended(Ending::Failed { .. }))
}

impl Effect {
    /// Applies the change, which is on disk.
    fn happen(self, inner: &Inner) {
        match self {
            Effect::Start(job, is_again, remembered, reply) => {
                remember(inner, remembered);
                if is_again {
                    job.set_state(State::Queued);
                } else {
                    inner.index_mut().insert(Arc::clone(&job));
                }
                inner.enqueue(Arc::clone(&job));
                let _ = reply.send(Ok(Triggered { job, is_new: true }));
            }
            Effect::Known(job, remembered, reply) => {
                remember(inner, remembered);
                let _ = reply.send(Ok(Triggered { job, is_new: false }));
            }
            Effect::Refuse(refused, reply) => drop(reply.send(Err(refused))),
            Effect::End(job, ending) => {
                // Before the end is visible, so that later requests are handled after the expiry.
                inner.expire_due();
                job.set_state(State::Ended(ending));
            }
            Effect::Remove(job, removed, at, reply) => {
                match removed {
                    Removed::Cancelled => {
                        inner.expire_due();
                        job.set_state(State::Ended(Ending::Cancelled { finished_at: at }));
                        job.cancelled.notify_one();
                    }
                    Removed::Forgotten => inner.forget(job.id),
                }
                let _ = reply.send(Ok(removed));
            }
            Effect::Conflict(reply) => drop(reply.send(Err(Refused::Conflict))),
            Effect::Expired(ids, reply) => {
                ids.iter().for_each(|id| inner.forget(*id));
                let _ = reply.map(|reply| reply.send(Ok(ids.len())));
            }
        }
    }

    /// Reports that the change could not be written.
    fn fail(self, inner: &Inner, error: &Error) {
        let refused = || Refused::NotRecorded(error.to_string());
        match self {
            Effect::Start(_, _, _, reply) | Effect::Known(_, _, reply) => {
                drop(reply.send(Err(refused())));
            }
            Effect::Refuse(why, reply) => drop(reply.send(Err(why))),
            // It is not reported as complete, and runs again after a restart.
            Effect::End(job, _) => {
                let (finished_at, detail) = (inner.clock(), error.to_string());
                job.set_state(State::Ended(Ending::Failed { finished_at, detail }));
            }
            Effect::Remove(.., reply) | Effect::Conflict(reply) => drop(reply.send(Err(refused()))),
            Effect::Expired(_, reply) => drop(reply.map(|reply| reply.send(Err(refused())))),
        }
    }
}

fn remember(inner: &Inner, remembered: Option<(String, Remembered)>) {
    if let Some((key, remembered)) = remembered {
        inner.index_mut().remember(key, remembered);
    }
}

#[cfg(test)]
mod tests;
