//! Cached file list of a table's newest version, kept beside its log to avoid replaying it.
//!
//! The log is authoritative: a missing, outdated or corrupt list is ignored.

use std::io::Write;
use std::path::{Path, PathBuf};

use deltalake_core::kernel::{Add, Version};
use serde::{Deserialize, Serialize};

/// Delta libraries ignore names that begin with an underscore.
const FOLDER: &str = "_files";

#[derive(Serialize, Deserialize)]
struct CachedSnapshot {
    version: Version,
    files: Vec<Add>,
}

fn path_of(table: &Path, version: Version) -> PathBuf {
    table.join(FOLDER).join(format!("{version:020}.json"))
}

/// Files of a version; `None` if they are not cached.
pub fn read(table: &Path, version: Version) -> Option<Vec<Add>> {
    let text = std::fs::read(path_of(table, version)).ok()?;
    let cached: CachedSnapshot = serde_json::from_slice(&text).ok()?;
    (cached.version == version).then_some(cached.files)
}

/// Caches the files of a version and removes older lists.
///
/// # Errors
/// The list cannot be written, which is no reason to fail a load.
pub fn write(table: &Path, version: Version, files: Vec<Add>) -> std::io::Result<()> {
    let folder = table.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut written = tempfile::NamedTempFile::new_in(&folder)?;
    serde_json::to_writer(&mut written, &CachedSnapshot { version, files })?;
    written.flush()?;
    let path = path_of(table, version);
    written.persist(&path)?;
    for entry in std::fs::read_dir(&folder)?.flatten() {
        if entry.path() != path {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str) -> Add {
        Add { path: path.to_owned(), ..Add::default() }
    }

    #[test]
    fn the_newest_list_is_kept_and_a_corrupt_one_is_ignored() {
        let table = tempfile::tempdir().unwrap();
        let names = |version| {
            read(table.path(), version)
                .map(|files| files.into_iter().map(|file| file.path).collect::<Vec<_>>())
        };
        assert_eq!(names(1), None);
        write(table.path(), 1, vec![named("a.parquet")]).unwrap();
        assert_eq!(names(1), Some(vec!["a.parquet".to_owned()]));
        write(table.path(), 2, vec![named("b.parquet")]).unwrap();
        assert_eq!((names(1), names(2)), (None, Some(vec!["b.parquet".to_owned()])));

        let whole = std::fs::read(path_of(table.path(), 2)).unwrap();
        std::fs::write(path_of(table.path(), 3), &whole).unwrap();
        assert_eq!(names(3), None, "it is the list of another version");
        for length in [0, 1, whole.len() - 1] {
            std::fs::write(path_of(table.path(), 2), &whole[..length]).unwrap();
            assert_eq!(names(2), None, "{length} bytes");
        }
    }
}
