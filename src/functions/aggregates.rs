//! `timeline`, `poll_list` and `weekly_hours`: the rows of a store folded into one value.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{
    DataType, Field, FieldRef, Int8Type, Int32Type, IntervalUnit, TimestampMicrosecondType,
};
use datafusion::common::{plan_err, utils::take_function_args};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

use super::arguments::{argument_types, gap_us, interpolation};
use super::gather::{Gathered, lists_of_single_rows, passes, state_type};
use super::lists::{
    Timelines, instant_type, poll_list_type, poll_lists, timeline_type, week_type, weeks,
};
use crate::rules::timeline::{settle, steps_into};
use crate::rules::{Interpolation, Opening, Poll, Weekday};

/// What the rows of a group become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// `timeline(polled_at, active [, interpolation [, max_gap]])`: the step function of polls;
    /// null without polls.
    Timeline,
    /// `poll_list(polled_at, active)`: the polls in order, one an instant; null without polls.
    PollList,
    /// `weekly_hours(day_of_week, start_local_s, end_local_s)`: the openings of a week.
    WeeklyHours,
}

impl Fold {
    pub const ALL: [Fold; 3] = [Fold::Timeline, Fold::PollList, Fold::WeeklyHours];

    fn name(self) -> &'static str {
        match self {
            Fold::Timeline => "timeline",
            Fold::PollList => "poll_list",
            Fold::WeeklyHours => "weekly_hours",
        }
    }

    /// Types of the arguments that have to be given, then of those that may.
    fn argument_types(self) -> (Vec<DataType>, Vec<DataType>) {
        let polls = vec![instant_type(), DataType::Boolean];
        match self {
            Fold::Timeline => {
                (polls, vec![DataType::Utf8, DataType::Interval(IntervalUnit::MonthDayNano)])
            }
            Fold::PollList => (polls, vec![]),
            Fold::WeeklyHours => (vec![DataType::Int8, DataType::Int32, DataType::Int32], vec![]),
        }
    }

    fn return_type(self) -> DataType {
        match self {
            Fold::Timeline => timeline_type(),
            Fold::PollList => poll_list_type(),
            Fold::WeeklyHours => week_type(),
        }
    }
}

/// A fold as DataFusion knows it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    fold: Fold,
    signature: Signature,
}

impl Aggregate {
    pub fn new(fold: Fold) -> Self {
        Self { fold, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn gather(&self, args: &AccumulatorArgs) -> Result<Gather> {
        let literal = |at: usize| -> Result<ScalarValue> {
            match args.exprs.get(at) {
                None => Ok(ScalarValue::Null),
                Some(expr) => match expr.downcast_ref::<Literal>() {
                    Some(literal) => Ok(literal.value().clone()),
                    None => plan_err!(
                        "argument {} of {} has to be a constant",
                        at + 1,
                        self.fold.name()
                    ),
                },
            }
        };
        let (mut how, mut max_gap_us) = (Interpolation::default(), None);
        if self.fold == Fold::Timeline {
            if let ScalarValue::Utf8(Some(name)) = literal(2)? {
                how = interpolation(&name)?;
            }
            if let ScalarValue::IntervalMonthDayNano(Some(gap)) = literal(3)? {
                max_gap_us = Some(gap_us(gap)?);
            }
        }
        Ok(Gather { fold: self.fold, interpolation: how, max_gap_us, rows: Gathered::default() })
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.fold.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (required, optional) = self.fold.argument_types();
        argument_types(self.name(), required, optional, given.len())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(self.fold.return_type())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[rows]", args.name), state_type(), true))])
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.gather(&args)?))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.gather(&args)?))
    }
}

/// Rows on their way to be folded.
#[derive(Debug)]
struct Gather {
    fold: Fold,
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
    rows: Gathered,
}

impl Gather {
    /// Hands on each row that counts, as a number that orders like it; a null in any column makes
    /// it none.
    fn each_packed(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        mut take: impl FnMut(usize, Option<i64>),
    ) -> Result<()> {
        let whole = self.counts_whole(values, filter);
        let columns = &values[..self.columns()];
        let counts = |row: usize| {
            whole || passes(filter, row) && columns.iter().all(|column| column.is_valid(row))
        };
        let rows = values[0].len();
        if self.fold == Fold::WeeklyHours {
            let [days, starts, ends] = take_function_args(self.fold.name(), values)?;
            let days = days.as_primitive::<Int8Type>();
            let (starts, ends) =
                (starts.as_primitive::<Int32Type>(), ends.as_primitive::<Int32Type>());
            for row in 0..rows {
                let packed = packed_opening(days.value(row), starts.value(row), ends.value(row));
                take(row, counts(row).then_some(packed));
            }
        } else {
            for (row, packed) in packed_polls(values).into_iter().enumerate() {
                take(row, counts(row).then_some(packed));
            }
        }
        Ok(())
    }

