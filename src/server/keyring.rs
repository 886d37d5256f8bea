//! Keys of a running server, reread when their file changes.
//!
//! The file is checked when a key is presented, at most once a second, and on a reload. A mistake
//! must lock nobody out: if the file cannot be read, is malformed, or can be written by others than
//! its owner, the previous keys stay in force, and the log says so.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use super::key_file;
#[cfg(feature = "flight")]
use super::keys::Key;
use super::keys::{Denied, Keys, Pass};
use crate::error::{Error, Result};
use crate::rules::calendar::SECOND_US;

/// Shortest time between two checks of the file.
const LOOK_PAUSE_US: i64 = SECOND_US;

/// Current keys of a file; a cheap handle.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Arc<Keys>,
    /// Stamp of the file at the last read, successful or not; `None` if the file was missing.
    stamp: Option<Stamp>,
    /// Microseconds UTC.
    looked_at: Option<i64>,
}

impl Keyring {
    /// # Errors
    /// If the file cannot be read, holds no key, or can be written by others than its owner.
    pub fn open(path: &Path) -> Result<Self> {
        let stamp = Stamp::of_file(path);
        let keys = key_file::read(path)?;
        if keys.is_empty() {
            return Err(Error::File(format!(
                "{path:?} holds no key; run `uptally keys add` first"
            )));
        }
        let state = State { keys: Arc::new(keys), stamp, looked_at: None };
        Ok(Self(Arc::new(Inner { path: path.to_owned(), state: Mutex::new(state) })))
    }

    /// Authenticates a key at an instant, microseconds UTC.
    ///
    /// # Errors
    /// If the key is unknown, or has expired.
    pub fn admit(&self, presented: &str, now: i64) -> std::result::Result<Pass, Denied> {
        self.keys(now).admit(presented, now)
    }

    /// Authenticates a holder again who was admitted before.
    ///
    /// # Errors
    /// If the key was removed, or has expired.
    pub fn readmit(&self, pass: &Pass, now: i64) -> std::result::Result<Pass, Denied> {
        self.keys(now).readmit(pass, now)
    }

