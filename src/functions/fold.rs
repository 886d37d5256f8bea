//! The rows of each group on their way into one value: gathered as packed numbers, then folded.

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use super::aggregates::Fold;
use super::gather::{Gathered, lists_of_single_rows, passes};
use super::lists::{PollLists, Timelines, Weeks};
use super::packed;
use crate::rules::timeline::{observed_into, settle, steps_into};
use crate::rules::{Interpolation, Poll, Step};

#[derive(Debug)]
pub struct Folding {
    fold: Fold,
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
    rows: Gathered,
}

impl Folding {
    pub fn new(fold: Fold, interpolation: Interpolation, max_gap_us: Option<i64>) -> Self {
        Self { fold, interpolation, max_gap_us, rows: Gathered::default() }
    }

    /// Hands on each row that counts, packed; a null in any column makes it none.
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
        if self.fold == Fold::WeeklyHours {
            return packed::openings(values, counts, take);
        }
        let mut polls = Vec::with_capacity(values[0].len());
        packed::append_polls(values, &mut polls)?;
        for (row, poll) in polls.into_iter().enumerate() {
            take(row, counts(row).then_some(poll));
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

    /// A value for each of the first groups, whose rows stay.
    fn folded(&mut self, groups: usize) -> Result<ArrayRef> {
        let (how, gap) = (self.interpolation, self.max_gap_us);
        match self.fold {
            Fold::Timeline => {
                self.timelines(groups, |steps, polls| steps_into(steps, polls, how, gap))
            }
            Fold::StateAgg => self.timelines(groups, observed_into),
            Fold::PollList => {
                let mut lists = PollLists::default();
                self.each_settled(groups, |polls| lists.push(polls))?;
                lists.finish()
            }
            Fold::WeeklyHours => {
                let mut weeks = Weeks::default();
                self.rows.each(groups, |rows| {
                    rows.sort_unstable();
                    let openings = rows.iter().filter_map(|&row| packed::read_opening(row));
                    weeks.push((!rows.is_empty()).then_some(openings));
                })?;
                weeks.finish()
            }
        }
    }

    fn timelines(
        &mut self,
        groups: usize,
        fold: impl Fn(&mut Vec<Step>, &[Poll]),
    ) -> Result<ArrayRef> {
        let mut steps = Vec::new();
        let mut timelines = Timelines::default();
        self.each_settled(groups, |polls| {
            if let Some(polls) = polls {
                fold(&mut steps, polls);
            }
            timelines.push(polls.map(|_| steps.as_slice()));
        })?;
        timelines.finish()
    }

    /// Hands on the polls of each group, in order, one an instant; `None` where there are none.
    fn each_settled(&mut self, groups: usize, mut take: impl FnMut(Option<&[Poll]>)) -> Result<()> {
        let mut polls = Vec::new();
        self.rows.each(groups, |rows| {
            packed::read_polls(rows, &mut polls);
            settle(&mut polls);
            take((!polls.is_empty()).then_some(&polls));
        })
    }
}

impl GroupsAccumulator for Folding {
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
            rows.extend_grouped(group_of, |into| packed::append_polls(values, into))?;
        } else {
            self.each_packed(values, filter, |row, packed| {
                if let Some(packed) = packed {
                    rows.push(group_of[row], packed);
                }
            })?;
        }
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
        let groups = self.rows.emitted(emit_to);
        let folded = self.folded(groups)?;
        self.rows.forget(groups);
        Ok(folded)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.rows.emitted(emit_to);
        let lists = self.rows.lists(groups)?;
        self.rows.forget(groups);
        Ok(vec![lists])
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

/// The same without groups: all rows are of group 0, and stay, for a window asks after each row.
impl Accumulator for Folding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; values[0].len()];
        GroupsAccumulator::update_batch(self, values, &group_of, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let group_of = vec![0; states[0].len()];
        GroupsAccumulator::merge_batch(self, states, &group_of, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.folded(1)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.rows.lists(1)?, 0)?])
    }

    fn size(&self) -> usize {
        self.rows.size_bytes()
    }
}
