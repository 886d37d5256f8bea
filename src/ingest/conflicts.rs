//! Polls that contradict another of the same store and instant: found when days are merged, and looked
//! up again in their files, since a poll on its way keeps no line.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::read::{Intake, Watch, polls_again};
use super::source::Source;
use super::store_search::StoreSearch;
use super::stores::Ids;
use crate::error::Result;
use crate::rules::calendar::day_of;
use crate::tables::Table;

/// How many conflicting polls a load lists; the rest are counted only.
pub const CONFLICTS_MAX: usize = 100_000;

/// One instant of one store at which polls differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// The store's number in this load.
    pub store: u32,
    pub polled_at: i64,
    /// The status that others contradict: what the tables hold, or inactive.
    pub said: bool,
    /// Whether the tables hold it, so that no file of this load need say it.
    pub is_known: bool,
    /// Polls of the other status in this load.
    pub contradicting: usize,
}

/// Conflicts as days are merged, in order of days, stores and instants.
#[derive(Debug, Default)]
pub struct Conflicts {
    instants: Vec<Instant>,
    polls: usize,
}

impl Conflicts {
    /// Keeps as many as are listed.
    pub fn add(&mut self, instant: Instant) {
        let contradicting = instant.contradicting.min(CONFLICTS_MAX - self.polls);
        if contradicting > 0 {
            self.polls += contradicting;
            self.instants.push(Instant { contradicting, ..instant });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.instants.is_empty()
    }
}

/// A file of polls that was read into the load.
pub struct PollFile {
    pub source: Source,
    pub content_hash: String,
    /// Days of its sound polls.
    pub days: HashSet<i64>,
}

/// Where a poll stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The file's place in the load.
    file: usize,
    line: u64,
}

/// Places of the polls at one instant, by what they say.
#[derive(Clone, Debug, Default)]
struct Sighted {
    /// The first one that says what others contradict.
    said: Option<Place>,
    contradicting: Vec<Place>,
}

/// The rows of `conflicts`: reads those files again that hold polls of the days in question.
///
/// A side that the tables held before has no line, and `known_file` as its file. A file that changed
/// since it was read tells nothing.
pub fn conflicts_batch(
    conflicts: &Conflicts,
    files: &[PollFile],
    ids: &Ids,
    (version, known_file): (u64, Option<&str>),
    intake: Intake,
) -> Result<RecordBatch> {
    let instants = &conflicts.instants;
    let sighted = sighted(instants, files, ids, intake)?;
    let polls = || {
        let of_instant = |(at, instant): (usize, &Instant)| {
            (0..instant.contradicting).map(move |poll| (at, poll)).collect::<Vec<_>>()
        };
        instants.iter().enumerate().flat_map(of_instant)
    };
    let place = |at: usize, poll: usize| sighted[at].contradicting.get(poll);
    let other = |at: usize| sighted[at].said.as_ref().filter(|_| !instants[at].is_known);
    let label = |place: &Place| files[place.file].source.label();
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
        Arc::new(polls().map(|(at, _)| status(!instants[at].said)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, poll)| place(at, poll).map(label)).collect::<StringArray>()),
        Arc::new(
            polls().map(|(at, poll)| Some(place(at, poll)?.line as i64)).collect::<Int64Array>(),
        ),
        Arc::new(polls().map(|(at, _)| status(instants[at].said)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, _)| other_file(at)).collect::<StringArray>()),
        Arc::new(polls().map(|(at, _)| Some(other(at)?.line as i64)).collect::<Int64Array>()),
    ];
    Ok(RecordBatch::try_new(Table::Conflicts.file_schema(), columns)?)
}

/// For each instant, where its polls stand.
fn sighted(
    instants: &[Instant],
    files: &[PollFile],
    ids: &Ids,
    intake: Intake,
) -> Result<Vec<Sighted>> {
    let numbered = instants.iter().zip(0usize..);
    let places: HashMap<(&str, i64), usize> =
        numbered.map(|(instant, at)| ((ids.id(instant.store), instant.polled_at), at)).collect();
    let days: HashSet<i64> = instants.iter().map(|instant| day_of(instant.polled_at)).collect();
    let stores = StoreSearch::new(instants.iter().map(|instant| ids.id(instant.store)));
    let mut sighted = vec![Sighted::default(); instants.len()];
    for (file, read) in files.iter().enumerate().filter(|(_, file)| !file.days.is_disjoint(&days)) {
        let found = Mutex::new(vec![Sighted::default(); instants.len()]);
        let see = |id: &str, polled_at: i64, active: bool, line: u64| {
            let Some(&at) = places.get(&(id, polled_at)) else { return };
            let place = Place { file, line };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let Sighted { said, contradicting } = &mut found[at];
            if active == instants[at].said {
                let first = said.take().map_or(place.clone(), |before| before.min(place));
                *said = Some(first);
            } else {
                contradicting.push(place);
                if contradicting.len() > 2 * CONFLICTS_MAX {
                    contradicting.sort_unstable();
                    contradicting.truncate(CONFLICTS_MAX);
                }
            }
        };
        // The bytes were counted when they were read first.
        let watch = Watch { stopped: intake.watch.stopped, read: &|_| {} };
        let intake = Intake { watch: &watch, ..intake };
        let content_hash = polls_again(&read.source, intake, &stores, see)?;
        if content_hash != read.content_hash {
            continue;
        }
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((all, mut found), instant) in sighted.iter_mut().zip(found).zip(instants) {
            all.said = all.said.take().or(found.said);
            found.contradicting.sort_unstable();
            all.contradicting.append(&mut found.contradicting);
            all.contradicting.truncate(instant.contradicting);
        }
    }
    Ok(sighted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_conflicts_are_kept_than_are_listed() {
        let instant =
            Instant { store: 0, polled_at: 1, said: false, is_known: false, contradicting: 7 };
        let mut conflicts = Conflicts::default();
        (0..CONFLICTS_MAX).for_each(|_| conflicts.add(instant));
        assert_eq!(conflicts.polls, CONFLICTS_MAX);
        assert_eq!(conflicts.instants.len(), CONFLICTS_MAX.div_ceil(7));
    }
}
