//! Argument types, their coercion, and access to options, instants and ranges by row.

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType, FieldRef, Fields, IntervalMonthDayNano, IntervalUnit,
    TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

use super::documented::Documented;
use super::encoding::lists::{instant_type, poll_list_type, spans_type, timeline_type, week_type};
use super::heartbeats::{as_timelines, heartbeats_type};
use crate::error::query_err;
use crate::rules::calendar::{DAY_US, instant_text};
use crate::rules::keyword::{Keywords, parse_keyword, words};
use crate::rules::state::STATES;
use crate::rules::{Interpolation, NoData, Span};

/// Argument of a function.
#[derive(Debug)]
pub struct Argument {
    pub name: &'static str,
    pub takes: Takes,
    /// Optional arguments come last.
    pub is_optional: bool,
    pub about: &'static str,
}

impl Argument {
    pub const fn required(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, is_optional: false, about }
    }

    pub const fn optional(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, is_optional: true, about }
    }
}

/// Kind of value that an argument accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Timestamp, date, or text that parses as one; UTC without a time zone.
    Instant,
    Length,
    /// Interval without months, or an integer number of microseconds.
    OpenTime,
    Text,
    Boolean,
    /// Integer of any width whose value fits in one byte.
    SmallInteger,
    /// Integer of any width whose value fits in four bytes.
    Integer,
    /// Timeline or heartbeats; heartbeats are a timeline within their range.
    Timeline,
    Heartbeats,
    Spans,
    PollList,
    Week,
}

impl Takes {
    pub fn expected(self) -> &'static str {
        match self {
            Takes::Instant => "a timestamp, a date or a text like '2023-01-22 12:00:00', UTC",
            Takes::Length => "an interval like INTERVAL '2 hours'",
            Takes::OpenTime => "an interval like INTERVAL '2 hours', or microseconds",
            Takes::Text => "a text",
            Takes::Boolean => "true or false, like status = 'active'",
            Takes::SmallInteger | Takes::Integer => "a whole number",
            Takes::Timeline => "a timeline, as from timeline(polled_at, active)",
            Takes::Heartbeats => "heartbeats, as from heartbeat_agg(...)",
            Takes::Spans => "a list of spans, as from open_spans(...) or live_ranges(...)",
            Takes::PollList => "a list of polls, as from poll_list(polled_at, active)",
            Takes::Week => "weekly hours, as from weekly_hours(...)",
        }
    }

    /// Type to which a value of type `given` is coerced; `None` if it is not accepted.
    fn coerced(self, given: &DataType) -> Option<DataType> {
        use DataType::{Boolean, Date32, Date64, Duration, Interval, Null, Timestamp, Utf8View};
        let is_text = given.is_string() || is_dictionary_of_text(given);
        match self {
            _ if given == &Null => Some(self.wanted()),
            Takes::Instant if is_text || matches!(given, Timestamp(..) | Date32 | Date64) => {
                Some(self.wanted())
            }
            Takes::Length if is_text || matches!(given, Interval(_) | Duration(_)) => {
                Some(self.wanted())
            }
            Takes::OpenTime if given.is_integer() => Some(DataType::Int64),
            Takes::OpenTime => Takes::Length.coerced(given),
            Takes::Timeline | Takes::Heartbeats if matches!(given, DataType::Struct(_)) => {
                struct_taken_as(given, &heartbeats_type())
            }
            Takes::Text if given == &Utf8View => Some(Utf8View),
            Takes::Text if is_text => Some(self.wanted()),
            Takes::Boolean if given == &Boolean => Some(self.wanted()),
            Takes::SmallInteger | Takes::Integer if given.is_integer() => Some(self.wanted()),
            Takes::Timeline | Takes::Spans | Takes::PollList | Takes::Week => {
                list_taken_as(given, &self.wanted())
            }
            _ => None,
        }
    }

    fn wanted(self) -> DataType {
        match self {
            Takes::Instant => instant_type(),
            Takes::Length | Takes::OpenTime => DataType::Interval(IntervalUnit::MonthDayNano),
            Takes::Heartbeats => heartbeats_type(),
            Takes::Text => DataType::Utf8,
            Takes::Boolean => DataType::Boolean,
            Takes::SmallInteger => DataType::Int8,
            Takes::Integer => DataType::Int32,
            Takes::Timeline => timeline_type(),
            Takes::Spans => spans_type(),
            Takes::PollList => poll_list_type(),
            Takes::Week => week_type(),
        }
    }
}

