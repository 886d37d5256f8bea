//! Queries and set operations on step functions.
//!
//! States combine in Kleene's three-valued logic, with unknown as the third value. An empty slice
//! of steps is unknown at all times.

use super::span::Span;
use super::timeline::Step;

/// Divides all time into segments of one state, in order; unknown before the first step.
pub fn segments(steps: &[Step]) -> impl Iterator<Item = (Span, Option<bool>)> {
    let first_at = steps.first().map_or(Span::FOREVER, |step| step.starts_at);
    let before = Span::new(Step::EVER, first_at).map(|span| (span, None));
    before.into_iter().chain(steps.iter().enumerate().filter_map(|(at, step)| {
        let ends_at = steps.get(at + 1).map_or(Span::FOREVER, |next| next.starts_at);
        Some((Span::new(step.starts_at, ends_at)?, step.active))
    }))
}

/// Replaces `into` with the spans during which `state` holds, adjacent ones merged.
pub fn spans_into(into: &mut Vec<Span>, steps: &[Step], state: Option<bool>) {
    into.clear();
    for (span, _) in segments(steps).filter(|(_, active)| *active == state) {
        let joined = match into.last() {
            Some(last) if last.ends_at() == span.starts_at() => {
                Span::new(last.starts_at(), span.ends_at())
            }
            _ => None,
        };
        if joined.is_some() {
            into.pop();
        }
        into.push(joined.unwrap_or(span));
    }
}

/// Segments `(starts_at, ends_at, state)` from the first known state to the last known one, merged
/// and in order. A last step without duration is kept if its state differs from the one before.
pub fn known_segments(steps: &[Step]) -> Vec<(i64, i64, Option<bool>)> {
    let known = |step: &Step| step.active.is_some();
    let (first, last) = (steps.iter().position(known), steps.iter().rposition(known));
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let mut segments: Vec<(i64, i64, Option<bool>)> = Vec::new();
    for at in first..=last {
        let Step { starts_at, active } = steps[at];
        let ends_at = steps.get(at + 1).map_or(Span::FOREVER, |next| next.starts_at);
        match segments.last_mut() {
            Some((_, end, state)) if *end == starts_at && *state == active => *end = ends_at,
            _ if starts_at == ends_at && at < last => {}
            _ => segments.push((starts_at, ends_at, active)),
        }
    }
    segments
}

/// Conjunction: down if either is down, up if both are up.
pub fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Disjunction: up if either is up, down if both are down.
pub fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Replaces `into` with the step function `combine(left(t), right(t))`.
pub fn combine_into(
    into: &mut Vec<Step>,
    left: &[Step],
    right: &[Step],
    combine: impl Fn(Option<bool>, Option<bool>) -> Option<bool>,
) {
    into.clear();
    let (mut left_passed, mut right_passed) = (0, 0);
    let mut next_at = Some(Step::EVER);
    while let Some(at) = next_at {
        let is_passed = |step: &Step| step.starts_at <= at;
        left_passed += left[left_passed..].iter().take_while(|step| is_passed(step)).count();
        right_passed += right[right_passed..].iter().take_while(|step| is_passed(step)).count();
        let state = combine(state_after(left, left_passed), state_after(right, right_passed));
        push_step(into, at, state);
        let nexts = [left.get(left_passed), right.get(right_passed)];
        next_at = nexts.into_iter().flatten().map(|step| step.starts_at).min();
    }
}

/// Swaps up and down; unknown stays unknown.
pub fn negate(steps: &mut [Step]) {
    for step in steps {
        step.active = step.active.map(|active| !active);
    }
}

/// Replaces `into` with the steps cut to the range, unknown outside; `None` is an empty range.
pub fn clip_into(into: &mut Vec<Step>, steps: &[Step], range: Option<Span>) {
    into.clear();
    push_step(into, Step::EVER, None);
    let Some(range) = range else { return };
    for (span, state) in segments(steps) {
        if let Some(span) = span.within(range) {
            push_step(into, span.starts_at(), state);
        }
    }
    if range.ends_at() < Span::FOREVER {
        push_step(into, range.ends_at(), None);
    }
}

/// Fills unknown time at both ends: before the first known state with the last known state of
/// `before`, after the last known state with that state.
pub fn fill_ends(steps: &mut Vec<Step>, before: &[Step]) {
    let carried = before.iter().rev().find_map(|step| step.active);
    let known = steps.iter().position(|step| step.active.is_some());
    steps.drain(..known.unwrap_or(steps.len()));
    while steps.pop_if(|last| last.active.is_none()).is_some() {}
    if steps.first().is_none_or(|first| first.starts_at > Step::EVER) {
        steps.insert(0, Step { starts_at: Step::EVER, active: carried });
    }
}

/// Microseconds for which the state holds within the range; `None` if unbounded.
pub fn duration_in(steps: &[Step], state: Option<bool>, range: Span) -> Option<i64> {
    let held = segments(steps).filter(|(_, active)| *active == state);
    let mut spans = held.filter_map(|(span, _)| span.within(range));
    spans.try_fold(0, |total_us: i64, span| {
        let is_open = span.starts_at() == Step::EVER || span.ends_at() == Span::FOREVER;
        let length_us = span.ends_at().checked_sub(span.starts_at())?;
        if is_open { None } else { total_us.checked_add(length_us) }
    })
}

/// State after the first `passed` steps.
fn state_after(steps: &[Step], passed: usize) -> Option<bool> {
    passed.checked_sub(1).and_then(|last| steps[last].active)
}

