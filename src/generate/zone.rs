//! Time zones of stores: mostly of the United States, with a few special ones.

use super::quota::Quota;
use super::random::{Random, Stream};
use super::shuffle::Shuffle;

/// IANA names with stores per thousand. The special ones change at midnight or by half an hour,
/// have offsets of a fraction of an hour, or have rules that were abolished or reversed.
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

/// Index into [`ZONES`], kept small since every store has one.
#[derive(Debug, Clone, Copy)]
pub struct Zone(u8);

impl Zone {
    pub fn name(self) -> &'static str {
        ZONES[usize::from(self.0)].0
    }
}

/// Assigns zones to stores by index.
pub struct Assignment {
    without_zone: u32,
    ranks: Shuffle,
    /// The first ranks get one zone each; 0 if the chain is too small.
    one_of_each: u32,
    random: Random,
}

impl Assignment {
    pub fn new(random: Random, stores: u32, quota: Quota) -> Assignment {
        let without_zone = quota.share(stores, 50);
        let fits = stores - without_zone >= ZONES.len() as u32;
        Assignment {
            without_zone,
            ranks: Shuffle::new(random.stream(Stream::ZoneRanks), u64::from(stores)),
            one_of_each: if fits { ZONES.len() as u32 } else { 0 },
            random: random.stream(Stream::Zones),
        }
    }

    /// Zone of a store; `None` if it has none.
    pub fn zone(&self, store_index: u32) -> Option<Zone> {
        let rank = self.ranks.at(u64::from(store_index)) as u32;
        let rank = rank.checked_sub(self.without_zone)?;
        if rank < self.one_of_each {
            return Some(Zone(rank as u8));
        }
        let mut left = self.random.with(u64::from(store_index)).below(1000);
        let zone = ZONES.iter().position(|&(_, per_mille)| {
            let is_here = left < per_mille;
            left = left.saturating_sub(per_mille);
            is_here
        });
        zone.map(|zone| Zone(zone as u8))
    }
}
