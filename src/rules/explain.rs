//! What made a figure: the range cut into stretches, each with the poll, the rows of business hours
//! and the offset of the clock that decide it.

use super::opening::Opened;
use super::span::{Span, Spans};
use super::timeline::{Poll, Share};
use super::week::Opening;
use super::zone::LocalClock;

/// A stretch over which nothing changes that the figure depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub span: Span,
    /// Whether it counts: the store should have been open.
    pub is_open: bool,
    /// The poll whose status holds; `None` where no poll vouches.
    pub poll: Option<Poll>,
    /// The rows that open the store, each with the local date on which it opens; none where it is
    /// closed, and none where it is always open.
    pub opened_by: Vec<(Opening, i64)>,
    /// Local time minus UTC.
    pub offset_us: i64,
}

/// The range in stretches, in order, without a gap between them.
pub fn stretches(
    range: Span,
    shares: &[Share],
    openings: &[Opened],
    open: &Spans,
    clock: &LocalClock,
) -> Vec<Stretch> {
    let mut cuts = vec![range.starts_at(), range.ends_at()];
    let spans = shares.iter().map(|share| share.span).chain(openings.iter().map(|o| o.span));
    for span in spans.chain(open.iter().copied()) {
        cuts.extend([span.starts_at(), span.ends_at()]);
    }
    // Before its first poll a status holds for another reason than after it.
    cuts.extend(shares.iter().map(|share| share.poll.polled_at()));
    cuts.extend(clock.changes().iter().map(|change| change.at));
    cuts.retain(|at| (range.starts_at()..=range.ends_at()).contains(at));
    cuts.sort_unstable();
    cuts.dedup();
    let mut stretches: Vec<Stretch> = Vec::new();
    for cut in cuts.windows(2) {
        let Some(span) = Span::new(cut[0], cut[1]) else { continue };
        stretches.push(stretch(span, shares, openings, open, clock));
    }
    stretches
}

/// The cut stretch: whatever holds at its start holds to its end.
fn stretch(
    span: Span,
    shares: &[Share],
    openings: &[Opened],
    open: &Spans,
    clock: &LocalClock,
) -> Stretch {
    let at = span.starts_at();
    let holds = |span: Span| span.starts_at() <= at && at < span.ends_at();
    let share = shares.partition_point(|share| share.span.ends_at() <= at);
    let poll = shares.get(share).filter(|share| holds(share.span)).map(|share| share.poll);
    let place = open.partition_point(|open| open.ends_at() <= at);
    let mut opened_by: Vec<_> = openings
        .iter()
        .filter(|opened| holds(opened.span))
        .map(|opened| (opened.row, opened.on_day))
        .collect();
    opened_by.sort_unstable_by_key(|(row, on_day)| (*on_day, *row));
    Stretch {
        span,
        is_open: open.get(place).is_some_and(|open| holds(*open)),
        poll,
        opened_by,
        offset_us: clock.local_at(at) - at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{DAY_US, HOUR_US};
    use super::super::opening::{open_spans, openings};
    use super::super::options::Interpolation::{Nearest, Next, Previous};
    use super::super::tally::{Tally, tally};
    use super::super::timeline::{shares, shares_within, steps, steps_within};
    use super::super::week::{Weekday, WeeklyHours};
    use super::*;

    /// Over a change of clocks: 2023-03-12 in Chicago.
    const SPRING: i64 = 19_428 * DAY_US;

    #[test]
    fn the_stretches_add_up_to_the_figure_whatever_is_asked() {
        let range = Span::new(SPRING - 3 * DAY_US, SPRING + 2 * DAY_US).unwrap();
        let clock = LocalClock::over(&chrono_tz::America::Chicago.into(), range);
        let row = |day, start_s, end_s| {
            Opening::new(Weekday::from_monday_zero(day).unwrap(), start_s, end_s).unwrap()
        };
        let rows = vec![row(6, 0, 3600 * 12), row(6, 3600 * 11, 3600 * 20), row(5, 64_800, 7200)];
        let polls: Vec<_> = (-40..40)
            .map(|at: i64| Poll::new(SPRING + at * HOUR_US * 2, at.rem_euclid(3) != 0))
            .collect();
        for week in [WeeklyHours::Always, WeeklyHours::Rows(rows)] {
            let open = open_spans(&week, &clock, range, false);
            let openings = openings(&week, &clock, range, false);
            for how in [Previous, Nearest, Next] {
                for gap in [None, Some(HOUR_US / 2)] {
                    let all = (shares(&polls, how, gap), steps(&polls, how, gap));
                    let cut = (
                        shares_within(&polls, &open, how, gap),
                        steps_within(&polls, &open, how, gap),
                    );
                    for (shares, steps) in [all, cut] {
                        let stretches = stretches(range, &shares, &openings, &open, &clock);
                        let expected = tally(&steps, open.iter().copied(), range);
                        assert_eq!(added_up(&stretches, range), expected, "{how:?} {gap:?}");
                    }
                }
            }
        }
    }

    /// Checks on the way that the stretches follow each other without a gap.
    fn added_up(stretches: &[Stretch], range: Span) -> Tally {
        let (mut tally, mut at) = (Tally::default(), range.starts_at());
        for stretch in stretches {
            assert_eq!(stretch.span.starts_at(), at);
            at = stretch.span.ends_at();
            let length_us = at - stretch.span.starts_at();
            match stretch.poll.map(Poll::active) {
                _ if !stretch.is_open => {}
                Some(true) => tally.up_us += length_us,
                Some(false) => tally.down_us += length_us,
                None => tally.unknown_us += length_us,
            }
        }
        assert_eq!(at, range.ends_at());
        tally
    }

    #[test]
    fn the_clock_changes_within_a_stretch_of_the_day() {
        let range = Span::new(SPRING + 7 * HOUR_US, SPRING + 9 * HOUR_US).unwrap();
        let clock = LocalClock::over(&chrono_tz::America::Chicago.into(), range);
        let open = open_spans(&WeeklyHours::Always, &clock, range, false);
        let stretches = stretches(range, &[], &[], &open, &clock);
        let offsets: Vec<_> = stretches.iter().map(|stretch| stretch.offset_us / HOUR_US).collect();
        assert_eq!(offsets, [-6, -5]);
    }
}
