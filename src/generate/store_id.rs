//! Ids of stores: 19 digits or a random UUID.

use uuid::Builder;

use super::random::{Random, Stream};
use super::shuffle::Shuffle;

/// Smallest number of 19 digits.
const NUMBER_MIN: u64 = 1_000_000_000_000_000_000;
/// Count of the numbers up to 63 bits, the range of ids in databases.
const NUMBERS: u64 = i64::MAX as u64 - NUMBER_MIN;

/// Id stored inline, since every poll copies it.
#[derive(Debug)]
pub struct StoreId {
    bytes: [u8; 36],
    len: u8,
}

impl StoreId {
    pub fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn new(text: &str) -> StoreId {
        let mut bytes = [0; 36];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        StoreId { bytes, len: text.len() as u8 }
    }
}

/// Assigns distinct ids to store indexes.
pub struct StoreIds {
    ranks: Shuffle,
    /// Ranks below this number get a UUID.
    uuids: u32,
    numbers: Shuffle,
    uuid_tails: Shuffle,
    random: Random,
}

impl StoreIds {
    pub fn new(random: Random, stores: u32, uuids: u32) -> StoreIds {
        let random = random.stream(Stream::Ids);
        StoreIds {
            ranks: Shuffle::new(random.with(0), u64::from(stores)),
            uuids,
            numbers: Shuffle::new(random.with(1), NUMBERS),
            uuid_tails: Shuffle::new(random.with(2), 1 << 32),
            random: random.with(3),
        }
    }

    pub fn id(&self, store_index: u32) -> StoreId {
        let index = u64::from(store_index);
        if self.ranks.at(index) < u64::from(self.uuids) {
            self.uuid(index)
        } else {
            StoreId::new(&(NUMBER_MIN + self.numbers.at(index)).to_string())
        }
    }

    /// UUID of version 4; its last 32 bits make it unique.
    fn uuid(&self, index: u64) -> StoreId {
        let random = self.random.with(index);
        let random = (u128::from(random.with(0).bits()) << 64) | u128::from(random.with(1).bits());
        let tail = u128::from(self.uuid_tails.at(index));
        let bytes = ((random >> 32 << 32) | tail).to_be_bytes();
        let uuid = Builder::from_random_bytes(bytes).into_uuid();
        StoreId::new(uuid.hyphenated().encode_lower(&mut [0; 36]))
    }
}
