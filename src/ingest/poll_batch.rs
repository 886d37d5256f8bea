//! Polls between rows and files: eight bytes each, grouped by store and UTC day.

use std::collections::HashMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::day_poll::DayPoll;
use super::fields;
use super::rejects::Reject;
use super::rows::Row;
use super::spill_file::{SpillFile, SpillRange};
use crate::error::Error;
use crate::rules::calendar::{DAY_US, day_of};

/// Interns ids: each has the number of its first appearance.
#[derive(Default)]
pub struct IdInterner {
    text: String,
    places: HashTable<IdPlace>,
    ends: Vec<usize>,
    hasher: DefaultHashBuilder,
}

/// Range of an id's text, kept beside its number to make look-ups local.
#[derive(Clone, Copy)]
struct IdPlace {
    start: usize,
    bytes: u32,
    number: u32,
}

impl IdPlace {
    fn get(self, text: &str) -> &str {
        &text[self.start..self.start + self.bytes as usize]
    }
}

impl IdInterner {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn id(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[number]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|number| self.id(number))
    }

    pub fn number(&mut self, id: &str) -> u32 {
        let Self { text, places, ends, hasher } = self;
        let hash = hasher.hash_one(id);
        if let Some(place) = places.find(hash, |place| place.get(text) == id) {
            return place.number;
        }
        let place =
            IdPlace { start: text.len(), bytes: id.len() as u32, number: ends.len() as u32 };
        text.push_str(id);
        ends.push(text.len());
        places.insert_unique(hash, place, |place| hasher.hash_one(place.get(text)));
        place.number
    }
}

/// Parses the store id, the instant and the status; rejects instants after `latest_at`.
pub fn read_poll<'a>(row: &Row<'a>, latest_at: i64) -> Result<(&'a str, i64, bool), Reject> {
    let id = row.read(0, fields::store_id)?;
    let polled_at = row.read(1, |field| {
        let polled_at = fields::timestamp(field)?;
        match polled_at > latest_at {
            true => Err(format!(
                "{:?} is more than 24 hours in the future; check the clock that wrote it",
                String::from_utf8_lossy(field)
            )),
            false => Ok(polled_at),
        }
    })?;
    Ok((id, polled_at, row.read(2, fields::status)?))
}

/// Unordered polls by UTC day; stores are numbered by the batch's own ids.
#[derive(Default)]
pub struct PollBatch {
    pub ids: IdInterner,
    days: HashMap<i64, DayPolls>,
    in_memory: usize,
}

/// Polls of a day, in memory and spilled.
#[derive(Default)]
struct DayPolls {
    polls: Vec<DayPoll>,
    spilled: Vec<SpillRange>,
}

/// Polls that one batch, or all finished ones together, may hold in memory: 128 MiB.
const IN_MEMORY_MAX: usize = 1 << 24;

impl PollBatch {
    /// Parses a row and adds its poll; rejects instants after `latest_at`.
    pub fn take(&mut self, row: &Row, latest_at: i64) -> Result<(), Reject> {
        let (id, polled_at, active) = read_poll(row, latest_at)?;
        let store = self.ids.number(id);
        let day = day_of(polled_at);
        let poll = DayPoll::new(store, polled_at - day * DAY_US, active);
        self.days.entry(day).or_default().polls.push(poll);
        self.in_memory += 1;
        Ok(())
    }

    /// Spills the polls if there are too many in memory.
    pub fn spill_if_large(&mut self, spill: &SpillFile) -> Result<(), Error> {
        match self.in_memory > IN_MEMORY_MAX {
            true => self.spill(spill),
            false => Ok(()),
        }
    }

    /// Spills the polls of all batches if there are too many in memory together.
    pub fn spill_all_if_large<'a>(
        batches: impl Iterator<Item = &'a mut PollBatch>,
        spill: &SpillFile,
    ) -> Result<(), Error> {
        let mut batches: Vec<_> = batches.collect();
        if batches.iter().map(|batch| batch.in_memory).sum::<usize>() > IN_MEMORY_MAX {
            for batch in &mut batches {
                batch.spill(spill)?;
            }
        }
        Ok(())
    }

    fn spill(&mut self, spill: &SpillFile) -> Result<(), Error> {
        for day in self.days.values_mut().filter(|day| !day.polls.is_empty()) {
            day.spilled.push(spill.write(&std::mem::take(&mut day.polls))?);
        }
        self.in_memory = 0;
        Ok(())
    }

    pub fn days(&self) -> impl Iterator<Item = i64> {
        self.days.keys().copied()
    }

    /// Removes and returns the polls of a day.
    pub fn take_day(&mut self, day: i64, spill: &SpillFile) -> Result<Vec<DayPoll>, Error> {
        let DayPolls { mut polls, spilled } = self.days.remove(&day).unwrap_or_default();
        for range in spilled {
            spill.read(range, &mut polls)?;
        }
        Ok(polls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_keeps_the_number_of_its_first_appearance() {
        let mut ids = IdInterner::default();
        let numbers: Vec<_> =
            ["b", "", "a", "b", "🍕", "a"].iter().map(|id| ids.number(id)).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 3, 2]);
        assert_eq!(ids.iter().collect::<Vec<_>>(), ["b", "", "a", "🍕"]);
    }
}
