//! Bytes that are kept in memory for clients: what they send, what they are sent, and what they have
//! prepared.
//!
//! No client has more than half of them while another has any, nor all of them while it is alone.
//! What does not fit is refused, never waited for. Knows nothing of what the bytes are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::client::Client;
use crate::error::{Error, Result};

/// One byte of so many is for clients that have none.
const RESERVED_SHARE: usize = 8;

pub struct Budget {
    bytes_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    /// Of clients that have any.
    by_client: HashMap<Client, usize>,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, taken: Mutex::default() }
    }

    /// Room for so many bytes of the client.
    ///
    /// # Errors
    /// Where there is not as much.
    pub fn take(self: &Arc<Self>, client: Client, bytes: usize) -> Result<Share> {
        let mut share = Share { budget: Arc::clone(self), client, bytes: 0 };
        share.grow(bytes)?;
        Ok(share)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for bytes, free again once this is dropped.
pub struct Share {
    budget: Arc<Budget>,
    client: Client,
    bytes: usize,
}

impl Share {
    /// Makes room for more.
    ///
    /// # Errors
    /// Where there is not as much; then nothing has changed.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        let Budget { bytes_max, .. } = *self.budget;
        let mut taken = self.budget.taken();
        let of_client = taken.by_client.get(&self.client).copied().unwrap_or(0);
        let are_others = taken.bytes > of_client;
        let client_max =
            if are_others { bytes_max / 2 } else { bytes_max - bytes_max / RESERVED_SHARE };
        let (all, of_client) = (taken.bytes.saturating_add(bytes), of_client.saturating_add(bytes));
        if bytes > 0 && (all > bytes_max || of_client > client_max) {
            return Err(Error::Busy(
                "the memory for what clients send and are sent is taken (--memory); try again later"
                    .to_owned(),
            ));
        }
        taken.bytes = all;
        if of_client > 0 {
            taken.by_client.insert(self.client, of_client);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// The bytes, which have this room until nobody has any part of them.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.budget.taken();
        taken.bytes -= self.bytes;
        if let Some(of_client) = taken.by_client.get_mut(&self.client) {
            *of_client -= self.bytes;
            if *of_client == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Client = Client::Key([1; 4]);
    const BOB: Client = Client::Key([2; 4]);

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(80))
    }

    #[test]
    fn a_client_alone_leaves_an_eighth() {
        let budget = budget();
        let mut share = budget.take(ANN, 70).unwrap();
        assert!(share.grow(1).is_err());
        assert!(budget.take(BOB, 10).is_ok());
        drop(share);
        assert!(budget.take(BOB, 71).is_err() && budget.take(BOB, 70).is_ok());
        assert_eq!(budget.taken().bytes, 0);
        assert!(budget.taken().by_client.is_empty());
    }

    #[test]
    fn with_others_a_client_has_half_at_most() {
        let budget = budget();
        let _of_ann = budget.take(ANN, 1).unwrap();
        let _of_bob = budget.take(BOB, 40).unwrap();
        assert!(matches!(budget.take(BOB, 1), Err(Error::Busy(_))));
        assert!(budget.take(ANN, 39).is_ok());
        assert!(budget.take(ANN, 40).is_err());
    }

    #[test]
    fn bytes_have_their_room_until_the_last_part_of_them_is_gone() {
        let budget = budget();
        let bytes = budget.take(ANN, 7).unwrap().hold(Bytes::from_static(b"figures"));
        let part = bytes.slice(2..4);
        drop(bytes);
        assert_eq!((&part[..], budget.taken().bytes), (&b"gu"[..], 7));
        drop(part);
        assert_eq!(budget.taken().bytes, 0);
    }
}
