//! Write lock of a data folder, held by one process at a time.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::parquet_files::create_private;
use crate::error::{Error, Result};

/// Exclusive lock on a data folder, released on drop.
pub struct WriteLock {
    folder: PathBuf,
    _file: File,
}

/// Longest path within a data folder, including temporary files of commits.
const LONGEST_WITHIN: &str =
    "carried/carried_into=0000-00-00/00000000-0000-0000-0000-000000000000.parquet.temporary";

impl WriteLock {
    /// Locks the folder, creating it for the owner only if it is missing.
    ///
    /// # Errors
    /// The folder cannot be written, or another process holds the lock.
    pub fn take(folder: &Path) -> Result<Self> {
        let busy = "another uptally is loading into it; try again later";
        Self::try_take(folder)?.ok_or_else(|| Error::io("write", folder, busy))
    }

    /// Like [`Self::take`], but waits up to `patience` for another process to finish.
    ///
    /// # Errors
    /// The folder cannot be written, the lock is still held at the end, or `stopped` is set.
    pub async fn wait(folder: &Path, patience: Duration, stopped: &AtomicBool) -> Result<Self> {
        // File locks of the operating system have no timeout: poll.
        const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
        if patience.is_zero() {
            let busy =
                "another uptally is loading into it; try again later, or wait with --wait 30s";
            return Self::try_take(folder)?.ok_or_else(|| Error::io("write", folder, busy));
        }
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::try_take(folder)? {
                return Ok(lock);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let busy = "another uptally is still loading into it; try again later, \
                            or wait longer with --wait";
                return Err(Error::io("write", folder, busy));
            }
            tokio::time::sleep(left.min(BETWEEN_ATTEMPTS)).await;
            if stopped.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
        }
    }

    /// Tries to lock the folder; `None` if another process holds the lock.
    fn try_take(folder: &Path) -> Result<Option<Self>> {
        let failed = |error| Error::io("create", folder, error);
        // Without `.` and `..`, which cannot be created.
        let whole = std::path::absolute(folder).map_err(failed)?;
        check_length(&whole)?;
        create_private(&whole).map_err(failed)?;
        let path = folder.join(".lock");
        let file = File::create(&path).map_err(|error| Error::io("write", folder, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { folder: folder.to_owned(), _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, error)),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Refuses a folder if its path, or that of any file within it, is too long for the file system.
fn check_length(folder: &Path) -> Result<()> {
    let is_there = |folder: &&Path| folder.is_dir();
    let Some(existing) = folder.ancestors().find(is_there) else { return Ok(()) };
    let (Ok(real), Ok(missing)) = (existing.canonicalize(), folder.strip_prefix(existing)) else {
        return Ok(());
    };
    let names = missing.components().map(|name| real.join(name));
    for path in names.chain([real.join(missing).join(LONGEST_WITHIN)]) {
        let found = path.symlink_metadata();
        if found.is_err_and(|error| error.kind() == ErrorKind::InvalidFilename) {
            let sentence =
                format!("{folder:?} is too long for this file system; give a shorter path");
            return Err(Error::Argument(sentence));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn a_held_lock_is_waited_for_up_to_the_patience() {
        let folder = tempfile::tempdir().unwrap();
        let never = AtomicBool::new(false);
        let wait = |patience, stopped| WriteLock::wait(folder.path(), patience, stopped);
        let (moment, hour) = (Duration::from_millis(1), Duration::from_secs(3600));
        let held = WriteLock::take(folder.path()).unwrap();
        let error = run(wait(moment, &never)).err().unwrap().sentence();
        assert!(error.contains("still loading into it"), "{error}");
        let error = run(wait(Duration::ZERO, &never)).err().unwrap().sentence();
        assert!(error.contains("--wait 30s"), "{error}");
        let stopped = AtomicBool::new(true);
        assert!(matches!(run(wait(hour, &stopped)), Err(Error::Interrupted)));
        let released = async {
            let (lock, ()) = tokio::join!(wait(hour, &never), async { drop(held) });
            lock
        };
        assert!(run(released).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_private_and_an_existing_one_keeps_its_mode() {
        use std::fs::Permissions;
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("old/new"));
        std::fs::create_dir(&old).unwrap();
        std::fs::set_permissions(&old, Permissions::from_mode(0o755)).unwrap();
        for folder in [&old, &new] {
            WriteLock::take(folder).unwrap();
        }
        let mode = |folder: &Path| folder.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&old), mode(&new)), (0o755, 0o700));
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(300), vec!["x".repeat(200); 20].join("/")] {
            let path = folder.path().join("parent").join(&name);
            let error = WriteLock::take(&path).err().unwrap().sentence();
            assert!(error.contains("too long for this file system"), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
