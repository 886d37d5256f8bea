//! The state of a store at every instant: polls, and the step function that they make.

use super::options::Interpolation;
use super::span::Span;

/// One status seen at one instant, in eight bytes: the instant above, the status in the lowest bit.
///
/// Polls order by instant, and an inactive one before an active one of the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poll(i64);

impl Poll {
    /// The instant in microseconds UTC, within 73,000 years of 1970.
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

/// Puts polls in order and leaves one an instant: inactive where statuses differ, since an outage
/// seen is an outage.
pub fn settle(polls: &mut Vec<Poll>) {
    if !polls.is_sorted() {
        polls.sort_unstable();
    }
    polls.dedup_by_key(|poll| poll.polled_at());
}

/// From `starts_at` on, until the next step: active, inactive, or `None` where no poll vouches.
/// The first step starts at [`Step::EVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub starts_at: i64,
    pub active: Option<bool>,
}

impl Step {
    /// Start of a step that nothing precedes.
    pub const EVER: i64 = i64::MIN;
}

/// The step function of settled polls over all time; empty without polls.
pub fn steps(polls: &[Poll], interpolation: Interpolation, max_gap_us: Option<i64>) -> Vec<Step> {
    let mut steps = Vec::new();
    steps_into(&mut steps, polls, interpolation, max_gap_us);
    steps
}

/// Replaces `into` with [`steps`], in the memory it has.
pub fn steps_into(
    into: &mut Vec<Step>,
    polls: &[Poll],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) {
    into.clear();
    let mut steps = Steps(std::mem::take(into));
    steps.fill(polls, (Step::EVER, i64::MAX), interpolation, max_gap_us);
    *into = steps.0;
}

/// Polls of one store that come one after another, at least one.
pub trait PollRun<'a> {
    fn instants(&self) -> &'a [i64];

    /// 64 to a word, the first in the lowest bit; what is left of the last word says nothing.
    fn statuses(&self) -> impl Iterator<Item = u64>;
}

/// Whether polls that come in runs are settled: each after the one before.
pub fn are_settled<'a>(runs: &[impl PollRun<'a>]) -> bool {
    let mut last_at = i64::MIN;
    runs.iter().all(|run| {
        let instants = run.instants();
        let follows = instants.first().is_none_or(|&first| last_at < first);
        last_at = instants.last().copied().unwrap_or(last_at);
        follows && instants.is_sorted_by(|earlier, later| earlier < later)
    })
}

