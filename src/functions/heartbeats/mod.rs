//! Heartbeats compatible with TimescaleDB Toolkit: `heartbeat_agg` and its accessors.
//!
//! Functions of timelines accept heartbeats too: up while live, down while dead, and unknown
//! outside the range.

mod aggregate;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DurationMicrosecondBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{IntervalMonthDayNanoType, TimestampMicrosecondType};
use datafusion::error::Result;

pub use self::aggregate::{HeartbeatAgg, RolledHeartbeats};
use super::arguments::{instant, range_between};
use super::durations::end_of;
use super::encoding::heartbeats::{HeartbeatBuilder, HeartbeatColumn};
use crate::error::query_err;
use crate::limits::CancellationFlag;
use crate::rules::algebra::duration_in;
use crate::rules::calendar::instant_text;
use crate::rules::heartbeat::Heartbeats;
use crate::rules::{Span, Step};

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
