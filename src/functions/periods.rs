//! `state_periods`, `state_timeline`, `into_values` and their interpolated variants, compatible
//! with TimescaleDB Toolkit's `state_agg`.
//!
//! They return lists, which `unnest` turns into rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DurationMicrosecondArray, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;

use super::arguments::{state, text};
use super::durations::{duration_type, range};
use super::encoding::lists::{ListColumn, SpanListBuilder, instant_type, item, list_of};
use crate::limits::CancellationFlag;
use crate::rules::algebra::{clip_into, duration_in, fill_ends, known_segments, spans_into};
use crate::rules::state::state_name;
use crate::rules::{Span, Step};

/// `list<struct<state, starts_at, ends_at>>`; an unbounded end is null.
pub fn segments_type() -> DataType {
    list_of(segment_fields())
}

fn segment_fields() -> Fields {
    Fields::from(vec![
        Field::new("state", DataType::Utf8, false),
        Field::new("starts_at", instant_type(), true),
        Field::new("ends_at", instant_type(), true),
    ])
}

/// `list<struct<state, duration>>`; an unbounded duration is null.
pub fn values_type() -> DataType {
    list_of(value_fields())
}

fn value_fields() -> Fields {
    Fields::from(vec![
        Field::new("state", DataType::Utf8, false),
        Field::new("duration", duration_type(), true),
    ])
}

/// Lists of the given lengths; `None` is null.
fn lists(fields: Fields, lengths: &[Option<usize>], columns: Vec<ArrayRef>) -> Result<ArrayRef> {
    let values = Arc::new(StructArray::try_new(fields.clone(), columns, None)?);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let valid = lengths.iter().map(Option::is_some).collect::<NullBuffer>();
    Ok(Arc::new(ListArray::try_new(item(fields), offsets, values, Some(valid))?))
}

pub fn state_periods(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    periods(columns, rows, |_, _| Ok(true))
}

pub fn interpolated_state_periods(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let mut filled = GapFiller::new(columns.get(4));
    periods(columns, rows, |row, steps| filled.fill(row, range(columns, row)?, steps))
}

/// Spans of a state per row, after `change` has modified the row's steps; null if `change` returns
/// false.
fn periods(
    columns: &[ArrayRef],
    rows: usize,
    mut change: impl FnMut(usize, &mut Vec<Step>) -> Result<bool>,
) -> Result<ArrayRef> {
    let (timelines, mut spans) =
        (ListColumn::new(&columns[0]), SpanListBuilder::with_capacity(rows));
    let (mut steps, mut held) = (Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        let state = text(&columns[1], row).map(state).transpose()?;
        let Some(state) = state else {
            spans.push(None);
            continue;
        };
        if !change(row, &mut steps)? {
            spans.push(None);
            continue;
        }
        spans_into(&mut held, &steps, state);
        spans.push(Some(&held));
    }
    spans.finish()
}

/// Fills the start of a bucket from the bucket before it, and its end from its last state.
struct GapFiller<'a> {
    earlier: Option<ListColumn<'a>>,
    before: Vec<Step>,
    clipped: Vec<Step>,
}

impl<'a> GapFiller<'a> {
    fn new(earlier: Option<&'a ArrayRef>) -> Self {
        Self { earlier: earlier.map(ListColumn::new), before: Vec::new(), clipped: Vec::new() }
    }

    /// Replaces `steps` with the filled steps within the range. Returns false if the range is null.
    fn fill(
        &mut self,
        row: usize,
        range: Option<Option<Span>>,
        steps: &mut Vec<Step>,
    ) -> Result<bool> {
        let Some(range) = range else { return Ok(false) };
        self.before.clear();
        if let Some(earlier) = &self.earlier {
            earlier.read_steps(row, Step::EVER, &mut self.before);
        }
        fill_ends(steps, &self.before);
        clip_into(&mut self.clipped, steps, range);
        std::mem::swap(steps, &mut self.clipped);
        Ok(true)
    }
}

pub fn state_timeline(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    segments(columns, rows, |_, _| Ok(true))
}

pub fn interpolated_state_timeline(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    // Puts the range where functions with a state argument have it.
    let with_state = [&columns[..1], &columns[..1], &columns[1..]].concat();
    let mut filled = GapFiller::new(columns.get(3));
    segments(columns, rows, |row, steps| filled.fill(row, range(&with_state, row)?, steps))
}

fn segments(
    columns: &[ArrayRef],
    rows: usize,
    mut change: impl FnMut(usize, &mut Vec<Step>) -> Result<bool>,
) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let (mut lengths, mut all) = (Vec::with_capacity(rows), Vec::new());
    let (mut steps, cancellation) = (Vec::new(), CancellationFlag::current());
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        if !change(row, &mut steps)? {
            lengths.push(None);
            continue;
        }
        let segments = known_segments(&steps);
        lengths.push(Some(segments.len()));
        all.extend(segments);
    }
    let states = all.iter().map(|(.., state)| Some(state_name(*state)));
    let instants = |open: i64, of: fn(&(i64, i64, Option<bool>)) -> i64| -> ArrayRef {
        let instants = all.iter().map(|segment| Some(of(segment)).filter(|at| *at != open));
        Arc::new(instants.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(states.collect::<StringArray>()),
        instants(Step::EVER, |segment| segment.0),
        instants(Span::FOREVER, |segment| segment.1),
    ];
    lists(segment_fields(), &lengths, columns)
}

pub fn into_values(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let (mut lengths, mut states, mut durations) = (Vec::new(), Vec::new(), Vec::new());
    let (mut steps, cancellation) = (Vec::new(), CancellationFlag::current());
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        let known = known_segments(&steps);
        let before = states.len();
        let within = known.first().zip(known.last()).map(|(first, last)| (first.0, last.1));
        for state in [Some(true), Some(false), None] {
            if known.iter().any(|segment| segment.2 == state) {
                states.push(Some(state_name(state)));
                let within = within.and_then(|(from, to)| Span::new(from, to));
                durations.push(match within {
                    Some(within) => duration_in(&steps, state, within),
                    None => Some(0),
                });
            }
        }
        lengths.push(Some(states.len() - before));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(states.into_iter().collect::<StringArray>()),
        Arc::new(DurationMicrosecondArray::from(durations)),
    ];
    lists(value_fields(), &lengths, columns)
}
