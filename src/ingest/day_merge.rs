//! Merges the polls of a load into the tables, day by day.
//!
//! The polls of a day are one file, rewritten by a load that adds to it. Beside it lie the carried
//! polls of that day, so that no reader has to look further back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::carried_polls::CarriedPolls;
use super::conflicts::{Conflict, Conflicts};
use super::day_poll::DayPoll;
use super::file_reader::ReadContext;
use super::poll_batch::PollBatch;
use super::poll_files::{NumberedPolls, Partition, read_polls, with_writers};
use super::spill_file::SpillFile;
use super::store_index::{PolledStores, StoreIndex};
use crate::error::Result;
use crate::rules::Poll;
use crate::tables::{Change, Dataset, NewFile, Table, TableFile};

/// Outcome of the valid polls of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// New instants of a store.
    pub loaded: u64,
    /// Polls that repeat a known one.
    pub duplicates: u64,
    /// Polls that contradict a known one; the instant counts as inactive.
    pub conflicts: u64,
}

/// Merges the batches into the days of the dataset, and adds the new files to `change`.
pub fn merge(
    (batches, context): (Vec<PollBatch>, ReadContext),
    dataset: Option<&Dataset>,
    (ids, polled): (&StoreIndex, &mut PolledStores),
    folder: &Path,
    change: &mut Change,
) -> Result<(MergeCounts, Conflicts)> {
    let mut fresh = NewPolls::new(batches, context.spill, ids);
    let Some(first_day) = fresh.days().min() else { return Ok(Default::default()) };
    let polls = files_by_day(dataset, Table::Polls);
    let carried = files_by_day(dataset, Table::Carried);
    let known_days = polls.range(first_day..).map(|(day, _)| *day);
    let days: BTreeSet<i64> = known_days.chain(fresh.days()).collect();
    let mut carried_polls = CarriedPolls::new(ids, polls.clone(), carried.clone());
    let (mut merged, mut conflicts) = (MergeCounts::default(), Conflicts::default());
    let new = with_writers(folder, ids, |write| {
        for day in days {
            context.control.check()?;
            if let Some(into) = carried_polls.carried_into(day)? {
                write(Partition { table: Table::Carried, day, polls: into })?;
            }
            let Some(new) = fresh.take(day)? else {
                carried_polls.finish_day(day, None);
                continue;
            };
            let known = polls.get(&day).map(|file| read_polls(file, ids)).transpose()?;
            let (merged, conflicts) = (&mut merged, &mut conflicts);
            let mut day_polls =
                DayMerge { polled, merged, conflicts, rows: Vec::new(), changed: false };
            day_polls.merge(&known.unwrap_or_default(), &new, day);
            let (rows, changed) = (day_polls.rows, day_polls.changed);
            carried_polls.finish_day(day, Some(&rows));
            if changed {
                write(Partition { table: Table::Polls, day, polls: rows })?;
            }
        }
        Ok(())
    })?;
    let (new_polls, new_carried) = new.into_iter().partition(|file| file.table == Table::Polls);
    replace_days(change, Table::Polls, polls, new_polls);
    replace_days(change, Table::Carried, carried, new_carried);
    Ok((merged, conflicts))
}

fn files_by_day(dataset: Option<&Dataset>, table: Table) -> BTreeMap<i64, &TableFile> {
    let files = dataset.map_or(&[][..], |dataset| dataset.files(table));
    files.iter().filter_map(|file| Some((file.day?, file))).collect()
}

fn replace_days(
    change: &mut Change,
    table: Table,
    mut known: BTreeMap<i64, &TableFile>,
    new: Vec<NewFile>,
) {
    if !new.is_empty() {
        known.retain(|day, _| new.iter().all(|file| file.day != Some(*day)));
        change.set(table, known.into_values().cloned().collect(), new);
    }
}

/// Sound polls of a load, by day.
struct NewPolls<'a> {
    batches: Vec<PollBatch>,
    spill: &'a SpillFile,
    /// For each batch, store numbers of the load by those of the batch.
    numbers: Vec<Vec<u32>>,
}

impl<'a> NewPolls<'a> {
    /// `ids` must contain every store of the batches.
    fn new(batches: Vec<PollBatch>, spill: &'a SpillFile, ids: &StoreIndex) -> Self {
        let of_batch = |batch: &PollBatch| {
            batch.ids.iter().map(|id| ids.number(id).expect("every store is numbered")).collect()
        };
        Self { numbers: batches.iter().map(of_batch).collect(), batches, spill }
    }

    fn days(&self) -> impl Iterator<Item = i64> {
        self.batches.iter().flat_map(|batch| batch.days())
    }

