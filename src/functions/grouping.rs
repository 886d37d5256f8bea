//! Collects rows by group, in any order of arrival.
//!
//! ```text
//! batch 0   rows 0..3 ▶ group 1   rows 3..4 ▶ group 0      runs of 16 bytes
//! batch 1   rows 0..9 ▶ group 1                            refer to the batches
//! ```
//!
//! Rows stay in their batches until they are folded. They take about eight bytes each, and sixteen
//! bytes per run. A partial state contains every row: a poll that repeats the status before it
//! matters if another partition has a poll between the two.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;

use crate::limits::CancellationFlag;

/// Rows of one batch; partial states encode each row as an integer.
pub trait RowBatch: Debug + Send + Sync + 'static {
    fn pack(&self, rows: Range<usize>, into: &mut Vec<i64>);

    fn unpack(packed: &[i64]) -> Self;

    fn size_bytes(&self) -> usize;
}

/// A [`GroupRun`] of one of the batches, in 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Run {
    group: u32,
    batch: u32,
    start: u32,
    end: u32,
}

impl Run {
    fn group(&self) -> usize {
        self.group as usize
    }

    fn rows(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Consecutive rows of a batch that belong to one group; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRun {
    pub group: usize,
    pub rows: Range<usize>,
}

/// Rows of a group that come from one batch.
#[derive(Debug)]
pub struct Part<'a, B> {
    pub batch: &'a B,
    pub rows: Range<usize>,
}

/// Rows of all groups.
#[derive(Debug)]
pub struct GroupedRows<B> {
    batches: Vec<B>,
    runs: Vec<Run>,
    groups: usize,
}

impl<B> Default for GroupedRows<B> {
    fn default() -> Self {
        Self { batches: Vec::new(), runs: Vec::new(), groups: 0 }
    }
}

impl<B: RowBatch> GroupedRows<B> {
    /// Adds the rows of a batch for which `counts` is true, each to its group in `group_of`.
    /// `groups` is the number of groups so far.
    pub fn add(
        &mut self,
        batch: B,
        group_of: &[usize],
        groups: usize,
        counts: impl Fn(usize) -> bool,
    ) {
        let mut row = 0;
        let runs = std::iter::from_fn(|| {
            while row < group_of.len() && !counts(row) {
                row += 1;
            }
            let (group, start) = (*group_of.get(row)?, row);
            while row < group_of.len() && group_of[row] == group && counts(row) {
                row += 1;
            }
            Some(GroupRun { group, rows: start..row })
        });
        self.add_runs(batch, runs, groups);
    }

    /// Adds rows of a batch, run by run.
    pub fn add_runs(&mut self, batch: B, runs: impl Iterator<Item = GroupRun>, groups: usize) {
        self.groups = self.groups.max(groups);
        let (place, before) = (self.batches.len() as u32, self.runs.len());
        self.runs.extend(runs.map(|GroupRun { group, rows }| Run {
            group: group as u32,
            batch: place,
            start: rows.start as u32,
            end: rows.end as u32,
        }));
        if self.runs.len() > before {
            self.batches.push(batch);
        }
    }

    /// Adds a partial state that [`to_lists`](Self::to_lists) returned.
    pub fn merge(&mut self, lists: &ArrayRef, group_of: &[usize], groups: usize) {
        let lists = lists.as_list::<i32>();
        let offsets = lists.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
        let packed = &lists.values().as_primitive::<Int64Type>().values()[first..last];
        let mut group_of_packed = Vec::with_capacity(packed.len());
        let mut is_null = Vec::with_capacity(packed.len());
        for (row, ends) in offsets.windows(2).enumerate() {
            let end = ends[1] as usize - first;
            group_of_packed.resize(end, group_of[row]);
            is_null.resize(end, lists.is_null(row));
        }
        self.add(B::unpack(packed), &group_of_packed, groups, |row| !is_null[row]);
    }

    /// Number of groups to emit.
    pub fn emitted_groups(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        }
    }

    /// Calls `take` with the parts of each of the first groups, in order of groups and of arrival.
    /// All rows stay.
    ///
    /// # Errors
    /// If the query was cancelled.
    pub fn for_each_group<'a>(
        &'a self,
        groups: usize,
        mut take: impl FnMut(&mut Vec<Part<'a, B>>),
    ) -> Result<()> {
        let cancellation = CancellationFlag::current();
        let (runs, ends) = self.by_group(groups);
        let (mut parts, mut start) = (Vec::new(), 0);
        for end in ends {
            cancellation.check()?;
            parts.clear();
            parts.extend(
                runs[start..end]
                    .iter()
                    .map(|run| Part { batch: &self.batches[run.batch as usize], rows: run.rows() }),
            );
            take(&mut parts);
            start = end;
        }
        Ok(())
    }

    /// Runs of the first groups, sorted by group and then by arrival, and the end of each group.
    fn by_group(&self, groups: usize) -> (Vec<Run>, Vec<usize>) {
        let asked = || self.runs.iter().filter(|run| run.group() < groups);
        let mut ends = vec![0; groups];
        asked().for_each(|run| ends[run.group()] += 1);
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        // Holds the start of each group until all its runs are placed.
        let nothing = Run { group: 0, batch: 0, start: 0, end: 0 };
        let mut runs = vec![nothing; total];
        for run in asked() {
            let place = &mut ends[run.group()];
            runs[*place] = *run;
            *place += 1;
        }
        (runs, ends)
    }

