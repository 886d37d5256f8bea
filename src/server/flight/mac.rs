//! Message authentication codes of what the server hands out and clients hand back.
//!
//! A code is keyed BLAKE3 under a key of the process, so that nothing is decoded which this process
//! did not make. Knows nothing of what is authenticated.

use bytes::Bytes;

use super::super::key_file::random_bits;
use crate::error::Result;

const CODE_BYTES: usize = blake3::OUT_LEN;

/// The key of one process; it is never written anywhere.
pub struct MacKey([u8; blake3::KEY_LEN]);

impl MacKey {
    /// # Errors
    /// Where the system has no randomness.
    pub fn random() -> Result<Self> {
        Ok(Self(random_bits()?))
    }

    /// The message followed by its code.
    pub fn sign(&self, mut message: Vec<u8>) -> Bytes {
        let code = self.code(&message);
        message.extend_from_slice(code.as_bytes());
        message.into()
    }

    /// The message without its code; `None` where the code is not that of this key. Takes as long for
    /// any code.
    pub fn verify<'a>(&self, signed: &'a [u8]) -> Option<&'a [u8]> {
        let (message, code) = signed.split_last_chunk::<CODE_BYTES>()?;
        // Hashes compare in constant time.
        (self.code(message) == blake3::Hash::from_bytes(*code)).then_some(message)
    }

    fn code(&self, message: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_verified_by_the_key_that_signed_it() {
        let (key, other) = (MacKey::random().unwrap(), MacKey::random().unwrap());
        for message in [&b""[..], b"SELECT 1", &[0; 4096]] {
            let signed = key.sign(message.to_vec());
            assert_eq!(key.verify(&signed), Some(message));
            assert_eq!(other.verify(&signed), None);
        }
    }

    #[test]
    fn a_message_changed_in_any_byte_is_refused() {
        let key = MacKey::random().unwrap();
        let signed = key.sign(b"SELECT $1".to_vec());
        for place in 0..signed.len() {
            let mut forged = signed.to_vec();
            forged[place] ^= 1;
            assert_eq!(key.verify(&forged), None, "byte {place}");
            assert_eq!(key.verify(&signed[..place]), None, "cut at {place}");
            assert_eq!(key.verify(&signed[place + 1..]), None, "begun after {place}");
        }
        assert_eq!(key.verify(&[&signed[..], &[0]].concat()), None);
    }
}
