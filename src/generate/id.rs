//! The opaque names of stores: 19 digits, or a random UUID.

use uuid::Builder;

use super::dice::{Dice, Topic};
use super::shuffle::Shuffle;

/// The first number of 19 digits.
const NUMBER_MIN: u64 = 1_000_000_000_000_000_000;
/// Numbers stay within 63 bits, as the ids of databases do.
const NUMBERS: u64 = i64::MAX as u64 - NUMBER_MIN;

/// Text kept in place, since every poll copies it.
#[derive(Debug)]
pub struct Id {
    bytes: [u8; 36],
    len: u8,
}

impl Id {
    pub fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn new(text: &str) -> Id {
        let mut bytes = [0; 36];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Id { bytes, len: text.len() as u8 }
    }
}

/// Gives each store index an id of its own, and no two the same.
pub struct Ids {
    ranks: Shuffle,
    /// The ranks below it get a UUID.
    uuids: u32,
    numbers: Shuffle,
    uuid_tails: Shuffle,
    dice: Dice,
}

impl Ids {
    pub fn new(dice: Dice, stores: u32, uuids: u32) -> Ids {
        let dice = dice.on(Topic::Ids);
        Ids {
            ranks: Shuffle::new(dice.with(0), u64::from(stores)),
            uuids,
            numbers: Shuffle::new(dice.with(1), NUMBERS),
            uuid_tails: Shuffle::new(dice.with(2), 1 << 32),
            dice: dice.with(3),
        }
    }

    pub fn id(&self, store_index: u32) -> Id {
        let index = u64::from(store_index);
        if self.ranks.at(index) < u64::from(self.uuids) {
            self.uuid(index)
        } else {
            Id::new(&(NUMBER_MIN + self.numbers.at(index)).to_string())
        }
    }

    /// Version 4; its last 32 bits tell it from all others.
    fn uuid(&self, index: u64) -> Id {
        let dice = self.dice.with(index);
        let random = (u128::from(dice.with(0).bits()) << 64) | u128::from(dice.with(1).bits());
        let tail = u128::from(self.uuid_tails.at(index));
        let bytes = ((random >> 32 << 32) | tail).to_be_bytes();
        let uuid = Builder::from_random_bytes(bytes).into_uuid();
        Id::new(uuid.hyphenated().encode_lower(&mut [0; 36]))
    }
}
