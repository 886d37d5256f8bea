//! Snapshots of the data: the newest version, reopened after each load, and older ones.
//!
//! Knows nothing of reports or HTTP.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use tokio::sync::OnceCell;

use super::compute_pool::ComputePool;
use crate::engine::StoreList;
use crate::error::{Error, Result};
use crate::planner::StoreDirectory;
use crate::rules::ZoneName;
use crate::tables::{Dataset, outdated_zone_rules};

/// Opened version of the data, with the facts that every request needs.
pub struct Snapshot {
    pub dataset: Dataset,
    /// Microseconds UTC; `None` if no store was ever polled.
    pub latest_poll: Option<i64>,
    /// BLAKE3 of all loads: two folders may count to the same version.
    pub fingerprint: [u8; 32],
    stores: StoreDirectory,
    /// Read on first use.
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
    /// If the zone rules of this version have no such zone.
    pub fn check_zone(&self, zone: ZoneName) -> Result<()> {
        let rules = self.dataset.zone_rules()?;
        match rules.zone(zone.as_str()) {
            Some(_) => Ok(()),
            None => Err(Error::Argument(format!(
                "default_timezone: the zone rules {} of the data have no zone {zone}",
                rules.edition()
            ))),
        }
    }

    /// All stores, with the facts that need no polls.
    pub async fn stores(&self, compute: &ComputePool) -> Result<Arc<StoreList>> {
        let read = || {
            let dataset = self.dataset.clone();
            compute.run_blocking(move || StoreList::read(&dataset).map(Arc::new))
        };
        self.list.get_or_try_init(read).await.cloned()
    }

    /// Number within this version; `None` if there is no such store.
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
    /// Held while a version is opened, so that concurrent requests open it once.
    opening: tokio::sync::Mutex<()>,
    compute: Arc<ComputePool>,
}

impl Snapshots {
    pub fn new(folder: PathBuf, compute: Arc<ComputePool>) -> Self {
        Self { folder, newest: RwLock::default(), opening: tokio::sync::Mutex::default(), compute }
    }

    /// Newest version.
    ///
    /// # Errors
    /// If no data were loaded.
    pub async fn newest(&self) -> Result<Arc<Snapshot>> {
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

    /// Version that is requested, or the newest.
    ///
    /// # Errors
    /// If there is no such version.
    pub async fn at(&self, as_of: Option<u64>) -> Result<Arc<Snapshot>> {
        let newest = self.newest().await?;
        match as_of {
            Some(version) if version != newest.version() => {
                let opened = self.compute.run(Snapshot::open(self.folder.clone(), as_of)).await?;
                Ok(Arc::new(opened.ok_or_else(nothing_loaded)?))
            }
            _ => Ok(newest),
        }
    }

    /// Version for a running report, opened on its thread and within its time, not a query's.
    pub async fn open_for_report(&self, version: u64) -> Result<Option<Arc<Snapshot>>> {
        match self.current().filter(|snapshot| snapshot.version() == version) {
            Some(snapshot) => Ok(Some(snapshot)),
            None => Ok(Snapshot::open(self.folder.clone(), Some(version)).await?.map(Arc::new)),
        }
    }

    /// Newest version, if it is open and no later load has been made.
    fn current(&self) -> Option<Arc<Snapshot>> {
        let newest = self.newest.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        newest.filter(|snapshot| snapshot.dataset.is_newest())
    }
}

/// Does not name the folder, which clients must not see.
fn nothing_loaded() -> Error {
    Error::Busy("no data loaded; run `uptally ingest` first".into())
}
