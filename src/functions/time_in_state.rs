//! `times_in`, `counted`, `time_in` and `timeline_within`: time in each state within spans.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, IntervalMonthDayNanoType};
use datafusion::error::Result;

use super::arguments::{Ranges, gap_us, interpolation, no_data, quoted, text};
use super::encoding::lists::{ListColumn, TimelineBuilder};
use crate::error::query_err;
use crate::limits::CancellationFlag;
use crate::rules::Interpolation;
use crate::rules::keyword::{parse_keyword, words};
use crate::rules::state::STATES;
use crate::rules::tally::{Tally, tally};
use crate::rules::timeline::steps_within;

pub fn timeline_within(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (polls, fill_spans) = (ListColumn::new(&columns[0]), ListColumn::new(&columns[1]));
    let (mut filled, cancellation) = (TimelineBuilder::default(), CancellationFlag::current());
    for row in 0..rows {
        cancellation.check()?;
        let how = match columns.get(2).and_then(|names| text(names, row)) {
            Some(name) => interpolation(name)?,
            None => Interpolation::default(),
        };
        let gaps = columns.get(3).map(|gaps| gaps.as_primitive::<IntervalMonthDayNanoType>());
        let gap = gaps
            .filter(|gaps| gaps.is_valid(row))
            .map(|gaps| gap_us(gaps.value(row)))
            .transpose()?;
        let steps = match (polls.polls(row), fill_spans.spans(row)) {
            (Some(polls), Some(spans)) => {
                Some(steps_within(&polls, &spans.collect::<Vec<_>>(), how, gap))
            }
            _ => None,
        };
        filled.push(steps.as_deref());
    }
    filled.finish()
}

/// Struct of microseconds.
pub fn times_type() -> DataType {
    DataType::Struct(times_fields())
}

fn times_fields() -> Fields {
    words(STATES).map(|state| Field::new(state, DataType::Int64, false)).collect()
}

pub fn times_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    times(&tallies([&columns[0], &columns[1]], [&columns[2], &columns[3]], rows)?)
}

/// Times as from [`times_in`], with unknown time counted as the second column says.
pub fn counted(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let given = columns[0].as_struct();
    let [up, down, unknown] = [0, 1, 2].map(|at| given.column(at).as_primitive::<Int64Type>());
    let tally = |row: usize| {
        let no_data = no_data(&columns[1], row)?;
        let (up_us, down_us, unknown_us) = (up.value(row), down.value(row), unknown.value(row));
        let tally = Tally { up_us, down_us, unknown_us };
        Ok(given.is_valid(row).then(|| tally.counted(no_data)))
    };
    times(&(0..rows).map(tally).collect::<Result<Vec<_>>>()?)
}

fn times(tallies: &[Option<Tally>]) -> Result<ArrayRef> {
    let times = |of: fn(Tally) -> i64| -> ArrayRef {
        let times = tallies.iter().map(|tally| of(tally.unwrap_or_default()));
        Arc::new(times.collect::<Int64Array>())
    };
    let columns = vec![
        times(|tally| tally.up_us),
        times(|tally| tally.down_us),
        times(|tally| tally.unknown_us),
    ];
    let valid = tallies.iter().map(Option::is_some).collect::<NullBuffer>();
    Ok(Arc::new(StructArray::try_new(times_fields(), columns, Some(valid))?))
}

pub fn time_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let tallies = tallies([&columns[0], &columns[1]], [&columns[3], &columns[4]], rows)?;
    let mut times = Int64Array::builder(rows);
    for (row, tally) in tallies.into_iter().enumerate() {
        let (Some(tally), Some(state)) = (tally, text(&columns[2], row)) else {
            times.append_null();
            continue;
        };
        times.append_value(match state {
            "open" => tally.open_us(),
            state => match parse_keyword(STATES, state) {
                Ok(active) => tally.in_state_us(active),
                Err(_) => {
                    let known = quoted(STATES);
                    return query_err!("state {state:?} is not one of {known}, 'open'");
                }
            },
        });
    }
    Ok(Arc::new(times.finish()))
}

/// Tally of each row. A null timeline is unknown at all times; the tally is `None` if the spans or
/// the range are null.
fn tallies(
    [timelines, spans]: [&ArrayRef; 2],
    [from, to]: [&ArrayRef; 2],
    rows: usize,
) -> Result<Vec<Option<Tally>>> {
    let (timelines, spans) = (ListColumn::new(timelines), ListColumn::new(spans));
    let ranges = Ranges::new(from, to);
    let (mut steps, cancellation) = (Vec::new(), CancellationFlag::current());
    let tally_of = |row: usize| {
        cancellation.check()?;
        let (Some(spans), Some(range)) = (spans.spans(row), ranges.range(row)?) else {
            return Ok(None);
        };
        Ok(Some(range.map_or_else(Tally::default, |range| {
            timelines.read_steps(row, range.starts_at(), &mut steps);
            tally(&steps, spans, range)
        })))
    };
    (0..rows).map(tally_of).collect()
}
