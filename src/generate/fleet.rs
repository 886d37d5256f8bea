//! Fleet: the stores of the chain and their peculiarities.
//!
//! Peculiarities are assigned by count, not by chance, so that proportions hold and a small chain
//! lacks none. The index of a store determines how it is polled:
//!
//! ```text
//! 0 ── polled twice an hour ── twice ── once an hour ── falls silent ── polled ── never ── stores
//! ```

use super::outage::{self, OutageRisk};
use super::quota::Quota;
use super::random::{Random, Stream};
use super::store_id::{StoreId, StoreIds};
use super::week::{self, Week};
use super::zone::{self, Zone};

#[derive(Debug)]
pub struct Fleet {
    pub stores: Vec<Store>,
    /// Stores before this index are polled twice an hour; this store is polled to the very end.
    pub twice: u32,
    /// Stores from this index on are never polled.
    pub polled: u32,
}

#[derive(Debug)]
pub struct Store {
    pub id: StoreId,
    pub zone: Option<Zone>,
    pub week: Option<Week>,
    /// `None` if the store is never polled.
    pub risk: Option<OutageRisk>,
    /// Clock hour, counted from 0, from which the store is not polled any more.
    pub silent_from_hour: Option<u32>,
}

impl Fleet {
    pub fn new(random: Random, stores: u32, hours: u32) -> Fleet {
        let quota = Quota::new(stores);
        let polled = stores - quota.share(stores, 10);
        // At least two: one falls silent within the first day, one later.
        let silent = quota.share(stores, 10).max(2 * quota.least);
        let ids = StoreIds::new(random, stores, quota.share(stores, 125));
        let zones = zone::Assignment::new(random, stores, quota);
        let weeks = week::Assignment::new(random, stores, polled, quota);
        let risks = outage::Assignment::new(random, polled, quota);
        let store = |index: u32| Store {
            id: ids.id(index),
            zone: zones.zone(index),
            week: weeks.week(index),
            risk: (index < polled).then(|| risks.risk(index)),
            silent_from_hour: (polled - silent..polled)
                .contains(&index)
                .then(|| silence(random.stream(Stream::Silence), polled - 1 - index, hours)),
        };
        Fleet { stores: (0..stores).map(store).collect(), twice: quota.share(polled, 200), polled }
    }
}

/// Hour from which a store is silent: within the first day for every third one, else within the
/// second quarter of the range. Not before the third hour, since all are polled in the second.
fn silence(random: Random, silent_rank: u32, hours: u32) -> u32 {
    let (from, until) =
        if silent_rank.is_multiple_of(3) { (2, 24) } else { (hours / 4, hours / 2) };
    let room = u64::from(until - from);
    from + random.with(u64::from(silent_rank)).below(room) as u32
}
