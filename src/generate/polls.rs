//! Polls: their instants and statuses.
//!
//! A slot is a visit to a store in a clock hour. Most slots have a poll, which depends on nothing
//! but the slot.

use super::clock::{Clock, ClockHour};
use super::fleet::{Fleet, Store};
use super::random::{Random, Stream};

const SECOND_US: u32 = 1_000_000;
const MINUTE_US: u32 = 60 * SECOND_US;
const HOUR_MINUTES: u32 = 60;

/// Inverse probability that a visit is missed.
const MISSED_ONE_IN: u64 = 16;
/// Inverse probability that an instant has whole seconds.
const WHOLE_SECOND_ONE_IN: u64 = 512;
/// Inverse probability that a poll outside of any outage is inactive.
const FLICKER_ONE_IN: u64 = 64;

/// Quantiles, in twentieths, of the second within the hour at which polls happen; most happen soon
/// after the full hour.
const TWENTIETHS_SECONDS: [u32; 21] = [
    2, 48, 77, 107, 139, 174, 206, 240, 277, 318, 359, 405, 450, 506, 570, 647, 747, 973, 1459,
    2308, 3600,
];

#[derive(Debug)]
pub struct Polls<'a> {
    pub fleet: &'a Fleet,
    pub clock: &'a Clock,
    /// Generator of the chain.
    pub random: Random,
}

#[derive(Debug)]
pub struct Poll<'a> {
    store: &'a Store,
    is_active: bool,
    hour: &'a ClockHour,
    /// Time since the start of the hour.
    offset_us: u32,
}

impl<'a> Polls<'a> {
    /// Number of slots: first those of every polled store, then the second visits.
    pub fn slots(&self) -> u64 {
        let visits = u64::from(self.fleet.polled) + u64::from(self.fleet.twice);
        visits * self.clock.hours.len() as u64
    }

    /// Poll of a slot; `None` if it has none.
    pub fn at(&self, slot: u64) -> Option<Poll<'a>> {
        let hours = self.clock.hours.len() as u64;
        let (visit, hour_index) = ((slot / hours) as u32, (slot % hours) as u32);
        let is_second = visit >= self.fleet.polled;
        let store_index = if is_second { visit - self.fleet.polled } else { visit };
        let store = &self.fleet.stores[store_index as usize];
        let hour = &self.clock.hours[hour_index as usize];

        let is_last = visit == self.fleet.twice && u64::from(hour_index) + 1 == hours;
        let offset_us = if is_last {
            (self.clock.ends_at_us - hour.starts_at_us) as u32
        } else if hour.is_blackout || self.is_missed(store, visit, hour_index) {
            return None;
        } else {
            self.offset_us(store_index, hour_index, is_second)
        };
        let at_us = hour.starts_at_us + i64::from(offset_us);
        if at_us <= self.clock.starts_at_us || at_us > self.clock.ends_at_us {
            return None;
        }
        let minute = hour_index * HOUR_MINUTES + offset_us / MINUTE_US;
        let is_active = !self.is_out(store, store_index, minute) && !self.flickers(slot);
        Some(Poll { store, is_active, hour, offset_us })
    }

    /// True if the slot has no poll; never in the second hour, so that every polled store has one.
    fn is_missed(&self, store: &Store, visit: u32, hour_index: u32) -> bool {
        let is_silent = store.silent_from_hour.is_some_and(|from| hour_index >= from);
        let random = self.random.stream(Stream::Misses).with(u64::from(visit));
        is_silent || (hour_index != 1 && random.with(u64::from(hour_index)).one_in(MISSED_ONE_IN))
    }

    /// Time of a poll within its hour; the two polls of an hour always differ.
    fn offset_us(&self, store_index: u32, hour_index: u32, is_second: bool) -> u32 {
        let random = self.random.stream(Stream::Offsets).with(u64::from(store_index));
        let random = random.with(u64::from(hour_index));
        let first_us = offset_us(random.with(0));
        if !is_second {
            return first_us;
        }
        let second_us = offset_us(random.with(1));
        if second_us == first_us { first_us ^ 1 } else { second_us }
    }

    fn is_out(&self, store: &Store, store_index: u32, minute: u32) -> bool {
        let random = self.random.stream(Stream::Outages).with(u64::from(store_index));
        store.risk.is_some_and(|risk| risk.is_out(random, minute, self.clock.days))
    }

    fn flickers(&self, slot: u64) -> bool {
        self.random.stream(Stream::Flickers).with(slot).one_in(FLICKER_ONE_IN)
    }
}

/// Random time within an hour, distributed by the quantiles.
fn offset_us(random: Random) -> u32 {
    let twentieth = random.with(0).below(20) as usize;
    let from_us = TWENTIETHS_SECONDS[twentieth] * SECOND_US;
    let until_us = u64::from(TWENTIETHS_SECONDS[twentieth + 1]) * u64::from(SECOND_US);
    let offset_us = from_us + random.with(1).below(until_us - u64::from(from_us)) as u32;
    if random.with(2).one_in(WHOLE_SECOND_ONE_IN) {
        return offset_us - offset_us % SECOND_US;
    }
    offset_us
}

impl Poll<'_> {
    /// Appends `4942703308319287092,active,2023-01-22 12:09:39.47922 UTC`.
    pub fn append_to(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self.store.id.text());
        line.extend_from_slice(if self.is_active { b",active," } else { b",inactive," });
        line.extend_from_slice(&self.hour.text);
        let seconds = self.offset_us / SECOND_US;
        let [minute_tens, minute] = digits(seconds / 60);
        let [second_tens, second] = digits(seconds % 60);
        line.extend_from_slice(&[minute_tens, minute, b':', second_tens, second]);
        print_fraction(self.offset_us % SECOND_US, line);
        line.extend_from_slice(b" UTC");
    }
}

/// Both digits of a number below 100.
fn digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Appends the fraction without trailing zeros, and nothing if it is zero.
fn print_fraction(fraction_us: u32, line: &mut Vec<u8>) {
    if fraction_us == 0 {
        return;
    }
    line.push(b'.');
    for pair in [fraction_us / 10_000, fraction_us / 100 % 100, fraction_us % 100] {
        line.extend_from_slice(&digits(pair));
    }
    while line.last() == Some(&b'0') {
        line.pop();
    }
}
