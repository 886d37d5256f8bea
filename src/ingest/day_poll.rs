//! A poll of a day in eight bytes.

use crate::rules::Poll;
use crate::rules::calendar::DAY_US;

/// Poll within a day: the store's number in the upper bits, then the time of day, then the status.
/// Polls order by store, then instant, with inactive before active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayPoll(u64);

const STATUS_BITS: u32 = 1;

/// A day has 86,400,000,000 microseconds.
const TIME_BITS: u32 = 37;

/// Number of stores that the upper bits can hold.
pub const STORES_MAX: u32 = 1 << (64 - TIME_BITS - STATUS_BITS);

impl DayPoll {
    pub fn new(store: u32, time_us: i64, active: bool) -> Self {
        debug_assert!(store < STORES_MAX && (0..DAY_US).contains(&time_us));
        let time = (time_us as u64) << STATUS_BITS;
        Self(u64::from(store) << (TIME_BITS + STATUS_BITS) | time | u64::from(active))
    }

    pub fn store(self) -> u32 {
        (self.0 >> (TIME_BITS + STATUS_BITS)) as u32
    }

    pub fn active(self) -> bool {
        self.0 & 1 == 1
    }

    pub fn polled_at(self, day: i64) -> i64 {
        day * DAY_US + ((self.0 >> STATUS_BITS) & ((1 << TIME_BITS) - 1)) as i64
    }

    pub fn poll(self, day: i64) -> Poll {
        Poll::new(self.polled_at(day), self.active())
    }

    pub fn renumbered(self, store: u32) -> Self {
        const REST: u64 = (1 << (TIME_BITS + STATUS_BITS)) - 1;
        Self(u64::from(store) << (TIME_BITS + STATUS_BITS) | self.0 & REST)
    }

    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// True if both are of the same store and instant.
    pub fn same_instant(self, other: Self) -> bool {
        self.0 | 1 == other.0 | 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_of_a_day_order_by_store_then_instant_then_inactive_first() {
        let polls = [
            DayPoll::new(0, 5, false),
            DayPoll::new(0, 5, true),
            DayPoll::new(0, DAY_US - 1, false),
            DayPoll::new(1, 0, false),
            DayPoll::new(STORES_MAX - 1, 0, true),
        ];
        assert!(polls.is_sorted());
        assert!(polls[0].same_instant(polls[1]) && !polls[1].same_instant(polls[2]));
        let poll = polls[2].renumbered(7);
        assert_eq!((poll.store(), poll.polled_at(-1), poll.active()), (7, -1, false));
    }
}
