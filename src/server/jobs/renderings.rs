//! Renderings of finished reports by format and compression: encoded on demand, cached in part.
//!
//! A report, format and compression always give the same bytes, so that a rendering has the same
//! checksum wherever and whenever it is made.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use bytes::Bytes;
use lru::LruCache;
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

/// Size of the cache: at most so many bytes, and 1/`CACHE_PARTS` of the budget, so that other
/// responses find room without evicting renderings.
const CACHE_BYTES_MAX: usize = 128 << 20;
const CACHE_PARTS: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug)]
pub struct Rendering {
    pub bytes: Bytes,
    /// Start of the BLAKE3 of the bytes, as 32 hexadecimal digits.
    pub checksum: String,
}

type Key = (Uuid, Format, Compression);

/// Renderings made at once, each of another report; clients share the permits.
const RENDERED_AT_ONCE: usize = 4;
/// Number of semaphores over which reports are spread.
const GROUPS: usize = 64;

pub struct Renderings {
    cache: Mutex<LruCache<Key, Arc<Rendering>>>,
    cache_bytes_max: usize,
    /// Serializes the renderings of a report, so that many requests for the same make it once.
    groups: [Arc<Semaphore>; GROUPS],
    permits: Arc<FairSemaphore>,
}

/// Right to render: exclusive for the report, and one of a few altogether.
struct RenderPermit {
    _group: Option<OwnedSemaphorePermit>,
    _permit: Permit,
}

impl Renderings {
    /// Empty cache of at most a part of the budget.
    pub fn new(budget: &Budget) -> Self {
        let groups = std::array::from_fn(|_| Arc::new(Semaphore::new(1)));
        let cache_bytes_max = CACHE_BYTES_MAX.min(budget.bytes_max() / CACHE_PARTS);
        let permits = Arc::new(FairSemaphore::new(RENDERED_AT_ONCE));
        // Bounded by bytes, not by their number.
        let cache = Mutex::new(LruCache::unbounded());
        Self { cache, cache_bytes_max, groups, permits }
    }

    fn cache(&self) -> MutexGuard<'_, LruCache<Key, Arc<Rendering>>> {
        self.cache.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// # Errors
    /// If too many requests of the client wait already.
    async fn acquire(&self, id: Uuid) -> Result<RenderPermit> {
        let place = (id.as_u128() % GROUPS as u128) as usize;
        // First, so that waiting for another rendering of the report holds no permit.
        let group = Arc::clone(&self.groups[place]).acquire_owned().await.ok();
        Ok(RenderPermit {
            _group: group,
            _permit: self.permits.acquire_bounded(Client::current())?.await,
        })
    }

    fn find(&self, key: Key) -> Option<Arc<Rendering>> {
        self.cache().get(&key).cloned()
    }

    /// Reserves memory until the bytes are dropped; evicts least recently used renderings for it.
    ///
    /// # Errors
    /// If there is no room although the cache is empty.
    fn take_memory(&self, budget: &Arc<Budget>, bytes: Vec<u8>) -> Result<Bytes> {
        loop {
            match budget.take(Client::Own, bytes.len()) {
                Ok(share) => return Ok(share.hold(bytes.into())),
                Err(full) => {
                    if self.cache().pop_lru().is_none() {
                        return Err(full);
                    }
                }
            }
        }
    }

    /// Caches the rendering, and evicts the least recently used ones beyond the limit.
    fn insert(&self, key: Key, bytes: Bytes) -> Arc<Rendering> {
        let hash = blake3::hash(&bytes).to_hex();
        let rendering = Arc::new(Rendering { bytes, checksum: hash[..32].to_owned() });
        let mut cache = self.cache();
        cache.put(key, Arc::clone(&rendering));
        let mut total_bytes: usize = cache.iter().map(|(_, cached)| cached.bytes.len()).sum();
        while total_bytes > self.cache_bytes_max
            && cache.len() > 1
            && let Some((_, oldest)) = cache.pop_lru()
        {
            total_bytes -= oldest.bytes.len();
        }
        rendering
    }

