//! The parts of the calendar that times are cut to.

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::error::Result;

use super::wrong_value;
use crate::rules::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, day_of, weekday_of};

/// A unit of `date_trunc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of so many microseconds, none longer than an hour.
    Clock(i64),
    Day,
    Week,
    /// Of so many months, from the first of January on; a year at most.
    Months(u32),
    /// Of so many years; a century begins with the year 1, as in 2001.
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

    /// A unit by its name in any case, also in the plural.
    ///
    /// # Errors
    /// Names those that there are.
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
            wrong_value(format!("date_trunc: unit {text:?} is not one of {known}"))
        })
    }

    /// Microseconds of a unit that is always as long and begins with them in 1970.
    pub fn length_us(self) -> Option<i64> {
        match self {
            Unit::Clock(length_us) => Some(length_us),
            Unit::Day => Some(DAY_US),
            _ => None,
        }
    }

    /// Whether the offset of a zone may change within it.
    pub fn is_of_days(self) -> bool {
        !matches!(self, Unit::Clock(_))
    }

    /// The start of the unit that holds a time of any clock.
    ///
    /// # Errors
    /// Where the time has no date.
    pub fn start(self, at: i64) -> Result<i64> {
        // The days of a week before it can be told.
        at.checked_sub(7 * DAY_US).ok_or_else(no_date)?;
        let date = || -> Result<NaiveDate> {
            let at = DateTime::from_timestamp_micros(at);
            at.map(|at| at.date_naive()).ok_or_else(no_date)
        };
        let first = |year, month| -> Result<i64> {
            let first = NaiveDate::from_ymd_opt(year, month, 1).ok_or_else(no_date)?;
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

    /// The start of the unit after one that starts then.
    ///
    /// # Errors
    /// As those of [`Self::start`].
    pub fn next(self, starts_at: i64) -> Result<i64> {
        // Longer than the longest, and shorter than two of the shortest.
        let step_us = match self {
            Unit::Clock(length_us) => length_us,
            Unit::Day => DAY_US,
            Unit::Week => 7 * DAY_US,
            Unit::Months(count) => i64::from(count) * 40 * DAY_US,
            Unit::Years { count, .. } => i64::from(count) * 380 * DAY_US,
        };
        self.start(starts_at.checked_add(step_us).ok_or_else(no_date)?)
    }
}

fn no_date() -> datafusion::error::DataFusionError {
    wrong_value("date_trunc: the time is not within the years 1 to 9999")
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
