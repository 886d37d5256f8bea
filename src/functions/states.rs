//! `state_at`, `live_at`, `live_ranges` and similar functions, and the `timeline_*` functions.
//!
//! A null timeline is that of a store without polls: unknown at all times.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Int64Builder, StringBuilder};
use datafusion::error::Result;

use super::arguments::{Ranges, instant};
use super::encoding::lists::{ListColumn, SpanListBuilder, TimelineBuilder};
use crate::limits::CancellationFlag;
use crate::rules::algebra::{and, clip_into, combine_into, negate, or, spans_into};
use crate::rules::state::state_name;
use crate::rules::{Span, Step};

pub fn state_at(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let mut names = StringBuilder::with_capacity(rows, rows * "unknown".len());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        match instant(&columns[1], row) {
            Some(at) => names.append_value(state_name(timelines.state_at(row, at))),
            None => names.append_null(),
        }
    }
    Ok(Arc::new(names.finish()))
}

/// Null while the state is unknown.
pub fn live_at(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let (mut live, cancellation) =
        (BooleanBuilder::with_capacity(rows), CancellationFlag::current());
    for row in 0..rows {
        cancellation.check()?;
        live.append_option(instant(&columns[1], row).and_then(|at| timelines.state_at(row, at)));
    }
    Ok(Arc::new(live.finish()))
}

pub fn num_live_ranges(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    counts(columns, rows, true)
}

pub fn num_gaps(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    counts(columns, rows, false)
}

fn counts(columns: &[ArrayRef], rows: usize, active: bool) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let mut counts = Int64Builder::with_capacity(rows);
    let (mut steps, mut held) = (Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        spans_into(&mut held, &steps, Some(active));
        counts.append_option((!timelines.is_null(row)).then_some(held.len() as i64));
    }
    Ok(Arc::new(counts.finish()))
}

pub fn live_ranges(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    ranges(columns, rows, Some(true))
}

pub fn dead_ranges(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    ranges(columns, rows, Some(false))
}

pub fn unknown_ranges(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    ranges(columns, rows, None)
}

fn ranges(columns: &[ArrayRef], rows: usize, state: Option<bool>) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let mut spans = SpanListBuilder::with_capacity(rows);
    let (mut steps, mut held) = (Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let bound = match columns {
            [_, from, to, ..] => Ranges::new(from, to).range(row)?,
            [_, from] => instant(from, row).map(|from| Span::new(from, Span::FOREVER)),
            _ => Some(Span::new(Step::EVER, Span::FOREVER)),
        };
        let Some(bound) = bound else {
            spans.push(None);
            continue;
        };
        held.clear();
        if let Some(bound) = bound {
            timelines.read_steps(row, bound.starts_at(), &mut steps);
            spans_into(&mut held, &steps, state);
            held.retain_mut(|span| span.within(bound).map(|within| *span = within).is_some());
        }
        spans.push(Some(&held));
    }
    spans.finish()
}

pub fn timeline_and(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    combined(columns, rows, and)
}

pub fn timeline_or(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    combined(columns, rows, or)
}

fn combined(
    columns: &[ArrayRef],
    rows: usize,
    made_of: fn(Option<bool>, Option<bool>) -> Option<bool>,
) -> Result<ArrayRef> {
    let (lefts, rights) = (ListColumn::new(&columns[0]), ListColumn::new(&columns[1]));
    let mut made = TimelineBuilder::default();
    let (mut left, mut right, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        if lefts.is_null(row) && rights.is_null(row) {
            made.push(None);
            continue;
        }
        lefts.read_steps(row, Step::EVER, &mut left);
        rights.read_steps(row, Step::EVER, &mut right);
        combine_into(&mut steps, &left, &right, made_of);
        made.push(Some(&steps));
    }
    made.finish()
}

pub fn timeline_not(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let timelines = ListColumn::new(&columns[0]);
    let mut made = TimelineBuilder::default();
    let mut steps = Vec::new();
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        timelines.read_steps(row, Step::EVER, &mut steps);
        negate(&mut steps);
        made.push((!timelines.is_null(row)).then_some(&steps));
    }
    made.finish()
}

pub fn timeline_clip(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (timelines, ranges) = (ListColumn::new(&columns[0]), Ranges::new(&columns[1], &columns[2]));
    let mut made = TimelineBuilder::default();
    let (mut steps, mut clipped) = (Vec::new(), Vec::new());
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let range = ranges.range(row)?.filter(|_| !timelines.is_null(row));
        if let Some(range) = range {
            timelines.read_steps(row, Step::EVER, &mut steps);
            clip_into(&mut clipped, &steps, range);
        }
        made.push(range.map(|_| clipped.as_slice()));
    }
    made.finish()
}
