//! Openings of a store, and starts of its local days, as instants.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::zone::Zone;

const DAY_S: u32 = 86_400;
const SNAPS_FROM_S: u32 = DAY_S - 60;

/// Half-open; openings of one store may overlap, and some lie outside the asked range.
pub type Opening = (i64, i64);

pub fn is_open(openings: &[Opening], instant: i64) -> bool {
    openings.iter().any(|&(starts_at, ends_at)| starts_at <= instant && instant < ends_at)
}

/// Openings of a store's rows, at least within the range.
pub fn openings(
    rows: &[(u8, u32, u32)],
    zone: Zone,
    range: (i64, i64),
    snap_end_of_day: bool,
) -> Vec<Opening> {
    let mut openings = Vec::new();
    for date in dates_around(range) {
        let weekday = date.weekday().num_days_from_monday();
        for &(_, start_s, end_s) in rows.iter().filter(|row| u32::from(row.0) == weekday) {
            let snaps = snap_end_of_day && end_s >= SNAPS_FROM_S;
            let end_s = if snaps { DAY_S } else { end_s };
            let overnight_s = if end_s <= start_s { DAY_S } else { 0 };
            let starts_at = instant(zone, date, start_s);
            let ends_at = instant(zone, date, end_s + overnight_s);
            if starts_at < ends_at {
                openings.push((starts_at, ends_at));
            }
        }
    }
    openings
}

/// The instants at which the local days in and around the range begin.
pub fn midnights(zone: Zone, range: (i64, i64)) -> Vec<i64> {
    dates_around(range).map(|date| instant(zone, date, 0)).collect()
}

/// Enough dates on either side for any offset, an overnight row and a skipped day.
fn dates_around(range: (i64, i64)) -> impl Iterator<Item = NaiveDate> {
    let utc_date = |at| DateTime::<Utc>::from_timestamp_micros(at).expect("a date").date_naive();
    let last = utc_date(range.1) + TimeDelta::days(4);
    let first = utc_date(range.0) - TimeDelta::days(4);
    first.iter_days().take_while(move |date| *date <= last)
}

/// The instant at which the zone's clocks show the time, counted in seconds from the date's 00:00.
fn instant(zone: Zone, date: NaiveDate, seconds: u32) -> i64 {
    let local = date.and_time(NaiveTime::MIN) + TimeDelta::seconds(i64::from(seconds));
    match zone.shown_at(local).first() {
        Some(earliest) => *earliest,
        None => instant_in_gap(zone, local),
    }
}

/// Moves a skipped time forward by the length of the gap: where a clock that is not put forward
/// would show it. That clock is set by the last whole minute, counted back from it, that was shown.
fn instant_in_gap(zone: Zone, local: NaiveDateTime) -> i64 {
    let shown = |minutes| zone.shown_at(local - TimeDelta::minutes(minutes)).pop();
    let (minutes, shown_at) = (1..)
        .find_map(|minutes| shown(minutes).map(|shown_at| (minutes, shown_at)))
        .expect("clocks showed some time before the gap");
    shown_at + minutes * 60 * 1_000_000
}
