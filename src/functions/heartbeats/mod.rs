//! Heartbeats compatible with TimescaleDB Toolkit: `heartbeat_agg` and its accessors.
//!
//! Functions of timelines accept heartbeats too: up while live, down while dead, and unknown
//! outside the range.

mod aggregate;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DurationMicrosecondBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Field, Fields, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use datafusion::error::Result;

pub use self::aggregate::{HeartbeatAgg, RolledHeartbeats};
use super::arguments::{instant, range_between};
use super::cancellation::CancellationFlag;
use super::durations::end_of;
use super::encoding::lists::{
    ListColumn, SpanListBuilder, TimelineBuilder, instant_type, spans_type,
};
use crate::error::query_err;
use crate::rules::algebra::duration_in;
use crate::rules::calendar::instant_text;
use crate::rules::heartbeat::Heartbeats;
use crate::rules::{Span, Spans, Step};

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("starts_at", instant_type(), true),
        Field::new("ends_at", instant_type(), true),
        Field::new("live", spans_type(), true),
    ])
}

/// `struct<starts_at, ends_at, live>`: the range, and the live spans that start within it; the last
/// one may end after it.
pub fn heartbeats_type() -> DataType {
    DataType::Struct(fields())
}

/// Reader of a heartbeats column, by row.
struct HeartbeatColumn<'a> {
    values: &'a StructArray,
    starts: &'a TimestampMicrosecondArray,
    ends: &'a TimestampMicrosecondArray,
    live: ListColumn<'a>,
}

impl<'a> HeartbeatColumn<'a> {
    fn new(column: &'a ArrayRef) -> Self {
        let values = column.as_struct();
        let [starts, ends] = [0, 1].map(|at| values.column(at).as_primitive());
        Self { values, starts, ends, live: ListColumn::new(values.column(2)) }
    }

    /// Heartbeats of a row; `None` for null.
    fn read(&self, row: usize) -> Option<Heartbeats> {
        let is_known = self.values.is_valid(row) && self.starts.is_valid(row);
        if !is_known || self.ends.is_null(row) {
            return None;
        }
        let range = Span::new(self.starts.value(row), self.ends.value(row))?;
        let live = self.live.spans(row).into_iter().flatten().collect();
        Some(Heartbeats { range, live: Spans::union(live) })
    }
}

/// Builder of heartbeats, one per row.
struct HeartbeatBuilder {
    starts: Vec<i64>,
    ends: Vec<i64>,
    live: SpanListBuilder,
    valid: Vec<bool>,
}

impl HeartbeatBuilder {
    fn with_capacity(rows: usize) -> Self {
        let instants = || Vec::with_capacity(rows);
        Self {
            starts: instants(),
            ends: instants(),
            live: SpanListBuilder::with_capacity(rows),
            valid: Vec::with_capacity(rows),
        }
    }

    /// Appends a row; `None` appends null.
    fn push(&mut self, row: Option<&Heartbeats>) {
        self.starts.push(row.map_or(0, |row| row.range.starts_at()));
        self.ends.push(row.map_or(0, |row| row.range.ends_at()));
        let live: &[Span] = row.map_or(&[], |row| &row.live);
        self.live.push(Some(live));
        self.valid.push(row.is_some());
    }

    fn finish(self) -> Result<ArrayRef> {
        let [starts, ends] = [self.starts, self.ends].map(|instants| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC"))
        });
        let columns = vec![starts, ends, self.live.finish()?];
        let valid = NullBuffer::from(self.valid);
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(valid))?))
    }
}

/// Converts heartbeats to timelines; returns timelines unchanged.
pub fn as_timelines(column: &ArrayRef) -> Result<ArrayRef> {
    if !matches!(column.data_type(), DataType::Struct(_)) {
        return Ok(Arc::clone(column));
    }
    let (beats, mut timelines) = (HeartbeatColumn::new(column), TimelineBuilder::default());
    let (mut steps, cancellation) = (Vec::new(), CancellationFlag::current());
    for row in 0..column.len() {
        cancellation.check()?;
        let read = beats.read(row);
        read.iter().for_each(|beats| beats.steps_into(&mut steps));
        timelines.push(read.is_some().then_some(&steps));
    }
    timelines.finish()
}

pub fn interpolate(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut made = HeartbeatBuilder::with_capacity(rows);
    each_after(columns, rows, |beats| {
        made.push(beats.as_ref());
        Ok(())
    })?;
    made.finish()
}

pub fn interpolated_uptime(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    interpolated(columns, rows, true)
}

pub fn interpolated_downtime(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    interpolated(columns, rows, false)
}

fn interpolated(columns: &[ArrayRef], rows: usize, active: bool) -> Result<ArrayRef> {
    let mut durations = DurationMicrosecondBuilder::with_capacity(rows);
    let (mut steps, ever) = (Vec::new(), Span::new(Step::EVER, Span::FOREVER));
    each_after(columns, rows, |beats| {
        let range = ever.filter(|_| beats.is_some());
        beats.iter().for_each(|beats| beats.steps_into(&mut steps));
        durations.append_option(range.and_then(|range| duration_in(&steps, Some(active), range)));
        Ok(())
    })?;
    Ok(Arc::new(durations.finish()))
}

/// Calls `take` with the heartbeats of each row and the live span that continues from the preceding
/// heartbeats in the second column.
fn each_after(
    columns: &[ArrayRef],
    rows: usize,
    mut take: impl FnMut(Option<Heartbeats>) -> Result<()>,
) -> Result<()> {
    let (beats, earlier) = (HeartbeatColumn::new(&columns[0]), HeartbeatColumn::new(&columns[1]));
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let beats = match (beats.read(row), earlier.read(row)) {
            (Some(beats), Some(before)) => match beats.interpolate(&before) {
                Some(after) => Some(after),
                None => {
                    let (ends, starts) = (before.range.ends_at(), beats.range.starts_at());
                    return query_err!(
                        "the preceding heartbeats end at {}, after the start of the others at {}; \
                         pass the preceding ones second, as with lag(...) OVER (ORDER BY ...)",
                        instant_text(ends),
                        instant_text(starts)
                    );
                }
            },
            (beats, _) => beats,
        };
        take(beats)?;
    }
    Ok(())
}

pub fn trim_to(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (beats, mut made) =
        (HeartbeatColumn::new(&columns[0]), HeartbeatBuilder::with_capacity(rows));
    let lengths = columns.get(2).map(|column| column.as_primitive::<IntervalMonthDayNanoType>());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let Some(beats) = beats.read(row) else {
            made.push(None);
            continue;
        };
        let starts_at = columns.get(1).and_then(|starts| instant(starts, row));
        let starts_at = starts_at.unwrap_or(beats.range.starts_at());
        let length = lengths.filter(|lengths| lengths.is_valid(row));
        let ends_at = match length {
            Some(lengths) => end_of(starts_at, lengths.value(row))?,
            None => beats.range.ends_at(),
        };
        let range = range_between(starts_at, ends_at)?;
        let trimmed = range.map(|range| match beats.trim_to(range) {
            Some(trimmed) => Ok(trimmed),
            None => query_err!(
                "trim_to: {} to {} is not within the range of the heartbeats, {} to {}",
                instant_text(starts_at),
                instant_text(ends_at),
                instant_text(beats.range.starts_at()),
                instant_text(beats.range.ends_at())
            ),
        });
        made.push(trimmed.transpose()?.as_ref());
    }
    made.finish()
}

/// Column as an array of instants.
fn instants(column: &ArrayRef) -> &TimestampMicrosecondArray {
    column.as_primitive::<TimestampMicrosecondType>()
}
