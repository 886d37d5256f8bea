//! Implementations of the store scalars, row by row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType};
use datafusion::error::Result;

use super::schedules::{Schedules, Store};
use crate::functions::arguments::{Ranges, instant, length_us};
use crate::functions::open_spans::check_range;
use crate::rules::Span;
use crate::rules::calendar::DAY_US;
use crate::rules::schedule::Schedule;

/// Call of a store scalar with a batch.
pub struct Call<'c, 'k> {
    pub schedules: &'c mut Schedules<'k>,
    pub columns: &'c [ArrayRef],
    pub rows: usize,
}

impl<'k> Call<'_, 'k> {
    /// Answers of all rows, given the store of each, `None` if it is unknown. The column of the
    /// options may be absent.
    fn each<T>(
        self,
        options: usize,
        answer: impl Fn(&mut Schedules<'k>, Option<Store<'k>>, usize) -> Result<Option<T>>,
    ) -> Result<Vec<Option<T>>> {
        let Self { schedules, columns, rows } = self;
        let of_row = |row| {
            let store = schedules.store(&columns[0], columns.get(options), row)?;
            answer(schedules, store, row)
        };
        (0..rows).map(of_row).collect()
    }

    /// Answers at the instant of each row; null if the instant is null or the store unknown.
    fn at<T>(
        self,
        answer: impl Fn(&mut Schedules<'k>, Store<'k>, i64) -> Result<Option<T>>,
    ) -> Result<Vec<Option<T>>> {
        let columns = self.columns;
        self.each(2, |schedules, store, row| match store.zip(instant(&columns[1], row)) {
            Some((store, at)) => answer(schedules, store, at),
            None => Ok(None),
        })
    }
}

pub fn is_open(call: Call) -> Result<ArrayRef> {
    let open = call.at(|schedules, store, at| {
        let schedule = schedules.schedule(store, Schedules::chunk(at)?)?;
        Ok(Some(schedule.is_open(at)))
    })?;
    Ok(Arc::new(BooleanArray::from(open)))
}

fn instants(found: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(found).with_timezone("UTC"))
}

pub fn next_open(call: Call) -> Result<ArrayRef> {
    next(call, Schedule::next_open)
}

pub fn next_close(call: Call) -> Result<ArrayRef> {
    next(call, Schedule::next_close)
}

fn next(call: Call, of: fn(&Schedule, i64) -> Option<i64>) -> Result<ArrayRef> {
    let found = call.at(|schedules, store, at| {
        let schedule = schedules.schedule(store, Schedules::chunk(at)?)?;
        Ok(of(schedule, at))
    })?;
    Ok(instants(found))
}

pub fn previous_open(call: Call) -> Result<ArrayRef> {
    previous(call, Schedule::previous_open)
}

pub fn previous_close(call: Call) -> Result<ArrayRef> {
    previous(call, Schedule::previous_close)
}

/// A weekly schedule repeats after seven days, so the event is in the chunk of the instant or in
/// the one before it.
fn previous(call: Call, of: fn(&Schedule, i64) -> Option<i64>) -> Result<ArrayRef> {
    let found = call.at(|schedules, store, at| {
        let chunk = Schedules::chunk(at)?;
        let found = of(schedules.schedule(store, chunk)?, at);
        match Schedules::chunk(chunk.starts_at() - 1) {
            Ok(before) if found.is_none() => {
                Ok(of(schedules.schedule(store, before)?, chunk.starts_at()))
            }
            _ => Ok(found),
        }
    })?;
    Ok(instants(found))
}

pub fn business_time(call: Call) -> Result<ArrayRef> {
    let columns = call.columns;
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let times = call.each(3, |schedules, store, row| match store.zip(ranges.range(row)?) {
        Some((store, Some(range))) => open_us(schedules, store, range).map(Some),
        Some((_, None)) => Ok(Some(0)),
        None => Ok(None),
    })?;
    Ok(Arc::new(Int64Array::from(times)))
}

fn open_us<'a>(schedules: &mut Schedules<'a>, store: Store<'a>, range: Span) -> Result<i64> {
    check_range(range)?;
    if schedules.is_always_open(store) {
        return Ok(range.ends_at() - range.starts_at());
    }
    let (mut total_us, mut at) = (0, range.starts_at());
    while at < range.ends_at() {
        let chunk = Schedules::chunk(at)?;
        if let Some(part) = chunk.within(range) {
            total_us += schedules.schedule(store, chunk)?.open_us(part);
        }
        at = chunk.ends_at();
    }
    Ok(total_us)
}

pub fn business_deadline(call: Call) -> Result<ArrayRef> {
    let columns = call.columns;
    let found = call.each(3, |schedules, store, row| {
        let (from, length_us) = (instant(&columns[1], row), open_length_us(&columns[2], row)?);
        match (store, from, length_us) {
            (Some(store), Some(from), Some(length_us)) => {
                deadline(schedules, store, from, length_us)
            }
            _ => Ok(None),
        }
    })?;
    Ok(instants(found))
}

/// Length from an interval, or from microseconds; `None` for null.
fn open_length_us(lengths: &ArrayRef, row: usize) -> Result<Option<i64>> {
    if lengths.is_null(row) {
        return Ok(None);
    }
    match lengths.data_type() {
        DataType::Int64 => Ok(Some(lengths.as_primitive::<Int64Type>().value(row))),
        _ => {
            let length = lengths.as_primitive::<IntervalMonthDayNanoType>().value(row);
            length_us("length", length).map(Some)
        }
    }
}

/// First instant by which the store has been open for `left_us`; `None` if that takes more than a
/// century or never happens.
fn deadline<'a>(
    schedules: &mut Schedules<'a>,
    store: Store<'a>,
    from: i64,
    length_us: i64,
) -> Result<Option<i64>> {
    const FURTHEST_US: i64 = 36_525 * DAY_US;
    Schedules::chunk(from)?;
    if length_us <= 0 {
        return Ok(Some(from));
    }
    if length_us > FURTHEST_US || schedules.is_never_open(store) {
        return Ok(None);
    }
    if schedules.is_always_open(store) {
        return Ok(Some(from + length_us));
    }
    let (mut left_us, mut at) = (length_us, from);
    while at - from < FURTHEST_US {
        // The calendar ends here, and no more open time follows.
        let Ok(chunk) = Schedules::chunk(at) else { return Ok(None) };
        let Some(part) = Span::new(at, chunk.ends_at()) else { return Ok(None) };
        match schedules.schedule(store, chunk)?.after_open_time(part, left_us) {
            Ok(passed_at) if passed_at - from > FURTHEST_US => return Ok(None),
            Ok(passed_at) => return Ok(Some(passed_at)),
            Err(still_us) => left_us = still_us,
        }
        at = chunk.ends_at();
    }
    Ok(None)
}

pub fn to_store_time(call: Call) -> Result<ArrayRef> {
    let times = call.at(|schedules, store, at| {
        schedules.cancellation.check()?;
        let chunk = Schedules::chunk(at)?;
        Ok(Some(schedules.clock(store, chunk)?.local_at(at)))
    })?;
    Ok(Arc::new(TimestampMicrosecondArray::from(times)))
}
