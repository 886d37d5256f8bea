//! When a store does not answer: runs of hours, and for a few stores runs of days.

use super::dice::{Dice, Topic};
use super::fleet::Quota;
use super::shuffle::Shuffle;

const DAY_MINUTES: u32 = 24 * 60;
const OUTAGE_MINUTES: u32 = 2 * 60;
const OUTAGE_MINUTES_MORE: u64 = 12 * 60;
const SPELL_BLOCK_DAYS_MAX: u32 = 7;

/// How prone a store is to outages.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// Of a thousand days, how many have an outage of some hours.
    days_per_mille: u16,
    /// In each week (or in the whole of a shorter range) there is an outage of days.
    has_spells: bool,
}

/// Deals out troubles to polled stores by their index.
pub struct Deal {
    polled: u32,
    with_spells: u32,
    ranks: Shuffle,
}

impl Deal {
    pub fn new(dice: Dice, polled: u32, quota: Quota) -> Deal {
        Deal {
            polled,
            with_spells: quota.of(polled, 70),
            ranks: Shuffle::new(dice.on(Topic::Troubles), u64::from(polled)),
        }
    }

    /// Spread evenly from the calmest store to the most troubled one, so that the share of outages
    /// hardly depends on the seed.
    pub fn trouble(&self, store_index: u32) -> Trouble {
        let rank = self.ranks.at(u64::from(store_index));
        let polled = u64::from(self.polled);
        Trouble {
            days_per_mille: (230 + 770 * (2 * rank + 1) / (2 * polled)) as u16,
            has_spells: polled - rank <= u64::from(self.with_spells),
        }
    }
}

impl Trouble {
    /// If the store is out in this minute of a range of so many days; `dice` are the store's own.
    pub fn is_out(self, dice: Dice, minute: u32, days: u32) -> bool {
        self.has_outage(dice.with(0), minute)
            || (self.has_spells && in_spell(dice.with(1), minute, days))
    }

    /// At most one outage a day, each store's day beginning at its own minute.
    fn has_outage(self, dice: Dice, minute: u32) -> bool {
        let minute = minute + dice.below(u64::from(DAY_MINUTES)) as u32;
        let day = dice.with(u64::from(minute / DAY_MINUTES));
        if day.below(1000) >= u64::from(self.days_per_mille) {
            return false;
        }
        let length = OUTAGE_MINUTES + day.with(0).below(OUTAGE_MINUTES_MORE + 1) as u32;
        falls_within(day.with(1), minute % DAY_MINUTES, length, DAY_MINUTES)
    }
}

/// Each block of days has one spell, of 35 to 60 % of its length.
fn in_spell(dice: Dice, minute: u32, days: u32) -> bool {
    let block_minutes = days.min(SPELL_BLOCK_DAYS_MAX) * DAY_MINUTES;
    let block = dice.with(u64::from(minute / block_minutes));
    let length = block_minutes * (35 + block.with(0).below(26) as u32) / 100;
    falls_within(block.with(1), minute % block_minutes, length, block_minutes)
}

/// If the minute is in a run of `length`, diced into `room`.
fn falls_within(dice: Dice, minute: u32, length: u32, room: u32) -> bool {
    let start = dice.below(u64::from(room - length) + 1) as u32;
    (start..start + length).contains(&minute)
}
