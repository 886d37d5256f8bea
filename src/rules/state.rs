//! A range in stretches of one state each, and where the state comes from.

use super::span::Span;
use super::timeline::Share;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    Down,
    /// Open, and no poll vouches.
    Unknown,
    /// Not scheduled to be open, whatever polls say.
    Closed,
}

/// How the poll whose status holds lies to the instant at which it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// At the instant or before it, within the range.
    Observed,
    /// Before the range.
    Carried,
    /// After the instant.
    Backfilled,
}

/// A stretch over which state and origin stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub span: Span,
    pub state: State,
    /// `None` of a stretch that is closed or unknown.
    pub origin: Option<Origin>,
}

/// The range in order, without a gap, no two neighbours alike. Open spans and shares come in order
/// and do not overlap.
pub fn stretches(range: Span, shares: &[Share], open: &[Span]) -> Vec<Stretch> {
    let mut stretches = Stretches(Vec::new());
    let mut at = range.starts_at();
    for span in open.iter().filter_map(|span| span.within(range)) {
        stretches.push(at, span.starts_at(), State::Closed, None);
        stretches.fill(span, shares, range.starts_at());
        at = span.ends_at();
    }
    stretches.push(at, range.ends_at(), State::Closed, None);
    stretches.0
}

/// Stretches under construction.
struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Appends an open span, polls before `asked_from` being carried.
    fn fill(&mut self, open: Span, shares: &[Share], asked_from: i64) {
        let first = shares.partition_point(|share| share.span.ends_at() <= open.starts_at());
        let mut at = open.starts_at();
        for share in &shares[first..] {
            let Some(span) = share.span.within(open) else { break };
            let (polled_at, ends_at) = (share.poll.polled_at(), span.ends_at());
            let state = if share.poll.active() { State::Up } else { State::Down };
            let reached = polled_at.clamp(span.starts_at(), ends_at);
            let held = if polled_at < asked_from { Origin::Carried } else { Origin::Observed };
            self.push(at, span.starts_at(), State::Unknown, None);
            self.push(span.starts_at(), reached, state, Some(Origin::Backfilled));
            self.push(reached, ends_at, state, Some(held));
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
            _ => self.0.push(Stretch { span, state, origin }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Interpolation::{self, Nearest, Next, Previous};
    use super::super::timeline::{Poll, shares};
    use super::*;

    /// Polls as `5+ 9-`, open spans as `3..7`, over the range 10..50; a stretch as `+o..20`: up,
    /// observed, until 20. States are `+ - ? .` for closed, origins the first letters.
    #[track_caller]
    fn check(polls: &str, open: &str, how: Interpolation, gap: Option<i64>, expected: &str) {
        let poll = |word: &str| {
            let (at, status) = word.split_at(word.len() - 1);
            Poll::new(at.parse().unwrap(), status == "+")
        };
        let span = |word: &str| {
            let (from, to) = word.split_once("..").unwrap();
            Span::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
        };
        let polls: Vec<_> = polls.split_whitespace().map(poll).collect();
        let open: Vec<_> = open.split_whitespace().map(span).collect();
        let range = Span::new(10, 50).unwrap();
        let mut at = range.starts_at();
        let drawn = |stretch: &Stretch| {
            assert_eq!(stretch.span.starts_at(), at);
            at = stretch.span.ends_at();
            let state = match stretch.state {
                State::Up => "+",
                State::Down => "-",
                State::Unknown => "?",
                State::Closed => ".",
            };
            let origin = match stretch.origin {
                Some(Origin::Observed) => "o",
                Some(Origin::Carried) => "c",
                Some(Origin::Backfilled) => "b",
                None => "",
            };
            format!("{state}{origin}..{at}")
        };
        let found = stretches(range, &shares(&polls, how, gap), &open);
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
    fn what_holds_before_its_poll_is_backfilled() {
        check("20-", "0..99", Previous, None, "-b..20 -o..50");
        check("5+ 20-", "0..99", Nearest, None, "+c..13 -b..20 -o..50");
        check("5+ 20-", "0..99", Next, None, "-b..20 -o..50");
    }

    #[test]
    fn what_is_not_open_is_closed_and_what_nobody_vouches_for_unknown() {
        check("5+ 20-", "15..25 30..40", Previous, None, "...15 +c..20 -o..25 ...30 -o..40 ...50");
        check("", "20..60", Previous, None, "...20 ?..50");
        check("20+", "0..99", Previous, Some(5), "?..15 +b..20 +o..25 ?..50");
        check("20+", "", Previous, None, "...50");
    }
}
