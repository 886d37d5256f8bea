//! The stores of the chain, and which of them are odd in which way.
//!
//! Kinds are dealt out by count, not by chance, so that shares hold and no kind is missing in a
//! small chain. For the polls the index of a store says it:
//!
//! ```text
//! 0 ── polled twice an hour ── twice ── once an hour ── falls silent ── polled ── never ── stores
//! ```

use super::dice::{Dice, Topic};
use super::id::{Id, Ids};
use super::outage::{self, Trouble};
use super::week::{self, Week};
use super::zone::{self, Zone};

/// From so many stores on, each kind has a store.
const EVERY_KIND_FROM: u32 = 20;

#[derive(Debug)]
pub struct Fleet {
    pub stores: Vec<Store>,
    /// The stores before this index are polled twice an hour; this one is polled to the very end.
    pub twice: u32,
    /// The stores from this index on are never polled.
    pub polled: u32,
}

#[derive(Debug)]
pub struct Store {
    pub id: Id,
    pub zone: Option<Zone>,
    pub week: Option<Week>,
    /// `None` for a store that is never polled.
    pub trouble: Option<Trouble>,
    /// No poll in this clock hour of the range, counted from 0, and after it.
    pub silent_from_hour: Option<u32>,
}

/// How many stores are of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// 1 in a chain large enough to show every kind, else 0.
    least: u32,
}

impl Quota {
    pub fn new(chain_stores: u32) -> Quota {
        Quota { least: u32::from(chain_stores >= EVERY_KIND_FROM) }
    }

    /// The share, rounded.
    pub fn of(self, stores: u32, per_mille: u32) -> u32 {
        let share = (u64::from(stores) * u64::from(per_mille) + 500) / 1000;
        (share as u32).max(self.least)
    }
}

impl Fleet {
    pub fn new(dice: Dice, stores: u32, hours: u32) -> Fleet {
        let quota = Quota::new(stores);
        let polled = stores - quota.of(stores, 10);
        // Of two, one falls silent within the first day and one later.
        let silent = quota.of(stores, 10).max(2 * quota.least);
        let ids = Ids::new(dice, stores, quota.of(stores, 125));
        let zones = zone::Deal::new(dice, stores, quota);
        let weeks = week::Deal::new(dice, stores, polled, quota);
        let troubles = outage::Deal::new(dice, polled, quota);
        let store = |index: u32| Store {
            id: ids.id(index),
            zone: zones.zone(index),
            week: weeks.week(index),
            trouble: (index < polled).then(|| troubles.trouble(index)),
            silent_from_hour: (polled - silent..polled)
                .contains(&index)
                .then(|| silence(dice.on(Topic::Silence), polled - 1 - index, hours)),
        };
        Fleet { stores: (0..stores).map(store).collect(), twice: quota.of(polled, 200), polled }
    }
}

/// Every third within the first day, the others in the second quarter of the range. Not before the
/// third clock hour: the second one has a poll of every store.
fn silence(dice: Dice, silent_rank: u32, hours: u32) -> u32 {
    let (from, until) =
        if silent_rank.is_multiple_of(3) { (2, 24) } else { (hours / 4, hours / 2) };
    let room = u64::from(until - from);
    from + dice.with(u64::from(silent_rank)).below(room) as u32
}
