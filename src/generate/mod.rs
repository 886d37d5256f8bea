//! Generator of synthetic chains: polls, business hours and time zones as three CSV files.
//!
//! A [`Spec`] gives the same bytes on any machine. Every row is a pure function of the seed and of
//! its position in the file, so that nothing is kept per poll. A chain of a billion polls needs
//! only the memory for its stores and clock hours.
//!
//! ```text
//! Spec ─┬ clock: hours and blackouts         ┐
//!       └ fleet: stores with peculiarities   ┴ polls · week · zone ─ shuffle ─ staged_file
//! ```
//!
//! Knows nothing of how the files are read. Uses nothing that could differ between machines: no
//! floats, no current time, no hash map.

mod clock;
mod fleet;
mod outage;
mod polls;
mod quota;
mod random;
mod shuffle;
mod staged_file;
mod store_id;
mod week;
mod zone;

use std::io;
use std::path::Path;

use clock::Clock;
use fleet::Fleet;
use polls::Polls;
use random::{Random, Stream};
use shuffle::Shuffle;
use staged_file::StagedFile;

/// 2023-01-25 18:13:22.479220 UTC.
pub const DEFAULT_END_US: i64 = 1_674_670_402_479_220;

/// Each store takes about 60 bytes of memory.
const STORES_MAX: u32 = 10_000_000;
/// A century.
const DAYS_MAX: u32 = 36_525;

/// Specification of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// 1 to 10 million; from 20 on every peculiarity occurs.
    pub stores: u32,
    /// Length of the range of polls in days of 24 hours, 1 to 36,525.
    pub days: u32,
    pub seed: u64,
    /// Instant of the last poll in microseconds UTC: one poll is exactly there, none is later.
    pub ends_at_us: i64,
}

/// Number of rows of each file, without headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCounts {
    pub polls: u64,
    pub hours_rows: u64,
    pub zone_rows: u64,
}

/// Writes `store_status.csv`, `menu_hours.csv` and `timezones.csv` to `folder`, creating it if it
/// is missing. Existing files are replaced once all three are complete.
///
/// # Errors
///
/// `InvalidInput` if the spec exceeds a limit, or any error of the file system. An incomplete file
/// never has its final name.
pub fn generate(spec: &Spec, folder: &Path) -> io::Result<RowCounts> {
    let random = Random::new(spec.seed);
    check_counts(spec)?;
    let clock = Clock::new(random.stream(Stream::Blackouts), spec.days, spec.ends_at_us)?;
    let fleet = Fleet::new(random, spec.stores, clock.hours.len() as u32);

    std::fs::create_dir_all(folder)?;
    let mut polls = StagedFile::create(folder, "store_status.csv")?;
    let mut hours = StagedFile::create(folder, "menu_hours.csv")?;
    let mut zones = StagedFile::create(folder, "timezones.csv")?;
    let written = RowCounts {
        polls: write_polls(&mut polls, random, &fleet, &clock)?,
        hours_rows: write_hours(&mut hours, random, &fleet)?,
        zone_rows: write_zones(&mut zones, random, &fleet)?,
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

fn write_polls(
    file: &mut StagedFile,
    random: Random,
    fleet: &Fleet,
    clock: &Clock,
) -> io::Result<u64> {
    let polls = Polls { fleet, clock, random };
    let order = Shuffle::new(random.stream(Stream::PollOrder), polls.slots());
    file.write_rows("store_id,status,timestamp_utc", &order, |slot, line| {
        polls.at(slot).map(|poll| poll.append_to(line))
    })
}

fn write_hours(file: &mut StagedFile, random: Random, fleet: &Fleet) -> io::Result<u64> {
    let slots = fleet.stores.len() as u64 * week::SLOTS;
    let order = Shuffle::new(random.stream(Stream::HoursOrder), slots);
    file.write_rows("store_id,day,start_time_local,end_time_local", &order, |slot, line| {
        let store_index = slot / week::SLOTS;
        let store = &fleet.stores[store_index as usize];
        let habits = random.stream(Stream::Weeks).with(store_index);
        let opening = store.week?.hours_row(habits, slot % week::SLOTS)?;
        line.extend_from_slice(store.id.text());
        opening.append_to(line);
        Some(())
    })
}

fn write_zones(file: &mut StagedFile, random: Random, fleet: &Fleet) -> io::Result<u64> {
    let order = Shuffle::new(random.stream(Stream::ZoneOrder), fleet.stores.len() as u64);
    file.write_rows("store_id,timezone_str", &order, |slot, line| {
        let store = &fleet.stores[slot as usize];
        let zone = store.zone?;
        line.extend_from_slice(store.id.text());
        line.push(b',');
        line.extend_from_slice(zone.name().as_bytes());
        Some(())
    })
}
