//! DataFusion accumulators that group rows batch by batch and fold each group into one value.

use std::any::Any;

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use super::encoding::lists::{PollListBuilder, TimelineBuilder, WeekBuilder};
use super::encoding::packed::{ColumnBatch, Openings, Polls, read_opening};
use super::grouping::{GroupRun, GroupedRows, Part, RowBatch, passes, single_row_lists};
use crate::rules::timeline::{
    PollRun, are_normalized, normalize, observed_steps_into, steps_into, steps_of_runs_into,
};
use crate::rules::{Interpolation, Poll, Step};

/// Fold of the rows of a group into one value.
pub trait GroupFold: Send + Sync + 'static {
    type Batch: ColumnBatch;

    /// Folds each of the first `groups` groups. Their rows stay.
    fn folded(&self, rows: &GroupedRows<Self::Batch>, groups: usize) -> Result<ArrayRef>;
}

/// Folds polls into the timeline that a report reads.
pub struct Timeline {
    pub interpolation: Interpolation,
    pub max_gap_us: Option<i64>,
}

/// Folds polls into a timeline from the first to the last poll.
pub struct StateAgg;

/// Folds polls into a sorted list.
pub struct PollList;

/// Folds rows of business hours into a weekly schedule.
pub struct WeeklyHours;

impl GroupFold for Timeline {
    type Batch = Polls;

    fn folded(&self, rows: &GroupedRows<Polls>, groups: usize) -> Result<ArrayRef> {
        let mut polls = Vec::new();
        timelines(rows, groups, |steps, runs| {
            if self.max_gap_us.is_none() && are_normalized(runs) {
                return steps_of_runs_into(steps, runs, self.interpolation);
            }
            settle_into(&mut polls, runs);
            steps_into(steps, &polls, self.interpolation, self.max_gap_us);
        })
    }
}

impl GroupFold for StateAgg {
    type Batch = Polls;

    fn folded(&self, rows: &GroupedRows<Polls>, groups: usize) -> Result<ArrayRef> {
        let mut polls = Vec::new();
        timelines(rows, groups, |steps, runs| {
            settle_into(&mut polls, runs);
            observed_steps_into(steps, &polls);
        })
    }
}

impl GroupFold for PollList {
    type Batch = Polls;

    fn folded(&self, rows: &GroupedRows<Polls>, groups: usize) -> Result<ArrayRef> {
        let (mut polls, mut lists) = (Vec::new(), PollListBuilder::default());
        rows.for_each_group(groups, |runs| {
            settle_into(&mut polls, runs);
            lists.push((!polls.is_empty()).then_some(&polls));
        })?;
        lists.finish()
    }
}

impl GroupFold for WeeklyHours {
    type Batch = Openings;

    fn folded(&self, rows: &GroupedRows<Openings>, groups: usize) -> Result<ArrayRef> {
        let (mut packed, mut weeks) = (Vec::new(), WeekBuilder::default());
        rows.for_each_group(groups, |parts| {
            packed.clear();
            parts.iter().for_each(|part| part.batch.pack(part.rows.clone(), &mut packed));
            packed.sort_unstable();
            let openings = packed.iter().filter_map(|&row| read_opening(row));
            weeks.push((!packed.is_empty()).then_some(openings));
        })?;
        weeks.finish()
    }
}

/// Builds a timeline for each of the first groups, null for a group without polls. `fold` receives
/// the runs of a group, sorted by their first polls.
fn timelines<'a>(
    rows: &'a GroupedRows<Polls>,
    groups: usize,
    mut fold: impl FnMut(&mut Vec<Step>, &[Part<'a, Polls>]),
) -> Result<ArrayRef> {
    let (mut steps, mut timelines) = (Vec::new(), TimelineBuilder::default());
    rows.for_each_group(groups, |runs| {
        if runs.is_empty() {
            return timelines.push(None);
        }
        let first_of = |run: &Part<Polls>| run.instants()[0];
        // Runs of several days may arrive in any order of days.
        if !runs.is_sorted_by_key(first_of) {
            runs.sort_by_key(first_of);
        }
        fold(&mut steps, runs);
        timelines.push(Some(&steps));
    })?;
    timelines.finish()
}

/// Replaces `polls` with the polls of the runs, sorted and without duplicates.
fn settle_into(polls: &mut Vec<Poll>, runs: &[Part<Polls>]) {
    polls.clear();
    runs.iter().for_each(|run| polls.extend(run.batch.polls(run.rows.clone())));
    normalize(polls);
}

/// Accumulator that DataFusion can use with or without groups.
pub trait AnyAccumulator: GroupsAccumulator + Accumulator {}

impl<F: GroupFold> AnyAccumulator for FoldAccumulator<F> {}

pub struct FoldAccumulator<F: GroupFold> {
    fold: F,
    rows: GroupedRows<F::Batch>,
}

impl<F: GroupFold> std::fmt::Debug for FoldAccumulator<F> {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.rows.fmt(out)
    }
}