    /// Removes and returns the polls of a day in order, with repetitions; `None` if there are none.
    fn take(&mut self, day: i64) -> Result<Option<Vec<DayPoll>>> {
        let mut polls = Vec::new();
        for (batch, numbers) in self.batches.iter_mut().zip(&self.numbers) {
            let of_day = batch.take_day(day, self.spill)?;
            polls.extend(
                of_day.into_iter().map(|poll| poll.renumbered(numbers[poll.store() as usize])),
            );
        }
        polls.sort_unstable();
        Ok((!polls.is_empty()).then_some(polls))
    }
}

/// Merge of one day's polls.
struct DayMerge<'a> {
    polled: &'a mut PolledStores,
    merged: &'a mut MergeCounts,
    conflicts: &'a mut Conflicts,
    rows: NumberedPolls,
    /// True if the rows differ from those known before.
    changed: bool,
}

impl DayMerge<'_> {
    /// Merges sorted polls; `known` must not contain two of the same store and instant.
    fn merge(&mut self, known: &[(u32, Poll)], new: &[DayPoll], day: i64) {
        self.rows.reserve(known.len() + new.len());
        let mut known = known.iter().copied().peekable();
        for same in new.chunk_by(|left, right| left.same_instant(*right)) {
            let (store, poll) = (same[0].store(), same[0].poll(day));
            let at = (store, poll.polled_at());
            let is_before = |row: &(u32, Poll)| (row.0, row.1.polled_at()) < at;
            while let Some(row) = known.next_if(is_before) {
                self.rows.push(row);
            }
            let twin = known.next_if(|row| (row.0, row.1.polled_at()) == at);
            self.add(store, poll, same, twin.map(|(_, poll)| poll));
        }
        self.rows.extend(known);
    }

    /// Adds polls of the same store and instant; `poll` is the first, inactive if any of them is.
    fn add(&mut self, store: u32, poll: Poll, same: &[DayPoll], known: Option<Poll>) {
        let prevailing = known.unwrap_or(poll);
        let agreeing =
            same.iter().filter(|again| again.active() == prevailing.active()).count() as u64;
        let contradicting = same.len() - agreeing as usize;
        if contradicting > 0 {
            self.merged.conflicts += contradicting as u64;
            let (polled_at, prevailing) = (poll.polled_at(), prevailing.active());
            let is_known = known.is_some();
            self.conflicts.add(Conflict { store, polled_at, prevailing, is_known, contradicting });
        }
        if known.is_some() {
            self.merged.duplicates += agreeing;
            self.changed |= poll < prevailing;
        } else {
            self.merged.duplicates += agreeing - 1;
            self.merged.loaded += 1;
            self.polled.count(store, poll.polled_at());
            self.changed = true;
        }
        self.rows.push((store, poll.min(prevailing)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads rows of store 0 on day 0, drawn as `5+ 9-`.
    fn drawn(rows: &str) -> Vec<DayPoll> {
        let row = |word: &str| {
            let (at, status) = word.split_at(word.len() - 1);
            DayPoll::new(0, at.parse().unwrap(), status == "+")
        };
        let mut rows: Vec<_> = rows.split_whitespace().map(row).collect();
        rows.sort_unstable();
        rows
    }

    #[track_caller]
    fn check(known: &str, new: &str, expected: &str, counts: (u64, u64, u64), changed: bool) {
        let known: Vec<_> = drawn(known).into_iter().map(|row| (0, row.poll(0))).collect();
        let ids = StoreIndex::new(None, ["a"].into_iter()).unwrap();
        let (mut polled, mut merged) = (PolledStores::new(&ids, None), MergeCounts::default());
        let mut conflicts = Conflicts::default();
        let mut day = DayMerge {
            polled: &mut polled,
            merged: &mut merged,
            conflicts: &mut conflicts,
            rows: Vec::new(),
            changed: false,
        };
        day.merge(&known, &drawn(new), 0);
        let expected: Vec<_> = drawn(expected).into_iter().map(|row| (0, row.poll(0))).collect();
        assert_eq!((day.rows, day.changed), (expected, changed));
        assert_eq!((merged.loaded, merged.duplicates, merged.conflicts), counts);
    }

    #[test]
    fn a_repeated_poll_changes_nothing() {
        check("5+ 9-", "5+ 9- 9-", "5+ 9-", (0, 3, 0), false);
        check("", "5+ 5+ 5+", "5+", (1, 2, 0), true);
    }

    #[test]
    fn differing_statuses_of_one_instant_leave_it_inactive() {
        check("", "5+ 5-", "5-", (1, 0, 1), true);
        check("5+", "5-", "5-", (0, 0, 1), true);
        check("5-", "5+", "5-", (0, 0, 1), false);
    }

    #[test]
    fn new_instants_go_between_known_ones() {
        check("2+ 6- 8+", "1- 6- 7+ 9+", "1- 2+ 6- 7+ 8+ 9+", (3, 1, 0), true);
    }
}
