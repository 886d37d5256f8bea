//! The bytes of finished reports, by format and coding: made on demand, a bounded number kept.
//!
//! The same report, format and coding are always the same bytes, so that a rendering has a strong
//! entity tag wherever and whenever it is made.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::super::budget::Budget;
use super::Inner;
use super::files::Written;
use super::job::{Job, State};
use super::record::Ending;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::fair_semaphore::{FairSemaphore, Permit};
use crate::report::{Format, render};

/// Bytes of renderings that are kept in memory, and the part of what clients are sent that they are at
/// most: others must find room without waiting for a rendering to be forgotten.
const KEPT_BYTES_MAX: usize = 128 << 20;
const KEPT_PARTS: usize = 8;

/// How the bytes are packed for the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    Identity,
    Gzip,
    Zstd,
}

#[derive(Debug)]
pub struct Rendering {
    pub bytes: Bytes,
    /// A strong entity tag, quotes and all.
    pub etag: String,
}

type Key = (Uuid, Format, Coding);

/// Renderings that are made at once, each of another report; each client has its share.
const RENDERED_AT_ONCE: usize = 4;
/// Reports that are told apart where one is made after the other.
const GROUPS: usize = 64;

pub struct Renderings {
    kept: Mutex<Kept>,
    kept_bytes_max: usize,
    /// The renderings of one report are made one after the other, so that many who ask for the same
    /// have it made once.
    groups: [Arc<Semaphore>; GROUPS],
    permits: Arc<FairSemaphore>,
}

/// One rendering at a time of its report, and one of a few altogether.
struct RenderPermit {
    _group: Option<OwnedSemaphorePermit>,
    _permit: Permit,
}

#[derive(Default)]
struct Kept {
    renderings: HashMap<Key, (u64, Arc<Rendering>)>,
    total_bytes: usize,
    uses: u64,
}

impl Renderings {
    /// None are kept yet, and of those to come a part of the budget at most.
    pub fn new(budget: &Budget) -> Self {
        let groups = std::array::from_fn(|_| Arc::new(Semaphore::new(1)));
        let kept_bytes_max = KEPT_BYTES_MAX.min(budget.bytes_max() / KEPT_PARTS);
        let permits = Arc::new(FairSemaphore::new(RENDERED_AT_ONCE));
        Self { kept: Mutex::default(), kept_bytes_max, groups, permits }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// # Errors
    /// Where too many requests of the client wait already.
    async fn acquire(&self, id: Uuid) -> Result<RenderPermit> {
        let place = (id.as_u128() % GROUPS as u128) as usize;
        // First, so that who waits for another's rendering of the report takes no slot meanwhile.
        let group = Arc::clone(&self.groups[place]).acquire_owned().await.ok();
        Ok(RenderPermit {
            _group: group,
            _permit: self.permits.acquire_bounded(Client::current())?.await,
        })
    }

    fn find(&self, key: Key) -> Option<Arc<Rendering>> {
        let mut kept = self.kept();
        kept.uses += 1;
        let use_now = kept.uses;
        let (last_use, rendering) = kept.renderings.get_mut(&key)?;
        *last_use = use_now;
        Some(Arc::clone(rendering))
    }

    /// The bytes, counted until nobody has them; those not used for longest make room.
    ///
    /// # Errors
    /// Where there is no room although none are kept.
    fn take_memory(&self, budget: &Arc<Budget>, bytes: Vec<u8>) -> Result<Bytes> {
        loop {
            match budget.take(Client::Own, bytes.len()) {
                Ok(share) => return Ok(share.hold(bytes.into())),
                Err(full) => {
                    if !self.kept().forget_oldest() {
                        return Err(full);
                    }
                }
            }
        }
    }

    /// Keeps the rendering; those not used for longest make room.
    fn keep(&self, key: Key, bytes: Bytes) -> Arc<Rendering> {
        let hash = blake3::hash(&bytes).to_hex();
        let rendering = Arc::new(Rendering { bytes, etag: format!("\"{}\"", &hash[..32]) });
        let mut kept = self.kept();
        kept.uses += 1;
        let use_now = kept.uses;
        kept.total_bytes += rendering.bytes.len();
        if let Some((_, before)) = kept.renderings.insert(key, (use_now, Arc::clone(&rendering))) {
            kept.total_bytes -= before.bytes.len();
        }
        while kept.total_bytes > self.kept_bytes_max && kept.renderings.len() > 1 {
            kept.forget_oldest();
        }
        rendering
    }

    pub fn forget(&self, id: Uuid) {
        let mut kept = self.kept();
        let of_report: Vec<_> =
            kept.renderings.keys().filter(|(report, ..)| *report == id).copied().collect();
        of_report.into_iter().for_each(|key| kept.remove(key));
    }
}

impl Kept {
    /// Forgets the one not used for longest; `false` where there is none.
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.renderings.iter().min_by_key(|(_, (last_use, _))| *last_use);
        let Some(oldest) = oldest.map(|(key, _)| *key) else { return false };
        self.remove(oldest);
        true
    }

