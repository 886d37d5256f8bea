//! What SQL passes: how many arguments, and as options texts, instants and intervals, from one value
//! or row by row.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimestampMicrosecondType};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use crate::rules::calendar::DAY_US;
use crate::rules::{Interpolation, Span};

/// The types of so many arguments of a function.
///
/// # Errors
/// Where it takes more or fewer.
pub fn argument_types(
    function: &str,
    mut required: Vec<DataType>,
    optional: Vec<DataType>,
    given: usize,
) -> Result<Vec<DataType>> {
    let (least, most) = (required.len(), required.len() + optional.len());
    if !(least..=most).contains(&given) {
        return plan_err!("{function} takes {least} to {most} arguments, not {given}");
    }
    required.extend(optional);
    required.truncate(given);
    Ok(required)
}

pub fn interpolation(name: &str) -> Result<Interpolation> {
    match name {
        "previous" => Ok(Interpolation::Previous),
        "nearest" => Ok(Interpolation::Nearest),
        "next" => Ok(Interpolation::Next),
        _ => plan_err!("interpolation {name:?} is not one of 'previous', 'nearest', 'next'"),
    }
}

/// An interval in microseconds, days of 24 hours; months have no length.
pub fn gap_us(gap: IntervalMonthDayNano) -> Result<i64> {
    let gap_us = i64::from(gap.days) * DAY_US + gap.nanoseconds / 1000;
    if gap.months != 0 || gap_us <= 0 {
        return plan_err!("max_gap {gap:?} is not a positive interval of days and hours");
    }
    Ok(gap_us)
}

/// The interval of so many microseconds.
pub fn gap_interval(gap_us: i64) -> ScalarValue {
    let days = i32::try_from(gap_us / DAY_US).unwrap_or(i32::MAX);
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(
        0,
        days,
        gap_us % DAY_US * 1000,
    )))
}

/// The range between two columns of instants; `None` where one is null.
pub struct Ranges<'a> {
    from: &'a ArrayRef,
    to: &'a ArrayRef,
}

impl<'a> Ranges<'a> {
    pub fn new(from: &'a ArrayRef, to: &'a ArrayRef) -> Self {
        Self { from, to }
    }

    /// The range as a span, which an empty range has none of.
    ///
    /// # Errors
    /// Where the range ends before it starts.
    pub fn range(&self, row: usize) -> Result<Option<Option<Span>>> {
        let (Some(from), Some(to)) = (instant(self.from, row), instant(self.to, row)) else {
            return Ok(None);
        };
        if to < from {
            return exec_err!(
                "the range from {from} to {to} (microseconds UTC) ends before it starts"
            );
        }
        Ok(Some(Span::new(from, to)))
    }
}

fn instant(column: &ArrayRef, row: usize) -> Option<i64> {
    let instants = column.as_primitive::<TimestampMicrosecondType>();
    instants.is_valid(row).then(|| instants.value(row))
}

/// A text, whether it is held as one or as a view.
pub fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    match column.as_string_view_opt() {
        Some(views) => Some(views.value(row)),
        None => column.as_string_opt::<i32>().map(|texts| texts.value(row)),
    }
}
