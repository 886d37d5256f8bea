//! `open_spans`, `local_days`, `timeline_within` and `time_in`: the state of a store, asked.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, IntervalUnit};
use chrono_tz::Tz;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::{Ranges, gap_us, interpolation, text};
use super::lists::{
    Lists, instant_type, poll_list_type, span_lists, spans_type, timeline_type, timelines,
    week_type,
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
    /// `time_in(timeline, spans, state, from, to)`: microseconds within the spans and `[from, to)`
    /// that are `'up'`, `'down'` or `'unknown'`, or all of them: `'open'`.
    TimeIn,
}

impl Scalar {
    pub const ALL: [Scalar; 4] =
        [Scalar::OpenSpans, Scalar::LocalDays, Scalar::TimelineWithin, Scalar::TimeIn];

    fn name(self) -> &'static str {
        match self {
            Scalar::OpenSpans => "open_spans",
            Scalar::LocalDays => "local_days",
            Scalar::TimelineWithin => "timeline_within",
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
        let (mut types, optional) = self.scalar.argument_types();
        let (least, most) = (types.len(), types.len() + optional.len());
        if !(least..=most).contains(&given.len()) {
            return plan_err!(
                "{} takes {least} to {most} arguments, not {}",
                self.name(),
                given.len()
            );
        }
        types.extend(optional);
        types.truncate(given.len());
        Ok(types)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(match self.scalar {
            Scalar::OpenSpans | Scalar::LocalDays => spans_type(),
            Scalar::TimelineWithin => timeline_type(),
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
            Scalar::TimeIn => times_in(&columns, rows)?,
        };
        Ok(ColumnarValue::Array(column))
    }
}

fn open_spans_of(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (weeks, ranges) = (Lists::new(&columns[0]), Ranges::new(&columns[2], &columns[3]));
    let snaps = columns.get(4).map(|column| column.as_boolean());
    let mut clocks = Clocks::default();
    let mut spans = Vec::with_capacity(rows);
    for row in 0..rows {
        let snap = snaps.is_some_and(|snaps| snaps.is_valid(row) && snaps.value(row));
        let (Some(zone), Some(range)) = (text(&columns[1], row), ranges.range(row)?) else {
            spans.push(None);
            continue;
        };
        let open = match range {
            Some(range) => {
                open_spans(&weeks.week(row), clocks.over(zone, range)?, range, snap).to_vec()
            }
            None => Vec::new(),
        };
        spans.push(Some(open));
    }
    span_lists(spans.into_iter())
}

fn local_days_of(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let ranges = Ranges::new(&columns[1], &columns[2]);
    let mut clocks = Clocks::default();
    let mut days = Vec::with_capacity(rows);
    for row in 0..rows {
        days.push(match (text(&columns[0], row), ranges.range(row)?) {
            (Some(zone), Some(Some(range))) => Some(local_days(clocks.over(zone, range)?, range)),
            (Some(_), Some(None)) => Some(Vec::new()),
            _ => None,
        });
    }
    span_lists(days.into_iter())
}

fn timelines_within(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (polls, pieces) = (Lists::new(&columns[0]), Lists::new(&columns[1]));
    let mut filled = Vec::with_capacity(rows);
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
        filled.push(match (polls.polls(row), pieces.spans(row)) {
            (Some(polls), Some(pieces)) => {
                Some(steps_within(&polls, &pieces.collect::<Vec<_>>(), how, gap))
            }
            _ => None,
        });
    }
    timelines(filled.into_iter())
}

/// A null timeline is one without polls: all of it is unknown. Null spans make null.
fn times_in(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let (timelines, spans) = (Lists::new(&columns[0]), Lists::new(&columns[1]));
    let ranges = Ranges::new(&columns[3], &columns[4]);
    let mut steps = Vec::new();
    let mut times = Int64Array::builder(rows);
    for row in 0..rows {
        let (Some(spans), Some(state), Some(range)) =
            (spans.spans(row), text(&columns[2], row), ranges.range(row)?)
        else {
            times.append_null();
            continue;
        };
        let tally = range.map_or_else(Tally::default, |range| {
            timelines.read_steps(row, range.starts_at(), &mut steps);
            tally(&steps, spans, range)
        });
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
