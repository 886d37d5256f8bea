//! `open_spans`, `local_days`, `timeline_within`, `times_in` and `time_in`: the state of a store,
//! asked.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, IntervalMonthDayNanoType, IntervalUnit};
use chrono_tz::Tz;
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::{Ranges, argument_types, gap_us, interpolation, text};
use super::lists::{
    Lists, SpanLists, Timelines, instant_type, poll_list_type, spans_type, timeline_type, week_type,
};
use crate::rules::opening::{local_days, open_spans};
use crate::rules::tally::{Tally, tally};
use crate::rules::timeline::steps_within;
use crate::rules::{Interpolation, LocalClock, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `open_spans(weekly_hours, time_zone, from, to [, snap_end_of_day])`: when the store should
    /// be open within `[from, to)`, united; null hours are those of a store that never closes.
    OpenSpans,
    /// `local_days(time_zone, from, to)`: the store-local calendar days of `[from, to)`.
    LocalDays,
    /// `timeline_within(poll_list, pieces [, interpolation [, max_gap]])`: the step function where
    /// each piece is filled from its own polls alone.
    TimelineWithin,
    /// `times_in(timeline, spans, from, to)`: a struct of the microseconds within the spans and
    /// `[from, to)` that are `up`, `down` and `unknown`.
    TimesIn,
    /// `time_in(timeline, spans, state, from, to)`: one of them, by its name, or all: `'open'`.
    TimeIn,
}

impl Scalar {
    pub const ALL: [Scalar; 5] = [
        Scalar::OpenSpans,
        Scalar::LocalDays,
        Scalar::TimelineWithin,
        Scalar::TimesIn,
        Scalar::TimeIn,
    ];

    fn name(self) -> &'static str {
        match self {
            Scalar::OpenSpans => "open_spans",
            Scalar::LocalDays => "local_days",
            Scalar::TimelineWithin => "timeline_within",
            Scalar::TimesIn => "times_in",
            Scalar::TimeIn => "time_in",
        }
    }

    /// Types of the arguments that have to be given, then of those that may.
    fn argument_types(self) -> (Vec<DataType>, Vec<DataType>) {
        let (text, instant) = (DataType::Utf8, instant_type());
        match self {
            Scalar::OpenSpans => {
                (vec![week_type(), text, instant.clone(), instant], vec![DataType::Boolean])
            }
            Scalar::LocalDays => (vec![text, instant.clone(), instant], vec![]),
            Scalar::TimelineWithin => (
                vec![poll_list_type(), spans_type()],
                vec![text, DataType::Interval(IntervalUnit::MonthDayNano)],
            ),
            Scalar::TimesIn => {
                (vec![timeline_type(), spans_type(), instant.clone(), instant], vec![])
            }
            Scalar::TimeIn => {
                (vec![timeline_type(), spans_type(), text, instant.clone(), instant], vec![])
            }
        }
    }
}

/// A scalar as DataFusion knows it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Function {
    scalar: Scalar,
    signature: Signature,
}

