//! Carried polls: the last poll of each store before a day, kept in that day's file.

use std::collections::{BTreeMap, BTreeSet};

use super::poll_files::{NumberedPolls, read_polls};
use super::store_index::StoreIndex;
use crate::error::Result;
use crate::rules::Poll;
use crate::tables::TableFile;

/// Visits days in ascending order and computes the polls carried into each.
pub struct CarriedPolls<'a> {
    ids: &'a StoreIndex,
    polls: BTreeMap<i64, &'a TableFile>,
    carried: BTreeMap<i64, &'a TableFile>,
    /// Days of the tables and of this load so far.
    days: BTreeSet<i64>,
    /// Last polls of the days that this load has changed so far.
    fresh: LastPolls,
    /// Last visited day, with the last poll of every store at its end.
    after: Option<(i64, LastPolls)>,
}

impl<'a> CarriedPolls<'a> {
    pub fn new(
        ids: &'a StoreIndex,
        polls: BTreeMap<i64, &'a TableFile>,
        carried: BTreeMap<i64, &'a TableFile>,
    ) -> Self {
        let days = polls.keys().copied().collect();
        Self { ids, polls, carried, days, fresh: LastPolls::empty(ids), after: None }
    }

    /// Polls carried into the day; `None` if the tables already hold the same.
    ///
    /// Polls that this load adds before a known day can only be later than those carried into it.
    pub fn carried_into(&mut self, day: i64) -> Result<Option<NumberedPolls>> {
        let known = self.polls.contains_key(&day);
        let mut into = match known {
            true => self.stored_carried(day)?,
            false => self.after_preceding_day(day)?,
        };
        let changed = into.overlay(&self.fresh) || !known;
        let rows = changed.then(|| into.rows()).filter(|rows| !rows.is_empty());
        self.after = None;
        self.days.insert(day);
        self.after = Some((day, into));
        Ok(rows)
    }

    /// Advances past the day, with its polls if this load changed them. Otherwise the day's file is
    /// read only if a later day needs it.
    pub fn finish_day(&mut self, day: i64, polls: Option<&NumberedPolls>) {
        match (polls, &mut self.after) {
            (Some(polls), Some((_, after))) => {
                after.observe_all(polls);
                self.fresh.observe_all(polls);
            }
            _ => self.after = None,
        }
        debug_assert!(self.after.as_ref().is_none_or(|(after, _)| *after == day));
    }

    fn stored_carried(&self, day: i64) -> Result<LastPolls> {
        let mut polls = LastPolls::empty(self.ids);
        if let Some(file) = self.carried.get(&day) {
            polls.observe_all(&read_polls(file, self.ids)?);
        }
        Ok(polls)
    }

    fn after_preceding_day(&mut self, day: i64) -> Result<LastPolls> {
        let Some(before) = self.days.range(..day).next_back().copied() else {
            return Ok(LastPolls::empty(self.ids));
        };
        match self.after.take() {
            Some((after, polls)) if after == before => Ok(polls),
            _ => {
                let mut polls = self.stored_carried(before)?;
                if let Some(file) = self.polls.get(&before) {
                    polls.observe_all(&read_polls(file, self.ids)?);
                }
                Ok(polls)
            }
        }
    }
}

/// Last poll of each store, by its number.
struct LastPolls(Vec<Option<Poll>>);

impl LastPolls {
    fn empty(ids: &StoreIndex) -> Self {
        Self(vec![None; ids.len()])
    }

    /// Keeps the later poll, or the inactive one of an instant; returns true if it was replaced.
    fn observe(&mut self, number: u32, poll: Poll) -> bool {
        let last = &mut self.0[number as usize];
        let replaces = last.is_none_or(|last| {
            poll.polled_at() > last.polled_at()
                || poll.polled_at() == last.polled_at() && poll < last
        });
        if replaces {
            *last = Some(poll);
        }
        replaces
    }

    fn observe_all(&mut self, polls: &NumberedPolls) {
        for &(number, poll) in polls {
            self.observe(number, poll);
        }
    }

    fn overlay(&mut self, other: &LastPolls) -> bool {
        let mut changed = false;
        for (number, poll) in other.rows() {
            changed |= self.observe(number, poll);
        }
        changed
    }

    fn rows(&self) -> NumberedPolls {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(number, poll)| Some((number as u32, (*poll)?))).collect()
    }
}
