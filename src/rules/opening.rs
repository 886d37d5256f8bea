//! Openings: weekly business hours laid onto the calendar of a zone, across its transitions.

use super::business_hours::{HoursRow, WeeklyHours};
use super::calendar::{DAY_US, SECOND_US, day_of, weekday_of};
use super::span::{Span, Spans};
use super::zone::LocalClock;

/// Union of the store's openings within the range.
pub fn open_spans(
    week: &WeeklyHours,
    clock: &LocalClock,
    range: Span,
    snap_end_of_day: bool,
) -> Spans {
    let WeeklyHours::Rows(rows) = week else { return Spans::union(vec![range]) };
    let mut spans = Vec::with_capacity(rows.len() * 2);
    each_opening(rows, clock, range, snap_end_of_day, |_, _, span| spans.push(span));
    Spans::union(spans)
}

/// Opening that one row of business hours makes on one date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub row: HoursRow,
    /// Local date on which it starts, days since 1970-01-01.
    pub on_day: i64,
    /// Span in UTC, cut to the range.
    pub span: Span,
}

/// Openings that [`open_spans`] unites, unordered; empty if the store is always open.
pub fn openings(
    week: &WeeklyHours,
    clock: &LocalClock,
    range: Span,
    snap_end_of_day: bool,
) -> Vec<Opening> {
    let mut openings = Vec::new();
    if let WeeklyHours::Rows(rows) = week {
        each_opening(rows, clock, range, snap_end_of_day, |row, on_day, span| {
            openings.push(Opening { row, on_day, span });
        });
    }
    openings
}

fn each_opening(
    rows: &[HoursRow],
    clock: &LocalClock,
    range: Span,
    snap_end_of_day: bool,
    mut opens: impl FnMut(HoursRow, i64, Span),
) {
    // An interval that reaches into the range may open up to two dates before it, and a gap can
    // carry it one further. None that opens after the last date of the range reaches back into it.
    let first_day = day_of(clock.local_at(range.starts_at())) - 3;
    let last_day = day_of(clock.local_at(range.ends_at())) + 1;
    for row in rows {
        let weekday = i64::from(row.weekday().to_monday_zero());
        let ahead = (weekday - i64::from(weekday_of(first_day))).rem_euclid(7);
        for day in (first_day + ahead..=last_day).step_by(7) {
            let span = opened_on(*row, day, clock, snap_end_of_day);
            if let Some(span) = span.and_then(|span| span.within(range)) {
                opens(*row, day, span);
            }
        }
    }
}

/// `None` if a transition leaves nothing of the interval.
fn opened_on(row: HoursRow, day: i64, clock: &LocalClock, snap_end_of_day: bool) -> Option<Span> {
    let midnight = day * DAY_US;
    let start = midnight + i64::from(row.start_s()) * SECOND_US;
    let end = midnight + i64::from(row.end_from_midnight_s(snap_end_of_day)) * SECOND_US;
    Span::new(clock.instant_of(start), clock.instant_of(end))
}

/// Local calendar days that the range touches, the first and the last cut to it.
pub fn local_days(clock: &LocalClock, range: Span) -> Vec<Span> {
    let first_day = day_of(clock.local_at(range.starts_at())) - 1;
    let last_day = day_of(clock.local_at(range.ends_at())) + 1;
    (first_day..=last_day)
        .filter_map(|day| {
            let midnight = clock.instant_of(day * DAY_US);
            Span::new(midnight, clock.instant_of((day + 1) * DAY_US))?.within(range)
        })
        .collect()
}
