//! Conflicts: polls that contradict another one of the same store and instant. They are found while
//! days are merged; their lines are then looked up in the files, since polls do not keep them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::file_reader::{ReadContext, reread_polls};
use super::load_control::LoadControl;
use super::source::Source;
use super::store_index::StoreIndex;
use super::store_search::StoreSearch;
use crate::error::Result;
use crate::rules::calendar::day_of;
use crate::tables::Table;

/// Conflicting polls that a load lists; further ones are only counted.
pub const CONFLICTS_MAX: usize = 100_000;

/// Instant of a store with conflicting polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Number of the store in this load.
    pub store: u32,
    pub polled_at: i64,
    /// Status that is contradicted: the stored one, or inactive.
    pub prevailing: bool,
    /// True if the tables hold the prevailing poll, so that it need not be in a file of this load.
    pub is_known: bool,
    /// Number of polls with the other status in this load.
    pub contradicting: usize,
}

/// Conflicts in the order of days, stores and instants.
#[derive(Debug, Default)]
pub struct Conflicts {
    instants: Vec<Conflict>,
    polls: usize,
}

impl Conflicts {
    /// Adds conflicts up to [`CONFLICTS_MAX`].
    pub fn add(&mut self, instant: Conflict) {
        let contradicting = instant.contradicting.min(CONFLICTS_MAX - self.polls);
        if contradicting > 0 {
            self.polls += contradicting;
            self.instants.push(Conflict { contradicting, ..instant });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.instants.is_empty()
    }
}

/// File of polls read by this load.
pub struct PollFile {
    pub source: Source,
    pub content_hash: String,
    /// Days of its valid polls.
    pub days: HashSet<i64>,
}

/// Location of a poll in the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Location {
    /// Index of the file in the load.
    file: usize,
    line: u64,
}

/// Locations of the polls of an instant, by status.
#[derive(Clone, Debug, Default)]
struct Occurrences {
    /// First poll with the prevailing status.
    prevailing: Option<Location>,
    contradicting: Vec<Location>,
}

/// Builds the rows of the table `conflicts`. Reads the files with polls of the affected days again.
///
/// A stored poll has no line, and `known_file` as its file. Files that have changed since they were
/// read are ignored.
pub fn conflicts_batch(
    conflicts: &Conflicts,
    files: &[PollFile],
    ids: &StoreIndex,
    (version, known_file): (u64, Option<&str>),
    context: ReadContext,
) -> Result<RecordBatch> {
    let instants = &conflicts.instants;
    let occurrences = occurrences(instants, files, ids, context)?;
    let polls = || {
        let of_instant = |(at, instant): (usize, &Conflict)| {
            (0..instant.contradicting).map(move |poll| (at, poll)).collect::<Vec<_>>()
        };
        instants.iter().enumerate().flat_map(of_instant)
    };
    let place = |at: usize, poll: usize| occurrences[at].contradicting.get(poll);
    let other = |at: usize| occurrences[at].prevailing.as_ref().filter(|_| !instants[at].is_known);
    let label = |place: &Location| files[place.file].source.label();
    let other_file = |at: usize| match instants[at].is_known {
        true => known_file.map(str::to_owned),
        false => other(at).map(label),
    };
    let status = |active: bool| Some(if active { "active" } else { "inactive" });
    let instants_at = polls().map(|(at, _)| instants[at].polled_at).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![version as i64; conflicts.polls])),
        Arc::new(polls().map(|(at, _)| Some(ids.id(instants[at].store))).collect::<StringArray>()),
        Arc::new(TimestampMicrosecondArray::from(instants_at).with_timezone("UTC")),
        Arc::new(polls().map(|(at, _)| status(!instants[at].prevailing)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, poll)| place(at, poll).map(label)).collect::<StringArray>()),
        Arc::new(
            polls().map(|(at, poll)| Some(place(at, poll)?.line as i64)).collect::<Int64Array>(),
        ),
        Arc::new(polls().map(|(at, _)| status(instants[at].prevailing)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, _)| other_file(at)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, _)| Some(other(at)?.line as i64)).collect::<Int64Array>()),
    ];
    Ok(RecordBatch::try_new(Table::Conflicts.file_schema(), columns)?)
}

/// Locations of the polls of each instant.
fn occurrences(
    instants: &[Conflict],
    files: &[PollFile],
    ids: &StoreIndex,
    context: ReadContext,
) -> Result<Vec<Occurrences>> {
    let numbered = instants.iter().zip(0usize..);
    let places: HashMap<(&str, i64), usize> =
        numbered.map(|(instant, at)| ((ids.id(instant.store), instant.polled_at), at)).collect();
    let days: HashSet<i64> = instants.iter().map(|instant| day_of(instant.polled_at)).collect();
    let stores = StoreSearch::new(instants.iter().map(|instant| ids.id(instant.store)));
    let mut occurrences = vec![Occurrences::default(); instants.len()];
    for (file, read) in files.iter().enumerate().filter(|(_, file)| !file.days.is_disjoint(&days)) {
        let found = Mutex::new(vec![Occurrences::default(); instants.len()]);
        let see = |id: &str, polled_at: i64, active: bool, line: u64| {
            let Some(&at) = places.get(&(id, polled_at)) else { return };
            let place = Location { file, line };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let Occurrences { prevailing, contradicting } = &mut found[at];
            if active == instants[at].prevailing {
                let first = prevailing.take().map_or(place.clone(), |before| before.min(place));
                *prevailing = Some(first);
            } else {
                contradicting.push(place);
                if contradicting.len() > 2 * CONFLICTS_MAX {
                    contradicting.sort_unstable();
                    contradicting.truncate(CONFLICTS_MAX);
                }
            }
        };
        // These bytes were already counted.
        let control = LoadControl { stopped: context.control.stopped, on_read: &|_| {} };
        let context = ReadContext { control: &control, ..context };
        let content_hash = reread_polls(&read.source, context, &stores, see)?;
        if content_hash != read.content_hash {
            continue;
        }
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((all, mut found), instant) in occurrences.iter_mut().zip(found).zip(instants) {
            all.prevailing = all.prevailing.take().or(found.prevailing);
            found.contradicting.sort_unstable();
            all.contradicting.append(&mut found.contradicting);
            all.contradicting.truncate(instant.contradicting);
        }
    }
    Ok(occurrences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_conflicts_are_kept_than_are_listed() {
        let instant = Conflict {
            store: 0,
            polled_at: 1,
            prevailing: false,
            is_known: false,
            contradicting: 7,
        };
        let mut conflicts = Conflicts::default();
        (0..CONFLICTS_MAX).for_each(|_| conflicts.add(instant));
        assert_eq!(conflicts.polls, CONFLICTS_MAX);
        assert_eq!(conflicts.instants.len(), CONFLICTS_MAX.div_ceil(7));
    }
}
