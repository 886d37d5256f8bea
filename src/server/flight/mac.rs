//! Message authentication codes for data that clients store and return.
//!
//! Codes are keyed BLAKE3. The key is derived from the client keys, so that servers with the same
//! keys verify each other's codes; without client keys it is random per process. This module does
//! not know what it signs.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;

use super::super::Settings;
use super::super::key_file::random_bits;
use super::super::keyring::Keyring;
use crate::error::Result;

const CODE_BYTES: usize = blake3::OUT_LEN;
/// Key derivation context.
const CONTEXT: &str = "uptally 2026 handles of prepared statements";
/// Keys kept, so that handles stay valid when the client keys change.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Signing keys of a process, held in memory only.
pub struct MacKeys {
    /// Client keys from which the newest key is derived; `None` for a random key.
    source: Option<Source>,
    /// The current one is the one used last.
    keys: Mutex<LruCache<MacKey, ()>>,
}

struct Source {
    keyring: Keyring,
    clock: fn() -> i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MacKey([u8; blake3::KEY_LEN]);

impl MacKeys {
    /// Creates a random key; derived ones follow on use.
    ///
    /// # Errors
    /// When the system provides no random bytes.
    pub fn new(settings: &Settings) -> Result<Self> {
        let keyring = settings.keys.clone();
        let source = keyring.map(|keyring| Source { keyring, clock: settings.clock });
        // Needed even with client keys: nothing can be derived once the last one is removed.
        let mut keys = LruCache::new(KEYS_MAX);
        keys.put(MacKey(random_bits()?), ());
        Ok(Self { source, keys: Mutex::new(keys) })
    }

    /// Appends the code to the message.
    pub fn sign(&self, mut message: Vec<u8>) -> Bytes {
        // There is always a key.
        if let Some((key, ())) = self.current().peek_mru() {
            message.extend_from_slice(key.code(&message).as_bytes());
        }
        message.into()
    }

    /// Returns the message without its code; `None` if no key of this process made the code.
    /// Compares in constant time.
    pub fn verify<'a>(&self, signed: &'a [u8]) -> Option<&'a [u8]> {
        let (message, code) = signed.split_last_chunk::<CODE_BYTES>()?;
        let code = blake3::Hash::from_bytes(*code);
        let is_known = self.current().iter().any(|(key, ())| key.code(message) == code);
        is_known.then_some(message)
    }

    /// All keys; the one used last is derived from the current client keys.
    fn current(&self) -> MutexGuard<'_, LruCache<MacKey, ()>> {
        let derived = self
            .source
            .as_ref()
            .and_then(|Source { keyring, clock }| keyring.derive_key(CONTEXT, clock()).map(MacKey));
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(derived) = derived {
            keys.put(derived, ());
        }
        keys
    }
}

impl MacKey {
    fn code(&self, message: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, message)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::key_file;
    use super::super::super::keys::Role;
    use super::*;

    fn random() -> MacKeys {
        MacKeys::new(&Settings::default()).unwrap()
    }

    /// Keys of a server with that key file.
    fn derived(file: &Path) -> MacKeys {
        let keys = Some(Keyring::open(file).unwrap());
        MacKeys::new(&Settings { keys, ..Settings::default() }).unwrap()
    }

    #[test]
    fn a_message_is_verified_by_the_process_that_signed_it() {
        let (keys, others) = (random(), random());
        for message in [&b""[..], b"SELECT 1", &[0; 4096]] {
            let signed = keys.sign(message.to_vec());
            assert_eq!(keys.verify(&signed), Some(message));
            assert_eq!(others.verify(&signed), None);
        }
    }

    #[test]
    fn a_message_changed_in_any_byte_is_refused() {
        let keys = random();
        let signed = keys.sign(b"SELECT $1".to_vec());
        for place in 0..signed.len() {
            let mut forged = signed.to_vec();
            forged[place] ^= 1;
            assert_eq!(keys.verify(&forged), None, "byte {place}");
            assert_eq!(keys.verify(&signed[..place]), None, "cut at {place}");
            assert_eq!(keys.verify(&signed[place + 1..]), None, "begun after {place}");
        }
        assert_eq!(keys.verify(&[&signed[..], &[0]].concat()), None);
    }

    #[test]
    fn servers_with_the_same_client_keys_verify_each_others_signatures() {
        let folder = tempfile::tempdir().unwrap();
        let [file, copy, other] = ["keys", "copy", "other"].map(|name| folder.path().join(name));
        for file in [&file, &file, &other] {
            key_file::add(file, Role::Read, None, "").unwrap();
        }
        // Same keys in another order.
        std::fs::copy(&file, &copy).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().rev().collect();
        std::fs::write(&copy, lines.join("\n")).unwrap();
        let signed = derived(&file).sign(b"SELECT 1".to_vec());
        assert_eq!(derived(&copy).verify(&signed), Some(&b"SELECT 1"[..]));
        assert_eq!(derived(&other).verify(&signed), None);
        assert_eq!(random().verify(&signed), None);
    }

    #[test]
    fn signatures_stay_valid_when_client_keys_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        key_file::add(&file, Role::Read, None, "").unwrap();
        let keyring = Keyring::open(&file).unwrap();
        let settings = Settings { keys: Some(keyring.clone()), ..Settings::default() };
        let keys = MacKeys::new(&settings).unwrap();
        let before = keys.sign(b"before".to_vec());
        key_file::add(&file, Role::Read, None, "").unwrap();
        keyring.reload();
        let after = keys.sign(b"after".to_vec());
        assert!(keys.verify(&before).is_some() && keys.verify(&after).is_some());
        // A server started after the change.
        let newer = derived(&file);
        assert!(newer.verify(&before).is_none() && newer.verify(&after).is_some());
    }
}
