//! Files of finished reports: written atomically, and verified before they are used.
//!
//! A file holds the laid-out report as Arrow; other formats are encoded from it on demand. Knows
//! nothing of jobs but their ids.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::report;
use crate::tables::{create_private, sync_folder};

pub struct Files {
    folder: PathBuf,
    stats: Mutex<FileStats>,
}

/// Facts about the files that need no look at the disk.
#[derive(Default)]
struct FileStats {
    bytes: HashMap<Uuid, u64>,
    /// Number of current readers of each file.
    readers: HashMap<Uuid, usize>,
}

/// Size and use of a report's file; zero if there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileUsage {
    pub bytes: u64,
    /// Set while somebody reads it.
    pub is_read: bool,
}

/// Size and checksum of a file, as in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub size_bytes: u64,
    /// BLAKE3, as hexadecimal digits.
    pub checksum: String,
}

impl Files {
    pub fn create(folder: PathBuf) -> Result<Self> {
        create_synced(&folder)?;
        Ok(Self::read_only(folder))
    }

    /// Opens a folder for reading alone.
    pub fn read_only(folder: PathBuf) -> Self {
        Self { folder, stats: Mutex::default() }
    }

    /// Writes the report's file; it is synced to disk on return.
    pub fn write(&self, id: Uuid, report: &RecordBatch) -> Result<Written> {
        let bytes = report::to_arrow_file(report)?;
        let path = self.path(id);
        self.write_bytes(&path, &bytes).map_err(|error| Error::io("write", &path, error))?;
        self.stats().bytes.insert(id, bytes.len() as u64);
        let checksum = blake3::hash(&bytes).to_hex().to_string();
        Ok(Written { size_bytes: bytes.len() as u64, checksum })
    }

    fn write_bytes(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Reads the report; `None` if its file is missing or differs from what was written.
    pub fn read(&self, id: Uuid, written: &Written) -> Option<RecordBatch> {
        let _reading = self.begin_reading(id);
        let bytes = std::fs::read(self.path(id)).ok()?;
        let whole = bytes.len() as u64 == written.size_bytes
            && blake3::hash(&bytes).to_hex().as_str() == written.checksum;
        if !whole {
            tracing::warn!(%id, "the file of a report is broken; the report will run again");
            return None;
        }
        let reader = FileReader::try_new(Cursor::new(bytes), None).ok()?;
        let schema = reader.schema();
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>().ok()?;
        concat_batches(&schema, &batches).ok()
    }

    /// Removes the file if it can: a file that no record names is never read.
    pub fn remove(&self, id: Uuid) {
        let _ = std::fs::remove_file(self.path(id));
        self.stats().bytes.remove(&id);
    }

    pub fn usage(&self, id: Uuid) -> FileUsage {
        let stats = self.stats();
        let bytes = stats.bytes.get(&id).copied().unwrap_or(0);
        FileUsage { bytes, is_read: stats.readers.contains_key(&id) }
    }

    fn begin_reading(&self, id: Uuid) -> ReadGuard<'_> {
        *self.stats().readers.entry(id).or_default() += 1;
        ReadGuard { files: self, id }
    }

    fn stats(&self) -> MutexGuard<'_, FileStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes files that an interrupted server left behind, and notes the size of the others.
    pub fn remove_all_but(&self, named: &HashSet<Uuid>) -> Result<()> {
        let failed = |error| Error::io("read", &self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let id = path.file_stem().and_then(|name| Uuid::try_parse(name.to_str()?).ok());
            match id.filter(|id| named.contains(id)) {
                Some(id) => {
                    let bytes = entry.metadata().map_err(failed)?.len();
                    self.stats().bytes.insert(id, bytes);
                }
                None => drop(std::fs::remove_file(&path)),
            }
        }
        Ok(())
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.arrow"))
    }
}

/// Counts a reader of a file until dropped.
struct ReadGuard<'a> {
    files: &'a Files,
    id: Uuid,
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        let mut stats = self.files.stats();
        if let Some(count) = stats.readers.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                stats.readers.remove(&self.id);
            }
        }
    }
}

/// Creates the folder and all missing parents for their owner alone, synced to disk.
fn create_synced(folder: &Path) -> Result<()> {
    let missing = folder.ancestors().take_while(|above| !above.exists()).count();
    create_private(folder).map_err(|error| Error::io("create", folder, error))?;
    // A folder's entry is in its parent. Sync two parents even if nothing is missing: a server may
    // have been interrupted between creation and sync.
    for above in folder.ancestors().skip(1).take(missing.max(2)) {
        let is_here = above.as_os_str().is_empty();
        sync_folder(if is_here { Path::new(".") } else { above })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_files_and_readers_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (known, unknown) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for id in [known, unknown] {
            std::fs::write(folder.path().join(format!("{id}.arrow")), "figures").unwrap();
        }
        let files = Files::create(folder.path().to_owned()).unwrap();
        files.remove_all_but(&HashSet::from([known])).unwrap();
        assert_eq!((files.usage(known).bytes, files.usage(unknown).bytes), (7, 0));
        let [first, second] = [known; 2].map(|id| files.begin_reading(id));
        drop(first);
        assert!(files.usage(known).is_read);
        drop(second);
        assert!(!files.usage(known).is_read);
        files.remove(known);
        assert_eq!(files.usage(known).bytes, 0);
    }

    #[test]
    fn a_folder_is_created_with_those_above_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        for _again in 0..2 {
            create_synced(&folder).unwrap();
            assert!(folder.is_dir());
        }
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(create_synced(&root.path().join("file/b")).is_err());
    }
}
