//! API keys: stored as hashes, compared in constant time, valid until they expire.
//!
//! A key is 256 random bits, so that its plain BLAKE3 hash reveals nothing; passwords would need a
//! slow hash. Knows neither HTTP nor when a file changes.

use std::fmt;
use std::path::Path;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::error::{self, Error};
use crate::rules::calendar::instant_text;
use crate::rules::instant::instant_us;
use crate::rules::keyword::{Keywords, keyword, parse_keyword};

/// Role of a key; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read reports, stores and metrics.
    Read,
    /// Trigger reports and cancel them.
    Run,
    /// Forget reports that others may still want.
    Admin,
}

pub const ROLES: Keywords<Role> =
    &[("read", Role::Read), ("run", Role::Run), ("admin", Role::Admin)];

/// Digits of a key's hash in its id.
const ID_DIGITS: usize = 8;
/// Name of the field for the expiry.
const EXPIRES: &str = "expires";

/// Id of a key in lists and logs: the first four bytes of its hash, as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; ID_DIGITS / 2]);

impl KeyId {
    fn from_hash(hash: &blake3::Hash) -> Self {
        let [first, second, third, fourth, ..] = *hash.as_bytes();
        Self([first, second, third, fourth])
    }

    pub fn bytes(self) -> [u8; ID_DIGITS / 2] {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Key as the file stores it.
#[derive(Clone, Debug)]
pub struct Key {
    pub role: Role,
    /// Expiry in microseconds UTC, exclusive; `None` for a key without one.
    pub expires_at: Option<i64>,
    /// Single line, or empty.
    pub comment: String,
    hash: blake3::Hash,
}

impl Key {
    /// The comment must not contain a line break.
    pub fn new(role: Role, secret: &str, expires_at: Option<i64>, comment: &str) -> Self {
        let hash = blake3::hash(secret.as_bytes());
        Self { role, expires_at, comment: comment.trim().to_owned(), hash }
    }

    /// Parses `ROLE HASH [expires=INSTANT] [# COMMENT]`. Words before the `#` count as comment:
    /// earlier versions ignored them.
    ///
    /// # Errors
    /// States the expected form.
    pub fn parse(line: &str) -> Result<Self, String> {
        let (fields, comment) = line.split_once('#').unwrap_or((line, ""));
        let mut fields = fields.split_whitespace();
        let role = parse_keyword(ROLES, fields.next().unwrap_or_default())?;
        let hash = blake3::Hash::from_hex(fields.next().unwrap_or_default())
            .map_err(|_| "expected a role and a hash of 64 hexadecimal digits")?;
        let (mut expires_at, mut words) = (None, Vec::new());
        for field in fields {
            match field.split_once('=') {
                None => words.push(field),
                Some((EXPIRES, _)) if expires_at.is_some() => {
                    return Err(format!("{EXPIRES} is given twice"));
                }
                Some((EXPIRES, text)) => {
                    let expiry = instant_us(text).map_err(|wrong| format!("{EXPIRES}: {wrong}"))?;
                    expires_at = Some(expiry);
                }
                // Read as a comment, a misspelt expiry would make the key valid for ever.
                Some((name, _)) => {
                    return Err(format!("{name:?} is not {EXPIRES}; write `#` before a comment"));
                }
            }
        }
        words.push(comment.trim());
        let comment = words.join(" ").trim().to_owned();
        Ok(Self { role, expires_at, comment, hash })
    }

    pub fn id(&self) -> KeyId {
        KeyId::from_hash(&self.hash)
    }

    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// Returns true if the text is the key's id, or a longer prefix of its hash.
    pub fn is_named(&self, id: &str) -> bool {
        id.len() >= ID_DIGITS && self.hash.to_hex().starts_with(&id.to_ascii_lowercase())
    }

    pub fn hash(&self) -> [u8; 32] {
        *self.hash.as_bytes()
    }
}

/// Formats the key's line in the file, without the line end.
impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", keyword(ROLES, self.role), self.hash.to_hex())?;
        if let Some(expires_at) = self.expires_at {
            write!(formatter, " {EXPIRES}={}", instant_text(expires_at))?;
        }
        match self.comment.as_str() {
            "" => Ok(()),
            comment => write!(formatter, " # {comment}"),
        }
    }
}

/// Lines of a file that hold keys, with line numbers from 1; empty lines and comments are skipped.
fn key_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Keys of a file.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Parses the text of the file at the path; without keys it admits nobody.
    ///
    /// # Errors
    /// Names the first malformed line.
    pub fn parse(path: &Path, text: &str) -> error::Result<Self> {
        let keys = key_lines(text).map(|(number, line)| {
            Key::parse(line)
                .map_err(|wrong| Error::File(format!("{path:?}, line {number}: {wrong}")))
        });
        keys.collect::<error::Result<_>>().map(Self)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Authenticates a key at an instant, microseconds UTC. Takes the same time for any key.
    ///
    /// # Errors
    /// If the key is unknown, or has expired.
    pub fn admit(&self, presented: &str, now: i64) -> Result<Pass, Denied> {
        self.admit_hash(blake3::hash(presented.as_bytes()), now)
    }

    /// Authenticates a holder again: the key may have been removed or expired since.
    ///
    /// # Errors
    /// For the reasons of [`Self::admit`].
    pub fn readmit(&self, pass: &Pass, now: i64) -> Result<Pass, Denied> {
        self.admit_hash(pass.hash, now)
    }

    fn admit_hash(&self, hash: blake3::Hash, now: i64) -> Result<Pass, Denied> {
        let mut found = 0u64;
        for (place, key) in (1u64..).zip(&self.0) {
            let is_it: Choice = key.hash.as_bytes().ct_eq(hash.as_bytes());
            found.conditional_assign(&place, is_it);
        }
        let place = usize::try_from(found).ok().and_then(|found| found.checked_sub(1));
        let key = place.and_then(|place| self.0.get(place)).ok_or(Denied::Unknown)?;
        match key.expires_at {
            Some(at) if key.is_expired(now) => Err(Denied::Expired { key: key.id(), at }),
            _ => Ok(Pass { role: key.role, hash }),
        }
    }
}

