//! Gathers the rows of each group as packed numbers, in whatever order they come.
//!
//! A state keeps every row, for only all rows of a group tell its steps: dropping a poll that
//! repeats a status would lose what it says once another partition's poll falls before it. Rows
//! that come sorted by group cost eight bytes each and are copied once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;

use super::stop::Stop;

/// Rows that came one after another for the same group.
#[derive(Clone, Copy, Debug)]
struct Run {
    group: usize,
    start: usize,
    end: usize,
}

/// Packed rows of many groups.
#[derive(Debug, Default)]
pub struct Gathered {
    packed: Vec<i64>,
    runs: Vec<Run>,
    groups: usize,
    /// Memory of rows that were forgotten, for those that stay the next time.
    spare: Vec<i64>,
}

impl Gathered {
    /// Makes room for a batch.
    pub fn expect(&mut self, rows: usize, groups: usize) {
        self.packed.reserve(rows);
        self.groups = self.groups.max(groups);
    }

    pub fn push(&mut self, group: usize, packed: i64) {
        let start = self.packed.len();
        self.packed.push(packed);
        self.note(group, start, start + 1);
    }

    /// Adds a row for each group, of which many in a row are the same; `pack` appends their numbers,
    /// or none where it fails.
    pub fn extend_grouped(
        &mut self,
        group_of: &[usize],
        pack: impl FnOnce(&mut Vec<i64>) -> Result<()>,
    ) -> Result<()> {
        let mut start = self.packed.len();
        pack(&mut self.packed)?;
        debug_assert_eq!(group_of.len(), self.packed.len() - start);
        for same in group_of.chunk_by(|left, right| left == right) {
            let end = start + same.len();
            self.note(same[0], start, end);
            start = end;
        }
        Ok(())
    }

    fn extend(&mut self, group: usize, packed: &[i64]) {
        let start = self.packed.len();
        self.packed.extend_from_slice(packed);
        self.note(group, start, self.packed.len());
    }

    /// The last rows are of the group.
    fn note(&mut self, group: usize, start: usize, end: usize) {
        match self.runs.last_mut() {
            _ if start == end => {}
            Some(run) if run.group == group => run.end = end,
            _ => self.runs.push(Run { group, start, end }),
        }
    }

    /// Adds lists that [`lists`](Self::lists) made.
    pub fn merge(&mut self, lists: &ArrayRef, group_of: &[usize], groups: usize) {
        let lists = lists.as_list::<i32>();
        let packed = lists.values().as_primitive::<Int64Type>().values();
        let offsets = lists.value_offsets();
        self.expect(packed.len(), groups);
        for (row, &group) in group_of.iter().enumerate() {
            if lists.is_valid(row) {
                self.extend(group, &packed[offsets[row] as usize..offsets[row + 1] as usize]);
            }
        }
    }

    /// How many groups are to be emitted.
    pub fn emitted(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(groups) => groups,
        }
    }

    /// Hands the rows of each of the first groups to `take`, in order of groups; all rows stay.
    ///
    /// # Errors
    /// Where nobody waits for them any more.
    pub fn each(&mut self, groups: usize, mut take: impl FnMut(&mut Vec<i64>)) -> Result<()> {
        let stop = Stop::of_thread();
        // By their first rows as well: runs that are each in order and do not overlap, as those of
        // several days, then make rows in order.
        let key = |run: &Run| (run.group, self.packed[run.start]);
        if !self.runs.is_sorted_by_key(key) {
            self.runs.sort_by_key(key);
        }
        let mut runs = self.runs.iter().peekable();
        let mut rows = Vec::new();
        for group in 0..groups {
            stop.unless_set()?;
            rows.clear();
            while let Some(run) = runs.next_if(|run| run.group == group) {
                rows.extend_from_slice(&self.packed[run.start..run.end]);
            }
            take(&mut rows);
        }
        Ok(())
    }

    /// Drops the first groups; later ones move down.
    pub fn forget(&mut self, groups: usize) {
        let before = std::mem::take(self);
        (self.packed, self.spare) = (before.spare, before.packed);
        self.groups = before.groups.saturating_sub(groups);
        for run in before.runs.iter().filter(|run| run.group >= groups) {
            let start = self.packed.len();
            self.packed.extend_from_slice(&self.spare[run.start..run.end]);
            self.note(run.group - groups, start, self.packed.len());
        }
        self.spare.clear();
    }

    /// The rows of the first groups as lists, to be merged elsewhere; all rows stay.
    pub fn lists(&mut self, groups: usize) -> Result<ArrayRef> {
        let (mut packed, mut lengths) = (Vec::with_capacity(self.packed.len()), Vec::new());
        self.each(groups, |rows| {
            packed.extend_from_slice(rows);
            lengths.push(rows.len());
        })?;
        lists_of(packed, lengths)
    }

    pub fn size_bytes(&self) -> usize {
        let rows = self.packed.capacity() + self.spare.capacity();
        rows * size_of::<i64>() + self.runs.capacity() * size_of::<Run>()
    }
}

/// A list of one for each packed row, an empty one for `None`.
pub fn lists_of_single_rows(rows: impl Iterator<Item = Option<i64>>) -> Result<ArrayRef> {
    let (mut packed, mut lengths) = (Vec::new(), Vec::new());
    for row in rows {
        packed.extend(row);
        lengths.push(usize::from(row.is_some()));
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

/// Type of the state that travels between partitions.
pub fn state_type() -> DataType {
    DataType::List(packed_item())
}

/// Whether an aggregate's `FILTER` lets the row through.
pub fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(gathered: &mut Gathered, emit_to: EmitTo) -> Vec<Vec<i64>> {
        let (mut groups, emitted) = (Vec::new(), gathered.emitted(emit_to));
        gathered.each(emitted, |rows| groups.push(rows.clone())).unwrap();
        gathered.forget(emitted);
        groups
    }

    #[test]
    fn rows_of_a_group_come_out_together_in_the_order_they_came() {
        let mut gathered = Gathered::default();
        gathered.expect(5, 3);
        for (group, packed) in [(1, 10), (1, 11), (0, 20), (1, 12), (2, 30)] {
            gathered.push(group, packed);
        }
        assert_eq!(emitted(&mut gathered, EmitTo::First(2)), [vec![20], vec![10, 11, 12]]);
        gathered.expect(1, 2);
        gathered.push(1, 40);
        assert_eq!(emitted(&mut gathered, EmitTo::All), [vec![30], vec![40]]);
        assert_eq!(emitted(&mut gathered, EmitTo::All), Vec::<Vec<i64>>::new());
    }

    #[test]
    fn a_group_without_rows_is_emitted_empty() {
        let mut gathered = Gathered::default();
        gathered.expect(0, 2);
        assert_eq!(emitted(&mut gathered, EmitTo::All), vec![Vec::<i64>::new(); 2]);
    }

    #[test]
    fn states_merge_to_what_one_gathering_would_hold() {
        let (mut left, mut right) = (Gathered::default(), Gathered::default());
        left.expect(2, 2);
        left.push(0, 1);
        left.push(1, 2);
        right.expect(1, 1);
        right.push(0, 3);
        let mut both = Gathered::default();
        both.merge(&left.lists(2).unwrap(), &[1, 0], 2);
        both.merge(&right.lists(1).unwrap(), &[1], 2);
        assert_eq!(emitted(&mut both, EmitTo::All), [vec![2], vec![1, 3]]);
    }
}
