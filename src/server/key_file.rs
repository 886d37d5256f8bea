//! File of API keys: read as a whole, and changed by atomic replacement.
//!
//! `super::keys` defines its lines.

use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::keys::{Key, KeyId, Keys, Role};
use crate::atomic_file;
use crate::error::{Error, Result};

const PREFIX: &str = "upt_";
/// Mode of a new file: private to its owner.
const NEW_MODE: u32 = 0o600;
/// Mode bits that let the group or others write.
#[cfg(unix)]
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// New key; only its hash is stored.
#[derive(Debug)]
pub struct NewKey {
    pub secret: String,
    pub id: KeyId,
}

/// Reads the keys for a server, which must trust the file.
///
/// # Errors
/// If the file cannot be read, has a malformed line, or, on Unix, is writable by others.
pub fn read(path: &Path) -> Result<Keys> {
    let failed = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    check_mode(path, &file)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    Keys::parse(path, &text)
}

/// Reads the keys for display.
///
/// # Errors
/// If the file cannot be read, or a line is not a key.
pub fn list(path: &Path) -> Result<Keys> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Keys::parse(path, &text)
}

/// 256 unpredictable bits.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn random_bits() -> Result<[u8; 32]> {
    let mut bits = [0; 32];
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bits).map_err(|_| Error::Resource {
        what: "cannot make a key".into(),
        source: "the system has no randomness".into(),
    })?;
    Ok(bits)
}

/// Adds a key, and creates the file if it is missing; only the key's hash is stored. It is refused
/// from `expires_at` on, microseconds UTC; the comment is a single line.
///
/// # Errors
/// If the file cannot be written, or the system has no randomness.
pub fn add(path: &Path, role: Role, expires_at: Option<i64>, comment: &str) -> Result<NewKey> {
    let bits = random_bits()?;
    let digits: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = format!("{PREFIX}{digits}");
    let key = Key::new(role, &secret, expires_at, comment);
    let _lock = lock(path);
    let mut content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io("read", path, error)),
    };
    // A file edited by hand may lack its last line end.
    if content.last().is_some_and(|last| *last != b'\n') {
        content.push(b'\n');
    }
    content.extend_from_slice(format!("{key}\n").as_bytes());
    replace(path, &content)?;
    Ok(NewKey { secret, id: key.id() })
}

/// Removes the key with the id, and keeps every other line. Returns the number of keys left.
///
/// # Errors
/// If no key or several have the id, for the reasons of [`list`], or if the file cannot be written.
pub fn remove(path: &Path, id: &str) -> Result<usize> {
    let _lock = lock(path);
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let keys = Keys::parse(path, &text)?;
    let named = keys.iter().filter(|key| key.is_named(id));
    let named: HashSet<_> = named.map(Key::hash).collect();
    if named.is_empty() {
        return Err(Error::Argument(format!(
            "{path:?} has no key with the id {id:?}; `uptally keys list` shows the ids"
        )));
    }
    if named.len() > 1 {
        return Err(Error::Argument(format!(
            "{path:?} has {} keys whose ids begin with {id:?}; give more digits of the hash",
            named.len()
        )));
    }
    let is_kept = |line: &&str| !Key::parse(line.trim()).is_ok_and(|key| key.is_named(id));
    let kept: String = text.split_inclusive('\n').filter(is_kept).collect();
    let left = Keys::parse(path, &kept)?.len();
    replace(path, kept.as_bytes())?;
    Ok(left)
}

fn replace(path: &Path, content: &[u8]) -> Result<()> {
    atomic_file::replace(path, content, NEW_MODE).map_err(|error| Error::io("write", path, error))
}

