//! Buckets: a range cut into equal parts of the local calendar, from seconds to centuries.

use chrono::{Datelike, NaiveDate};

use super::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, day_of};
use super::span::Span;
use super::zone::LocalClock;

/// Length of a bucket in local time: a day has 23 to 25 hours, and an ambiguous hour lasts two.
///
/// Buckets of time are aligned to Monday, 2000-01-03, and buckets of months to January 2000. Weeks
/// therefore start on Mondays, and quarters in January, April, July and October.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Microseconds of local time; at least a second.
    Time(i64),
    /// Number of months; at least one.
    Months(i32),
}

/// Local midnight of Monday, 2000-01-03.
const TIME_ORIGIN_US: i64 = 10_959 * DAY_US;
/// Local midnight of 2000-01-01.
const MONTH_ORIGIN_US: i64 = 10_957 * DAY_US;

impl Bucket {
    pub const HOUR: Self = Self::Time(HOUR_US);
    pub const DAY: Self = Self::Time(DAY_US);
    pub const WEEK: Self = Self::Time(7 * DAY_US);
    pub const MONTH: Self = Self::Months(1);

    /// Units with their spellings, each also with a plural s.
    const UNITS: [(&[&str], Self); 12] = [
        (&["microsecond", "us"], Self::Time(1)),
        (&["millisecond", "ms"], Self::Time(1_000)),
        (&["second", "sec", "s"], Self::Time(SECOND_US)),
        (&["minute", "min", "m"], Self::Time(MINUTE_US)),
        (&["hour", "hr", "h"], Self::HOUR),
        (&["day", "d"], Self::DAY),
        (&["week", "w"], Self::WEEK),
        (&["month", "mon"], Self::MONTH),
        (&["quarter", "qtr"], Self::Months(3)),
        (&["year", "yr", "y"], Self::Months(12)),
        (&["decade"], Self::Months(120)),
        (&["century", "centurie"], Self::Months(1200)),
    ];

