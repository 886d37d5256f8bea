//! Rollup of timelines of parts of the time into one of all of it.

use super::span::Span;
use super::timeline::Step;

/// Error: two timelines know the state at one instant and may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    pub at: i64,
}

/// Known part of a timeline: from its first known state to the end of its last one.
#[derive(Clone, Copy, Debug)]
struct Extent {
    from: i64,
    to: i64,
    /// State of the first known step.
    first: Option<bool>,
    /// State of a last step without duration, which holds until the next timeline begins.
    carried: Option<bool>,
}

impl Extent {
    /// `None` if nothing is known.
    fn from_steps(steps: &[Step]) -> Option<Self> {
        let first = steps.iter().position(|step| step.active.is_some())?;
        let last = steps.iter().rposition(|step| step.active.is_some())?;
        let to = steps.get(last + 1).map_or(Span::FOREVER, |step| step.starts_at);
        let carried = steps[last].active.filter(|_| steps[last].starts_at == to);
        Some(Self { from: steps[first].starts_at, to, first: steps[first].active, carried })
    }
}

/// Concatenates timelines in order of time. A last step without duration, as `state_agg` makes of
/// the last poll, is carried to the next timeline; other gaps are unknown.
///
/// # Errors
/// Two timelines overlap.
pub fn roll_up(timelines: &[Vec<Step>]) -> Result<Vec<Step>, Overlap> {
    let extents = timelines.iter().filter_map(|steps| Some((Extent::from_steps(steps)?, steps)));
    let mut parts: Vec<_> = extents.collect();
    // Of timelines of one instant, a down one sorts last: conflicting polls are inactive.
    parts.sort_by_key(|(extent, _)| (extent.from, extent.to, extent.first == Some(false)));
    let mut all: Vec<Step> = Vec::new();
    let mut before: Option<Extent> = None;
    for (extent, steps) in parts {
        if let Some(before) = before {
            let differ = before.to == extent.from
                && before.carried == Some(false)
                && extent.first == Some(true);
            if before.to > extent.from || differ {
                return Err(Overlap { at: extent.from });
            }
        }
        append(&mut all, steps, extent, before.and_then(|before| before.carried));
        before = Some(extent);
    }
    Ok(all)
}

fn append(all: &mut Vec<Step>, steps: &[Step], extent: Extent, carried: Option<bool>) {
    // Unknown time after the preceding timeline is known now, or carried from there.
    if let Some(end) = all.pop_if(|last| last.active.is_none())
        && carried.is_none()
        && end.starts_at < extent.from
    {
        all.push(end);
    }
    // A last poll that repeated a status no longer needs a step.
    while let [.., before, last] = all[..]
        && before.active == last.active
    {
        all.pop();
    }
    if all.is_empty() && extent.from > Step::EVER {
        all.push(Step { starts_at: Step::EVER, active: None });
    }
    // A step without duration is replaced by the one that follows.
    while all.pop_if(|last| last.starts_at == extent.from).is_some() {}
    for step in steps.iter().filter(|step| step.starts_at >= extent.from) {
        let is_end = step.starts_at == extent.to;
        if is_end || all.last().is_none_or(|last| last.active != step.active) {
            all.push(*step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::drawing::{draw_steps, parse_steps};
    use super::super::timeline::{Poll, normalize, observed_steps_into};
    use super::*;

    #[track_caller]
    fn check(parts: &[&str], expected: &str) {
        let parts: Vec<_> = parts.iter().map(|part| parse_steps(part)).collect();
        let found = roll_up(&parts).map(|all| draw_steps(&all));
        assert_eq!(
            found.as_deref().map_err(|overlap| overlap.at.to_string()),
            match expected {
                at if at.starts_with('!') => Err(at[1..].to_owned()),
                all => Ok(all),
            }
        );
    }

    #[test]
    fn the_last_state_holds_until_the_next_timeline() {
        check(&["? 5+ 9- 9?", "? 12+ 15?"], "? 5+ 9- 12+ 15?");
        check(&["? 12+ 15?", "? 5+ 9- 9?"], "? 5+ 9- 12+ 15?");
        // Without a carried state the gap is unknown.
        check(&["? 5+ 9?", "? 12- 15?"], "? 5+ 9? 12- 15?");
        check(&["? 5+ 9?", "? 9+ 15?"], "? 5+ 15?");
        check(&["? 5+ 5?", "? 9- 9?"], "? 5+ 9- 9?");
        check(&["? 5+ 9+ 9?", "? 12+ 15+ 15?"], "? 5+ 15+ 15?");
        check(&["", "?", "? 5+ 9?"], "? 5+ 9?");
        check(&[], "");
    }

    #[test]
    fn unbounded_timelines_come_first_or_last() {
        check(&["+ 5- 5?", "? 9+"], "+ 5- 9+");
        check(&["+ 9-", "? 5+ 7?"], "!5");
    }

    #[test]
    fn overlapping_timelines_are_refused() {
        check(&["? 5+ 9?", "? 8- 12?"], "!8");
        check(&["? 5+ 9- 9?", "? 9+ 12?"], "!9");
        check(&["? 5+ 5?", "? 5- 5?"], "? 5- 5?");
    }

    /// Polls cut anywhere and rolled up equal all polls at once.
    #[test]
    fn rolled_up_parts_equal_the_whole() {
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let mut polls: Vec<_> =
                (0..draw(12)).map(|_| Poll::new(draw(40) as i64, draw(2) == 0)).collect();
            normalize(&mut polls);
            let mut parts = Vec::new();
            let mut rest = &polls[..];
            while !rest.is_empty() {
                let (part, later) = rest.split_at(1 + draw(rest.len() as u64) as usize);
                let mut steps = Vec::new();
                observed_steps_into(&mut steps, part);
                parts.push(steps);
                rest = later;
            }
            let parts_count = parts.len();
            parts.rotate_left(draw(parts_count as u64 + 1) as usize);
            let mut whole = Vec::new();
            observed_steps_into(&mut whole, &polls);
            let found = roll_up(&parts).unwrap();
            assert_eq!(draw_steps(&found), draw_steps(&whole), "{parts:?}");
        }
    }
}
