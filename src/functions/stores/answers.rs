//! Implementations of the store scalars, row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, PrimitiveBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, TimestampMicrosecondType};
use datafusion::error::Result;

use super::schedules::{Schedules, Store};
use crate::functions::arguments::{Ranges, instant, length_us};
use crate::functions::open_spans::check_range;
use crate::rules::Span;
use crate::rules::calendar::DAY_US;
use crate::rules::schedule::Schedule;

/// Evaluates the schedule of each row's store at the row's instant; null if either is null or the
/// store is unknown.
fn ask<T>(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
    ask: impl Fn(&Schedule, i64) -> Option<T>,
    mut take: impl FnMut(Option<T>),
) -> Result<()> {
    for row in 0..rows {
        let store = schedules.store(&columns[0], columns.get(2), row)?;
        take(match store.zip(instant(&columns[1], row)) {
            Some((store, at)) => ask(schedules.schedule(store, Schedules::chunk(at)?)?, at),
            None => None,
        });
    }
    Ok(())
}

pub fn is_open(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut open = BooleanBuilder::with_capacity(rows);
    let is_open = |schedule: &Schedule, at| Some(schedule.is_open(at));
    ask(schedules, columns, rows, is_open, |is_open| open.append_option(is_open))?;
    Ok(Arc::new(open.finish()))
}

type Instants = PrimitiveBuilder<TimestampMicrosecondType>;

fn finished(mut instants: Instants) -> ArrayRef {
    Arc::new(instants.finish().with_timezone("UTC"))
}

pub fn next_open(schedules: &mut Schedules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    next(schedules, columns, rows, Schedule::next_open)
}

pub fn next_close(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    next(schedules, columns, rows, Schedule::next_close)
}

fn next(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
    of: fn(&Schedule, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let mut instants = Instants::with_capacity(rows);
    ask(schedules, columns, rows, of, |at| instants.append_option(at))?;
    Ok(finished(instants))
}

pub fn previous_open(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    previous(schedules, columns, rows, Schedule::previous_open)
}

pub fn previous_close(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    previous(schedules, columns, rows, Schedule::previous_close)
}

/// A weekly schedule repeats after seven days, so the event is in the chunk of the instant or in
/// the one before it.
fn previous(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
    of: fn(&Schedule, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let mut instants = Instants::with_capacity(rows);
    for row in 0..rows {
        let store = schedules.store(&columns[0], columns.get(2), row)?;
        let Some((store, at)) = store.zip(instant(&columns[1], row)) else {
            instants.append_null();
            continue;
        };
        let chunk = Schedules::chunk(at)?;
        let mut found = of(schedules.schedule(store, chunk)?, at);
        if found.is_none()
            && let Ok(before) = Schedules::chunk(chunk.starts_at() - 1)
        {
            found = of(schedules.schedule(store, before)?, chunk.starts_at());
        }
        instants.append_option(found);
    }
    Ok(finished(instants))
}

pub fn business_time(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let mut times = Int64Builder::with_capacity(rows);
    for row in 0..rows {
        let store = schedules.store(&columns[0], columns.get(3), row)?;
        times.append_option(match store.zip(ranges.range(row)?) {
            Some((store, Some(range))) => Some(open_us(schedules, store, range)?),
            Some((_, None)) => Some(0),
            None => None,
        });
    }
    Ok(Arc::new(times.finish()))
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

pub fn business_deadline(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let mut instants = Instants::with_capacity(rows);
    for row in 0..rows {
        let store = schedules.store(&columns[0], columns.get(3), row)?;
        let (from, length_us) = (instant(&columns[1], row), open_length_us(&columns[2], row)?);
        instants.append_option(match (store, from, length_us) {
            (Some(store), Some(from), Some(length_us)) => {
                deadline(schedules, store, from, length_us)?
            }
            _ => None,
        });
    }
    Ok(finished(instants))
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

pub fn to_store_time(
    schedules: &mut Schedules,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let mut times = TimestampMicrosecondBuilder::with_capacity(rows);
    for row in 0..rows {
        schedules.cancellation.check()?;
        let store = schedules.store(&columns[0], columns.get(2), row)?;
        times.append_option(match store.zip(instant(&columns[1], row)) {
            Some((store, at)) => {
                let chunk = Schedules::chunk(at)?;
                Some(schedules.clock(store, chunk)?.local_at(at))
            }
            None => None,
        });
    }
    Ok(Arc::new(times.finish()))
}
