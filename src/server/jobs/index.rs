//! Index in memory of the reports that the database holds.
//!
//! Only [`super::writer`] changes it, after the change is on disk.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use super::files::FileUsage;
use super::job::{Job, State};
use super::record::{Ending, Remembered};

/// Idempotency keys that are remembered of a report; the oldest gives way to the next.
pub const KEYS_OF_REPORT_MAX: usize = 512;

#[derive(Default)]
pub struct JobIndex {
    by_id: HashMap<Uuid, Arc<Job>>,
    by_key: HashMap<[u8; 32], Arc<Job>>,
    by_sequence: BTreeMap<u64, Arc<Job>>,
    remembered: HashMap<String, Remembered>,
    /// The keys of each report, oldest first.
    keys: HashMap<Uuid, VecDeque<String>>,
    /// Reports whose records this version of the program cannot parse.
    unreadable: HashSet<Uuid>,
}

/// Limits on finished reports: their age, number and total size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub age_us: i64,
    pub reports_max: usize,
    /// Total size of the files on disk.
    pub bytes_max: u64,
}

impl Retention {
    /// Returns true if the report ended too long before the instant, microseconds UTC.
    pub fn is_past_age(self, job: &Job, at: i64) -> bool {
        job.finished_at().is_some_and(|ended_at| ended_at < at.saturating_sub(self.age_us))
    }
}

impl JobIndex {
    pub fn job(&self, id: Uuid) -> Option<Arc<Job>> {
        self.by_id.get(&id).cloned()
    }

    /// Report for an equal request, by its key; `None` if that report was cancelled.
    pub fn equivalent(&self, key: &[u8; 32]) -> Option<Arc<Job>> {
        let job = self.by_key.get(key)?;
        let cancelled = matches!(job.state(), State::Ended(Ending::Cancelled { .. }));
        (!cancelled).then(|| Arc::clone(job))
    }

    /// Ids of all reports, readable or not.
    pub fn ids(&self) -> HashSet<Uuid> {
        self.by_id.keys().chain(&self.unreadable).copied().collect()
    }

    pub fn is_unreadable(&self, id: Uuid) -> bool {
        self.unreadable.contains(&id)
    }

    pub fn note_unreadable(&mut self, id: Uuid) {
        self.unreadable.insert(id);
    }

    pub fn remembered(&self, key: &str) -> Option<Remembered> {
        self.remembered.get(key).copied()
    }

    /// Adds the key as the newest of its report.
    pub fn remember(&mut self, key: String, remembered: Remembered) {
        let keys = self.keys.entry(remembered.id).or_default();
        keys.push_back(key.clone());
        if keys.len() > KEYS_OF_REPORT_MAX
            && let Some(oldest) = keys.pop_front()
        {
            self.remembered.remove(&oldest);
        }
        self.remembered.insert(key, remembered);
    }

    /// Idempotency keys of the report, oldest first.
    pub fn keys_of(&self, id: Uuid) -> impl ExactSizeIterator<Item = &str> {
        let keys = self.keys.get(&id).unwrap_or(const { &VecDeque::new() });
        keys.iter().map(String::as_str)
    }

