//! The files of finished reports: written whole or not at all, and checked before they are used.
//!
//! A file holds the laid-out report as Arrow; every other format is made from it on demand. Knows
//! nothing of jobs but their ids.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::report;
use crate::tables::{create_private, sync_folder};

pub struct Files {
    folder: PathBuf,
}

/// What the record says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub size_bytes: u64,
    /// BLAKE3, in hexadecimal.
    pub checksum: String,
}

impl Files {
    pub fn in_folder(folder: PathBuf) -> Result<Self> {
        create_synced(&folder)?;
        Ok(Self { folder })
    }

    /// To read alone.
    pub fn of_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The report's file is on disk, synced, when this returns.
    pub fn write(&self, id: Uuid, report: &RecordBatch) -> Result<Written> {
        let bytes = report::kept(report)?;
        let path = self.path(id);
        self.write_bytes(&path, &bytes).map_err(|error| Error::io("write", &path, error))?;
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

    /// The report; `None` where its file is gone or is not what was written.
    pub fn read(&self, id: Uuid, written: &Written) -> Option<RecordBatch> {
        let bytes = std::fs::read(self.path(id)).ok()?;
        let whole = bytes.len() as u64 == written.size_bytes
            && blake3::hash(&bytes).to_hex().as_str() == written.checksum;
        if !whole {
            tracing::warn!(%id, "the file of a report is broken and will be made again");
            return None;
        }
        let reader = FileReader::try_new(Cursor::new(bytes), None).ok()?;
        let schema = reader.schema();
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>().ok()?;
        concat_batches(&schema, &batches).ok()
    }

    /// Best effort: a file that no record names is never read.
    pub fn remove(&self, id: Uuid) {
        let _ = std::fs::remove_file(self.path(id));
    }

    /// Removes what a server that was cut off left behind.
    pub fn remove_all_but(&self, named: &HashSet<Uuid>) -> Result<()> {
        let failed = |error| Error::io("read", &self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let id = path.file_stem().and_then(|name| Uuid::try_parse(name.to_str()?).ok());
            if !id.is_some_and(|id| named.contains(&id)) {
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(())
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.arrow"))
    }
}

/// Creates the folder for its owner alone, with all that is missing above it; the names survive a
/// power cut.
fn create_synced(folder: &Path) -> Result<()> {
    let missing = folder.ancestors().take_while(|above| !above.exists()).count();
    create_private(folder).map_err(|error| Error::io("create", folder, error))?;
    // The name of a folder stands in the one above it. Two of them even where nothing is missing: a
    // server may have been cut off between creating and syncing.
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
