//! Which time zone a store is in: mostly one of the United States, now and then an odd one.

use super::dice::{Dice, Topic};
use super::fleet::Quota;
use super::shuffle::Shuffle;

/// IANA names and how many of a thousand stores are there. The odd ones: clocks that change at
/// midnight or by half an hour, offsets off the hour, rules that were abolished or turned around.
const ZONES: [(&str, u64); 16] = [
    ("America/New_York", 570),
    ("America/Los_Angeles", 225),
    ("America/Chicago", 105),
    ("America/Phoenix", 30),
    ("America/Denver", 20),
    ("America/Detroit", 10),
    ("America/Indiana/Indianapolis", 5),
    ("America/Boise", 3),
    ("Pacific/Honolulu", 2),
    ("Africa/Cairo", 4),
    ("Africa/Casablanca", 4),
    ("America/Sao_Paulo", 5),
    ("America/St_Johns", 4),
    ("Asia/Beirut", 5),
    ("Asia/Kathmandu", 4),
    ("Australia/Lord_Howe", 4),
];

/// One of [`ZONES`], kept small since every store has one.
#[derive(Debug, Clone, Copy)]
pub struct Zone(u8);

impl Zone {
    pub fn name(self) -> &'static str {
        ZONES[usize::from(self.0)].0
    }
}

/// Deals out zones to stores by their index.
pub struct Deal {
    without_zone: u32,
    ranks: Shuffle,
    /// The first ranks get one zone each; 0 in a chain too small for that.
    one_of_each: u32,
    dice: Dice,
}

impl Deal {
    pub fn new(dice: Dice, stores: u32, quota: Quota) -> Deal {
        let without_zone = quota.of(stores, 50);
        let fits = stores - without_zone >= ZONES.len() as u32;
        Deal {
            without_zone,
            ranks: Shuffle::new(dice.on(Topic::ZoneRanks), u64::from(stores)),
            one_of_each: if fits { ZONES.len() as u32 } else { 0 },
            dice: dice.on(Topic::Zones),
        }
    }

    /// `None` for a store without a zone.
    pub fn zone(&self, store_index: u32) -> Option<Zone> {
        let rank = self.ranks.at(u64::from(store_index)) as u32;
        let rank = rank.checked_sub(self.without_zone)?;
        if rank < self.one_of_each {
            return Some(Zone(rank as u8));
        }
        let mut left = self.dice.with(u64::from(store_index)).below(1000);
        let zone = ZONES.iter().position(|&(_, per_mille)| {
            let is_here = left < per_mille;
            left = left.saturating_sub(per_mille);
            is_here
        });
        zone.map(|zone| Zone(zone as u8))
    }
}
