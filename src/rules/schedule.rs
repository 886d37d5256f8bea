//! Business hours of one store around a span, to look up openings and closings near an instant.

use super::business_hours::WeeklyHours;
use super::calendar::DAY_US;
use super::opening::open_spans;
use super::span::{Span, Spans};
use super::zone::LocalClock;

/// Open time from the start of a span until [`Schedule::LOOKAHEAD_US`] after its end.
#[derive(Clone, Debug)]
pub enum Schedule {
    Always,
    Openings {
        open: Spans,
        /// Start of the laid-out time; an opening that starts here may have begun before.
        starts_at: i64,
        /// End of the laid-out time; an opening that ends here may go on.
        ends_at: i64,
    },
}

impl Schedule {
    /// Distance over which to look ahead. Weekly hours repeat after seven days; a gap can swallow
    /// an opening, but not for weeks in a row.
    pub const LOOKAHEAD_US: i64 = 22 * DAY_US;

    /// Span that the clock must cover for a schedule of the given span.
    pub fn clock_span(span: Span) -> Span {
        Span::new(span.starts_at(), span.ends_at().saturating_add(Self::LOOKAHEAD_US))
            .unwrap_or(span)
    }

    pub fn new(week: &WeeklyHours, clock: &LocalClock, span: Span, snap_end_of_day: bool) -> Self {
        let laid = Self::clock_span(span);
        match week {
            WeeklyHours::Always => Schedule::Always,
            WeeklyHours::Rows(_) => {
                let open = open_spans(week, clock, laid, snap_end_of_day);
                Schedule::Openings { open, starts_at: laid.starts_at(), ends_at: laid.ends_at() }
            }
        }
    }

    pub fn is_open(&self, instant: i64) -> bool {
        match self {
            Schedule::Always => true,
            Schedule::Openings { open, .. } => {
                let ended = open.partition_point(|span| span.ends_at() <= instant);
                open.get(ended).is_some_and(|span| span.starts_at() <= instant)
            }
        }
    }

    /// First instant after `instant` at which the store opens; `None` if it never does.
    pub fn next_open(&self, instant: i64) -> Option<i64> {
        let Schedule::Openings { open, .. } = self else { return None };
        let started = open.partition_point(|span| span.starts_at() <= instant);
        open.get(started).map(|span| span.starts_at())
    }

    /// First instant after `instant` at which the store closes; `None` if it never does.
    pub fn next_close(&self, instant: i64) -> Option<i64> {
        let Schedule::Openings { open, ends_at, .. } = self else { return None };
        let ended = open.partition_point(|span| span.ends_at() <= instant);
        open.get(ended).map(|span| span.ends_at()).filter(|closes_at| closes_at < ends_at)
    }

    /// Last opening at or before `instant`; `None` if it is before the span.
    pub fn previous_open(&self, instant: i64) -> Option<i64> {
        let Schedule::Openings { open, starts_at, .. } = self else { return None };
        let started = open.partition_point(|span| span.starts_at() <= instant);
        let last = open[..started].last().map(|span| span.starts_at());
        last.filter(|opened_at| opened_at > starts_at)
    }

    /// Last closing at or before `instant`; `None` if it is before the span.
    pub fn previous_close(&self, instant: i64) -> Option<i64> {
        let Schedule::Openings { open, .. } = self else { return None };
        let ended = open.partition_point(|span| span.ends_at() <= instant);
        open[..ended].last().map(|span| span.ends_at())
    }

    /// Instant by which `length_us` of open time has passed within the range, a part of the span.
    ///
    /// # Errors
    /// The remaining length in microseconds, if the range has less open time.
    pub fn after_open_time(&self, range: Span, length_us: i64) -> Result<i64, i64> {
        let mut left_us = length_us;
        let always = [range];
        let open = match self {
            Schedule::Always => &always[..],
            Schedule::Openings { open, .. } => &**open,
        };
        let ended = open.partition_point(|span| span.ends_at() <= range.starts_at());
        for span in open[ended..].iter().map_while(|span| span.within(range)) {
            let open_us = span.ends_at() - span.starts_at();
            if left_us <= open_us {
                return Ok(span.starts_at() + left_us);
            }
            left_us -= open_us;
        }
        Err(left_us)
    }

