//! API keys: made once, kept as hashes, and compared in constant time.
//!
//! A key is 256 random bits, so that its plain BLAKE3 hash tells nothing of it; what people choose
//! would need a slow hash. Knows nothing of HTTP.

use std::path::Path;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::error::{Error, Result};

/// What a key lets its holder do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read reports, stores and metrics.
    Read,
    /// Trigger reports and cancel them.
    Run,
    /// Forget reports that others may still want.
    Admin,
}

pub const ROLES: crate::words::Words<Role> =
    &[("read", Role::Read), ("run", Role::Run), ("admin", Role::Admin)];

const PREFIX: &str = "upt_";

/// The keys of a file.
#[derive(Clone, Debug)]
pub struct Keys(Vec<(Role, blake3::Hash)>);

impl Keys {
    /// Lines of role and hash; empty ones and those that start with `#` say nothing.
    ///
    /// # Errors
    /// Names the line that is neither.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        let lines = (1..).zip(text.lines().map(str::trim));
        let told = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let keys = told.map(|(number, line)| {
            key_of(line).map_err(|wrong| Error::File(format!("{path:?}, line {number}: {wrong}")))
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(Error::File(format!("{path:?} holds no key; expected `uptally keys add`")));
        }
        Ok(Self(keys))
    }

    /// The role of a key; `None` for one that is not there. Takes as long for any.
    pub fn role(&self, presented: &str) -> Option<Role> {
        let presented = blake3::hash(presented.as_bytes());
        let mut found = 0u8;
        for (role, hash) in &self.0 {
            let is_it: Choice = hash.as_bytes().ct_eq(presented.as_bytes());
            found.conditional_assign(&(*role as u8 + 1), is_it);
        }
        let roles = ROLES.iter().map(|(_, role)| *role);
        roles.into_iter().find(|role| *role as u8 + 1 == found)
    }
}

fn key_of(line: &str) -> std::result::Result<(Role, blake3::Hash), String> {
    let mut words = line.split_whitespace();
    let role = crate::words::meaning(ROLES, words.next().unwrap_or_default())?;
    let hash = words.next().unwrap_or_default();
    let hash = blake3::Hash::from_hex(hash);
    Ok((role, hash.map_err(|_| "expected a role and a hash of 64 hexadecimal digits".to_owned())?))
}

/// Adds a key to the file and returns it; the file holds its hash alone.
///
/// # Errors
/// Where the file cannot be written or the system has no randomness.
pub fn add(path: &Path, role: Role) -> Result<String> {
    let mut bits = [0; 32];
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bits).map_err(|_| Error::Resource {
        what: "cannot make a key".into(),
        source: "the system has no randomness".into(),
    })?;
    let digits: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("{PREFIX}{digits}");
    let line =
        format!("{} {}\n", crate::words::word(ROLES, role), blake3::hash(key.as_bytes()).to_hex());
    append(path, &line).map_err(|error| Error::io("write", path, error))?;
    Ok(key)
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut options = std::fs::OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut last = *b"\n";
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    // What people wrote may lack its line end.
    let line = if last == *b"\n" { line.to_owned() } else { format!("\n{line}") };
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_keys_by_their_hashes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = [Role::Read, Role::Admin].map(|role| (role, add(&path, role).unwrap()));
        let text = std::fs::read_to_string(&path).unwrap();
        let keys = Keys::read(&path).unwrap();
        for (role, key) in &made {
            assert!(!text.contains(key.strip_prefix(PREFIX).unwrap()));
            assert_eq!(keys.role(key), Some(*role));
            assert_eq!(keys.role(&key[..key.len() - 1]), None);
        }
        assert_eq!(keys.role(""), None);
        assert_ne!(made[0].1, made[1].1);
    }

    #[test]
    fn a_key_has_a_line_of_its_own_also_after_one_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let first = add(&path, Role::Read).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.trim_end()).unwrap();
        let second = add(&path, Role::Run).unwrap();
        let keys = Keys::read(&path).unwrap();
        assert_eq!(keys.role(&first), Some(Role::Read));
        assert_eq!(keys.role(&second), Some(Role::Run));
    }

    #[test]
    fn a_line_that_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for (text, sentence) in [
            ("# none\n\n", "holds no key"),
            ("# keys\nroot abc", "line 2: \"root\" is not one of read, run, admin"),
            ("run abc", "line 1: expected a role and a hash"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Keys::read(&path).unwrap_err().sentence();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
