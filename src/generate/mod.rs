//! A made-up chain: polls, business hours and time zones as three CSV files.
//!
//! A [`Spec`] always gives the same bytes, on any machine. Every row is a pure function of the seed
//! and of its place in the file, so that nothing is kept per poll: a chain of a billion polls needs
//! the memory of its stores and clock hours.
//!
//! ```text
//! Spec ─┬ clock: the hours, and when nobody is polled ┐
//!       └ fleet: the stores, and what is odd of each  ┴ polls · week · zone ─ shuffle ─ draft
//! ```
//!
//! It knows nothing of how the files are read, and uses nothing that could differ between machines:
//! no floats, no wall clock, no hash map.

mod clock;
mod dice;
mod draft;
mod fleet;
mod id;
mod outage;
mod polls;
mod shuffle;
#[cfg(test)]
mod tests;
mod week;
mod zone;

use std::io;
use std::path::Path;

use clock::Clock;
use dice::{Dice, Topic};
use draft::Draft;
use fleet::Fleet;
use polls::Polls;
use shuffle::Shuffle;

/// 2023-01-25 18:13:22.479220 UTC.
pub const DEFAULT_END_US: i64 = 1_674_670_402_479_220;

/// Each store costs some 60 bytes of memory.
const STORES_MAX: u32 = 10_000_000;
/// A century.
const DAYS_MAX: u32 = 36_525;

/// What chain to make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// From 1 to 10 million; from 20 on each special kind of store occurs.
    pub stores: u32,
    /// How far the polls reach back, from 1 to 36,525 days of 24 hours.
    pub days: u32,
    pub seed: u64,
    /// Instant of the last poll, microseconds UTC; no poll is later, and one poll is exactly here.
    pub ends_at_us: i64,
}

/// How many rows each file has, headers not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub polls: u64,
    pub hours_rows: u64,
    pub zone_rows: u64,
}

/// Writes `store_status.csv`, `menu_hours.csv` and `timezones.csv` into `folder`, made if missing.
///
/// Files of these names are replaced, once all three are complete.
///
/// # Errors
///
/// `InvalidInput` if the spec breaks a limit; else what the file system says. A half-written file
/// never stands under its final name.
pub fn generate(spec: &Spec, folder: &Path) -> io::Result<Written> {
    let dice = Dice::new(spec.seed);
    check_counts(spec)?;
    let clock = Clock::new(dice.on(Topic::Blackouts), spec.days, spec.ends_at_us)?;
    let fleet = Fleet::new(dice, spec.stores, clock.hours.len() as u32);

    std::fs::create_dir_all(folder)?;
    let mut polls = Draft::create(folder, "store_status.csv")?;
    let mut hours = Draft::create(folder, "menu_hours.csv")?;
    let mut zones = Draft::create(folder, "timezones.csv")?;
    let written = Written {
        polls: write_polls(&mut polls, dice, &fleet, &clock)?,
        hours_rows: write_hours(&mut hours, dice, &fleet)?,
        zone_rows: write_zones(&mut zones, dice, &fleet)?,
    };
    polls.publish()?;
    hours.publish()?;
    zones.publish()?;
    Ok(written)
}

fn check_counts(spec: &Spec) -> io::Result<()> {
    if !(1..=STORES_MAX).contains(&spec.stores) {
        return Err(invalid(format!("stores \"{}\" is not 1 to {STORES_MAX}", spec.stores)));
    }
    if !(1..=DAYS_MAX).contains(&spec.days) {
        return Err(invalid(format!("days \"{}\" is not 1 to {DAYS_MAX}", spec.days)));
    }
    Ok(())
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn write_polls(draft: &mut Draft, dice: Dice, fleet: &Fleet, clock: &Clock) -> io::Result<u64> {
    let polls = Polls { fleet, clock, dice };
    let order = Shuffle::new(dice.on(Topic::PollOrder), polls.slots());
    draft.fill("store_id,status,timestamp_utc", &order, |slot, line| {
        polls.at(slot).map(|poll| poll.print(line))
    })
}

fn write_hours(draft: &mut Draft, dice: Dice, fleet: &Fleet) -> io::Result<u64> {
    let slots = fleet.stores.len() as u64 * week::SLOTS;
    let order = Shuffle::new(dice.on(Topic::HoursOrder), slots);
    draft.fill("store_id,day,start_time_local,end_time_local", &order, |slot, line| {
        let store_index = slot / week::SLOTS;
        let store = &fleet.stores[store_index as usize];
        let habits = dice.on(Topic::Weeks).with(store_index);
        let opening = store.week?.opening(habits, slot % week::SLOTS)?;
        line.extend_from_slice(store.id.text());
        opening.print(line);
        Some(())
    })
}

fn write_zones(draft: &mut Draft, dice: Dice, fleet: &Fleet) -> io::Result<u64> {
    let order = Shuffle::new(dice.on(Topic::ZoneOrder), fleet.stores.len() as u64);
    draft.fill("store_id,timezone_str", &order, |slot, line| {
        let store = &fleet.stores[slot as usize];
        let zone = store.zone?;
        line.extend_from_slice(store.id.text());
        line.push(b',');
        line.extend_from_slice(zone.name().as_bytes());
        Some(())
    })
}