    /// Open time in microseconds within the range, which must be within the span.
    pub fn open_us(&self, range: Span) -> i64 {
        let length_us = |span: Span| span.ends_at() - span.starts_at();
        match self {
            Schedule::Always => length_us(range),
            Schedule::Openings { open, .. } => {
                let ended = open.partition_point(|span| span.ends_at() <= range.starts_at());
                let within = open[ended..].iter().map_while(|span| span.within(range));
                within.map(length_us).sum()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::business_hours::{HoursRow, Weekday};
    use super::super::calendar::HOUR_US;
    use super::*;

    /// Midnight UTC of a Monday: 2023-01-09.
    const MONDAY: i64 = 19_366 * DAY_US;

    /// Reads rows of day, start hour and end hour; UTC, from Monday on.
    fn schedule(rows: &[(u8, u32, u32)]) -> Schedule {
        let opening = |&(day, start_h, end_h): &(u8, u32, u32)| {
            HoursRow::new(Weekday::from_monday_zero(day).unwrap(), start_h * 3600, end_h * 3600)
        };
        let week = WeeklyHours::Rows(rows.iter().filter_map(opening).collect());
        over(&week)
    }

    fn over(week: &WeeklyHours) -> Schedule {
        let span = Span::new(MONDAY, MONDAY + 7 * DAY_US).unwrap();
        let clock = LocalClock::over(&chrono_tz::UTC.into(), Schedule::clock_span(span));
        Schedule::new(week, &clock, span, false)
    }

    /// Checks the answers at an hour; hours count from Monday's midnight.
    #[track_caller]
    fn check(
        schedule: &Schedule,
        at_h: i64,
        is_open: bool,
        opens: Option<i64>,
        closes: Option<i64>,
    ) {
        let at = MONDAY + at_h * HOUR_US;
        let hours = |at: i64| (at - MONDAY) / HOUR_US;
        assert_eq!(schedule.is_open(at), is_open, "open at {at_h}");
        assert_eq!(schedule.next_open(at).map(hours), opens, "opens after {at_h}");
        assert_eq!(schedule.next_close(at).map(hours), closes, "closes after {at_h}");
    }

    #[test]
    fn opening_and_closing_come_after_the_instant() {
        let nine_to_five = schedule(&[(0, 9, 17), (2, 9, 17)]);
        check(&nine_to_five, 8, false, Some(9), Some(17));
        check(&nine_to_five, 9, true, Some(57), Some(17));
        check(&nine_to_five, 17, false, Some(57), Some(65));
        check(&nine_to_five, 65, false, Some(168 + 9), Some(168 + 17));
    }

    #[test]
    fn hours_that_touch_neither_close_nor_open_between() {
        let through = schedule(&[(0, 9, 24), (1, 0, 5)]);
        check(&through, 10, true, Some(168 + 9), Some(29));
    }

    #[test]
    fn an_always_open_store_never_opens_or_closes() {
        check(&over(&WeeklyHours::Always), 10, true, None, None);
        let all_days: Vec<_> = (0..7).map(|day| (day, 0, 24)).collect();
        check(&schedule(&all_days), 10, true, None, None);
        check(&schedule(&[]), 10, false, None, None);
    }

    #[test]
    fn open_time_is_that_within_the_range() {
        let nine_to_five = schedule(&[(0, 9, 17), (2, 9, 17)]);
        for (from_h, to_h, expected_h) in [(0, 168, 16), (10, 58, 8), (17, 57, 0), (12, 13, 1)] {
            let range = Span::new(MONDAY + from_h * HOUR_US, MONDAY + to_h * HOUR_US).unwrap();
            assert_eq!(nine_to_five.open_us(range), expected_h * HOUR_US);
            assert_eq!(over(&WeeklyHours::Always).open_us(range), (to_h - from_h) * HOUR_US);
        }
    }

    #[test]
    fn the_last_opening_and_closing_are_up_to_the_instant() {
        let nine_to_five = schedule(&[(0, 9, 17), (2, 9, 17)]);
        let hours = |at: Option<i64>| at.map(|at| (at - MONDAY) / HOUR_US);
        for (at_h, opened, closed) in [
            // Nothing is known before the span.
            (8, None, None),
            (9, Some(9), None),
            (17, Some(9), Some(17)),
            (60, Some(57), Some(17)),
            (65, Some(57), Some(65)),
        ] {
            let at = MONDAY + at_h * HOUR_US;
            assert_eq!(hours(nine_to_five.previous_open(at)), opened, "opened before {at_h}");
            assert_eq!(hours(nine_to_five.previous_close(at)), closed, "closed before {at_h}");
        }
        // An opening at the start of the span may have begun before.
        assert_eq!(schedule(&[(0, 0, 9)]).previous_open(MONDAY + HOUR_US), None);
    }

    #[test]
    fn open_time_passes_within_the_range() {
        let nine_to_five = schedule(&[(0, 9, 17), (2, 9, 17)]);
        for (from_h, to_h, length_h, expected_h) in [
            (0, 168, 8, Ok(17)),
            (0, 168, 9, Ok(58)),
            (12, 168, 5, Ok(17)),
            (12, 60, 9, Err(1)),
            (17, 57, 1, Err(1)),
        ] {
            let range = Span::new(MONDAY + from_h * HOUR_US, MONDAY + to_h * HOUR_US).unwrap();
            let passed = nine_to_five.after_open_time(range, length_h * HOUR_US);
            let found = passed.map(|at| (at - MONDAY) / HOUR_US).map_err(|left| left / HOUR_US);
            assert_eq!(found, expected_h, "{length_h} from {from_h}");
        }
    }
}
