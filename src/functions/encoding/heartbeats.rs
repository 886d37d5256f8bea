//! Encoding of heartbeats, and their conversion to timelines.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;

use super::lists::{ListColumn, SpanListBuilder, TimelineBuilder, instant_type, spans_type};
use crate::limits::CancellationFlag;
use crate::rules::heartbeat::Heartbeats;
use crate::rules::{Span, Spans};

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
pub struct HeartbeatColumn<'a> {
    values: &'a StructArray,
    starts: &'a TimestampMicrosecondArray,
    ends: &'a TimestampMicrosecondArray,
    live: ListColumn<'a>,
}

impl<'a> HeartbeatColumn<'a> {
    pub fn new(column: &'a ArrayRef) -> Self {
        let values = column.as_struct();
        let [starts, ends] = [0, 1].map(|at| values.column(at).as_primitive());
        Self { values, starts, ends, live: ListColumn::new(values.column(2)) }
    }

    /// Heartbeats of a row; `None` for null.
    pub fn read(&self, row: usize) -> Option<Heartbeats> {
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
pub struct HeartbeatBuilder {
    starts: Vec<i64>,
    ends: Vec<i64>,
    live: SpanListBuilder,
    valid: Vec<bool>,
}

impl HeartbeatBuilder {
    pub fn with_capacity(rows: usize) -> Self {
        let instants = || Vec::with_capacity(rows);
        Self {
            starts: instants(),
            ends: instants(),
            live: SpanListBuilder::with_capacity(rows),
            valid: Vec::with_capacity(rows),
        }
    }

    /// Appends a row; `None` appends null.
    pub fn push(&mut self, row: Option<&Heartbeats>) {
        self.starts.push(row.map_or(0, |row| row.range.starts_at()));
        self.ends.push(row.map_or(0, |row| row.range.ends_at()));
        let live: &[Span] = row.map_or(&[], |row| &row.live);
        self.live.push(Some(live));
        self.valid.push(row.is_some());
    }

    pub fn finish(self) -> Result<ArrayRef> {
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