    /// Parses a length such as `day`, `5 minutes`, `1h 30m` or `1 quarter`.
    ///
    /// # Errors
    /// A sentence that quotes the text and says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a bucket; expected minute, hour, day, week, month, quarter, year \
                 or an interval like '5 minutes'"
            )
        };
        let (mut time_us, mut months) = (0_i64, 0_i64);
        let mut rest = text.trim();
        let is_word = rest.chars().all(char::is_alphabetic);
        while !rest.is_empty() {
            let digits = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let after = after.trim_start();
            let letters = after.find(|sign: char| !sign.is_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let number = if is_word { Ok(1) } else { number.parse::<i64>() };
            let (number, unit) = number.ok().zip(Self::unit(unit)).ok_or_else(wrong)?;
            let total = match unit {
                Self::Time(unit_us) => (&mut time_us, unit_us),
                Self::Months(unit) => (&mut months, i64::from(unit)),
            };
            let added = number.checked_mul(total.1).and_then(|more| total.0.checked_add(more));
            *total.0 = added.ok_or_else(|| Self::too_long(text))?;
            rest = after.trim_start_matches(|sign: char| sign == ',' || sign.is_whitespace());
        }
        if text.trim().is_empty() {
            return Err(wrong());
        }
        Self::new(months, time_us).map_err(|what| format!("{text:?} {what}"))
    }

    /// Builds a bucket from a length in months or in microseconds; the other must be 0.
    ///
    /// # Errors
    /// A predicate that the caller puts after the quoted text.
    pub fn new(months: i64, time_us: i64) -> Result<Self, &'static str> {
        const MONTHS_MAX: i64 = 12_000;
        match (months, time_us) {
            (0, SECOND_US..=Self::LONGEST_US) => Ok(Self::Time(time_us)),
            (1..=MONTHS_MAX, 0) => Ok(Self::Months(months as i32)),
            (0, _) | (_, 0) => Err("is not between a second and a thousand years"),
            _ => Err("mixes months with days or hours; expected either"),
        }
    }

    const LONGEST_US: i64 = 365_250 * DAY_US;

    fn too_long(text: &str) -> String {
        format!("{text:?} is not between a second and a thousand years")
    }

    fn unit(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let is_it = |names: &[&str]| {
            names.iter().any(|name| word == *name || word.strip_suffix('s') == Some(*name))
        };
        Self::UNITS.into_iter().find(|unit| is_it(unit.0)).map(|(_, unit)| unit)
    }

    /// Formats the length so that [`Self::parse`] reads it back.
    pub fn text(self) -> String {
        match self {
            Self::Months(months) => format!("{months} months"),
            Self::Time(us) if us % SECOND_US == 0 => format!("{} seconds", us / SECOND_US),
            Self::Time(us) => format!("{us} microseconds"),
        }
    }

    /// Upper bound of the number of buckets in a range of the given length.
    pub fn count_within(self, range_us: i64) -> i64 {
        let shortest_us = match self {
            Self::Time(length_us) => length_us,
            Self::Months(months) => i64::from(months) * 28 * DAY_US,
        };
        range_us / shortest_us + 2
    }

    /// Local time, in microseconds, at which the bucket of a local time starts.
    pub fn start_of(self, local_us: i64) -> i64 {
        match self {
            Self::Time(_) => self.start_from(TIME_ORIGIN_US, local_us),
            Self::Months(_) => self.start_from(MONTH_ORIGIN_US, local_us),
        }
    }

    /// Like [`Self::start_of`], aligned to `origin_us` or to the month that contains it.
    pub fn start_from(self, origin_us: i64, local_us: i64) -> i64 {
        match self {
            Self::Time(length_us) => {
                let passed_us = local_us.saturating_sub(origin_us).rem_euclid(length_us);
                local_us - passed_us
            }
            Self::Months(months) => {
                let (month, months) = (month_of(local_us), i64::from(months));
                start_of_month(month - (month - month_of(origin_us)).rem_euclid(months))
            }
        }
    }

    /// Local time at which the next bucket starts.
    fn next_start(self, start_us: i64) -> i64 {
        match self {
            Self::Time(length_us) => start_us + length_us,
            Self::Months(months) => start_of_month(month_of(start_us) + i64::from(months)),
        }
    }

    /// Cuts the range into buckets, each with the local time at which the uncut bucket starts. The
    /// first and the last are cut to the range.
    ///
    /// A bucket whose start falls into a gap starts at the end of the gap. Buckets shorter than a
    /// fold start again in its second pass.
    pub fn cut(self, clock: &LocalClock, range: Span) -> Vec<(i64, Span)> {
        let mut starts = self.starts(clock, range);
        starts.extend(self.second_passes(clock, range));
        // Of several that start at one instant, the one with the latest local time stays.
        starts.sort_by_key(|(starts_at, _)| *starts_at);
        let ends = starts.iter().skip(1).map(|(starts_at, _)| *starts_at);
        let ends: Vec<_> = ends.chain([Span::FOREVER]).collect();
        let spans = starts.into_iter().zip(ends).filter_map(|((starts_at, local), ends_at)| {
            let span = Span::new(starts_at, ends_at)?.within(range)?;
            Some((local, span))
        });
        spans.collect()
    }

    /// Instants, with their local times, at which buckets start that overlap the range.
    fn starts(self, clock: &LocalClock, range: Span) -> Vec<(i64, i64)> {
        let mut starts = Vec::new();
        // Include the bucket before: the range may start in the second pass of a fold.
        let mut local = self.start_of(self.start_of(clock.local_at(range.starts_at())) - 1);
        let mut starts_at = self.starts_at(clock, local);
        while starts_at < range.ends_at() {
            starts.push((starts_at, local));
            local = self.next_start(local);
            starts_at = self.starts_at(clock, local).max(starts_at);
        }
        starts
    }

    fn starts_at(self, clock: &LocalClock, local: i64) -> i64 {
        let instant = clock.instant_of(local);
        if !self.is_shorter_than_a_day() || clock.local_at(instant) == local {
            return instant;
        }
        // The start is in a gap; parts of a day begin at the transition.
        let passed = clock.changes().partition_point(|change| change.at <= instant);
        let change = passed.checked_sub(1).map(|last| clock.changes()[last].at);
        change.map_or(instant, |change_at| instant.min(change_at))
    }

    /// Starts of buckets within the second passes of folds.
    fn second_passes(self, clock: &LocalClock, range: Span) -> Vec<(i64, i64)> {
        let (mut starts, mut before_us) = (Vec::new(), clock.first_offset_us());
        for change in clock.changes() {
            let (from, to) = (change.at + change.offset_us, change.at + before_us);
            before_us = change.offset_us;
            let is_near = change.at < range.ends_at() && to - change.offset_us > range.starts_at();
            if !matches!(self, Self::Time(length_us) if length_us < to - from) || !is_near {
                continue;
            }
            // The bucket in progress when the second pass begins, and those that start within it.
            let mut local = self.start_of(from);
            while local < to {
                starts.push((local.max(from) - change.offset_us, local));
                local = self.next_start(local);
            }
        }
        starts
    }

    fn is_shorter_than_a_day(self) -> bool {
        matches!(self, Self::Time(length_us) if length_us < DAY_US)
    }
}

/// Month of a local time, counted from year 0.
fn month_of(local_us: i64) -> i64 {
    let date = i32::try_from(day_of(local_us)).ok().and_then(NaiveDate::from_epoch_days);
    date.map_or(0, |date| i64::from(date.year()) * 12 + i64::from(date.month0()))
}

/// Local time, in microseconds, of the midnight at which a month starts.
fn start_of_month(month: i64) -> i64 {
    let year = i32::try_from(month.div_euclid(12)).ok();
    let date =
        year.and_then(|year| NaiveDate::from_ymd_opt(year, month.rem_euclid(12) as u32 + 1, 1));
    date.map_or(0, |date| i64::from(date.to_epoch_days()) * DAY_US)
}

#[cfg(test)]
mod tests;