    pub fn next_sequence(&self) -> u64 {
        self.by_sequence.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    pub fn insert(&mut self, job: Arc<Job>) {
        self.by_id.insert(job.id, Arc::clone(&job));
        self.by_sequence.insert(job.sequence, Arc::clone(&job));
        if job.unread.is_some() {
            // Its request is unknown, so that it equals no other.
            return;
        }
        // An equal request makes a new report only after a cancellation: the newest one answers.
        let newest = self.by_key.entry(job.key).or_insert_with(|| Arc::clone(&job));
        if newest.sequence < job.sequence {
            *newest = job;
        }
    }

    pub fn remove(&mut self, id: Uuid) {
        let Some(job) = self.by_id.remove(&id) else { return };
        self.by_sequence.remove(&job.sequence);
        if self.by_key.get(&job.key).is_some_and(|of_key| of_key.id == id) {
            self.by_key.remove(&job.key);
        }
        for key in self.keys.remove(&id).unwrap_or_default() {
            self.remembered.remove(&key);
        }
    }

    /// Reports before the sequence number that match, newest first.
    pub fn newest(
        &self,
        before: Option<u64>,
        count: usize,
        is_wanted: impl Fn(&Job) -> bool,
    ) -> Vec<Arc<Job>> {
        let before = self.by_sequence.range(..before.unwrap_or(u64::MAX)).rev();
        let wanted = before.map(|(_, job)| job).filter(|job| is_wanted(job));
        wanted.take(count).cloned().collect()
    }

    /// Unfinished reports, in the order of their triggers.
    pub fn unfinished(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.by_sequence.values().filter(|job| !job.has_ended())
    }

    /// Reports to forget at an instant: too old, too many after them, or too large together with
    /// later ones. A file that is being read waits for the next time.
    pub fn due(
        &self,
        at: i64,
        retention: Retention,
        usage: impl Fn(Uuid) -> FileUsage,
    ) -> Vec<Uuid> {
        // They cannot be removed, but take up room.
        let mut bytes: u64 = self.unreadable.iter().map(|id| usage(*id).bytes).sum();
        let ended = self.by_sequence.values().rev().filter(|job| job.has_ended());
        let due = ended.enumerate().filter(|(place, job)| {
            let file = usage(job.id);
            bytes = bytes.saturating_add(file.bytes);
            let is_due = *place >= retention.reports_max
                || bytes > retention.bytes_max
                || retention.is_past_age(job, at);
            is_due && !file.is_read
        });
        due.map(|(_, job)| job.id).collect()
    }

    /// Number of reports in each state: queued, running, complete, failed, cancelled.
    pub fn counts(&self) -> [(&'static str, i64); 5] {
        let mut counts = ["queued", "running", "complete", "failed", "cancelled"].map(|s| (s, 0));
        for job in self.by_id.values() {
            let place = match job.state() {
                State::Queued => 0,
                State::Running { .. } => 1,
                State::Ended(Ending::Complete(_)) => 2,
                State::Ended(Ending::Failed { .. }) => 3,
                State::Ended(Ending::Cancelled { .. }) => 4,
            };
            counts[place].1 += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::jobs::record::ResolvedRequest;
    use crate::server::report_request::ReportRequest;

    /// Reports 1, 2, … that were cancelled at the given instants; `None` is still queued.
    fn index(ended_at: &[Option<i64>]) -> JobIndex {
        let mut index = JobIndex::default();
        for (sequence, ended_at) in (1..).zip(ended_at) {
            let resolved = ResolvedRequest {
                version: 1,
                fingerprint: [0; 32],
                zone_rules: String::new(),
                now: sequence as i64,
                request: ReportRequest::default(),
            };
            let state = match ended_at {
                Some(finished_at) => State::Ended(Ending::Cancelled { finished_at: *finished_at }),
                None => State::Queued,
            };
            index.insert(Arc::new(Job::new(
                Uuid::from_u128(sequence.into()),
                sequence,
                0,
                resolved,
                state,
            )));
        }
        index
    }

    #[track_caller]
    fn due(ended_at: &[Option<i64>], age_us: i64, reports_max: usize, expected: &[u128]) {
        let retention = Retention { age_us, reports_max, bytes_max: 0 };
        check_due(&index(ended_at), retention, |_| FileUsage::default(), expected);
    }

    #[track_caller]
    fn check_due(
        index: &JobIndex,
        retention: Retention,
        usage: impl Fn(Uuid) -> FileUsage,
        expected: &[u128],
    ) {
        let due = index.due(100, retention, usage);
        let mut due: Vec<_> = due.iter().map(|id| id.as_u128()).collect();
        due.sort_unstable();
        assert_eq!(due, expected);
    }

    /// Checks four reports of 10 bytes each, the last of which is unfinished.
    #[track_caller]
    fn due_by_size(bytes_max: u64, read: Option<u128>, unreadable: &[u128], expected: &[u128]) {
        let mut index = index(&[Some(97), Some(98), Some(99), None]);
        unreadable.iter().for_each(|id| index.note_unreadable(Uuid::from_u128(*id)));
        let retention = Retention { age_us: 1000, reports_max: 9, bytes_max };
        let usage = |id: Uuid| FileUsage { bytes: 10, is_read: Some(id.as_u128()) == read };
        check_due(&index, retention, usage, expected);
    }

    #[test]
    fn the_oldest_go_where_files_are_too_large_together() {
        due_by_size(30, None, &[], &[]);
        due_by_size(29, None, &[], &[1]);
        due_by_size(10, None, &[], &[1, 2]);
        due_by_size(0, None, &[], &[1, 2, 3]);
        due_by_size(10, Some(1), &[], &[2]);
        due_by_size(30, None, &[7], &[1]);
    }

    #[test]
    fn reports_go_when_they_are_too_old_or_too_many() {
        due(&[Some(89), Some(90), Some(91)], 10, 9, &[1]);
        due(&[Some(1), Some(2), Some(3)], 1000, 2, &[1]);
        due(&[None, Some(99), Some(99)], 10, 1, &[2]);
        due(&[None, None], 0, 0, &[]);
    }

    #[test]
    fn the_list_is_newest_first_and_continues_after_a_page() {
        let index = index(&[None, None, None, None]);
        let page = |before, count| -> Vec<_> {
            let wanted = index.newest(before, count, |job| job.sequence != 3);
            wanted.iter().map(|job| job.sequence).collect()
        };
        assert_eq!(page(None, 2), [4, 2]);
        assert_eq!(page(Some(2), 2), [1]);
    }
}
