//! Access to options, instants and ranges by row.

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{ArrowNativeTypeOp, IntervalMonthDayNano, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use crate::error::query_err;
use crate::rules::calendar::{DAY_US, instant_text};
use crate::rules::keyword::{Keywords, parse_keyword, words};
use crate::rules::state::STATES;
use crate::rules::{Interpolation, NoData, Span};

pub fn interpolation(name: &str) -> Result<Interpolation> {
    name.parse::<Interpolation>().or_else(|_| {
        let known = quoted(Interpolation::KEYWORDS);
        query_err!("interpolation {name:?} is not one of {known}")
    })
}

/// Reads the argument `no_data` of a row; null stands for the default.
pub fn no_data(column: &ArrayRef, row: usize) -> Result<NoData> {
    let given = text(column, row).map(str::parse::<NoData>).transpose();
    match given {
        Ok(given) => Ok(given.unwrap_or_default()),
        Err(wrong) => query_err!("no_data: {wrong}"),
    }
}

/// Parses the name of a state, as a step stores it.
pub fn state(name: &str) -> Result<Option<bool>> {
    parse_keyword(STATES, name).or_else(|_| {
        let known = quoted(STATES);
        query_err!("state {name:?} is not one of {known}")
    })
}

/// Keywords in single quotes, as a sentence lists them.
pub fn quoted<T>(keywords: Keywords<T>) -> String {
    let known: Vec<_> = words(keywords).map(|word| format!("'{word}'")).collect();
    known.join(", ")
}

/// Length of a gap in microseconds, with days of 24 hours.
///
/// # Errors
/// As for [`positive_us`].
pub fn gap_us(gap: IntervalMonthDayNano) -> Result<i64> {
    positive_us("max_gap", gap)
}

/// Length of the positive interval argument `name` in microseconds, with days of 24 hours.
///
/// # Errors
/// If it contains months or is not positive.
pub fn positive_us(name: &str, length: IntervalMonthDayNano) -> Result<i64> {
    match us_of(length) {
        Some(length_us) if length_us > 0 => Ok(length_us),
        _ => {
            let length = interval_text(length)?;
            query_err!("{name} {length} is not a positive interval of days and hours")
        }
    }
}

/// Length of the interval argument `name` in microseconds, which may be zero or negative.
///
/// # Errors
/// If it contains months.
pub fn length_us(name: &str, length: IntervalMonthDayNano) -> Result<i64> {
    match us_of(length) {
        Some(length_us) => Ok(length_us),
        None => {
            let length = interval_text(length)?;
            query_err!("{name} {length} is not an interval of days and hours")
        }
    }
}

fn us_of(length: IntervalMonthDayNano) -> Option<i64> {
    let days_us = i64::from(length.days).checked_mul(DAY_US)?;
    days_us.checked_add(length.nanoseconds / 1000).filter(|_| length.months == 0)
}

pub fn interval_text(length: IntervalMonthDayNano) -> Result<String> {
    let length = IntervalMonthDayNanoArray::from(vec![length]);
    Ok(array_value_to_string(&length, 0)?)
}

/// Interval of a length in microseconds.
pub fn gap_interval(gap_us: i64) -> ScalarValue {
    let days = i32::try_from(gap_us / DAY_US).unwrap_or(i32::MAX);
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(
        0,
        days,
        gap_us % DAY_US * 1000,
    )))
}

/// Ranges between two columns of instants.
pub struct Ranges<'a> {
    from: &'a TimestampMicrosecondArray,
    to: &'a TimestampMicrosecondArray,
}

impl<'a> Ranges<'a> {
    pub fn new(from: &'a ArrayRef, to: &'a ArrayRef) -> Self {
        Self { from: from.as_primitive(), to: to.as_primitive() }
    }

    /// Range of a row: `None` if an instant is null, `Some(None)` if the range is empty or
    /// reversed.
    ///
    /// # Errors
    /// If the length of the range exceeds an `i64`.
    pub fn range(&self, row: usize) -> Result<Option<Option<Span>>> {
        if self.from.is_null(row) || self.to.is_null(row) {
            return Ok(None);
        }
        range_between(self.from.value(row), self.to.value(row)).map(Some)
    }
}

/// Range between two instants; `None` if it is empty or reversed.
///
/// # Errors
/// If the length of the range exceeds an `i64`.
pub fn range_between(from: i64, to: i64) -> Result<Option<Span>> {
    if from < to && to.sub_checked(from).is_err() {
        let (from, to) = (instant_text(from), instant_text(to));
        return query_err!("the range from {from} to {to} is too long");
    }
    Ok(Span::new(from, to))
}

pub fn instant(column: &ArrayRef, row: usize) -> Option<i64> {
    let instants = column.as_primitive::<TimestampMicrosecondType>();
    instants.is_valid(row).then(|| instants.value(row))
}

/// Text of a row in a `Utf8` or `Utf8View` column; `None` for null.
pub fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    match column.as_string_view_opt() {
        Some(views) => Some(views.value(row)),
        None => column.as_string_opt::<i32>().map(|texts| texts.value(row)),
    }
}
