//! `open_spans` and `local_days`: schedules and local days laid onto the calendar of a zone.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray};
use datafusion::common::resources_err;
use datafusion::error::Result;
use hashbrown::HashMap;

use super::arguments::{Ranges, text};
use super::encoding::lists::{ListColumn, SpanListBuilder};
use crate::error::query_err;
use crate::limits::CancellationFlag;
use crate::rules::calendar::{DAY_US, instant_text};
use crate::rules::opening::{local_days, open_spans};
use crate::rules::{LocalClock, Span, Zone, ZoneRules};

pub fn open_spans_column(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (weeks, ranges) = (ListColumn::new(&columns[0]), Ranges::new(&columns[2], &columns[3]));
    let snaps = columns.get(4).map(|column| column.as_boolean());
    let (mut clocks, cancellation) = (Clocks::new(zones), CancellationFlag::current());
    let mut spans = SpanListBuilder::with_capacity(rows);
    for row in 0..rows {
        cancellation.check()?;
        let snap = snaps.is_some_and(|snaps| snaps.is_valid(row) && snaps.value(row));
        match (text(&columns[1], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                let clock = clocks.over(zone, range)?;
                spans.push(Some(&open_spans(&weeks.week(row), clock, range, snap)));
                check_span_count(&spans)?;
            }
            (Some(_), Some(None)) => spans.push(Some(&[])),
            _ => spans.push(None),
        }
    }
    spans.finish()
}

pub fn local_days_column(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let (mut clocks, cancellation) = (Clocks::new(zones), CancellationFlag::current());
    let mut days = SpanListBuilder::with_capacity(rows);
    for row in 0..rows {
        cancellation.check()?;
        match (text(&columns[0], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                days.push(Some(&local_days(clocks.over(zone, range)?, range)));
                check_span_count(&days)?;
            }
            (Some(_), Some(None)) => days.push(Some(&[])),
            _ => days.push(None),
        }
    }
    days.finish()
}

/// Limits the memory of a batch, which memory pools do not count.
fn check_span_count(lists: &SpanListBuilder) -> Result<()> {
    const SPANS_MAX: usize = 1 << 24;
    if lists.spans() > SPANS_MAX {
        return resources_err!("more than {SPANS_MAX} spans at once; use shorter ranges");
    }
    Ok(())
}

/// Cache of the local clocks of a batch, by zone name.
pub struct Clocks {
    rules: ZoneRules,
    zones: HashMap<String, Zone>,
    clocks: HashMap<ClockKey, Arc<LocalClock>>,
}

/// Zone, and start and end of a range.
type ClockKey = (Zone, i64, i64);

impl Clocks {
    pub fn new(rules: &ZoneRules) -> Self {
        Self { rules: rules.clone(), zones: HashMap::new(), clocks: HashMap::new() }
    }

    /// Clock of a named zone over a range.
    ///
    /// # Errors
    /// If the name is not a known IANA name, or as for [`check_range`].
    pub fn over(&mut self, zone: &str, range: Span) -> Result<&LocalClock> {
        let known = match self.zones.get(zone) {
            Some(known) => known.clone(),
            None => {
                let Some(known) = self.rules.zone(zone) else {
                    let remedy = self.rules.remedy(zone);
                    return query_err!("time zone {zone:?} is not an IANA name; {remedy}");
                };
                self.zones.entry(zone.to_owned()).insert(known).get().clone()
            }
        };
        self.over_zone(&known, range)
    }

    /// Clock of a zone over a range.
    ///
    /// # Errors
    /// As for [`check_range`].
    pub fn over_zone(&mut self, zone: &Zone, range: Span) -> Result<&LocalClock> {
        check_range(range)?;
        let clock = self.clocks.entry((zone.clone(), range.starts_at(), range.ends_at()));
        Ok(clock.or_insert_with(|| cached_clock(zone, range)))
    }
}

/// Clock of a zone over a range, from a cache that batches share, because loading rules is slow.
pub fn cached_clock(zone: &Zone, range: Span) -> Arc<LocalClock> {
    /// A query has one range and a few dozen zones. More come from functions that are called row by
    /// row.
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
    // The ranges of a service move on, so old entries become useless.
    if kept.len() >= CLOCKS_KEPT {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&clock));
    clock
}

/// Checks the length and the years of a range.
///
/// # Errors
/// If the range is longer than 100 years or not within the years 1 to 9999.
pub fn check_range(range: Span) -> Result<()> {
    const LONGEST_US: i64 = 36_525 * DAY_US;
    let (from, to) = (range.starts_at(), range.ends_at());
    check_instant(from)?;
    check_instant(to)?;
    if to - from > LONGEST_US {
        let (from, to) = (instant_text(from), instant_text(to));
        return query_err!("the range from {from} to {to} is longer than 100 years");
    }
    Ok(())
}

/// Checks the year of an instant.
///
/// # Errors
/// If the instant is not within the years 1 to 9999.
pub fn check_instant(instant: i64) -> Result<()> {
    const YEAR_1: i64 = -719_162 * DAY_US;
    const YEAR_10000: i64 = 2_932_897 * DAY_US;
    if !(YEAR_1..=YEAR_10000).contains(&instant) {
        let instant = instant_text(instant);
        return query_err!("the instant {instant} is not within the years 1 to 9999");
    }
    Ok(())
}
