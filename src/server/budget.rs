//! Memory budget for bytes held for clients: requests, responses and prepared statements.
//!
//! A client takes at most half of what others leave free, so that some is left for the next one.
//! Bytes that clients keep between requests have a part of their own. Requests for more are
//! refused, never queued. Knows nothing of what the bytes mean.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::client::Client;
use crate::error::{Error, Result};

/// A client takes at most 1/`CLIENT_SHARE` of the bytes that others leave free.
const CLIENT_SHARE: usize = 2;

/// Memory that a response of rows needs besides its bytes: a batch and its encoding.
#[cfg(any(feature = "flight", feature = "postgres"))]
pub const ROWS_BYTES: usize = 2 << 20;

pub struct Budget {
    bytes_max: usize,
    taken: Mutex<Taken>,
    /// Budget that this one is a part of: bytes taken here are taken there as well.
    whole: Option<Arc<Self>>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    /// Bytes per client, for clients that hold any.
    by_client: HashMap<Client, usize>,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, taken: Mutex::default(), whole: None }
    }

    /// Carves out 1/`parts` of the budget, with the same rules within it.
    pub fn part(self: &Arc<Self>, parts: usize) -> Self {
        let whole = Some(Arc::clone(self));
        Self { bytes_max: self.bytes_max / parts.max(1), taken: Mutex::default(), whole }
    }

    /// Bytes for all clients together.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes that the client holds.
    #[cfg(feature = "postgres")]
    pub fn bytes_of(&self, client: Client) -> usize {
        self.taken().by_client.get(&client).copied().unwrap_or(0)
    }

    /// Reserves bytes for the client.
    ///
    /// # Errors
    /// [`Error::Busy`] if fewer are free.
    pub fn take(self: &Arc<Self>, client: Client, bytes: usize) -> Result<Share> {
        let whole = self.whole.as_ref().map(|whole| whole.take(client, 0)).transpose()?;
        let whole = whole.map(Box::new);
        let mut share = Share { budget: Arc::clone(self), client, bytes: 0, whole };
        share.grow(bytes)?;
        Ok(share)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reserved bytes; released on drop.
pub struct Share {
    budget: Arc<Budget>,
    client: Client,
    bytes: usize,
    /// The same bytes of the parent budget.
    whole: Option<Box<Share>>,
}

impl Share {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// If fewer are free; then nothing has changed.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        if let Some(whole) = &mut self.whole {
            whole.grow(bytes)?;
        }
        if self.take(bytes) {
            return Ok(());
        }
        if let Some(whole) = &mut self.whole {
            whole.give_back(bytes);
        }
        Err(Error::Busy(
            "the memory for requests and responses is in use (--memory); try again later"
                .to_owned(),
        ))
    }

    /// Resizes the reservation, to more or fewer bytes.
    ///
    /// # Errors
    /// If fewer are free; then nothing has changed.
    pub fn resize(&mut self, bytes: usize) -> Result<()> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            return self.grow(more);
        }
        let fewer = self.bytes - bytes;
        if let Some(whole) = &mut self.whole {
            whole.give_back(fewer);
        }
        self.give_back(fewer);
        Ok(())
    }

    /// Reserves the bytes if they are free, and returns whether they were.
    fn take(&mut self, bytes: usize) -> bool {
        let mut taken = self.budget.taken();
        let of_client = taken.by_client.get(&self.client).copied().unwrap_or(0);
        let of_others = taken.bytes.saturating_sub(of_client);
        let client_max = self.budget.bytes_max.saturating_sub(of_others) / CLIENT_SHARE;
        let of_client = of_client.saturating_add(bytes);
        if bytes > 0 && of_client > client_max {
            return false;
        }
        taken.bytes += bytes;
        if of_client > 0 {
            taken.by_client.insert(self.client, of_client);
        }
        self.bytes += bytes;
        true
    }

    fn give_back(&mut self, bytes: usize) {
        let mut taken = self.budget.taken();
        taken.bytes -= bytes;
        self.bytes -= bytes;
        if let Some(of_client) = taken.by_client.get_mut(&self.client) {
            *of_client -= bytes;
            if *of_client == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }

    /// Ties the reservation to the bytes: it is released when their last clone is dropped.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back(self.bytes);
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
    const EVE: Client = Client::Key([3; 4]);

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(80))
    }

    /// Takes all that the client may have, byte by byte.
    fn all_of(budget: &Arc<Budget>, client: Client) -> Share {
        let mut share = budget.take(client, 0).unwrap();
        while share.grow(1).is_ok() {}
        share
    }

    #[test]
    fn the_next_client_gets_half_of_what_greedy_ones_leave() {
        let budget = budget();
        let shares = [ANN, BOB, EVE].map(|client| all_of(&budget, client));
        assert_eq!(shares.each_ref().map(|share| share.bytes), [40, 20, 10]);
        assert!(matches!(budget.take(BOB, 1), Err(Error::Busy(_))));
        drop(shares);
        assert!(budget.take(BOB, 41).is_err() && budget.take(BOB, 40).is_ok());
        assert_eq!(budget.taken().bytes, 0);
        assert!(budget.taken().by_client.is_empty());
    }

    #[test]
    fn retained_bytes_leave_the_rest_for_requests() {
        let budget = budget();
        let kept = Arc::new(budget.part(4));
        let shares = [ANN, BOB].map(|client| all_of(&kept, client));
        assert_eq!((kept.taken().bytes, budget.taken().bytes), (15, 15));
        assert!(budget.take(ANN, 20).is_ok() && budget.take(EVE, 22).is_ok());
        drop(shares);
        assert_eq!((kept.taken().bytes, budget.taken().bytes), (0, 0));
    }

    #[test]
    fn a_part_is_full_when_the_whole_is_full() {
        let budget = budget();
        let _shares = [ANN, BOB].map(|client| all_of(&budget, client));
        let kept = Arc::new(budget.part(1));
        assert!(kept.take(EVE, 11).is_err());
        assert_eq!((kept.taken().bytes, budget.taken().bytes), (0, 60));
        assert!(kept.take(EVE, 10).is_ok());
    }

    #[test]
    fn a_share_becomes_larger_and_smaller() {
        let budget = budget();
        let kept = Arc::new(budget.part(2));
        let mut share = kept.take(ANN, 5).unwrap();
        for (bytes, expected) in [(20, 20), (21, 20), (3, 3), (0, 0), (7, 7)] {
            assert_eq!(share.resize(bytes).is_ok(), bytes == expected, "{bytes}");
            assert_eq!((kept.taken().bytes, budget.taken().bytes), (expected, expected));
        }
        drop(share);
        assert_eq!((kept.taken().bytes, budget.taken().bytes), (0, 0));
        assert!(kept.taken().by_client.is_empty() && budget.taken().by_client.is_empty());
    }

    #[test]
    fn bytes_are_reserved_until_the_last_clone_is_dropped() {
        let budget = budget();
        let bytes = budget.take(ANN, 7).unwrap().hold(Bytes::from_static(b"figures"));
        let part = bytes.slice(2..4);
        drop(bytes);
        assert_eq!((&part[..], budget.taken().bytes), (&b"gu"[..], 7));
        drop(part);
        assert_eq!(budget.taken().bytes, 0);
    }
}