impl Function {
    pub fn new(scalar: Scalar) -> Self {
        Self { scalar, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.scalar.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (required, optional) = self.scalar.argument_types();
        argument_types(self.name(), required, optional, given.len())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(match self.scalar {
            Scalar::OpenSpans | Scalar::LocalDays => spans_type(),
            Scalar::TimelineWithin => timeline_type(),
            Scalar::TimesIn => DataType::Struct(times_fields()),
            Scalar::TimeIn => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        // Of constants alone there is one row, whatever the batch holds.
        let rows = columns.first().map_or(rows, |column| column.len());
        let column = match self.scalar {
            Scalar::OpenSpans => open_spans_of(&columns, rows)?,
            Scalar::LocalDays => local_days_of(&columns, rows)?,
            Scalar::TimelineWithin => timelines_within(&columns, rows)?,
            Scalar::TimesIn => times_in(&columns, rows)?,
            Scalar::TimeIn => time_in(&columns, rows)?,
        };
        Ok(ColumnarValue::Array(column))
    }
}

fn open_spans_of(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (weeks, ranges) = (Lists::new(&columns[0]), Ranges::new(&columns[2], &columns[3]));
    let snaps = columns.get(4).map(|column| column.as_boolean());
    let mut clocks = Clocks::default();
    let mut spans = SpanLists::with_capacity(rows);
    for row in 0..rows {
        let snap = snaps.is_some_and(|snaps| snaps.is_valid(row) && snaps.value(row));
        match (text(&columns[1], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                let clock = clocks.over(zone, range)?;
                spans.push(Some(&open_spans(&weeks.week(row), clock, range, snap)));
            }
            (Some(_), Some(None)) => spans.push(Some(&[])),
            _ => spans.push(None),
        }
    }
    spans.finish()
}

fn local_days_of(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let mut clocks = Clocks::default();
    let mut days = SpanLists::with_capacity(rows);
    for row in 0..rows {
        match (text(&columns[0], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => {
                days.push(Some(&local_days(clocks.over(zone, range)?, range)));
            }
            (Some(_), Some(None)) => days.push(Some(&[])),
            _ => days.push(None),
        }
    }
    days.finish()
}

fn timelines_within(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (polls, pieces) = (Lists::new(&columns[0]), Lists::new(&columns[1]));
    let mut filled = Timelines::default();
    for row in 0..rows {
        let how = match columns.get(2).and_then(|names| text(names, row)) {
            Some(name) => interpolation(name)?,
            None => Interpolation::default(),
        };
        let gaps = columns.get(3).map(|gaps| gaps.as_primitive::<IntervalMonthDayNanoType>());
        let gap = gaps
            .filter(|gaps| gaps.is_valid(row))
            .map(|gaps| gap_us(gaps.value(row)))
            .transpose()?;
        let steps = match (polls.polls(row), pieces.spans(row)) {
            (Some(polls), Some(pieces)) => {
                Some(steps_within(&polls, &pieces.collect::<Vec<_>>(), how, gap))
            }
            _ => None,
        };
        filled.push(steps.as_ref());
    }
    filled.finish()
}

fn times_fields() -> Fields {
    let times = ["up", "down", "unknown"].map(|state| Field::new(state, DataType::Int64, false));
    times.to_vec().into()
}

fn times_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let tallies = tallies([&columns[0], &columns[1]], [&columns[2], &columns[3]], rows)?;
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

fn time_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let tallies = tallies([&columns[0], &columns[1]], [&columns[3], &columns[4]], rows)?;
    let mut times = Int64Array::builder(rows);
    for (row, tally) in tallies.into_iter().enumerate() {
        let (Some(tally), Some(state)) = (tally, text(&columns[2], row)) else {
            times.append_null();
            continue;
        };
        times.append_value(match state {
            "up" => tally.up_us,
            "down" => tally.down_us,
            "unknown" => tally.unknown_us,
            "open" => tally.open_us(),
            _ => return exec_err!("state {state:?} is not one of 'up', 'down', 'unknown', 'open'"),
        });
    }
    Ok(Arc::new(times.finish()))
}

/// A null timeline is one without polls: all of it is unknown. Null spans, or no range, make none.
fn tallies(
    [timelines, spans]: [&ArrayRef; 2],
    [from, to]: [&ArrayRef; 2],
    rows: usize,
) -> Result<Vec<Option<Tally>>> {
    let (timelines, spans) = (Lists::new(timelines), Lists::new(spans));
    let ranges = Ranges::new(from, to);
    let mut steps = Vec::new();
    let tally_of = |row: usize| {
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

/// The clocks of a batch, each read from its zone's rules once.
#[derive(Default)]
struct Clocks(HashMap<(Tz, i64, i64), LocalClock>);

impl Clocks {
    fn over(&mut self, zone: &str, range: Span) -> Result<&LocalClock> {
        let Ok(zone) = Tz::from_str(zone) else {
            return exec_err!("time zone {zone:?} is not an IANA name like 'America/Chicago'");
        };
        let clock = self.0.entry((zone, range.starts_at(), range.ends_at()));
        Ok(clock.or_insert_with(|| LocalClock::over(zone, range)))
    }
}
