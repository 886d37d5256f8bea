//! Heartbeats: each makes its sender live for a while; the rest of the range is dead.

use super::span::{Span, Spans};
use super::timeline::Step;

/// Live time of a range. The last live span may end after the range, to be carried into the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeats {
    pub range: Span,
    /// Every span starts within the range.
    pub live: Spans,
}

impl Heartbeats {
    /// Replaces `into` with the steps: up while live, down while dead, unknown outside.
    pub fn steps_into(&self, into: &mut Vec<Step>) {
        into.clear();
        into.push(Step { starts_at: Step::EVER, active: None });
        let mut dead_from = self.range.starts_at();
        for span in self.live.iter().filter_map(|span| span.within(self.range)) {
            if dead_from < span.starts_at() {
                into.push(Step { starts_at: dead_from, active: Some(false) });
            }
            into.push(Step { starts_at: span.starts_at(), active: Some(true) });
            dead_from = span.ends_at();
        }
        if dead_from < self.range.ends_at() {
            into.push(Step { starts_at: dead_from, active: Some(false) });
        }
        into.push(Step { starts_at: self.range.ends_at(), active: None });
    }

    /// Adds live time carried over from `before`; `None` unless it ends before this range.
    pub fn interpolate(&self, before: &Self) -> Option<Self> {
        if before.range.ends_at() > self.range.starts_at() {
            return None;
        }
        let from = Span::new(self.range.starts_at(), Span::FOREVER)?;
        let goes_on = before.live.last().and_then(|last| last.within(from));
        let live = self.live.iter().copied().chain(goes_on).collect();
        Some(Self { range: self.range, live: Spans::union(live) })
    }

    /// Cuts to a part of the range; `None` if `range` is not within it.
    pub fn trim_to(&self, range: Span) -> Option<Self> {
        if range.within(self.range) != Some(range) {
            return None;
        }
        let from = Span::new(range.starts_at(), Span::FOREVER)?;
        let starting = self.live.iter().filter(|span| span.starts_at() < range.ends_at());
        let live = starting.filter_map(|span| span.within(from)).collect();
        Some(Self { range, live: Spans::union(live) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::drawing::{draw_steps, parse_span, parse_spans};
    use super::*;

    /// Reads a range as `0..20` and live spans as `3..7 9..12`.
    fn beats(range: &str, live: &str) -> Heartbeats {
        Heartbeats { range: parse_span(range), live: Spans::union(parse_spans(live)) }
    }

    #[track_caller]
    fn check(found: &Heartbeats, expected: &str) {
        let mut steps = Vec::new();
        found.steps_into(&mut steps);
        assert_eq!(draw_steps(&steps), expected);
    }

    #[test]
    fn the_range_is_live_or_dead() {
        check(&beats("0..20", ""), "? 0- 20?");
        check(&beats("0..20", "3..7 9..12"), "? 0- 3+ 7- 9+ 12- 20?");
        check(&beats("0..20", "0..7"), "? 0+ 7- 20?");
        check(&beats("0..20", "18..25"), "? 0- 18+ 20?");
        check(&beats("0..20", "0..25"), "? 0+ 20?");
    }

    #[test]
    fn live_time_is_carried_into_the_next_range() {
        let next = beats("20..40", "22..25");
        check(&next.interpolate(&beats("0..20", "18..21")).unwrap(), "? 20+ 21- 22+ 25- 40?");
        check(&next.interpolate(&beats("0..20", "18..23")).unwrap(), "? 20+ 25- 40?");
        check(&next.interpolate(&beats("0..20", "18..20")).unwrap(), "? 20- 22+ 25- 40?");
        check(&next.interpolate(&beats("0..20", "")).unwrap(), "? 20- 22+ 25- 40?");
        check(&next.interpolate(&beats("0..10", "8..60")).unwrap(), "? 20+ 40?");
        assert_eq!(next.interpolate(&beats("0..21", "")), None);
    }

    #[test]
    fn trimming_keeps_the_states_of_the_part() {
        let whole = beats("0..40", "3..7 9..12 30..50");
        let part = whole.trim_to(parse_span("5..10")).unwrap();
        check(&part, "? 5+ 7- 9+ 10?");
        assert_eq!(part.live.last(), Some(&parse_span("9..12")));
        check(&whole.trim_to(parse_span("12..30")).unwrap(), "? 12- 30?");
        assert_eq!(whole.trim_to(parse_span("5..41")), None);
        assert_eq!(whole.trim_to(parse_span("0..40")), Some(whole.clone()));
    }
}
