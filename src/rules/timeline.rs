//! Timelines: the step function state(t) of a store, built from its polls.

use super::options::Interpolation;
use super::span::Span;

/// Status of a store at an instant, packed into eight bytes with the status in the lowest bit.
///
/// Polls order by instant, with inactive before active at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poll(i64);

impl Poll {
    /// The instant is in microseconds UTC and must be within 73,000 years of 1970.
    pub fn new(polled_at: i64, active: bool) -> Self {
        debug_assert!(polled_at.unsigned_abs() < 1 << 61);
        Self(polled_at << 1 | i64::from(active))
    }

    pub fn polled_at(self) -> i64 {
        self.0 >> 1
    }

    pub fn active(self) -> bool {
        self.0 & 1 == 1
    }

    pub fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    pub fn bits(self) -> i64 {
        self.0
    }
}

/// Sorts polls and keeps one per instant: inactive if statuses conflict. The result is called
/// normalized.
pub fn normalize(polls: &mut Vec<Poll>) {
    if !polls.is_sorted() {
        polls.sort_unstable();
    }
    polls.dedup_by_key(|poll| poll.polled_at());
}

/// State from `starts_at` until the next step: up, down, or `None` for unknown. The first step of a
/// timeline starts at [`Step::EVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub starts_at: i64,
    pub active: Option<bool>,
}

impl Step {
    /// Start of a step without a predecessor.
    pub const EVER: i64 = i64::MIN;
}

/// Step function of normalized polls over all time; empty without polls.
pub fn steps(polls: &[Poll], interpolation: Interpolation, max_gap_us: Option<i64>) -> Vec<Step> {
    let mut steps = Vec::new();
    steps_into(&mut steps, polls, interpolation, max_gap_us);
    steps
}

/// Like [`steps`], reusing the memory of `into`.
pub fn steps_into(
    into: &mut Vec<Step>,
    polls: &[Poll],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) {
    into.clear();
    let mut steps = StepsBuilder(std::mem::take(into));
    steps.fill(polls, (Step::EVER, i64::MAX), interpolation, max_gap_us);
    *into = steps.0;
}

/// Run of consecutive polls of one store; not empty.
pub trait PollRun<'a> {
    fn instants(&self) -> &'a [i64];

    /// 64 statuses per word, the first in the lowest bit; unused bits are arbitrary.
    fn statuses(&self) -> impl Iterator<Item = u64>;
}

/// True if the runs, taken together, are normalized: instants strictly ascend.
pub fn are_normalized<'a>(runs: &[impl PollRun<'a>]) -> bool {
    let mut last_at = i64::MIN;
    runs.iter().all(|run| {
        let instants = run.instants();
        let follows = instants.first().is_none_or(|&first| last_at < first);
        last_at = instants.last().copied().unwrap_or(last_at);
        follows && instants.is_sorted_by(|earlier, later| earlier < later)
    })
}

/// Replaces `into` with the [`steps`] of normalized runs without a maximum gap. Skips polls that
/// repeat a status.
pub fn steps_of_runs_into<'a>(
    into: &mut Vec<Step>,
    runs: &[impl PollRun<'a>],
    interpolation: Interpolation,
) {
    into.clear();
    // The preceding poll.
    let (mut last_at, mut status) = (Step::EVER, false);
    for run in runs {
        for (instants, words) in run.instants().chunks(64).zip(run.statuses()) {
            let Some(&ends_at) = instants.last() else { continue };
            if into.is_empty() {
                status = words & 1 == 1;
                into.push(Step { starts_at: Step::EVER, active: Some(status) });
            }
            // One bit for each poll whose status differs from the preceding one.
            let mut changes =
                (words ^ (words << 1 | u64::from(status))) & u64::MAX >> (64 - instants.len());
            while changes != 0 {
                let at = changes.trailing_zeros() as usize;
                let earlier_at = if at == 0 { last_at } else { instants[at - 1] };
                let starts_at = change_between(earlier_at, instants[at], interpolation);
                into.push(Step { starts_at, active: Some(words >> at & 1 == 1) });
                changes &= changes - 1;
            }
            status = words >> (instants.len() - 1) & 1 == 1;
            last_at = ends_at;
        }
    }
}

/// Replaces `into` with the state from the first to the last of the normalized polls, unknown
/// before and after. The last status has no duration but keeps its step, even if it repeats the one
/// before.
pub fn observed_steps_into(into: &mut Vec<Step>, polls: &[Poll]) {
    into.clear();
    let Some(last) = polls.last() else { return };
    into.push(Step { starts_at: Step::EVER, active: None });
    for poll in polls {
        let active = Some(poll.active());
        if into.last().is_none_or(|step| step.active != active) {
            into.push(Step { starts_at: poll.polled_at(), active });
        }
    }
    if into.last().is_some_and(|step| step.starts_at < last.polled_at()) {
        into.push(Step { starts_at: last.polled_at(), active: Some(last.active()) });
    }
    into.push(Step { starts_at: last.polled_at(), active: None });
}