/// Locks the folder against other commands, if the system locks folders.
fn lock(path: &Path) -> Option<File> {
    let folder = File::open(atomic_file::parent_folder(path)).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|error| Error::io("read", path, error))?.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS == 0 {
        return Ok(());
    }
    Err(Error::File(format!(
        "{path:?} has the mode {mode:04o}, by which others than its owner can add keys; \
         run `chmod go-w {}`",
        path.display()
    )))
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::server::keys::Denied;

    fn file() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        (folder, path)
    }

    fn role(keys: &Keys, secret: &str) -> std::result::Result<Role, Denied> {
        keys.admit(secret, 0).map(|pass| pass.role)
    }

    #[test]
    fn a_file_knows_its_keys_by_their_hashes_alone() {
        let (_folder, path) = file();
        let made =
            [Role::Read, Role::Admin].map(|role| (role, add(&path, role, None, "").unwrap()));
        let text = std::fs::read_to_string(&path).unwrap();
        let keys = read(&path).unwrap();
        for (expected, NewKey { secret, id }) in &made {
            assert!(!text.contains(secret.strip_prefix(PREFIX).unwrap()));
            assert!(text.contains(&id.to_string()));
            assert_eq!(role(&keys, secret), Ok(*expected));
            assert_eq!(role(&keys, &secret[..secret.len() - 1]), Err(Denied::Unknown));
        }
        assert_ne!(made[0].1.secret, made[1].1.secret);
    }

    #[test]
    fn a_new_key_starts_a_line_even_after_an_unterminated_one() {
        let (_folder, path) = file();
        let first = add(&path, Role::Read, None, "").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.trim_end()).unwrap();
        let second = add(&path, Role::Run, Some(5), "of Ann").unwrap();
        let keys = read(&path).unwrap();
        assert_eq!(role(&keys, &first.secret), Ok(Role::Read));
        assert_eq!(role(&keys, &second.secret), Ok(Role::Run));
        let added = keys.iter().last().unwrap();
        assert_eq!((added.expires_at, added.comment.as_str()), (Some(5), "of Ann"));
    }

    #[test]
    fn removing_a_key_leaves_the_other_lines_as_they_are() {
        let (_folder, path) = file();
        let made = [Role::Read, Role::Run].map(|role| add(&path, role, None, "").unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let [first, second] = [0, 1].map(|line| text.lines().nth(line).unwrap());
        let written = format!("# of the office\n\n  {first}  \n{second} of Ann\n#{first}");
        std::fs::write(&path, written).unwrap();
        assert_eq!(remove(&path, &made[0].id.to_string()).unwrap(), 1);
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept, format!("# of the office\n\n{second} of Ann\n#{first}"));
        let gone = remove(&path, &made[0].id.to_string()).unwrap_err().sentence();
        assert!(gone.contains("`uptally keys list` shows the ids"), "{gone}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
        assert_eq!(remove(&path, &made[1].id.to_string()).unwrap(), 0);
        assert!(read(&path).unwrap().is_empty());
    }

    #[test]
    fn an_id_of_several_keys_removes_none() {
        let (_folder, path) = file();
        add(&path, Role::Read, None, "").unwrap();
        let [first, second] = ["0", "1"].map(|digit| format!("abcdef01{}", digit.repeat(56)));
        let written = format!("read {first}\nrun {second}\n");
        std::fs::write(&path, &written).unwrap();
        let error = remove(&path, "abcdef01").unwrap_err().sentence();
        assert!(error.contains("2 keys whose ids begin with \"abcdef01\""), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
        assert_eq!(remove(&path, "ABCDEF010").unwrap(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("run {second}\n"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_is_refused_with_a_remedy() {
        use std::fs::Permissions;
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let (_folder, path) = file();
        add(&path, Role::Read, None, "").unwrap();
        let mode = || std::fs::metadata(&path).unwrap().mode() & 0o7777;
        assert_eq!(mode(), 0o600);
        for (given, is_refused) in
            [(0o600, false), (0o644, false), (0o660, true), (0o602, true), (0o666, true)]
        {
            std::fs::set_permissions(&path, Permissions::from_mode(given)).unwrap();
            let found = read(&path).map_err(|error| error.sentence());
            assert_eq!(found.is_err(), is_refused, "{given:o}");
            if let Err(sentence) = found {
                assert!(sentence.contains(&format!("mode {given:04o}")), "{sentence}");
                assert!(sentence.contains("run `chmod go-w "), "{sentence}");
            }
            // An administrator must be able to inspect and repair the file.
            assert!(list(&path).is_ok());
            add(&path, Role::Read, None, "").unwrap();
            assert_eq!(mode(), given, "changing the file keeps its mode");
        }
    }
}