fn is_dictionary_of_text(given: &DataType) -> bool {
    matches!(given, DataType::Dictionary(_, values) if values.is_string())
}

/// Type to which a list is coerced where a list of structs is wanted: lists of nulls, and lists of
/// structs with the same field names, whose fields may become nullable.
fn list_taken_as(given: &DataType, wanted: &DataType) -> Option<DataType> {
    if given == wanted {
        return Some(wanted.clone());
    }
    let item = |list: &DataType| match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type().clone())
        }
        _ => None,
    };
    let (given, DataType::Struct(wanted)) = (item(given)?, item(wanted)?) else { return None };
    let is_taken = match &given {
        DataType::Null => true,
        DataType::Struct(given) => {
            let is_wanted = |field: &FieldRef| wanted.find(field.name()).is_some();
            given.len() == wanted.len() && given.iter().all(is_wanted)
        }
        _ => false,
    };
    let nullable = |field: &FieldRef| field.as_ref().clone().with_nullable(true);
    let fields: Fields = wanted.iter().map(nullable).collect();
    is_taken.then(|| DataType::new_list(DataType::Struct(fields), true))
}

/// Type to which a struct is coerced where one with the same field names is wanted.
fn struct_taken_as(given: &DataType, wanted: &DataType) -> Option<DataType> {
    let (DataType::Struct(fields), DataType::Struct(known)) = (given, wanted) else { return None };
    let is_known = |field: &FieldRef| known.find(field.name()).is_some();
    (fields.len() == known.len() && fields.iter().all(is_known)).then(|| wanted.clone())
}

/// True if a call passes the state before the timeline, as older releases of TimescaleDB Toolkit
/// do.
fn has_state_first(function: &Documented, given: &[DataType]) -> bool {
    let is_held = |given: &DataType| given.is_nested();
    matches!(
        (function.arguments, given),
        ([Argument { takes: Takes::Timeline, .. }, Argument { takes: Takes::Text, .. }, ..],
         [first, second, ..]) if !is_held(first) && is_held(second)
    )
}

/// Orders the columns of a call like the declared arguments, and converts heartbeats to timelines
/// where a timeline is declared.
///
/// # Errors
/// None if the columns were [coerced].
pub fn ordered_columns(function: &Documented, mut columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
    let given: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    if has_state_first(function, &given) {
        columns.swap(0, 1);
    }
    for (column, argument) in columns.iter_mut().zip(function.arguments) {
        if argument.takes == Takes::Timeline && column.data_type().is_nested() {
            *column = as_timelines(column)?;
        }
    }
    Ok(columns)
}

/// Types to which the arguments of a call are coerced.
///
/// # Errors
/// If the number of arguments or the type of one of them is wrong.
pub fn coerced(function: &Documented, given: &[DataType]) -> Result<Vec<DataType>> {
    if has_state_first(function, given) {
        let mut turned = given.to_vec();
        turned.swap(0, 1);
        let mut types = coerced(function, &turned)?;
        types.swap(0, 1);
        return Ok(types);
    }
    let taken = function.arguments;
    let least = taken.iter().filter(|argument| !argument.is_optional).count();
    if !(least..=taken.len()).contains(&given.len()) {
        let least = if least == taken.len() { String::new() } else { format!("{least} to ") };
        return plan_err!(
            "{} takes {least}{} arguments, not {}",
            function.signature(),
            taken.len(),
            given.len()
        );
    }
    let pairs = taken.iter().zip(given);
    pairs
        .map(|(Argument { name, takes, .. }, given)| match takes.coerced(given) {
            Some(coerced) => Ok(coerced),
            None => plan_err!(
                "{}: {name} must be {}, not of type {given}",
                function.signature(),
                takes.expected()
            ),
        })
        .collect()
}

pub fn interpolation(name: &str) -> Result<Interpolation> {
    name.parse::<Interpolation>().or_else(|_| {
        let known = quoted(Interpolation::KEYWORDS);
        query_err!("interpolation {name:?} is not one of {known}")
    })
}

/// Reads the argument `no_data` of a row; null stands for the default.
pub fn no_data(column: &ArrayRef, row: usize) -> Result<NoData> {
    let given = text(column, row).map(str::parse::<NoData>).transpose();
    given.map(Option::unwrap_or_default).or_else(|wrong| query_err!("no_data: {wrong}"))
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