/// Replaces `into` with [`steps`] of settled polls that come in runs, each of which vouches until the
/// next one. Polls that repeat a status are not looked at.
pub fn steps_of_runs_into<'a>(
    into: &mut Vec<Step>,
    runs: &[impl PollRun<'a>],
    interpolation: Interpolation,
) {
    into.clear();
    // The poll before.
    let (mut last_at, mut status) = (Step::EVER, false);
    for run in runs {
        for (instants, words) in run.instants().chunks(64).zip(run.statuses()) {
            let Some(&ends_at) = instants.last() else { continue };
            if into.is_empty() {
                status = words & 1 == 1;
                into.push(Step { starts_at: Step::EVER, active: Some(status) });
            }
            // A bit for each poll that says otherwise than the one before.
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

/// Replaces `into` with what settled polls say from the first to the last of them, each until the
/// next; unknown before and after. The last poll's status holds over no time, but is there, whether it
/// repeats the one before or not.
pub fn observed_into(into: &mut Vec<Step>, polls: &[Poll]) {
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

/// The step function of settled polls where each piece is filled from its own polls alone.
pub fn steps_within(
    polls: &[Poll],
    pieces: &[Span],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> Vec<Step> {
    let mut steps = Steps::default();
    let mut rest = polls;
    for piece in pieces {
        rest = &rest[rest.partition_point(|poll| poll.polled_at() < piece.starts_at())..];
        let (own, later) =
            rest.split_at(rest.partition_point(|poll| poll.polled_at() < piece.ends_at()));
        steps.fill(own, (piece.starts_at(), piece.ends_at()), interpolation, max_gap_us);
        rest = later;
    }
    steps.0
}

/// The time over which one poll's status holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub poll: Poll,
    pub span: Span,
}

/// Which poll makes which part of [`steps`]; in order, none overlapping another.
pub fn shares(polls: &[Poll], interpolation: Interpolation, max_gap_us: Option<i64>) -> Vec<Share> {
    shares_of(polls, (Step::EVER, i64::MAX), interpolation, max_gap_us).collect()
}

/// Which poll makes which part of [`steps_within`].
pub fn shares_within(
    polls: &[Poll],
    pieces: &[Span],
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> Vec<Share> {
    let of_piece = pieces.iter().flat_map(|piece| {
        let first = polls.partition_point(|poll| poll.polled_at() < piece.starts_at());
        let last = polls.partition_point(|poll| poll.polled_at() < piece.ends_at());
        let bounds = (piece.starts_at(), piece.ends_at());
        shares_of(&polls[first..last], bounds, interpolation, max_gap_us)
    });
    of_piece.collect()
}

/// What each poll vouches for within the bounds; what is empty is left out.
#[inline]
fn shares_of(
    polls: &[Poll],
    (from, to): (i64, i64),
    interpolation: Interpolation,
    max_gap_us: Option<i64>,
) -> impl Iterator<Item = Share> {
    let mut share_from = from;
    polls.iter().enumerate().filter_map(move |(at, poll)| {
        let polled_at = poll.polled_at();
        let share_to = match polls.get(at + 1) {
            Some(next) => change_between(polled_at, next.polled_at(), interpolation),
            None => to,
        };
        let (vouched_from, vouched_to) = match max_gap_us {
            Some(gap) => (
                share_from.max(polled_at.saturating_sub(gap)),
                share_to.min(polled_at.saturating_add(gap)),
            ),
            None => (share_from, share_to),
        };
        share_from = share_to;
        Some(Share { poll: *poll, span: Span::new(vouched_from, vouched_to)? })
    })
}

/// Steps under construction: no two neighbours alike, the first from [`Step::EVER`].
#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// Appends what the polls vouch for within the bounds, and what they leave open as unknown.
    fn fill(
        &mut self,
        polls: &[Poll],
        bounds: (i64, i64),
        interpolation: Interpolation,
        max_gap_us: Option<i64>,
    ) {
        let mut stretch: Option<(i64, i64, bool)> = None;
        for share in shares_of(polls, bounds, interpolation, max_gap_us) {
            let (from, to, active) =
                (share.span.starts_at(), share.span.ends_at(), share.poll.active());
            match &mut stretch {
                // Shares that follow each other and say the same are held as one.
                Some((_, end, status)) if *end == from && *status == active => *end = to,
                _ => {
                    let before = stretch.replace((from, to, active));
                    before.into_iter().for_each(|(from, to, active)| self.hold(from, to, active));
                }
            }
        }
        if let Some((from, to, active)) = stretch {
            self.hold(from, to, active);
        }
    }

    /// The status over `[from, to)`, unknown after it and between it and the step before.
    fn hold(&mut self, from: i64, to: i64, active: bool) {
        match self.0.last_mut() {
            None if from > Step::EVER => self.0.push(Step { starts_at: Step::EVER, active: None }),
            // The unknown that was left open after the stretch before turns out to be empty.
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

/// Where the earlier poll's status gives way to the later one's.
fn change_between(earlier_at: i64, later_at: i64, interpolation: Interpolation) -> i64 {
    match interpolation {
        Interpolation::Previous => later_at,
        Interpolation::Nearest => earlier_at + (later_at - earlier_at + 1) / 2,
        Interpolation::Next => earlier_at,
    }
}

#[cfg(test)]
mod tests;