/// Like [`steps`] without polls reaching beyond their scope; scopes are sorted and disjoint.
pub fn steps_within(
    polls: &[Poll],
    scopes: &[Span],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> Vec<Step> {
    let mut steps = StepsBuilder::default();
    let mut rest = polls;
    for scope in scopes {
        rest = &rest[rest.partition_point(|poll| poll.polled_at() < scope.starts_at())..];
        let (own, later) =
            rest.split_at(rest.partition_point(|poll| poll.polled_at() < scope.ends_at()));
        steps.fill(own, (scope.starts_at(), scope.ends_at()), interpolation, max_gap_us);
        rest = later;
    }
    steps.0
}

/// Segment over which the status of one poll holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSegment {
    pub poll: Poll,
    pub span: Span,
}

/// Segments that make up [`steps`], each with its poll; sorted and disjoint.
pub fn poll_segments(
    polls: &[Poll],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> Vec<PollSegment> {
    segments_between(polls, (Step::EVER, i64::MAX), interpolation, max_gap_us).collect()
}

/// Segments that make up [`steps_within`], each with its poll; sorted and disjoint.
pub fn poll_segments_within(
    polls: &[Poll],
    scopes: &[Span],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> Vec<PollSegment> {
    let of_scope = scopes.iter().flat_map(|scope| {
        let first = polls.partition_point(|poll| poll.polled_at() < scope.starts_at());
        let last = polls.partition_point(|poll| poll.polled_at() < scope.ends_at());
        let bounds = (scope.starts_at(), scope.ends_at());
        segments_between(&polls[first..last], bounds, interpolation, max_gap_us)
    });
    of_scope.collect()
}

/// Segments of the polls within the bounds; empty ones are left out.
#[inline]
fn segments_between(
    polls: &[Poll],
    (from, to): (i64, i64),
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> impl Iterator<Item = PollSegment> {
    let mut segment_from = from;
    polls.iter().enumerate().filter_map(move |(at, poll)| {
        let polled_at = poll.polled_at();
        let segment_to = match polls.get(at + 1) {
            Some(next) => change_between(polled_at, next.polled_at(), interpolation),
            None => to,
        };
        let (covered_from, covered_to) = match max_gap_us {
            Some(gap) => (
                segment_from.max(polled_at.saturating_sub(gap)),
                segment_to.min(polled_at.saturating_add(gap)),
            ),
            None => (segment_from, segment_to),
        };
        segment_from = segment_to;
        Some(PollSegment { poll: *poll, span: Span::new(covered_from, covered_to)? })
    })
}

/// Steps under construction: neighbours differ, and the first is at [`Step::EVER`].
#[derive(Default)]
struct StepsBuilder(Vec<Step>);

impl StepsBuilder {
    /// Appends the segments of the polls within the bounds; uncovered time is unknown.
    fn fill(
        &mut self,
        polls: &[Poll],
        bounds: (i64, i64),
        interpolation: Interpolation,
        max_gap_us: Option<i64>,
    ) {
        let mut pending: Option<(i64, i64, bool)> = None;
        for segment in segments_between(polls, bounds, interpolation, max_gap_us) {
            let (from, to, active) =
                (segment.span.starts_at(), segment.span.ends_at(), segment.poll.active());
            match &mut pending {
                // Merge adjacent segments with the same status.
                Some((_, end, status)) if *end == from && *status == active => *end = to,
                _ => {
                    let before = pending.replace((from, to, active));
                    before.into_iter().for_each(|(from, to, active)| self.hold(from, to, active));
                }
            }
        }
        if let Some((from, to, active)) = pending {
            self.hold(from, to, active);
        }
    }

    /// Appends the status over `[from, to)`; the time before and after it is unknown.
    fn hold(&mut self, from: i64, to: i64, active: bool) {
        match self.0.last_mut() {
            None if from > Step::EVER => self.0.push(Step { starts_at: Step::EVER, active: None }),
            // The unknown time after the preceding segment turns out to be empty.
            Some(open) if open.starts_at == from && open.active.is_none() => {
                self.0.pop();
            }
            _ => {}
        }
        if self.0.last().is_none_or(|last| last.active != Some(active)) {
            self.0.push(Step { starts_at: from, active: Some(active) });
        }
        if to < i64::MAX {
            self.0.push(Step { starts_at: to, active: None });
        }
    }
}

/// Instant at which the status changes between two consecutive polls.
fn change_between(earlier_at: i64, later_at: i64, interpolation: Interpolation) -> i64 {
    match interpolation {
        Interpolation::Previous => later_at,
        Interpolation::Nearest => earlier_at + (later_at - earlier_at + 1) / 2,
        Interpolation::Next => earlier_at,
    }
}

#[cfg(test)]
mod tests;
