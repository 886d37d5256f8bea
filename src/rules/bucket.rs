//! A range in hours, days, weeks or months of a local clock.

use chrono::{Datelike, Months, NaiveDate};

use super::calendar::{DAY_US, HOUR_US, day_of, weekday_of};
use super::span::Span;
use super::zone::LocalClock;

/// A stretch of the calendar, as long as the clock on the wall makes it: a day has 23 to 25 hours,
/// and the hour that a clock shows twice lasts two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Bucket {
    pub const NAMES: &[(&str, Self)] =
        &[("hour", Self::Hour), ("day", Self::Day), ("week", Self::Week), ("month", Self::Month)];

    /// Microseconds of the local clock at which the bucket of a local time starts.
    fn start_of(self, local_us: i64) -> i64 {
        let day = day_of(local_us);
        match self {
            Self::Hour => local_us.div_euclid(HOUR_US) * HOUR_US,
            Self::Day => day * DAY_US,
            Self::Week => (day - i64::from(weekday_of(day))) * DAY_US,
            Self::Month => {
                date(day)
                    .and_then(|date| date.with_day(1))
                    .map_or(day, |date| i64::from(date.to_epoch_days()))
                    * DAY_US
            }
        }
    }

    fn after(self, start_us: i64) -> i64 {
        match self {
            Self::Hour => start_us + HOUR_US,
            Self::Day => start_us + DAY_US,
            Self::Week => start_us + 7 * DAY_US,
            Self::Month => {
                let next =
                    date(day_of(start_us)).and_then(|date| date.checked_add_months(Months::new(1)));
                next.map_or(start_us + 31 * DAY_US, |date| i64::from(date.to_epoch_days()) * DAY_US)
            }
        }
    }

    /// The buckets of the range, the first and the last cut to it, each with the local time at which
    /// it starts uncut.
    pub fn cut(self, clock: &LocalClock, range: Span) -> Vec<(i64, Span)> {
        let mut cut = Vec::new();
        // The bucket before, too: where clocks go back, the range may start in its second pass.
        let mut local = self.start_of(self.start_of(clock.local_at(range.starts_at())) - 1);
        let mut starts_at = clock.instant_of(local);
        while starts_at < range.ends_at() {
            let next = self.after(local);
            let ends_at = clock.instant_of(next).max(starts_at);
            let span = Span::new(starts_at, ends_at).and_then(|span| span.within(range));
            cut.extend(span.map(|span| (local, span)));
            (local, starts_at) = (next, ends_at);
        }
        cut
    }
}

fn date(day: i64) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDateTime};
    use chrono_tz::Tz;

    use super::*;

    fn us(text: &str) -> i64 {
        let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        at.and_utc().timestamp_micros()
    }

    /// The local starts of the buckets, each with its length in hours; they fill the range.
    #[track_caller]
    fn check(bucket: Bucket, zone: Tz, (from, to): (&str, &str), expected: &str) {
        let range = Span::new(us(from), us(to)).unwrap();
        let mut at = range.starts_at();
        let drawn = |(local, span): (i64, Span)| {
            assert_eq!(span.starts_at(), at);
            at = span.ends_at();
            let local = DateTime::from_timestamp_micros(local).unwrap();
            let hours = (span.ends_at() - span.starts_at()) as f64 / HOUR_US as f64;
            format!("{}={hours}", local.format("%m-%dT%H"))
        };
        let found = bucket.cut(&LocalClock::over(&zone.into(), range), range);
        assert_eq!(found.into_iter().map(drawn).collect::<Vec<_>>().join(" "), expected);
        assert_eq!(at, range.ends_at());
    }

    const CHICAGO: Tz = chrono_tz::America::Chicago;

    #[test]
    fn days_weeks_and_months_are_local_and_cut_to_the_range() {
        let week = ("2023-01-22 12:00", "2023-01-25 00:00");
        check(Bucket::Day, CHICAGO, week, "01-22T00=18 01-23T00=24 01-24T00=18");
        check(Bucket::Week, CHICAGO, week, "01-16T00=18 01-23T00=42");
        let months = ("2023-12-31 00:00", "2024-02-02 00:00");
        check(Bucket::Month, Tz::UTC, months, "12-01T00=24 01-01T00=744 02-01T00=24");
    }

    #[test]
    fn where_clocks_change_a_bucket_is_shorter_or_longer() {
        let spring = ("2023-03-12 06:00", "2023-03-13 05:00");
        check(Bucket::Day, CHICAGO, spring, "03-12T00=23");
        check(
            Bucket::Hour,
            CHICAGO,
            ("2023-03-12 07:00", "2023-03-12 09:00"),
            "03-12T01=1 03-12T03=1",
        );
        check(
            Bucket::Hour,
            CHICAGO,
            ("2023-11-05 05:00", "2023-11-05 09:00"),
            "11-05T00=1 11-05T01=2 11-05T02=1",
        );
        check(Bucket::Hour, CHICAGO, ("2023-11-05 07:00", "2023-11-05 07:30"), "11-05T01=0.5");
        // Half an hour ahead: what is an hour there starts between two of ours.
        check(
            Bucket::Hour,
            chrono_tz::Asia::Kolkata,
            ("2023-01-01 00:00", "2023-01-01 01:00"),
            "01-01T05=0.5 01-01T06=0.5",
        );
    }
}
