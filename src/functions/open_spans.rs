//! `open_spans` and `local_days`: weeks and days laid onto the calendar of a zone.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::common::{exec_err, resources_err};
use datafusion::error::Result;
use hashbrown::HashMap;

use super::arguments::{Ranges, text};
use super::cancellation::CancellationFlag;
use super::encoding::lists::{Lists, SpanLists};
use crate::rules::calendar::{DAY_US, instant_text};
use crate::rules::opening::{local_days, open_spans};
use crate::rules::{LocalClock, Span, Zone, ZoneRules};

pub fn open_spans_of(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (weeks, ranges) = (Lists::new(&columns[0]), Ranges::new(&columns[2], &columns[3]));
    let snaps = columns.get(4).map(|column| column.as_boolean());
    let (mut clocks, cancellation) = (Clocks::new(zones), CancellationFlag::current());
    let mut spans = SpanLists::with_capacity(rows);
    for row in 0..rows {
        cancellation.check()?;
        let snap = snaps.is_some_and(|snaps| snaps.is_valid(row) && snaps.value(row));
        match (text(&columns[1], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                let clock = clocks.over(zone, range)?;
                spans.push(Some(&open_spans(&weeks.week(row), clock, range, snap)));
                few_enough(&spans)?;
            }
            (Some(_), Some(None)) => spans.push(Some(&[])),
            _ => spans.push(None),
        }
    }
    spans.finish()
}

pub fn local_days_of(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let (mut clocks, cancellation) = (Clocks::new(zones), CancellationFlag::current());
    let mut days = SpanLists::with_capacity(rows);
    for row in 0..rows {
        cancellation.check()?;
        match (text(&columns[0], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                days.push(Some(&local_days(clocks.over(zone, range)?, range)));
                few_enough(&days)?;
            }
            (Some(_), Some(None)) => days.push(Some(&[])),
            _ => days.push(None),
        }
    }
    days.finish()
}

/// Keeps a batch of rows from taking the memory of the process, which no pool counts.
fn few_enough(lists: &SpanLists) -> Result<()> {
    const SPANS_MAX: usize = 1 << 24;
    if lists.spans() > SPANS_MAX {
        return resources_err!("more than {SPANS_MAX} spans at once; expected shorter ranges");
    }
    Ok(())
}

/// The clocks of a batch, found by the names of zones.
pub struct Clocks {
    rules: ZoneRules,
    zones: HashMap<String, Zone>,
    clocks: HashMap<ClockKey, Arc<LocalClock>>,
}

/// A zone and the ends of a range.
type ClockKey = (Zone, i64, i64);

impl Clocks {
    pub fn new(rules: &ZoneRules) -> Self {
        Self { rules: rules.clone(), zones: HashMap::new(), clocks: HashMap::new() }
    }

    /// # Errors
    /// Where the zone has no IANA name, or as [`range_on_calendar`].
    pub fn over(&mut self, zone: &str, range: Span) -> Result<&LocalClock> {
        let known = match self.zones.get(zone) {
            Some(known) => known.clone(),
            None => {
                let Some(known) = self.rules.zone(zone) else {
                    return exec_err!(
                        "time zone {zone:?} is not an IANA name like 'America/Chicago'"
                    );
                };
                self.zones.entry(zone.to_owned()).insert(known).get().clone()
            }
        };
        self.of_zone(&known, range)
    }

    /// # Errors
    /// As [`range_on_calendar`].
    pub fn of_zone(&mut self, zone: &Zone, range: Span) -> Result<&LocalClock> {
        range_on_calendar(range)?;
        let clock = self.clocks.entry((zone.clone(), range.starts_at(), range.ends_at()));
        Ok(clock.or_insert_with(|| clock_over(zone, range)))
    }
}

/// The clock, which batches share, as a zone's rules are slow to read.
pub fn clock_over(zone: &Zone, range: Span) -> Arc<LocalClock> {
    /// A question has one range and a few dozen zones; more is of functions called row by row.
    const CLOCKS_KEPT: usize = 4_096;
    static KEPT: LazyLock<Mutex<HashMap<ClockKey, Arc<LocalClock>>>> =
        LazyLock::new(Mutex::default);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (zone.clone(), range.starts_at(), range.ends_at());
    if let Some(clock) = kept().get(&key) {
        return Arc::clone(clock);
    }
    let clock = Arc::new(LocalClock::over(zone, range));
    let mut kept = kept();
    // Ranges move on, in a service: those of before are dropped some time.
    if kept.len() >= CLOCKS_KEPT {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&clock));
    clock
}

/// # Errors
/// Where the range is longer than 100 years, or not within the years 1 to 9999.
pub fn range_on_calendar(range: Span) -> Result<()> {
    const LONGEST_US: i64 = 36_525 * DAY_US;
    let (from, to) = (range.starts_at(), range.ends_at());
    on_calendar(from)?;
    on_calendar(to)?;
    if to - from > LONGEST_US {
        let (from, to) = (instant_text(from), instant_text(to));
        return exec_err!("the range from {from} to {to} is longer than 100 years");
    }
    Ok(())
}

/// # Errors
/// Where the instant has no date of four digits.
pub fn on_calendar(instant: i64) -> Result<()> {
    const YEAR_1: i64 = -719_162 * DAY_US;
    const YEAR_10000: i64 = 2_932_897 * DAY_US;
    if !(YEAR_1..=YEAR_10000).contains(&instant) {
        let instant = instant_text(instant);
        return exec_err!("the instant {instant} is not within the years 1 to 9999");
    }
    Ok(())
}