/// Proof of an admission: the key and its role.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub role: Role,
    hash: blake3::Hash,
}

impl Pass {
    pub fn key(&self) -> KeyId {
        KeyId::from_hash(&self.hash)
    }
}

/// Reason why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    Unknown,
    Expired { key: KeyId, at: i64 },
}

impl Denied {
    /// Id of the key, if the server has it.
    pub fn key(self) -> Option<KeyId> {
        match self {
            Self::Unknown => None,
            Self::Expired { key, .. } => Some(key),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("the key is not known to this server"),
            Self::Expired { key, at } => {
                let at = instant_text(*at);
                write!(formatter, "the key {key} expired at {at}; ask for a new one")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2030-01-01.
    const EXPIRY: i64 = 1_893_456_000_000_000;

    fn parsed(text: &str) -> error::Result<Keys> {
        Keys::parse(Path::new("keys"), text)
    }

    fn hash(secret: &str) -> String {
        blake3::hash(secret.as_bytes()).to_hex().to_string()
    }

    #[test]
    fn a_line_is_read_as_it_is_written_and_as_people_write_it() {
        let hash = hash("a");
        for (line, expires_at, comment, written) in [
            ("read HASH", None, "", "read HASH"),
            ("  run\tHASH  ", None, "", "run HASH"),
            ("admin HASH # of Ann", None, "of Ann", "admin HASH # of Ann"),
            ("run HASH#till #7", None, "till #7", "run HASH # till #7"),
            // Format of earlier versions.
            ("run HASH of Ann", None, "of Ann", "run HASH # of Ann"),
            (
                "run HASH expires=2030-01-01 # till",
                Some(EXPIRY),
                "till",
                "run HASH expires=2030-01-01T00:00:00.000000Z # till",
            ),
            (
                "run HASH expires=2030-01-01T01:00:00+01:00",
                Some(EXPIRY),
                "",
                "run HASH expires=2030-01-01T00:00:00.000000Z",
            ),
        ] {
            let key = Key::parse(&line.replace("HASH", &hash)).unwrap();
            assert_eq!((key.expires_at, key.comment.as_str()), (expires_at, comment), "{line}");
            assert_eq!(key.to_string(), written.replace("HASH", &hash), "{line}");
            let again = Key::parse(&key.to_string()).unwrap();
            assert_eq!(again.to_string(), key.to_string(), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_key_is_named() {
        let hash = hash("a");
        for (text, sentence) in [
            ("# keys\nroot abc", "line 2: \"root\" is not one of read, run, admin"),
            ("run abc", "line 1: expected a role and a hash"),
            ("run HASH expires=soon", "line 1: expires: "),
            ("run HASH expires=2030-01-01 expires=2031-01-01", "expires is given twice"),
            ("\nrun HASH expire=2030-01-01", "line 2: \"expire\" is not expires"),
        ] {
            let error = parsed(&text.replace("HASH", &hash)).unwrap_err().sentence();
            assert!(error.contains(sentence), "{error}");
        }
        assert!(parsed("# none\n\n").unwrap().is_empty());
    }

    #[test]
    fn a_key_is_admitted_until_its_expiry() {
        let lines = [
            Key::new(Role::Read, "a", None, ""),
            Key::new(Role::Run, "b", Some(EXPIRY), ""),
            Key::new(Role::Admin, "c", None, ""),
        ];
        let keys = parsed(&lines.each_ref().map(ToString::to_string).join("\n")).unwrap();
        let expired = Err(Denied::Expired { key: lines[1].id(), at: EXPIRY });
        for (presented, now, admitted) in [
            ("a", EXPIRY, Ok(Role::Read)),
            ("b", EXPIRY - 1, Ok(Role::Run)),
            ("b", EXPIRY, expired),
            ("c", EXPIRY, Ok(Role::Admin)),
            ("d", EXPIRY, Err(Denied::Unknown)),
            ("", EXPIRY, Err(Denied::Unknown)),
        ] {
            let found = keys.admit(presented, now).map(|pass| pass.role);
            assert_eq!(found, admitted, "{presented:?}");
        }
        let pass = keys.admit("b", EXPIRY - 1).unwrap();
        assert!(keys.readmit(&pass, EXPIRY).is_err());
        assert!(Keys::default().readmit(&pass, 0).is_err());
    }

    #[test]
    fn an_id_is_eight_digits_of_the_hash_or_more() {
        let key = Key::new(Role::Read, "a", None, "");
        let hash = hash("a");
        assert_eq!(key.id().to_string(), hash[..8]);
        for (id, is_named) in [
            (hash[..8].to_owned(), true),
            (hash[..8].to_uppercase(), true),
            (hash.clone(), true),
            (hash[..7].to_owned(), false),
            (hash[1..9].to_owned(), false),
            (format!("{hash}0"), false),
        ] {
            assert_eq!(key.is_named(&id), is_named, "{id}");
        }
    }
}
