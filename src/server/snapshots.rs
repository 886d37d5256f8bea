//! Which data there is: the newest version, found anew whenever a load made one, and older ones.
//!
//! Knows nothing of reports or HTTP.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use tokio::sync::OnceCell;

use super::compute_pool::ComputePool;
use super::problem::{Answer, Refusal};
use crate::engine::{StoreDirectory, StoreList};
use crate::error::Result;
use crate::rules::ZoneName;
use crate::tables::{Dataset, outdated_zone_rules};

/// One version of the data, with what every question about it needs.
pub struct Snapshot {
    pub dataset: Dataset,
    /// Microseconds UTC; `None` where no store was ever polled.
    pub latest_poll: Option<i64>,
    /// BLAKE3 of all that was ever loaded: two folders may count their versions alike.
    pub fingerprint: [u8; 32],
    stores: StoreDirectory,
    /// Read when it is first asked for.
    list: OnceCell<Arc<StoreList>>,
}

impl Snapshot {
    async fn open(folder: PathBuf, as_of: Option<u64>) -> Result<Option<Self>> {
        let Some(dataset) = Dataset::open(&folder, as_of).await? else { return Ok(None) };
        let stores = StoreDirectory::read(&dataset)?;
        let latest_poll = stores.numbered().last_polled_at();
        let fingerprint = fingerprint(&dataset);
        Ok(Some(Self { dataset, latest_poll, fingerprint, stores, list: OnceCell::new() }))
    }

    pub fn version(&self) -> u64 {
        self.dataset.version()
    }

    pub fn store_count(&self) -> usize {
        self.stores.count()
    }

    pub fn has_store(&self, id: &str) -> bool {
        self.stores.has(id)
    }

    /// # Errors
    /// Where the rules of this version know no zone of that name.
    pub fn check_zone(&self, zone: ZoneName) -> Answer<()> {
        let rules = self.dataset.zone_rules()?;
        match rules.zone(zone.as_str()) {
            Some(_) => Ok(()),
            None => Err(Refusal::wrong(format!(
                "default_timezone: the zone rules {} of the data know no {zone}",
                rules.edition()
            ))),
        }
    }

    /// All stores, with what is known of each without reading a poll.
    pub async fn stores(&self, compute: &ComputePool) -> Answer<Arc<StoreList>> {
        let read = || {
            let dataset = self.dataset.clone();
            compute.run_blocking(move || StoreList::read(&dataset).map(Arc::new))
        };
        self.list.get_or_try_init(read).await.cloned()
    }

    /// Within this version; `None` where there is no such store.
    pub fn store_number(&self, id: &str) -> Option<i32> {
        self.stores.number_of(id)
    }
}

fn fingerprint(dataset: &Dataset) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for load in dataset.loads() {
        hasher.update(format!("{} {} {}\n", load.version, load.kind, load.content_hash).as_bytes());
        if let Some(edition) = &load.zone_rules {
            hasher.update(format!("zone rules {edition}\n").as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

pub struct Snapshots {
    folder: PathBuf,
    newest: RwLock<Option<Arc<Snapshot>>>,
    /// Held while a version is opened, so that many who ask open it once.
    opening: tokio::sync::Mutex<()>,
    compute: Arc<ComputePool>,
}

impl Snapshots {
    pub fn new(folder: PathBuf, compute: Arc<ComputePool>) -> Self {
        Self { folder, newest: RwLock::default(), opening: tokio::sync::Mutex::default(), compute }
    }

    /// The newest version.
    ///
    /// # Errors
    /// Where nothing was ever loaded.
    pub async fn newest(&self) -> Answer<Arc<Snapshot>> {
        if let Some(snapshot) = self.current() {
            return Ok(snapshot);
        }
        let _opening = self.opening.lock().await;
        if let Some(snapshot) = self.current() {
            return Ok(snapshot);
        }
        let opened = self.compute.run(Snapshot::open(self.folder.clone(), None)).await?;
        let snapshot = Arc::new(opened.ok_or_else(nothing_loaded)?);
        if let Some(warning) = outdated_zone_rules(&snapshot.dataset) {
            tracing::warn!("{warning}");
        }
        *self.newest.write().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The version asked for; the newest where none is.
    pub async fn at(&self, as_of: Option<u64>) -> Answer<Arc<Snapshot>> {
        let newest = self.newest().await?;
        match as_of {
            Some(version) if version != newest.version() => {
                let opened = self.compute.run(Snapshot::open(self.folder.clone(), as_of)).await?;
                Ok(Arc::new(opened.ok_or_else(nothing_loaded)?))
            }
            _ => Ok(newest),
        }
    }

    /// The version of a report that runs, on the threads of reports already: it has the report's
    /// time, not a query's.
    pub async fn open_for_report(&self, version: u64) -> Result<Option<Arc<Snapshot>>> {
        match self.current().filter(|snapshot| snapshot.version() == version) {
            Some(snapshot) => Ok(Some(snapshot)),
            None => Ok(Snapshot::open(self.folder.clone(), Some(version)).await?.map(Arc::new)),
        }
    }

    /// The newest version as far as it was opened before and no load has made a later one.
    fn current(&self) -> Option<Arc<Snapshot>> {
        let newest = self.newest.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        newest.filter(|snapshot| snapshot.dataset.is_newest())
    }
}

/// Says no folder: whoever asks may be a stranger.
fn nothing_loaded() -> Refusal {
    Refusal::unavailable("nothing was loaded yet; run `uptally ingest` first")
}
