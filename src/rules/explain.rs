//! Explains a figure: cuts a range into segments, each with the poll, the rows of business hours
//! and the UTC offset that decide it.

use super::business_hours::HoursRow;
use super::opening::Opening;
use super::span::{Span, Spans};
use super::timeline::{Poll, PollSegment};
use super::zone::LocalClock;

/// Segment over which nothing that the figure depends on changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub span: Span,
    /// True if the store should have been open, so that the segment counts.
    pub is_open: bool,
    /// Poll whose status holds; `None` if no poll covers the segment.
    pub poll: Option<Poll>,
    /// Rows that open the store, each with the local date (days since 1970-01-01) of its opening.
    /// Empty if the store is closed or always open.
    pub opened_by: Vec<(HoursRow, i64)>,
    /// Local time minus UTC.
    pub offset_us: i64,
}

/// Cuts the range into consecutive segments, in order and without gaps.
pub fn explained_segments(
    range: Span,
    poll_segments: &[PollSegment],
    openings: &[Opening],
    open: &Spans,
    clock: &LocalClock,
) -> Vec<Segment> {
    let mut cuts = vec![range.starts_at(), range.ends_at()];
    let spans = poll_segments.iter().map(|held| held.span).chain(openings.iter().map(|o| o.span));
    for span in spans.chain(open.iter().copied()) {
        cuts.extend([span.starts_at(), span.ends_at()]);
    }
    // A status is backfilled before its poll and observed after it.
    cuts.extend(poll_segments.iter().map(|held| held.poll.polled_at()));
    cuts.extend(clock.changes().iter().map(|change| change.at));
    cuts.retain(|at| (range.starts_at()..=range.ends_at()).contains(at));
    cuts.sort_unstable();
    cuts.dedup();
    let mut segments: Vec<Segment> = Vec::new();
    for cut in cuts.windows(2) {
        let Some(span) = Span::new(cut[0], cut[1]) else { continue };
        segments.push(explained_segment(span, poll_segments, openings, open, clock));
    }
    segments
}

/// Explains a span within which nothing changes: its start decides.
fn explained_segment(
    span: Span,
    poll_segments: &[PollSegment],
    openings: &[Opening],
    open: &Spans,
    clock: &LocalClock,
) -> Segment {
    let at = span.starts_at();
    let holds = |span: Span| span.starts_at() <= at && at < span.ends_at();
    let held = poll_segments.partition_point(|held| held.span.ends_at() <= at);
    let poll = poll_segments.get(held).filter(|held| holds(held.span)).map(|held| held.poll);
    let place = open.partition_point(|open| open.ends_at() <= at);
    let mut opened_by: Vec<_> = openings
        .iter()
        .filter(|opened| holds(opened.span))
        .map(|opened| (opened.row, opened.on_day))
        .collect();
    opened_by.sort_unstable_by_key(|(row, on_day)| (*on_day, *row));
    Segment {
        span,
        is_open: open.get(place).is_some_and(|open| holds(*open)),
        poll,
        opened_by,
        offset_us: clock.local_at(at) - at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::business_hours::{Weekday, WeeklyHours};
    use super::super::calendar::{DAY_US, HOUR_US};
    use super::super::opening::{open_spans, openings};
    use super::super::options::Interpolation::{Nearest, Next, Previous};
    use super::super::tally::{Tally, tally};
    use super::super::timeline::{poll_segments, poll_segments_within, steps, steps_within};
    use super::*;

    /// Midnight UTC before a transition: 2023-03-12 in Chicago.
    const SPRING: i64 = 19_428 * DAY_US;

    #[test]
    fn segments_add_up_to_the_figure() {
        let range = Span::new(SPRING - 3 * DAY_US, SPRING + 2 * DAY_US).unwrap();
        let clock = LocalClock::over(&chrono_tz::America::Chicago.into(), range);
        let row = |day, start_s, end_s| {
            HoursRow::new(Weekday::from_monday_zero(day).unwrap(), start_s, end_s).unwrap()
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
                    let all = (poll_segments(&polls, how, gap), steps(&polls, how, gap));
                    let cut = (
                        poll_segments_within(&polls, &open, how, gap),
                        steps_within(&polls, &open, how, gap),
                    );
                    for (poll_segments, steps) in [all, cut] {
                        let segments =
                            explained_segments(range, &poll_segments, &openings, &open, &clock);
                        let expected = tally(&steps, open.iter().copied(), range);
                        assert_eq!(added_up(&segments, range), expected, "{how:?} {gap:?}");
                    }
                }
            }
        }
    }

    /// Adds up the segments and asserts that there are no gaps between them.
    fn added_up(segments: &[Segment], range: Span) -> Tally {
        let (mut tally, mut at) = (Tally::default(), range.starts_at());
        for segment in segments {
            assert_eq!(segment.span.starts_at(), at);
            at = segment.span.ends_at();
            let length_us = at - segment.span.starts_at();
            match segment.poll.map(Poll::active) {
                _ if !segment.is_open => {}
                Some(true) => tally.up_us += length_us,
                Some(false) => tally.down_us += length_us,
                None => tally.unknown_us += length_us,
            }
        }
        assert_eq!(at, range.ends_at());
        tally
    }

    #[test]
    fn a_transition_divides_a_segment() {
        let range = Span::new(SPRING + 7 * HOUR_US, SPRING + 9 * HOUR_US).unwrap();
        let clock = LocalClock::over(&chrono_tz::America::Chicago.into(), range);
        let open = open_spans(&WeeklyHours::Always, &clock, range, false);
        let segments = explained_segments(range, &[], &[], &open, &clock);
        let offsets: Vec<_> = segments.iter().map(|segment| segment.offset_us / HOUR_US).collect();
        assert_eq!(offsets, [-6, -5]);
    }
}
