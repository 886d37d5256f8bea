//! The polls: who is asked when, and what the answer is.
//!
//! A slot is a visit of a store in a clock hour. Most slots hold a poll; which, and what poll,
//! follows from the slot alone.

use super::clock::{Clock, ClockHour};
use super::dice::{Dice, Topic};
use super::fleet::{Fleet, Store};

const SECOND_US: u32 = 1_000_000;
const MINUTE_US: u32 = 60 * SECOND_US;
const HOUR_MINUTES: u32 = 60;

/// One visit in so many finds nobody.
const MISSED_ONE_IN: u64 = 16;
/// One poll in so many is stamped by a clock of whole seconds.
const WHOLE_SECOND_ONE_IN: u64 = 512;
/// One poll in so many is inactive outside of any outage.
const FLICKER_ONE_IN: u64 = 64;

/// The second within the hour by which each further twentieth of the polls has been made: most
/// polls come soon after the full hour.
const TWENTIETHS_SECONDS: [u32; 21] = [
    2, 48, 77, 107, 139, 174, 206, 240, 277, 318, 359, 405, 450, 506, 570, 647, 747, 973, 1459,
    2308, 3600,
];

#[derive(Debug)]
pub struct Polls<'a> {
    pub fleet: &'a Fleet,
    pub clock: &'a Clock,
    /// Those of the chain.
    pub dice: Dice,
}

#[derive(Debug)]
pub struct Poll<'a> {
    store: &'a Store,
    is_active: bool,
    hour: &'a ClockHour,
    /// Since the hour began.
    offset_us: u32,
}

impl<'a> Polls<'a> {
    /// First every polled store, then the second visits of those that are polled twice.
    pub fn slots(&self) -> u64 {
        let visits = u64::from(self.fleet.polled) + u64::from(self.fleet.twice);
        visits * self.clock.hours.len() as u64
    }

    /// `None` where nobody was polled.
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

    /// The second clock hour misses nobody: a polled store has a poll.
    fn is_missed(&self, store: &Store, visit: u32, hour_index: u32) -> bool {
        let is_silent = store.silent_from_hour.is_some_and(|from| hour_index >= from);
        let dice = self.dice.on(Topic::Misses).with(u64::from(visit));
        is_silent || (hour_index != 1 && dice.with(u64::from(hour_index)).one_in(MISSED_ONE_IN))
    }

    /// The two polls of an hour are never at the same instant.
    fn offset_us(&self, store_index: u32, hour_index: u32, is_second: bool) -> u32 {
        let dice = self.dice.on(Topic::Offsets).with(u64::from(store_index));
        let dice = dice.with(u64::from(hour_index));
        let first_us = offset_us(dice.with(0));
        if !is_second {
            return first_us;
        }
        let second_us = offset_us(dice.with(1));
        if second_us == first_us { first_us ^ 1 } else { second_us }
    }

    fn is_out(&self, store: &Store, store_index: u32, minute: u32) -> bool {
        let dice = self.dice.on(Topic::Outages).with(u64::from(store_index));
        store.trouble.is_some_and(|trouble| trouble.is_out(dice, minute, self.clock.days))
    }

    fn flickers(&self, slot: u64) -> bool {
        self.dice.on(Topic::Flickers).with(slot).one_in(FLICKER_ONE_IN)
    }
}

/// Within one hour, spread as the twentieths say.
fn offset_us(dice: Dice) -> u32 {
    let twentieth = dice.with(0).below(20) as usize;
    let from_us = TWENTIETHS_SECONDS[twentieth] * SECOND_US;
    let until_us = u64::from(TWENTIETHS_SECONDS[twentieth + 1]) * u64::from(SECOND_US);
    let offset_us = from_us + dice.with(1).below(until_us - u64::from(from_us)) as u32;
    if dice.with(2).one_in(WHOLE_SECOND_ONE_IN) {
        return offset_us - offset_us % SECOND_US;
    }
    offset_us
}

impl Poll<'_> {
    /// As `4942703308319287092,active,2023-01-22 12:09:39.47922 UTC`.
    pub fn print(&self, line: &mut Vec<u8>) {
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

/// The two digits of a number below 100.
fn digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Without the zeros at the end, and without the point where nothing follows it.
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
