//! Outages: runs of inactive polls over hours and, for a few stores, days.

use super::quota::Quota;
use super::random::{Random, Stream};
use super::shuffle::Shuffle;

const DAY_MINUTES: u32 = 24 * 60;
const OUTAGE_MINUTES: u32 = 2 * 60;
const OUTAGE_MINUTES_MORE: u64 = 12 * 60;
const LONG_OUTAGE_BLOCK_DAYS_MAX: u32 = 7;

/// Risk of outages of a store.
#[derive(Debug, Clone, Copy)]
pub struct OutageRisk {
    /// Days per thousand with an outage of some hours.
    days_per_mille: u16,
    /// True if each week, or a shorter range as a whole, has an outage of days.
    has_long_outages: bool,
}

/// Assigns risks to polled stores by index.
pub struct Assignment {
    polled: u32,
    with_long_outages: u32,
    ranks: Shuffle,
}

impl Assignment {
    pub fn new(random: Random, polled: u32, quota: Quota) -> Assignment {
        Assignment {
            polled,
            with_long_outages: quota.share(polled, 70),
            ranks: Shuffle::new(random.stream(Stream::Troubles), u64::from(polled)),
        }
    }

    /// Spreads risks evenly over the stores, so that the proportion of outages hardly depends on
    /// the seed.
    pub fn risk(&self, store_index: u32) -> OutageRisk {
        let rank = self.ranks.at(u64::from(store_index));
        let polled = u64::from(self.polled);
        OutageRisk {
            days_per_mille: (230 + 770 * (2 * rank + 1) / (2 * polled)) as u16,
            has_long_outages: polled - rank <= u64::from(self.with_long_outages),
        }
    }
}

impl OutageRisk {
    /// True if the store is out in this minute of a range of `days`; `random` is the store's own.
    pub fn is_out(self, random: Random, minute: u32, days: u32) -> bool {
        self.has_outage(random.with(0), minute)
            || (self.has_long_outages && in_long_outage(random.with(1), minute, days))
    }

    /// True during a short outage: at most one a day; each store's days begin at any minute.
    fn has_outage(self, random: Random, minute: u32) -> bool {
        let minute = minute + random.below(u64::from(DAY_MINUTES)) as u32;
        let day = random.with(u64::from(minute / DAY_MINUTES));
        if day.below(1000) >= u64::from(self.days_per_mille) {
            return false;
        }
        let length = OUTAGE_MINUTES + day.with(0).below(OUTAGE_MINUTES_MORE + 1) as u32;
        falls_within(day.with(1), minute % DAY_MINUTES, length, DAY_MINUTES)
    }
}

/// True during a long outage. Each block of days has one, of 35 to 60 % of its length.
fn in_long_outage(random: Random, minute: u32, days: u32) -> bool {
    let block_minutes = days.min(LONG_OUTAGE_BLOCK_DAYS_MAX) * DAY_MINUTES;
    let block = random.with(u64::from(minute / block_minutes));
    let length = block_minutes * (35 + block.with(0).below(26) as u32) / 100;
    falls_within(block.with(1), minute % block_minutes, length, block_minutes)
}

/// True if the minute is within a run of `length` at a random position in `room`.
fn falls_within(random: Random, minute: u32, length: u32, room: u32) -> bool {
    let start = random.below(u64::from(room - length) + 1) as u32;
    (start..start + length).contains(&minute)
}