impl<F: GroupFold> FoldAccumulator<F> {
    pub fn new(fold: F) -> Self {
        Self { fold, rows: GroupedRows::default() }
    }

    fn add_runs(&mut self, values: &[ArrayRef], runs: &[GroupRun], groups: usize) -> Result<bool> {
        let all_count = counted_rows::<F>(values, None).is_none();
        if all_count {
            let batch = F::Batch::from_columns(values, |_| true)?;
            self.rows.add_runs(batch, runs.iter().cloned(), groups);
        }
        Ok(all_count)
    }
}

/// Adds runs of rows, each of one group, which saves the group index of each row. Returns false,
/// and adds nothing, if the aggregate is not one of these folds or if some row contains a null.
pub fn add_runs(
    aggregate: &mut dyn GroupsAccumulator,
    values: &[ArrayRef],
    runs: &[GroupRun],
    groups: usize,
) -> Result<bool> {
    let aggregate: &mut dyn Any = aggregate;
    if let Some(folding) = aggregate.downcast_mut::<FoldAccumulator<Timeline>>() {
        return folding.add_runs(values, runs, groups);
    }
    if let Some(folding) = aggregate.downcast_mut::<FoldAccumulator<PollList>>() {
        return folding.add_runs(values, runs, groups);
    }
    if let Some(folding) = aggregate.downcast_mut::<FoldAccumulator<WeeklyHours>>() {
        return folding.add_runs(values, runs, groups);
    }
    Ok(false)
}

/// Predicate for the rows that count: those that pass the filter and have no null in a required
/// column. `None` if all rows count.
fn counted_rows<'a, F: GroupFold>(
    values: &'a [ArrayRef],
    filter: Option<&'a BooleanArray>,
) -> Option<impl Fn(usize) -> bool + Copy + 'a> {
    let columns = &values[..F::Batch::REQUIRED_COLUMNS];
    let all = filter.is_none() && columns.iter().all(|column| column.null_count() == 0);
    let counts =
        move |row| passes(filter, row) && columns.iter().all(|column| column.is_valid(row));
    (!all).then_some(counts)
}

impl<F: GroupFold> GroupsAccumulator for FoldAccumulator<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_of: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        match counted_rows::<F>(values, filter) {
            Some(counts) => {
                self.rows.add(F::Batch::from_columns(values, counts)?, group_of, groups, counts);
            }
            None => {
                self.rows.add(F::Batch::from_columns(values, |_| true)?, group_of, groups, |_| true)
            }
        }
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
        let groups = self.rows.emitted_groups(emit_to);
        let folded = self.fold.folded(&self.rows, groups)?;
        self.rows.drop_first(groups);
        Ok(folded)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.rows.emitted_groups(emit_to);
        let lists = self.rows.to_lists(groups)?;
        self.rows.drop_first(groups);
        Ok(vec![lists])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let counted_rows = counted_rows::<F>(values, filter);
        let counts = |row| counted_rows.is_none_or(|counts| counts(row));
        Ok(vec![single_row_lists(&F::Batch::from_columns(values, counts)?, rows, counts)?])
    }

    fn size(&self) -> usize {
        self.rows.size_bytes()
    }
}

/// Without groups, all rows belong to group 0. They stay after evaluation, because a window
/// function evaluates after each row.
impl<F: GroupFold> Accumulator for FoldAccumulator<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; values[0].len()];
        GroupsAccumulator::update_batch(self, values, &group_of, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; states[0].len()];
        GroupsAccumulator::merge_batch(self, states, &group_of, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.fold.folded(&self.rows, 1)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.rows.to_lists(1)?, 0)?])
    }

    fn size(&self) -> usize {
        self.rows.size_bytes()
    }
}