/// Appends a step, replacing one at the same instant; drops it if the state does not change.
fn push_step(steps: &mut Vec<Step>, starts_at: i64, active: Option<bool>) {
    steps.pop_if(|last| last.starts_at == starts_at);
    if steps.last().is_none_or(|last| last.active != active) {
        steps.push(Step { starts_at, active });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::drawing::{draw_spans, draw_steps, parse_span, parse_steps};
    use super::*;

    #[test]
    fn spans_of_a_state_are_unbounded_at_the_ends() {
        for (given, up, down) in [
            ("", "", ""),
            ("+", "..", ""),
            ("+ 9-", "..9", "9.."),
            ("? 5+ 9- 12+ 15?", "5..9 12..15", "9..12"),
            // A step without duration is not a span and does not divide one.
            ("? 5+ 9- 9?", "5..9", ""),
            ("+ 5- 5+ 9?", "..9", ""),
        ] {
            let ranges = |state| {
                let mut ranges = Vec::new();
                spans_into(&mut ranges, &parse_steps(given), Some(state));
                draw_spans(&ranges)
            };
            assert_eq!((ranges(true).as_str(), ranges(false).as_str()), (up, down), "{given}");
        }
    }

    #[test]
    fn known_segments_go_from_the_first_known_state_to_the_last() {
        for (given, expected) in [
            ("", ""),
            ("?", ""),
            ("? 5+ 9- 9?", "5..9+ 9..9-"),
            ("? 5+ 9+ 9?", "5..9+"),
            ("? 5+ 5?", "5..5+"),
            ("? 5+ 7? 8- 12?", "5..7+ 7..8? 8..12-"),
            ("? 5+ 7- 7+ 9?", "5..9+"),
        ] {
            let drawn = |(from, to, state): (i64, i64, Option<bool>)| {
                let state = match state {
                    Some(true) => '+',
                    Some(false) => '-',
                    None => '?',
                };
                format!("{from}..{to}{state}")
            };
            let found = known_segments(&parse_steps(given)).into_iter().map(drawn);
            assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{given}");
        }
    }

    #[track_caller]
    fn check_combined(left: &str, right: &str, both: &str, either: &str) {
        for (left, right) in [(left, right), (right, left)] {
            let mut made = Vec::new();
            combine_into(&mut made, &parse_steps(left), &parse_steps(right), and);
            assert_eq!(draw_steps(&made), both, "{left} and {right}");
            combine_into(&mut made, &parse_steps(left), &parse_steps(right), or);
            assert_eq!(draw_steps(&made), either, "{left} or {right}");
        }
    }

    #[test]
    fn one_known_side_may_decide_the_result() {
        check_combined("+ 5-", "+ 9-", "+ 5-", "+ 9-");
        check_combined("+ 5- 9+", "?", "? 5- 9?", "+ 5? 9+");
        check_combined("+ 5- 9+", "", "? 5- 9?", "+ 5? 9+");
        check_combined("", "", "?", "?");
        check_combined("+ 5-", "- 5+", "-", "+");
        check_combined("? 5+ 9?", "- 7+", "- 7+ 9?", "? 5+");
    }

    #[test]
    fn not_swaps_up_and_down_and_leaves_unknown() {
        let mut negated = parse_steps("? 5+ 9- 12?");
        negate(&mut negated);
        assert_eq!(draw_steps(&negated), "? 5- 9+ 12?");
    }

    #[test]
    fn time_outside_of_a_clip_is_unknown() {
        for (given, range, expected) in [
            ("+ 9-", "5..12", "? 5+ 9- 12?"),
            ("+ 9-", "9..12", "? 9- 12?"),
            ("? 5+", "1..3", "?"),
            ("", "1..3", "?"),
            ("+ 9-", "..12", "+ 9- 12?"),
            ("+ 9-", "5..", "? 5+ 9-"),
        ] {
            let mut clipped = Vec::new();
            clip_into(&mut clipped, &parse_steps(given), Some(parse_span(range)));
            assert_eq!(draw_steps(&clipped), expected, "{given} in {range}");
        }
        let mut clipped = parse_steps("+");
        clip_into(&mut clipped, &parse_steps("+ 9-"), None);
        assert_eq!(draw_steps(&clipped), "?");
    }

    #[test]
    fn ends_are_filled_from_before_and_from_the_last_known() {
        for (given, before, expected) in [
            ("? 5+ 9?", "-", "- 5+"),
            ("? 5+ 9?", "", "? 5+"),
            ("? 5+ 7? 8- 8?", "+ 1?", "+ 5+ 7? 8-"),
            ("+ 9-", "-", "+ 9-"),
            ("", "? 1- 2?", "-"),
            ("?", "", "?"),
        ] {
            let mut filled = parse_steps(given);
            fill_ends(&mut filled, &parse_steps(before));
            assert_eq!(draw_steps(&filled), expected, "{given} after {before}");
        }
    }

    #[test]
    fn an_unbounded_duration_is_none() {
        for (given, state, range, expected) in [
            ("? 5+ 9- 12?", Some(true), "..", Some(4)),
            ("? 5+ 9- 12?", Some(false), "10..", Some(2)),
            ("? 5+ 9- 12?", None, "..", None),
            ("? 5+ 9- 12?", None, "0..20", Some(13)),
            ("+ 9-", Some(true), "..", None),
            ("+ 9-", Some(true), "5..", Some(4)),
            ("+ 9-", Some(false), "5..", None),
            ("", Some(true), "..", Some(0)),
            ("", None, "2..5", Some(3)),
        ] {
            let found = duration_in(&parse_steps(given), state, parse_span(range));
            assert_eq!(found, expected, "{state:?} of {given} in {range}");
        }
    }
}
