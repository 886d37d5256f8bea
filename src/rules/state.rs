//! Cuts a range into segments of one state each, and tells where the state comes from.

use super::keyword::{Keywords, keyword};
use super::options::NoData;
use super::span::Span;
use super::timeline::PollSegment;

/// Names of the states that polls decide on; true for up.
pub const STATES: Keywords<Option<bool>> =
    &[("up", Some(true)), ("down", Some(false)), ("unknown", None)];

/// Name of a state that polls decide on.
pub fn state_name(active: Option<bool>) -> &'static str {
    keyword(STATES, active)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    Down,
    /// Open, but not covered by any poll.
    Unknown,
    /// Outside of business hours, whatever polls say.
    Closed,
}

impl State {
    /// State that it counts as if unknown time counts as `no_data` says.
    #[must_use]
    pub fn counted(self, no_data: NoData) -> Self {
        match (self, no_data.counted(None)) {
            (Self::Unknown, Some(true)) => Self::Up,
            (Self::Unknown, Some(false)) => Self::Down,
            (state, _) => state,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Up => state_name(Some(true)),
            Self::Down => state_name(Some(false)),
            Self::Unknown => state_name(None),
            Self::Closed => "closed",
        }
    }
}

/// Position of the deciding poll relative to the time at which its status holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// At or before the instant, and within the range.
    Observed,
    /// Before the range.
    Carried,
    /// After the instant.
    Backfilled,
}

/// Segment over which state and origin stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSegment {
    pub span: Span,
    pub state: State,
    /// `None` if the state is closed or unknown.
    pub origin: Option<Origin>,
}

/// Cuts the range into consecutive segments without gaps; neighbours differ. `polls` and `open`
/// must be sorted and disjoint.
pub fn state_segments(range: Span, polls: &[PollSegment], open: &[Span]) -> Vec<StateSegment> {
    let mut segments = StateSegments(Vec::new());
    let mut at = range.starts_at();
    for span in open.iter().filter_map(|span| span.within(range)) {
        segments.push(at, span.starts_at(), State::Closed, None);
        segments.fill(span, polls, range.starts_at());
        at = span.ends_at();
    }
    segments.push(at, range.ends_at(), State::Closed, None);
    segments.0
}

/// Segments under construction.
struct StateSegments(Vec<StateSegment>);

impl StateSegments {
    /// Appends an open span; polls before `asked_from` count as carried.
    fn fill(&mut self, open: Span, polls: &[PollSegment], asked_from: i64) {
        let first = polls.partition_point(|held| held.span.ends_at() <= open.starts_at());
        let mut at = open.starts_at();
        for held in &polls[first..] {
            let Some(span) = held.span.within(open) else { break };
            let (polled_at, ends_at) = (held.poll.polled_at(), span.ends_at());
            let state = if held.poll.active() { State::Up } else { State::Down };
            let reached = polled_at.clamp(span.starts_at(), ends_at);
            let origin = if polled_at < asked_from { Origin::Carried } else { Origin::Observed };
            self.push(at, span.starts_at(), State::Unknown, None);
            self.push(span.starts_at(), reached, state, Some(Origin::Backfilled));
            self.push(reached, ends_at, state, Some(origin));
            at = ends_at;
        }
        self.push(at, open.ends_at(), State::Unknown, None);
    }

    fn push(&mut self, from: i64, to: i64, state: State, origin: Option<Origin>) {
        let Some(span) = Span::new(from, to) else { return };
        match self.0.last_mut() {
            Some(last) if (last.state, last.origin) == (state, origin) => {
                last.span = Span::new(last.span.starts_at(), to).unwrap_or(span);
            }
            _ => self.0.push(StateSegment { span, state, origin }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Interpolation::{self, Nearest, Next, Previous};
    use super::super::tests::drawing::{parse_polls, parse_spans};
    use super::super::timeline::poll_segments;
    use super::*;

    /// Draws a segment of the range 10..50 as `+o..20`: up, observed, until 20; states are `+ - ?`
    /// and `.` for closed.
    #[track_caller]
    fn check(polls: &str, open: &str, how: Interpolation, gap: Option<i64>, expected: &str) {
        let range = Span::new(10, 50).unwrap();
        let mut at = range.starts_at();
        let drawn = |segment: &StateSegment| {
            assert_eq!(segment.span.starts_at(), at);
            at = segment.span.ends_at();
            let state = match segment.state {
                State::Up => "+",
                State::Down => "-",
                State::Unknown => "?",
                State::Closed => ".",
            };
            let origin = match segment.origin {
                Some(Origin::Observed) => "o",
                Some(Origin::Carried) => "c",
                Some(Origin::Backfilled) => "b",
                None => "",
            };
            format!("{state}{origin}..{at}")
        };
        let polled = poll_segments(&parse_polls(polls), how, gap);
        let found = state_segments(range, &polled, &parse_spans(open));
        assert_eq!(found.iter().map(drawn).collect::<Vec<_>>().join(" "), expected);
        assert_eq!(at, range.ends_at());
    }

    #[test]
    fn a_status_is_carried_until_the_first_poll_of_the_range() {
        check("5+ 20- 30-", "0..99", Previous, None, "+c..20 -o..50");
        check("5+ 20+", "0..99", Previous, None, "+c..20 +o..50");
        check("10-", "0..99", Previous, None, "-o..50");
    }

    #[test]
    fn a_status_before_its_poll_is_backfilled() {
        check("20-", "0..99", Previous, None, "-b..20 -o..50");
        check("5+ 20-", "0..99", Nearest, None, "+c..13 -b..20 -o..50");
        check("5+ 20-", "0..99", Next, None, "-b..20 -o..50");
    }

    #[test]
    fn time_is_closed_outside_of_hours_and_unknown_without_polls() {
        check("5+ 20-", "15..25 30..40", Previous, None, "...15 +c..20 -o..25 ...30 -o..40 ...50");
        check("", "20..60", Previous, None, "...20 ?..50");
        check("20+", "0..99", Previous, Some(5), "?..15 +b..20 +o..25 ?..50");
        check("20+", "", Previous, None, "...50");
    }
}