    /// Columns in which a null makes a row none.
    fn columns(&self) -> usize {
        if self.fold == Fold::WeeklyHours { 3 } else { 2 }
    }

    /// Whether every row counts.
    fn counts_whole(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> bool {
        filter.is_none() && values[..self.columns()].iter().all(|column| column.null_count() == 0)
    }

    fn folded(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut polls = Vec::new();
        let mut settled = |rows: &[i64]| {
            polls.clear();
            polls.extend(rows.iter().map(|&bits| Poll::from_bits(bits)));
            settle(&mut polls);
            (!polls.is_empty()).then(|| polls.clone())
        };
        match self.fold {
            Fold::Timeline => self.timelines(emit_to),
            Fold::PollList => {
                let mut groups = Vec::new();
                self.rows.emit(emit_to, |rows| groups.push(settled(rows)));
                poll_lists(groups.into_iter())
            }
            Fold::WeeklyHours => {
                let mut groups = Vec::new();
                self.rows.emit(emit_to, |rows| {
                    rows.sort_unstable();
                    groups
                        .push(Some(rows.iter().filter_map(|&row| unpacked_opening(row)).collect()));
                });
                weeks(groups.into_iter())
            }
        }
    }

    fn timelines(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (how, gap) = (self.interpolation, self.max_gap_us);
        let (mut polls, mut steps) = (Vec::new(), Vec::new());
        let mut timelines = Timelines::default();
        self.rows.emit(emit_to, |rows| {
            polls.clear();
            polls.extend(rows.iter().map(|&bits| Poll::from_bits(bits)));
            settle(&mut polls);
            steps_into(&mut steps, &polls, how, gap);
            timelines.push((!steps.is_empty()).then_some(&steps));
        });
        timelines.finish()
    }
}

/// The bits of each row's poll. In two passes, each without a branch: a row in one costs four times
/// as much.
fn packed_polls(values: &[ArrayRef]) -> Vec<i64> {
    let instants = values[0].as_primitive::<TimestampMicrosecondType>().values();
    let mut packed: Vec<i64> =
        instants.iter().map(|&polled_at| Poll::new(polled_at, false).bits()).collect();
    let active = values[1].as_boolean().values().bit_chunks();
    for (polls, active) in packed.chunks_mut(64).zip(active.iter_padded()) {
        for (at, poll) in polls.iter_mut().enumerate() {
            *poll |= (active >> at & 1) as i64;
        }
    }
    packed
}

const TIME_BITS: u32 = 20;

fn packed_opening(day: i8, start_s: i32, end_s: i32) -> i64 {
    let in_bits = |seconds: i32| i64::from(seconds) & ((1 << TIME_BITS) - 1);
    i64::from(day) << (2 * TIME_BITS) | in_bits(start_s) << TIME_BITS | in_bits(end_s)
}

/// `None` where the numbers are no opening.
fn unpacked_opening(packed: i64) -> Option<Opening> {
    let seconds = |bits: i64| (bits & ((1 << TIME_BITS) - 1)) as u32;
    let weekday = Weekday::from_monday_zero(u8::try_from(packed >> (2 * TIME_BITS)).ok()?)?;
    Opening::new(weekday, seconds(packed >> TIME_BITS), seconds(packed))
}

impl GroupsAccumulator for Gather {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_of: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.expect(group_of.len(), groups);
        if self.fold != Fold::WeeklyHours && self.counts_whole(values, filter) {
            rows.extend_grouped(group_of, &packed_polls(values));
            self.rows = rows;
            return Ok(());
        }
        self.each_packed(values, filter, |row, packed| {
            if let Some(packed) = packed {
                rows.push(group_of[row], packed);
            }
        })?;
        self.rows = rows;
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_of: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.rows.merge(&states[0], group_of, groups);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.folded(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.rows.lists(emit_to)?])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut rows = Vec::with_capacity(values[0].len());
        self.each_packed(values, filter, |_, packed| rows.push(packed))?;
        Ok(vec![lists_of_single_rows(rows.into_iter())?])
    }

    fn size(&self) -> usize {
        self.rows.size_bytes()
    }
}

/// The same without groups: all rows are of group 0.
impl Accumulator for Gather {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; values[0].len()];
        GroupsAccumulator::update_batch(self, values, &group_of, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; states[0].len()];
        GroupsAccumulator::merge_batch(self, states, &group_of, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.rows.expect(0, 1);
        ScalarValue::try_from_array(&self.folded(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.rows.expect(0, 1);
        Ok(vec![ScalarValue::try_from_array(&self.rows.lists(EmitTo::All)?, 0)?])
    }

    fn size(&self) -> usize {
        self.rows.size_bytes()
    }
}
