//! Polls to steps: at once, in runs and by scope.

use super::super::tests::drawing::{draw_steps, parse_polls};
use super::*;
use Interpolation::{Nearest, Next, Previous};

/// Normalized polls.
fn polls(drawn: &str) -> Vec<Poll> {
    let mut polls = parse_polls(drawn);
    normalize(&mut polls);
    polls
}

#[track_caller]
fn check(given: &str, interpolation: Interpolation, max_gap_us: Option<i64>, expected: &str) {
    let polls = polls(given);
    assert_eq!(draw_steps(&steps(&polls, interpolation, max_gap_us)), expected);
    if max_gap_us.is_none() {
        let mut of_runs = Vec::new();
        for size in 1..=polls.len().max(1) {
            let runs: Vec<_> = polls.chunks(size).map(Run::from_polls).collect();
            assert!(are_normalized(&runs.iter().collect::<Vec<_>>()));
            steps_of_runs_into(&mut of_runs, &runs.iter().collect::<Vec<_>>(), interpolation);
            assert_eq!(draw_steps(&of_runs), expected, "runs of {size}");
        }
    }
}

struct Run(Vec<i64>, Vec<u64>);

impl Run {
    fn from_polls(polls: &[Poll]) -> Self {
        let word = |polls: &[Poll]| {
            let bits = polls.iter().enumerate().map(|(at, poll)| u64::from(poll.active()) << at);
            // Unused bits of a word are arbitrary.
            bits.fold(if polls.len() < 64 { u64::MAX << polls.len() } else { 0 }, |all, bit| {
                all | bit
            })
        };
        let instants = polls.iter().map(|poll| poll.polled_at()).collect();
        Self(instants, polls.chunks(64).map(word).collect())
    }
}

impl<'a> PollRun<'a> for &'a Run {
    fn instants(&self) -> &'a [i64] {
        &self.0
    }

    fn statuses(&self) -> impl Iterator<Item = u64> {
        self.1.iter().copied()
    }
}

#[test]
fn runs_longer_than_a_word_make_the_same_steps() {
    // Statuses that change at every bit of a word, in turn.
    let statuses = (0..64).flat_map(|place| (0..67).map(move |at| at < place));
    let polls: Vec<_> =
        statuses.enumerate().map(|(at, active)| Poll::new(at as i64 * 10, active)).collect();
    for interpolation in [Previous, Nearest, Next] {
        let expected = steps(&polls, interpolation, None);
        for size in [63, 64, 65, 129, polls.len()] {
            let (mut of_runs, runs) = (Vec::new(), polls.chunks(size).map(Run::from_polls));
            let runs: Vec<_> = runs.collect();
            steps_of_runs_into(&mut of_runs, &runs.iter().collect::<Vec<_>>(), interpolation);
            assert_eq!(of_runs, expected, "{interpolation:?} in runs of {size}");
        }
    }
}

#[test]
fn polls_are_normalized_if_instants_strictly_ascend() {
    for (given, settled) in [
        (&[][..], true),
        (&["5+ 6-", "7-"], true),
        (&["5+ 6-", "6-"], false),
        (&["5+ 6-", "4-"], false),
    ] {
        let runs: Vec<_> = given.iter().map(|drawn| Run::from_polls(&polls(drawn))).collect();
        assert_eq!(are_normalized(&runs.iter().collect::<Vec<_>>()), settled, "{given:?}");
    }
    let same = Run(vec![5, 5], vec![0]);
    assert!(!are_normalized(&[&same]));
}

#[test]
fn a_status_holds_until_the_next_poll_and_the_first_reaches_back() {
    check("", Previous, None, "");
    check("5+", Previous, None, "+");
    check("5+ 7+ 9- 12+", Previous, None, "+ 9- 12+");
    check("12+ 9- 5+", Previous, None, "+ 9- 12+");
}

#[test]
fn nearest_changes_halfway_rounded_up() {
    check("5+ 9-", Nearest, None, "+ 7-");
    check("5+ 10-", Nearest, None, "+ 8-");
    check("-5+ 0-", Nearest, None, "+ -2-");
}

#[test]
fn next_changes_at_the_earlier_poll() {
    check("5+ 9- 12+", Next, None, "+ 5- 9+");
    check("5-", Next, None, "-");
}

#[test]
fn differing_statuses_of_one_instant_are_inactive() {
    check("5+ 5- 5+", Previous, None, "-");
    check("5+ 9+ 9-", Previous, None, "+ 9-");
}

#[test]
fn a_poll_covers_no_more_than_the_gap() {
    check("10+ 40-", Previous, Some(5), "? 5+ 15? 40- 45?");
    check("10+ 14+ 40-", Previous, Some(5), "? 5+ 19? 40- 45?");
    check("10+ 15-", Previous, Some(5), "? 5+ 15- 20?");
    check("10+ 40-", Nearest, Some(5), "? 5+ 15? 35- 45?");
    check("10+ 40-", Next, Some(5), "? 5+ 10? 35- 45?");
}

#[test]
fn observed_steps_end_with_the_last_poll() {
    for (given, expected) in
        [("", ""), ("5+", "? 5+ 5?"), ("5+ 7+ 9- 12-", "? 5+ 9- 12- 12?"), ("5+ 9-", "? 5+ 9- 9?")]
    {
        let mut observed = Vec::new();
        observed_steps_into(&mut observed, &polls(given));
        assert_eq!(draw_steps(&observed), expected);
    }
}

#[test]
fn polls_do_not_reach_beyond_their_scope() {
    let scopes =
        [Span::new(0, 10).unwrap(), Span::new(10, 20).unwrap(), Span::new(30, 40).unwrap()];
    let given = polls("-1- 3+ 7- 25- 32+ 40-");
    let filled = steps_within(&given, &scopes, Previous, None);
    assert_eq!(draw_steps(&filled), "? 0+ 7- 10? 30+ 40?");
}

#[test]
fn a_poll_keeps_its_instant_and_status_in_its_bits() {
    for (at, active) in [(0, true), (-1, false), (-1, true), (1 << 60, true), (-(1 << 60), false)] {
        let poll = Poll::from_bits(Poll::new(at, active).bits());
        assert_eq!((poll.polled_at(), poll.active()), (at, active));
    }
}
