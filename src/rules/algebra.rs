//! Step functions asked, combined and cut: what can be made of the states of stores.
//!
//! States combine in three-valued logic, whose third value is unknown: what one side decides alone
//! is known, whatever the other. No steps at all are unknown over all time.

use super::span::Span;
use super::timeline::Step;

/// All time in stretches of one state, in order; unknown before the first step.
pub fn stretches(steps: &[Step]) -> impl Iterator<Item = (Span, Option<bool>)> {
    let first_at = steps.first().map_or(Span::FOREVER, |step| step.starts_at);
    let before = Span::new(Step::EVER, first_at).map(|span| (span, None));
    before.into_iter().chain(steps.iter().enumerate().filter_map(|(at, step)| {
        let ends_at = steps.get(at + 1).map_or(Span::FOREVER, |next| next.starts_at);
        Some((Span::new(step.starts_at, ends_at)?, step.active))
    }))
}

/// The state that holds at an instant.
pub fn state_at(steps: &[Step], instant: i64) -> Option<bool> {
    let passed = steps.partition_point(|step| step.starts_at <= instant);
    state_after(steps, passed)
}

/// Replaces `into` with the stretches of the state, those that touch as one.
pub fn ranges_into(into: &mut Vec<Span>, steps: &[Step], state: Option<bool>) {
    into.clear();
    for (span, _) in stretches(steps).filter(|(_, active)| *active == state) {
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

/// What is known of all time in stretches of one state, in order, from the first known state to the
/// last one; a state that holds over no time at the end is there where it is another.
pub fn known_stretches(steps: &[Step]) -> Vec<(i64, i64, Option<bool>)> {
    let known = |step: &Step| step.active.is_some();
    let (first, last) = (steps.iter().position(known), steps.iter().rposition(known));
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let mut stretches: Vec<(i64, i64, Option<bool>)> = Vec::new();
    for at in first..=last {
        let Step { starts_at, active } = steps[at];
        let ends_at = steps.get(at + 1).map_or(Span::FOREVER, |next| next.starts_at);
        match stretches.last_mut() {
            Some((_, end, state)) if *end == starts_at && *state == active => *end = ends_at,
            _ if starts_at == ends_at && at < last => {}
            _ => stretches.push((starts_at, ends_at, active)),
        }
    }
    stretches
}

/// Down where either is, up where both are.
pub fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Up where either is, down where both are.
pub fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Replaces `into` with what the states of both make at every instant.
pub fn combine_into(
    into: &mut Vec<Step>,
    left: &[Step],
    right: &[Step],
    made_of: impl Fn(Option<bool>, Option<bool>) -> Option<bool>,
) {
    into.clear();
    let (mut of_left, mut of_right) = (0, 0);
    let mut next_at = Some(Step::EVER);
    while let Some(at) = next_at {
        let is_passed = |step: &Step| step.starts_at <= at;
        of_left += left[of_left..].iter().take_while(|step| is_passed(step)).count();
        of_right += right[of_right..].iter().take_while(|step| is_passed(step)).count();
        hold(into, at, made_of(state_after(left, of_left), state_after(right, of_right)));
        let nexts = [left.get(of_left), right.get(of_right)];
        next_at = nexts.into_iter().flatten().map(|step| step.starts_at).min();
    }
}

/// Up becomes down and down up; what is unknown stays so.
pub fn negate(steps: &mut [Step]) {
    for step in steps {
        step.active = step.active.map(|active| !active);
    }
}

/// Replaces `into` with the steps within the range, unknown outside; `None` is an empty range.
pub fn clip_into(into: &mut Vec<Step>, steps: &[Step], range: Option<Span>) {
    into.clear();
    hold(into, Step::EVER, None);
    let Some(range) = range else { return };
    for (span, state) in stretches(steps) {
        if let Some(span) = span.within(range) {
            hold(into, span.starts_at(), state);
        }
    }
    if range.ends_at() < Span::FOREVER {
        hold(into, range.ends_at(), None);
    }
}

/// Fills what is unknown at the ends: before the first known state with the last one known of the
/// steps before, after the last known state with that.
pub fn fill_ends(steps: &mut Vec<Step>, before: &[Step]) {
    let carried = before.iter().rev().find_map(|step| step.active);
    let known = steps.iter().position(|step| step.active.is_some());
    steps.drain(..known.unwrap_or(steps.len()));
    while steps.pop_if(|last| last.active.is_none()).is_some() {}
    if steps.first().is_none_or(|first| first.starts_at > Step::EVER) {
        steps.insert(0, Step { starts_at: Step::EVER, active: carried });
    }
}

/// How long the state holds within the range, microseconds; `None` where that has no limit.
pub fn duration_in(steps: &[Step], state: Option<bool>, range: Span) -> Option<i64> {
    let held = stretches(steps).filter(|(_, active)| *active == state);
    let mut spans = held.filter_map(|(span, _)| span.within(range));
    spans.try_fold(0, |total_us: i64, span| {
        let is_open = span.starts_at() == Step::EVER || span.ends_at() == Span::FOREVER;
        let length_us = span.ends_at().checked_sub(span.starts_at())?;
        if is_open { None } else { total_us.checked_add(length_us) }
    })
}

/// The state after so many steps have passed.
fn state_after(steps: &[Step], passed: usize) -> Option<bool> {
    passed.checked_sub(1).and_then(|last| steps[last].active)
}

/// From an instant on, not before the last step; no two neighbours alike.
fn hold(steps: &mut Vec<Step>, starts_at: i64, active: Option<bool>) {
    steps.pop_if(|last| last.starts_at == starts_at);
    if steps.last().is_none_or(|last| last.active != active) {
        steps.push(Step { starts_at, active });
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{drawn, drawn_spans, span, steps};
    use super::*;

    #[test]
    fn a_step_holds_from_its_start_until_the_next() {
        for (given, instant, expected) in [
            ("+ 9-", 8, Some(true)),
            ("+ 9-", 9, Some(false)),
            ("? 5+ 9?", 4, None),
            ("? 5+ 9?", 5, Some(true)),
            ("? 5+ 9?", 9, None),
            ("", 5, None),
            ("5+", 4, None),
        ] {
            assert_eq!(state_at(&steps(given), instant), expected, "{given} at {instant}");
        }
    }

    #[test]
    fn ranges_of_a_state_are_open_where_nothing_bounds_them() {
        for (given, up, down) in [
            ("", "", ""),
            ("+", "..", ""),
            ("+ 9-", "..9", "9.."),
            ("? 5+ 9- 12+ 15?", "5..9 12..15", "9..12"),
            // A step over no time neither is a range nor divides one.
            ("? 5+ 9- 9?", "5..9", ""),
            ("+ 5- 5+ 9?", "..9", ""),
        ] {
            let ranges = |state| {
                let mut ranges = Vec::new();
                ranges_into(&mut ranges, &steps(given), Some(state));
                drawn_spans(&ranges)
            };
            assert_eq!((ranges(true).as_str(), ranges(false).as_str()), (up, down), "{given}");
        }
    }

    #[test]
    fn known_stretches_go_from_the_first_known_state_to_the_last() {
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
            let found: Vec<_> = known_stretches(&steps(given)).into_iter().map(drawn).collect();
            assert_eq!(found.join(" "), expected, "{given}");
        }
    }

    #[track_caller]
    fn check_combined(left: &str, right: &str, both: &str, either: &str) {
        for (left, right) in [(left, right), (right, left)] {
            let mut made = Vec::new();
            combine_into(&mut made, &steps(left), &steps(right), and);
            assert_eq!(drawn(&made), both, "{left} and {right}");
            combine_into(&mut made, &steps(left), &steps(right), or);
            assert_eq!(drawn(&made), either, "{left} or {right}");
        }
    }

    #[test]
    fn what_one_side_decides_alone_is_known() {
        check_combined("+ 5-", "+ 9-", "+ 5-", "+ 9-");
        check_combined("+ 5- 9+", "?", "? 5- 9?", "+ 5? 9+");
        check_combined("+ 5- 9+", "", "? 5- 9?", "+ 5? 9+");
        check_combined("", "", "?", "?");
        check_combined("+ 5-", "- 5+", "-", "+");
        check_combined("? 5+ 9?", "- 7+", "- 7+ 9?", "? 5+");
    }

    #[test]
    fn not_swaps_up_and_down_and_leaves_unknown() {
        let mut negated = steps("? 5+ 9- 12?");
        negate(&mut negated);
        assert_eq!(drawn(&negated), "? 5- 9+ 12?");
    }

    #[test]
    fn outside_of_a_clip_nothing_is_known() {
        for (given, range, expected) in [
            ("+ 9-", "5..12", "? 5+ 9- 12?"),
            ("+ 9-", "9..12", "? 9- 12?"),
            ("? 5+", "1..3", "?"),
            ("", "1..3", "?"),
            ("+ 9-", "..12", "+ 9- 12?"),
            ("+ 9-", "5..", "? 5+ 9-"),
        ] {
            let mut clipped = Vec::new();
            clip_into(&mut clipped, &steps(given), Some(span(range)));
            assert_eq!(drawn(&clipped), expected, "{given} in {range}");
        }
        let mut clipped = steps("+");
        clip_into(&mut clipped, &steps("+ 9-"), None);
        assert_eq!(drawn(&clipped), "?");
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
            let mut filled = steps(given);
            fill_ends(&mut filled, &steps(before));
            assert_eq!(drawn(&filled), expected, "{given} after {before}");
        }
    }

    #[test]
    fn a_duration_without_a_limit_is_none() {
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
            let found = duration_in(&steps(given), state, span(range));
            assert_eq!(found, expected, "{state:?} of {given} in {range}");
        }
    }
}
