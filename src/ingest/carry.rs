//! What every store carries from one day into the next: its last poll before it.

use std::collections::{BTreeMap, BTreeSet};

use super::poll_files::{NumberedPolls, read_polls};
use super::stores::Ids;
use crate::error::Result;
use crate::rules::Poll;
use crate::tables::TableFile;

/// Goes through days in order, and knows what is carried into each.
pub struct Carry<'a> {
    ids: &'a Ids,
    polls: BTreeMap<i64, &'a TableFile>,
    carried: BTreeMap<i64, &'a TableFile>,
    /// Days of the tables, and those that this load adds.
    days: BTreeSet<i64>,
    /// Last polls of the days that this load changed so far.
    fresh: LastPolls,
    /// Day gone through last, and every store's last poll at its end.
    after: Option<(i64, LastPolls)>,
}

impl<'a> Carry<'a> {
    pub fn new(
        ids: &'a Ids,
        polls: BTreeMap<i64, &'a TableFile>,
        carried: BTreeMap<i64, &'a TableFile>,
    ) -> Self {
        let days = polls.keys().copied().collect();
        Self { ids, polls, carried, days, fresh: LastPolls::none(ids), after: None }
    }

    /// What is carried into the day, where the tables do not say so already.
    ///
    /// A day that the tables hold has its row set; polls added before it can only be later than
    /// what is carried into it, never earlier.
    pub fn carried_into(&mut self, day: i64) -> Result<Option<NumberedPolls>> {
        let known = self.polls.contains_key(&day);
        let mut into = match known {
            true => self.table_says(day)?,
            false => self.after_day_before(day)?,
        };
        let changed = into.overlay(&self.fresh) || !known;
        let rows = changed.then(|| into.rows()).filter(|rows| !rows.is_empty());
        self.after = None;
        self.days.insert(day);
        self.after = Some((day, into));
        Ok(rows)
    }

    /// Goes on from the day: with its polls where this load changed them; without, the day's own
    /// polls stay unread until a later day asks.
    pub fn after_day(&mut self, day: i64, polls: Option<&NumberedPolls>) {
        match (polls, &mut self.after) {
            (Some(polls), Some((_, after))) => {
                after.see_all(polls);
                self.fresh.see_all(polls);
            }
            _ => self.after = None,
        }
        debug_assert!(self.after.as_ref().is_none_or(|(after, _)| *after == day));
    }

    fn table_says(&self, day: i64) -> Result<LastPolls> {
        let mut polls = LastPolls::none(self.ids);
        if let Some(file) = self.carried.get(&day) {
            polls.see_all(&read_polls(file, self.ids)?);
        }
        Ok(polls)
    }

    fn after_day_before(&mut self, day: i64) -> Result<LastPolls> {
        let Some(before) = self.days.range(..day).next_back().copied() else {
            return Ok(LastPolls::none(self.ids));
        };
        match self.after.take() {
            Some((after, polls)) if after == before => Ok(polls),
            _ => {
                let mut polls = self.table_says(before)?;
                if let Some(file) = self.polls.get(&before) {
                    polls.see_all(&read_polls(file, self.ids)?);
                }
                Ok(polls)
            }
        }
    }
}

/// The last poll of each store, by its number.
struct LastPolls(Vec<Option<Poll>>);

impl LastPolls {
    fn none(ids: &Ids) -> Self {
        Self(vec![None; ids.len()])
    }

    /// The later poll is kept, of one instant the inactive one; says whether it is another now.
    fn see(&mut self, number: u32, poll: Poll) -> bool {
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

    fn see_all(&mut self, polls: &NumberedPolls) {
        for &(number, poll) in polls {
            self.see(number, poll);
        }
    }

    fn overlay(&mut self, other: &LastPolls) -> bool {
        let mut changed = false;
        for (number, poll) in other.rows() {
            changed |= self.see(number, poll);
        }
        changed
    }

    fn rows(&self) -> NumberedPolls {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(number, poll)| Some((number as u32, (*poll)?))).collect()
    }
}