    fn remove(&mut self, key: Key) {
        if let Some((_, rendering)) = self.renderings.remove(&key) {
            self.total_bytes -= rendering.bytes.len();
        }
    }
}

/// Has the CSV of a report ready before anybody asks for it, where there is room.
pub fn prerender_csv(inner: &Inner, id: Uuid, report: &RecordBatch) -> Result<()> {
    inner.renderings.forget(id);
    let csv = render(report, Format::Csv)?;
    if let Ok(csv) = inner.renderings.take_memory(&inner.compute.budget, csv) {
        inner.renderings.keep((id, Format::Csv, Coding::Identity), csv);
    }
    Ok(())
}

/// The bytes of a finished report; `None` where its file is broken, and the report runs again.
pub async fn rendering(
    inner: &Arc<Inner>,
    job: &Arc<Job>,
    format: Format,
    coding: Coding,
) -> Result<Option<Arc<Rendering>>> {
    let key = (job.id, format, coding);
    if let Some(found) = inner.renderings.find(key) {
        return Ok(Some(found));
    }
    let permit = inner.renderings.acquire(job.id).await?;
    if let Some(found) = inner.renderings.find(key) {
        return Ok(Some(found));
    }
    let work = {
        let (inner, job) = (Arc::clone(inner), Arc::clone(job));
        move || {
            let _permit = permit;
            make(&inner, &job, format, coding)
        }
    };
    let made = inner.compute.handle().spawn_blocking(work).await;
    made.unwrap_or_else(|error| Err(Error::bug(format!("a rendering broke off: {error}"))))
}

fn make(
    inner: &Arc<Inner>,
    job: &Arc<Job>,
    format: Format,
    coding: Coding,
) -> Result<Option<Arc<Rendering>>> {
    let plain = match inner.renderings.find((job.id, format, Coding::Identity)) {
        Some(plain) => plain,
        None => {
            let Some(report) = read(inner, job) else { return Ok(None) };
            let bytes = render(&report, format)?;
            let bytes = inner.renderings.take_memory(&inner.compute.budget, bytes)?;
            inner.renderings.keep((job.id, format, Coding::Identity), bytes)
        }
    };
    let packed = match coding {
        Coding::Identity => return Ok(Some(plain)),
        Coding::Gzip => gzip(&plain.bytes),
        Coding::Zstd => zstd::encode_all(plain.bytes.as_ref(), zstd::DEFAULT_COMPRESSION_LEVEL),
    };
    let packed =
        packed.map_err(|error| Error::bug(format!("a report cannot be packed: {error}")))?;
    let packed = inner.renderings.take_memory(&inner.compute.budget, packed)?;
    Ok(Some(inner.renderings.keep((job.id, format, coding), packed)))
}

/// The report from its file; where that is broken, the report goes back to the queue.
pub fn read(inner: &Arc<Inner>, job: &Arc<Job>) -> Option<RecordBatch> {
    let finished = job.finished()?;
    let written = Written { size_bytes: finished.size_bytes, checksum: finished.checksum.clone() };
    let read = inner.files.read(job.id, &written);
    let is_still_it = |state: &State| *state == State::Ended(Ending::Complete(finished.clone()));
    if read.is_none() && job.transition(is_still_it, State::Queued) {
        inner.enqueue(Arc::clone(job));
    }
    read
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes)?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_used_for_longest_make_room() {
        const BYTES_MAX: usize = 80;
        let renderings = Renderings::new(&Budget::new(BYTES_MAX * KEPT_PARTS));
        let key = |number| (Uuid::from_u128(number), Format::Csv, Coding::Identity);
        for number in 0..4 {
            renderings.keep(key(number), vec![0; BYTES_MAX / 4].into());
        }
        assert!(renderings.find(key(0)).is_some());
        renderings.keep(key(4), vec![0; BYTES_MAX / 4].into());
        assert!(renderings.find(key(1)).is_none() && renderings.find(key(0)).is_some());
        renderings.forget(Uuid::from_u128(0));
        assert!(renderings.find(key(0)).is_none());
        assert_eq!(renderings.kept().total_bytes, 3 * (BYTES_MAX / 4));
    }

    #[test]
    fn those_kept_make_room_where_there_is_no_more_memory() {
        let budget = Arc::new(Budget::new(160));
        let renderings = Renderings::new(&budget);
        let take_memory = |bytes| renderings.take_memory(&budget, vec![0; bytes]);
        let first = take_memory(60).unwrap();
        renderings.keep((Uuid::from_u128(0), Format::Csv, Coding::Identity), first);
        // Somebody is sent it still.
        let second = take_memory(60).unwrap();
        assert!(matches!(take_memory(60), Err(Error::Busy(_))));
        drop(second);
        assert!(take_memory(80).is_ok() && take_memory(81).is_err());
    }
}
