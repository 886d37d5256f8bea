//! The polls of a load, merged day by day into the files of the tables.
//!
//! A day's polls are one file, written anew where a load adds to it. With each goes what every
//! store carries into that day, so that no reader has to go further back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::carry::Carry;
use super::conflicts::{Conflicts, Instant};
use super::poll_files::{NumberedPolls, Partition, read_polls, while_writing};
use super::polls::{DayPoll, PollBatch};
use super::read::Intake;
use super::spill::Spill;
use super::stores::{Ids, PolledStores};
use crate::error::Result;
use crate::rules::Poll;
use crate::tables::{Change, Dataset, NewFile, Table, TableFile};

/// What became of the sound polls of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Instants at which the store was not known to be polled.
    pub loaded: u64,
    /// Polls that say again what is known.
    pub duplicates: u64,
    /// Polls that say otherwise of a known instant, which is inactive then.
    pub conflicts: u64,
}

/// Merges the batches into the dataset's days, and adds what that changes; tells the conflicts.
pub fn merge(
    (batches, intake): (Vec<PollBatch>, Intake),
    dataset: Option<&Dataset>,
    (ids, polled): (&Ids, &mut PolledStores),
    folder: &Path,
    change: &mut Change,
) -> Result<(Merged, Conflicts)> {
    let mut fresh = FreshPolls::new(batches, intake.spill, ids);
    let Some(first_day) = fresh.days().min() else { return Ok(Default::default()) };
    let polls = files_by_day(dataset, Table::Polls);
    let carried = files_by_day(dataset, Table::Carried);
    let known_days = polls.range(first_day..).map(|(day, _)| *day);
    let days: BTreeSet<i64> = known_days.chain(fresh.days()).collect();
    let mut carry = Carry::new(ids, polls.clone(), carried.clone());
    let (mut merged, mut conflicts) = (Merged::default(), Conflicts::default());
    let new = while_writing(folder, ids, |write| {
        for day in days {
            intake.watch.check()?;
            if let Some(into) = carry.carried_into(day)? {
                write(Partition { table: Table::Carried, day, polls: into })?;
            }
            let Some(new) = fresh.take(day)? else {
                carry.after_day(day, None);
                continue;
            };
            let known = polls.get(&day).map(|file| read_polls(file, ids)).transpose()?;
            let (merged, conflicts) = (&mut merged, &mut conflicts);
            let mut day_polls =
                DayMerge { polled, merged, conflicts, rows: Vec::new(), changed: false };
            day_polls.merge(&known.unwrap_or_default(), &new, day);
            let (rows, changed) = (day_polls.rows, day_polls.changed);
            carry.after_day(day, Some(&rows));
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

/// The sound polls of a load, day by day.
struct FreshPolls<'a> {
    batches: Vec<PollBatch>,
    spill: &'a Spill,
    /// For each batch, the stores' numbers by those that the batch gave them.
    numbers: Vec<Vec<u32>>,
}

impl<'a> FreshPolls<'a> {
    /// `ids` holds every store of the batches.
    fn new(batches: Vec<PollBatch>, spill: &'a Spill, ids: &Ids) -> Self {
        let of_batch = |batch: &PollBatch| {
            batch.ids.iter().map(|id| ids.number(id).expect("every store is numbered")).collect()
        };
        Self { numbers: batches.iter().map(of_batch).collect(), batches, spill }
    }

    fn days(&self) -> impl Iterator<Item = i64> {
        self.batches.iter().flat_map(|batch| batch.days())
    }

    /// The polls of a day in order, those said more than once as often as they were; `None` where
    /// there are none.
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

/// One day's polls as they come together.
struct DayMerge<'a> {
    polled: &'a mut PolledStores,
    merged: &'a mut Merged,
    conflicts: &'a mut Conflicts,
    rows: NumberedPolls,
    /// Whether the rows are others than those known before.
    changed: bool,
}

impl DayMerge<'_> {
    /// Both in order; of `known` no two are of one store and instant.
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

    /// Adds the polls of one store and instant; `poll` is the first of them, inactive if any is.
    fn add(&mut self, store: u32, poll: Poll, same: &[DayPoll], known: Option<Poll>) {
        let said = known.unwrap_or(poll);
        let agreeing = same.iter().filter(|again| again.active() == said.active()).count() as u64;
        let contradicting = same.len() - agreeing as usize;
        if contradicting > 0 {
            self.merged.conflicts += contradicting as u64;
            let (polled_at, said) = (poll.polled_at(), said.active());
            let is_known = known.is_some();
            self.conflicts.add(Instant { store, polled_at, said, is_known, contradicting });
        }
        if known.is_some() {
            self.merged.duplicates += agreeing;
            self.changed |= poll < said;
        } else {
            self.merged.duplicates += agreeing - 1;
            self.merged.loaded += 1;
            self.polled.count(store, poll.polled_at());
            self.changed = true;
        }
        self.rows.push((store, poll.min(said)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws rows of store 0 on day 0 as `5+ 9-`.
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
        let ids = Ids::new(None, ["a"].into_iter()).unwrap();
        let (mut polled, mut merged) = (PolledStores::new(&ids, None), Merged::default());
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
    fn a_poll_said_again_changes_nothing() {
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
