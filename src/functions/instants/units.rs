//! Units of the calendar to which times are truncated.

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::error::Result;

use super::value_error;
use crate::rules::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, day_of, weekday_of};

/// Unit of `date_trunc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Length in microseconds, at most an hour.
    Clock(i64),
    Day,
    Week,
    /// Number of months from January on, at most twelve.
    Months(u32),
    /// Number of years; a century begins with year 1, like 2001.
    Years {
        count: i32,
        from: i32,
    },
}

impl Unit {
    const NAMES: [(&'static str, Unit); 13] = [
        ("microsecond", Unit::Clock(1)),
        ("millisecond", Unit::Clock(1000)),
        ("second", Unit::Clock(SECOND_US)),
        ("minute", Unit::Clock(MINUTE_US)),
        ("hour", Unit::Clock(HOUR_US)),
        ("day", Unit::Day),
        ("week", Unit::Week),
        ("month", Unit::Months(1)),
        ("quarter", Unit::Months(3)),
        ("year", Unit::Months(12)),
        ("decade", Unit::Years { count: 10, from: 0 }),
        ("century", Unit::Years { count: 100, from: 1 }),
        ("millennium", Unit::Years { count: 1000, from: 1 }),
    ];

    /// Parses the name of a unit, in any case, singular or plural.
    ///
    /// # Errors
    /// Lists the known names.
    pub fn named(text: &str) -> Result<Self> {
        let name = text.trim().to_ascii_lowercase();
        let singular = match name.as_str() {
            "centuries" => "century",
            "millennia" => "millennium",
            name => name.strip_suffix('s').unwrap_or(name),
        };
        let found = Self::NAMES.into_iter().find(|(known, _)| *known == singular);
        found.map(|(_, unit)| unit).ok_or_else(|| {
            let known = Self::NAMES.map(|(known, _)| known).join(", ");
            value_error(format!("date_trunc: unit {text:?} is not one of {known}"))
        })
    }

    /// Length in microseconds, if the unit has a fixed length and is aligned with 1970-01-01.
    pub fn length_us(self) -> Option<i64> {
        match self {
            Unit::Clock(length_us) => Some(length_us),
            Unit::Day => Some(DAY_US),
            _ => None,
        }
    }

    /// True if the offset of a zone may change within the unit.
    pub fn spans_days(self) -> bool {
        !matches!(self, Unit::Clock(_))
    }

    /// Start of the unit that contains a time, which may be of any clock.
    ///
    /// # Errors
    /// If the time has no date.
    pub fn start(self, at: i64) -> Result<i64> {
        // A week may start up to seven days earlier.
        at.checked_sub(7 * DAY_US).ok_or_else(out_of_calendar)?;
        let date = || -> Result<NaiveDate> {
            let at = DateTime::from_timestamp_micros(at);
            at.map(|at| at.date_naive()).ok_or_else(out_of_calendar)
        };
        let first = |year, month| -> Result<i64> {
            let first = NaiveDate::from_ymd_opt(year, month, 1).ok_or_else(out_of_calendar)?;
            Ok(i64::from(first.to_epoch_days()) * DAY_US)
        };
        match self {
            Unit::Clock(length_us) => Ok(at - at.rem_euclid(length_us)),
            Unit::Day => Ok(at - at.rem_euclid(DAY_US)),
            Unit::Week => {
                let day = day_of(at);
                Ok((day - i64::from(weekday_of(day))) * DAY_US)
            }
            Unit::Months(count) => {
                let date = date()?;
                first(date.year(), date.month0() - date.month0() % count + 1)
            }
            Unit::Years { count, from } => {
                let year = date()?.year();
                first(year - (year - from).rem_euclid(count), 1)
            }
        }
    }

    /// Start of the unit after the one that starts at `starts_at`.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn next(self, starts_at: i64) -> Result<i64> {
        // Longer than the longest such unit, and shorter than two of the shortest.
        let step_us = match self {
            Unit::Clock(length_us) => length_us,
            Unit::Day => DAY_US,
            Unit::Week => 7 * DAY_US,
            Unit::Months(count) => i64::from(count) * 40 * DAY_US,
            Unit::Years { count, .. } => i64::from(count) * 380 * DAY_US,
        };
        self.start(starts_at.checked_add(step_us).ok_or_else(out_of_calendar)?)
    }
}

fn out_of_calendar() -> datafusion::error::DataFusionError {
    value_error("date_trunc: the time is not within the years 1 to 9999")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: &str, start: &str, next: &str) {
        let us = |text: &str| {
            let date = text.parse::<NaiveDate>().unwrap();
            i64::from(date.to_epoch_days()) * DAY_US
        };
        let at = us("2023-05-17") + 13 * HOUR_US;
        let named = Unit::named(unit).unwrap();
        let starts_at = named.start(at).unwrap();
        assert_eq!((starts_at, named.next(starts_at).unwrap()), (us(start), us(next)), "{unit}");
    }

    #[test]
    fn a_time_is_cut_to_the_start_of_its_unit() {
        check("day", "2023-05-17", "2023-05-18");
        check("Weeks", "2023-05-15", "2023-05-22");
        check("month", "2023-05-01", "2023-06-01");
        check("QUARTER", "2023-04-01", "2023-07-01");
        check("years", "2023-01-01", "2024-01-01");
        check("decade", "2020-01-01", "2030-01-01");
        check("century", "2001-01-01", "2101-01-01");
        check("millennia", "2001-01-01", "3001-01-01");
        assert!(Unit::named("fortnight").is_err());
        assert_eq!(Unit::named("hour").unwrap().start(-1).unwrap(), -HOUR_US);
        assert!(Unit::named("year").unwrap().start(i64::MAX).is_err());
        assert!(Unit::named("week").unwrap().start(i64::MIN).is_err());
    }
}