    pub fn forget(&self, id: Uuid) {
        self.cache().retain(|(report, ..), _| *report != id);
    }
}

/// Encodes the report as CSV ahead of requests, if there is room.
pub fn prerender_csv(inner: &Inner, id: Uuid, report: &RecordBatch) -> Result<()> {
    inner.renderings.forget(id);
    let csv = render(report, Format::Csv)?;
    if let Ok(csv) = inner.renderings.take_memory(&inner.compute.budget, csv) {
        inner.renderings.insert((id, Format::Csv, Compression::None), csv);
    }
    Ok(())
}

/// Encodes a finished report; `None` if its file is broken, and the report runs again.
pub async fn rendering(
    inner: &Arc<Inner>,
    job: &Arc<Job>,
    format: Format,
    compression: Compression,
) -> Result<Option<Arc<Rendering>>> {
    let key = (job.id, format, compression);
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
            make(&inner, &job, format, compression)
        }
    };
    let made = inner.compute.handle().spawn_blocking(work).await;
    made.unwrap_or_else(|error| Err(Error::bug(format!("rendering aborted: {error}"))))
}

fn make(
    inner: &Arc<Inner>,
    job: &Arc<Job>,
    format: Format,
    compression: Compression,
) -> Result<Option<Arc<Rendering>>> {
    let plain = match inner.renderings.find((job.id, format, Compression::None)) {
        Some(plain) => plain,
        None => {
            let Some(report) = read(inner, job) else { return Ok(None) };
            let bytes = render(&report, format)?;
            let bytes = inner.renderings.take_memory(&inner.compute.budget, bytes)?;
            inner.renderings.insert((job.id, format, Compression::None), bytes)
        }
    };
    let packed = match compression {
        Compression::None => return Ok(Some(plain)),
        Compression::Gzip => gzip(&plain.bytes),
        Compression::Zstd => {
            zstd::encode_all(plain.bytes.as_ref(), zstd::DEFAULT_COMPRESSION_LEVEL)
        }
    };
    let packed =
        packed.map_err(|error| Error::bug(format!("a report cannot be compressed: {error}")))?;
    let packed = inner.renderings.take_memory(&inner.compute.budget, packed)?;
    Ok(Some(inner.renderings.insert((job.id, format, compression), packed)))
}

/// Reads the report from its file; if that is broken, requeues the report.
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
    fn least_recently_used_renderings_are_evicted() {
        const BYTES_MAX: usize = 80;
        let renderings = Renderings::new(&Budget::new(BYTES_MAX * CACHE_PARTS));
        let key = |number| (Uuid::from_u128(number), Format::Csv, Compression::None);
        for number in 0..4 {
            renderings.insert(key(number), vec![0; BYTES_MAX / 4].into());
        }
        assert!(renderings.find(key(0)).is_some());
        renderings.insert(key(4), vec![0; BYTES_MAX / 4].into());
        assert!(renderings.find(key(1)).is_none() && renderings.find(key(0)).is_some());
        renderings.forget(Uuid::from_u128(0));
        assert!(renderings.find(key(0)).is_none());
        assert_eq!(renderings.cache().len(), 3);
    }

    #[test]
    fn cached_renderings_are_evicted_when_memory_is_full() {
        let budget = Arc::new(Budget::new(160));
        let renderings = Renderings::new(&budget);
        let take_memory = |bytes| renderings.take_memory(&budget, vec![0; bytes]);
        let first = take_memory(60).unwrap();
        renderings.insert((Uuid::from_u128(0), Format::Csv, Compression::None), first);
        // A response still holds it.
        let second = take_memory(60).unwrap();
        assert!(matches!(take_memory(60), Err(Error::Busy(_))));
        drop(second);
        assert!(take_memory(80).is_ok() && take_memory(81).is_err());
    }
}
