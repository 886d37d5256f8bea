//! `duration_in` and `interpolated_duration_in`, compatible with TimescaleDB Toolkit's `state_agg`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, DurationMicrosecondBuilder};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;

use super::arguments::{instant, interval_text, range_between, state, text};
use super::encoding::lists::ListColumn;
use crate::error::query_err;
use crate::limits::CancellationFlag;
use crate::rules::algebra;
use crate::rules::calendar::instant_text;
use crate::rules::{Span, Step};

/// Type of results; unlike intervals, durations can be summed, compared and written to files.
pub fn duration_type() -> DataType {
    DataType::Duration(TimeUnit::Microsecond)
}

pub fn duration_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    durations(columns, rows, |_, _| {})
}

pub fn interpolated_duration_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let earlier = columns.get(4).map(ListColumn::new);
    let mut before = Vec::new();
    durations(columns, rows, |row, steps| {
        before.clear();
        if let Some(earlier) = &earlier {
            earlier.read_steps(row, Step::EVER, &mut before);
        }
        algebra::fill_ends(steps, &before);
    })
}

/// Computes the time in a state per row, after `change` has modified the row's steps.
fn durations(
    columns: &[ArrayRef],
    rows: usize,
    mut change: impl FnMut(usize, &mut Vec<Step>),
) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let mut durations = DurationMicrosecondBuilder::with_capacity(rows);
    let mut steps = Vec::new();
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let (Some(name), Some(range)) = (text(&columns[1], row), range(columns, row)?) else {
            durations.append_null();
            continue;
        };
        let state = state(name)?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        change(row, &mut steps);
        let duration_us = |range| algebra::duration_in(&steps, state, range);
        durations.append_option(range.map_or(Some(0), duration_us));
    }
    Ok(Arc::new(durations.finish()))
}

/// Adds an interval to an instant: calendar months, and days of 24 hours, in UTC.
///
/// # Errors
/// If the result is not representable.
pub fn end_of(start: i64, interval: IntervalMonthDayNano) -> Result<i64> {
    let utc = "+00:00".parse::<Tz>()?;
    match TimestampMicrosecondType::add_month_day_nano(start, interval, utc) {
        Some(end) => Ok(end),
        None => {
            let (start, interval) = (instant_text(start), interval_text(interval)?);
            query_err!("{interval} after {start} is too far from today; give a shorter interval")
        }
    }
}

/// Time that timelines are up or down; null if it is unbounded or the timeline is null.
pub fn uptime(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    durations_over_all(columns, rows, true)
}

pub fn downtime(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    durations_over_all(columns, rows, false)
}

fn durations_over_all(columns: &[ArrayRef], rows: usize, active: bool) -> Result<ArrayRef> {
    let (timelines, ever) = (ListColumn::new(&columns[0]), Span::new(Step::EVER, Span::FOREVER));
    let mut durations = DurationMicrosecondBuilder::with_capacity(rows);
    let (mut steps, cancellation) = (Vec::new(), CancellationFlag::current());
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        let range = ever.filter(|_| !timelines.is_null(row));
        let duration_us = |range| algebra::duration_in(&steps, Some(active), range);
        durations.append_option(range.and_then(duration_us));
    }
    Ok(Arc::new(durations.finish()))
}

/// Range of a row: from its start for its interval; unbounded without an interval, and all time
/// without a start. `None` for a null start, `Some(None)` for an empty range.
pub fn range(columns: &[ArrayRef], row: usize) -> Result<Option<Option<Span>>> {
    let Some(starts) = columns.get(2) else {
        return Ok(Some(Span::new(Step::EVER, Span::FOREVER)));
    };
    let Some(start) = instant(starts, row) else { return Ok(None) };
    let intervals = columns.get(3).map(|column| column.as_primitive::<IntervalMonthDayNanoType>());
    let Some(intervals) = intervals.filter(|intervals| intervals.is_valid(row)) else {
        return Ok(Some(Span::new(start, Span::FOREVER)));
    };
    range_between(start, end_of(start, intervals.value(row))?).map(Some)
}