    /// Removes the first groups; the others are renumbered from 0.
    pub fn drop_first(&mut self, groups: usize) {
        self.groups = self.groups.saturating_sub(groups);
        self.runs.retain_mut(|run| {
            let stays = run.group() >= groups;
            run.group = run.group.wrapping_sub(groups as u32);
            stays
        });
        let mut is_left = vec![false; self.batches.len()];
        self.runs.iter().for_each(|run| is_left[run.batch as usize] = true);
        let mut left = 0;
        let places: Vec<u32> = is_left
            .iter()
            .map(|is_left| {
                left += u32::from(*is_left);
                left
            })
            .collect();
        self.runs.iter_mut().for_each(|run| run.batch = places[run.batch as usize] - 1);
        let mut is_left = is_left.into_iter();
        self.batches.retain(|_| is_left.next().unwrap_or(true));
    }

    /// Encodes the first groups as a partial state, one list per group. All rows stay.
    pub fn to_lists(&self, groups: usize) -> Result<ArrayRef> {
        let (mut packed, mut lengths) = (Vec::new(), Vec::with_capacity(groups));
        self.for_each_group(groups, |parts| {
            let before = packed.len();
            parts.iter().for_each(|part| part.batch.pack(part.rows.clone(), &mut packed));
            lengths.push(packed.len() - before);
        })?;
        lists_of(packed, lengths)
    }

    pub fn size_bytes(&self) -> usize {
        let batches = self.batches.iter().map(|batch| batch.size_bytes() + size_of::<B>());
        batches.sum::<usize>() + self.runs.capacity() * size_of::<Run>()
    }
}

/// Encodes each row of a batch as a partial state of its own, empty if the row does not count.
pub fn single_row_lists(
    batch: &impl RowBatch,
    rows: usize,
    counts: impl Fn(usize) -> bool,
) -> Result<ArrayRef> {
    let (mut packed, mut lengths) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in 0..rows {
        if counts(row) {
            batch.pack(row..row + 1, &mut packed);
        }
        lengths.push(usize::from(counts(row)));
    }
    lists_of(packed, lengths)
}

fn lists_of(packed: Vec<i64>, lengths: Vec<usize>) -> Result<ArrayRef> {
    let values = Arc::new(Int64Array::from(packed));
    let list =
        ListArray::try_new(packed_item(), OffsetBuffer::from_lengths(lengths), values, None)?;
    Ok(Arc::new(list))
}

fn packed_item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int64, false))
}

/// Type of a partial state.
pub fn state_type() -> DataType {
    DataType::List(packed_item())
}

/// True if the row passes an aggregate's `FILTER`.
pub fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Numbers(Vec<i64>);

    impl RowBatch for Numbers {
        fn pack(&self, rows: Range<usize>, into: &mut Vec<i64>) {
            into.extend_from_slice(&self.0[rows]);
        }

        fn unpack(packed: &[i64]) -> Self {
            Self(packed.to_vec())
        }

        fn size_bytes(&self) -> usize {
            self.0.len() * 8
        }
    }

    /// Adds numbers with their groups; negative numbers do not count.
    fn add(grouped: &mut GroupedRows<Numbers>, rows: &[(usize, i64)]) {
        let (group_of, numbers): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        let groups = group_of.iter().max().map_or(0, |last| last + 1);
        let counts = numbers.clone();
        grouped.add(Numbers(numbers), &group_of, groups, |row| counts[row] >= 0);
    }

    fn emitted_groups(grouped: &mut GroupedRows<Numbers>, emit_to: EmitTo) -> Vec<Vec<i64>> {
        let (mut groups, emitted_groups) = (Vec::new(), grouped.emitted_groups(emit_to));
        let each = grouped.for_each_group(emitted_groups, |parts| {
            let mut rows = Vec::new();
            parts.iter().for_each(|part| part.batch.pack(part.rows.clone(), &mut rows));
            groups.push(rows);
        });
        each.unwrap();
        grouped.drop_first(emitted_groups);
        groups
    }

    #[test]
    fn rows_of_a_group_keep_their_order() {
        let mut grouped = GroupedRows::default();
        add(&mut grouped, &[(1, 10), (1, 11), (0, 20), (1, 12), (2, 30)]);
        add(&mut grouped, &[(0, 21), (1, 13)]);
        add(&mut grouped, &[(2, 31), (2, 32)]);
        assert_eq!(
            emitted_groups(&mut grouped, EmitTo::First(2)),
            [vec![20, 21], vec![10, 11, 12, 13]]
        );
        assert_eq!(grouped.batches.len(), 2);
        add(&mut grouped, &[(1, 40)]);
        assert_eq!(emitted_groups(&mut grouped, EmitTo::All), [vec![30, 31, 32], vec![40]]);
        assert_eq!(emitted_groups(&mut grouped, EmitTo::All), Vec::<Vec<i64>>::new());
        assert_eq!(grouped.batches.len(), 0);
    }

    #[test]
    fn rows_that_do_not_count_are_left_out() {
        let mut grouped = GroupedRows::default();
        add(&mut grouped, &[(0, 1), (0, -1), (0, 2), (1, -1), (2, -1), (2, 3)]);
        add(&mut grouped, &[(0, -1), (3, -1)]);
        assert_eq!(grouped.batches.len(), 1);
        assert_eq!(
            emitted_groups(&mut grouped, EmitTo::All),
            [vec![1, 2], vec![], vec![3], vec![]]
        );
    }

    #[test]
    fn merged_states_equal_one_grouping_of_all_rows() {
        let (mut left, mut right) = (GroupedRows::default(), GroupedRows::default());
        add(&mut left, &[(0, 1), (1, 2)]);
        add(&mut right, &[(0, 3), (0, 4)]);
        let mut both = GroupedRows::default();
        both.merge(&left.to_lists(2).unwrap(), &[1, 0], 2);
        both.merge(&right.to_lists(1).unwrap().slice(0, 1), &[1], 2);
        assert_eq!(emitted_groups(&mut both, EmitTo::All), [vec![2], vec![1, 3, 4]]);
    }
}