    /// Derives a key for the context, equal for all servers with the same set of keys; `None`
    /// without keys. Anybody who holds all keys can derive it as well.
    #[cfg(feature = "flight")]
    pub fn derive_key(&self, context: &str, now: i64) -> Option<[u8; 32]> {
        let mut hashes: Vec<_> = self.keys(now).iter().map(Key::hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        (!hashes.is_empty()).then(|| blake3::derive_key(context, hashes.as_flattened()))
    }

    /// Reads the file again, even if it looks unchanged.
    pub fn reload(&self) {
        let mut state = self.state();
        let stamp = Stamp::of_file(&self.0.path);
        self.read_into(&mut state, stamp);
    }

    fn keys(&self, now: i64) -> Arc<Keys> {
        let mut state = self.state();
        // A clock that was set back must not postpone the next check.
        let is_recent =
            |looked_at: i64| (0..LOOK_PAUSE_US).contains(&now.saturating_sub(looked_at));
        if !state.looked_at.is_some_and(is_recent) {
            state.looked_at = Some(now);
            let stamp = Stamp::of_file(&self.0.path);
            if stamp != state.stamp {
                self.read_into(&mut state, stamp);
            }
        }
        Arc::clone(&state.keys)
    }

    fn read_into(&self, state: &mut State, stamp: Option<Stamp>) {
        // Also if reading fails, so that each change of the file is reported once.
        state.stamp = stamp;
        match key_file::read(&self.0.path) {
            Ok(keys) => {
                let count = keys.len();
                state.keys = Arc::new(keys);
                match count {
                    0 => {
                        tracing::warn!(file = ?self.0.path, "no key is left; every key is refused")
                    }
                    _ => {
                        tracing::info!(file = ?self.0.path, keys = count, "the keys were reloaded")
                    }
                }
            }
            Err(error) => {
                let error = error.sentence();
                tracing::error!(
                    error,
                    "the keys were not reloaded; the previous ones stay in force"
                );
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Differs whenever the file is written, replaced, or given another mode or owner.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified_at: Option<SystemTime>,
    size_bytes: u64,
    /// Inode, mode and change time in seconds and nanoseconds. The mode stands separately for file
    /// systems with coarse clocks.
    #[cfg(unix)]
    inode: (u64, u32, i64, i64),
}

impl Stamp {
    fn of_file(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            modified_at: metadata.modified().ok(),
            size_bytes: metadata.len(),
            #[cfg(unix)]
            inode: (metadata.ino(), metadata.mode(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::server::key_file::NewKey;
    use crate::server::keys::Role;

    struct Served {
        _folder: TempDir,
        path: PathBuf,
        first: NewKey,
        keyring: Keyring,
    }

    impl Served {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys");
            let first = key_file::add(&path, Role::Read, None, "").unwrap();
            let keyring = Keyring::open(&path).unwrap();
            Self { _folder: folder, path, first, keyring }
        }

        fn is_admitted(&self, key: &NewKey, now: i64) -> bool {
            self.keyring.admit(&key.secret, now).is_ok()
        }
    }

    #[test]
    fn a_changed_file_is_read_again_once_a_second() {
        let served = Served::new();
        assert!(served.is_admitted(&served.first, 0));
        let second = key_file::add(&served.path, Role::Run, None, "").unwrap();
        key_file::remove(&served.path, &served.first.id.to_string()).unwrap();
        for (now, is_read) in [(0, false), (LOOK_PAUSE_US - 1, false), (LOOK_PAUSE_US, true)] {
            assert_eq!(served.is_admitted(&served.first, now), !is_read, "{now}");
            assert_eq!(served.is_admitted(&second, now), is_read, "{now}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_postpone_the_next_check() {
        let served = Served::new();
        assert!(served.is_admitted(&served.first, 100 * LOOK_PAUSE_US));
        let second = key_file::add(&served.path, Role::Run, None, "").unwrap();
        assert!(served.is_admitted(&second, 0));
    }

    #[test]
    fn a_reload_does_not_wait() {
        let served = Served::new();
        assert!(served.is_admitted(&served.first, 0));
        let second = key_file::add(&served.path, Role::Run, None, "").unwrap();
        served.keyring.reload();
        assert!(served.is_admitted(&second, 0));
    }

    #[test]
    fn a_malformed_file_leaves_the_previous_keys_in_force() {
        let served = Served::new();
        let before = std::fs::read(&served.path).unwrap();
        let is_left = || {
            served.keyring.reload();
            served.is_admitted(&served.first, 0)
        };
        std::fs::write(&served.path, "root abc").unwrap();
        assert!(is_left());
        std::fs::write(&served.path, b"\xff\xfe").unwrap();
        assert!(is_left());
        std::fs::remove_file(&served.path).unwrap();
        assert!(is_left());
        std::fs::create_dir(&served.path).unwrap();
        assert!(is_left());
        std::fs::remove_dir(&served.path).unwrap();
        std::fs::write(&served.path, before).unwrap();
        assert!(is_left());
    }

    #[test]
    fn removing_the_last_key_admits_nobody() {
        let served = Served::new();
        let pass = served.keyring.admit(&served.first.secret, 0).unwrap();
        assert!(served.keyring.readmit(&pass, 0).is_ok());
        key_file::remove(&served.path, &served.first.id.to_string()).unwrap();
        assert!(!served.is_admitted(&served.first, LOOK_PAUSE_US));
        assert_eq!(served.keyring.readmit(&pass, LOOK_PAUSE_US).err(), Some(Denied::Unknown));
        let error = Keyring::open(&served.path).unwrap_err().sentence();
        assert!(error.contains("holds no key; run `uptally keys add` first"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_is_not_read_again_until_they_cannot() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;
        let served = Served::new();
        let give = |mode| std::fs::set_permissions(&served.path, Permissions::from_mode(mode));
        give(0o620).unwrap();
        let second = key_file::add(&served.path, Role::Run, None, "").unwrap();
        assert!(!served.is_admitted(&second, 0));
        assert!(served.is_admitted(&served.first, 0));
        assert!(Keyring::open(&served.path).unwrap_err().sentence().contains("chmod go-w"));
        give(0o600).unwrap();
        assert!(served.is_admitted(&second, LOOK_PAUSE_US));
    }
}
