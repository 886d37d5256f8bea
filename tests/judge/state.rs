//! Poll that decides an instant, and its status.

use std::collections::BTreeMap;

use super::{Interpolation, Question};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Up,
    Down,
    Unknown,
}

/// The first instant that `nearest` gives to the later of two neighbouring polls.
pub fn midpoint(a: i64, b: i64) -> i64 {
    let distance_us = b - a;
    a + distance_us / 2 + distance_us % 2
}

/// The state at an instant by the polls of its half-open piece alone.
pub fn at(
    instant: i64,
    polls: &BTreeMap<i64, bool>,
    piece: (i64, i64),
    question: &Question,
) -> State {
    let before = polls.range(piece.0..=instant).next_back();
    let after = polls.range(instant + 1..piece.1).next();
    let (polled_at, active) = match (before, after) {
        (None, None) => return State::Unknown,
        (None, Some(first)) => first,
        (Some(last), None) => last,
        (Some(a), Some(b)) => match question.interpolation {
            Interpolation::Previous => a,
            Interpolation::Nearest if instant < midpoint(*a.0, *b.0) => a,
            Interpolation::Nearest => b,
            Interpolation::Next => b,
        },
    };
    if let Some(gap_us) = question.max_gap {
        let reaches_from = polled_at.saturating_sub(gap_us);
        let reaches_until = polled_at.saturating_add(gap_us);
        if instant < reaches_from || reaches_until <= instant {
            return State::Unknown;
        }
    }
    if *active { State::Up } else { State::Down }
}
