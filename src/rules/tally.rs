//! Time in state: duration of each state during a store's open time.

use super::options::NoData;
use super::span::Span;
use super::timeline::Step;

/// Open time by state, in microseconds; the sum is always the open time of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub up_us: i64,
    pub down_us: i64,
    pub unknown_us: i64,
}

impl Tally {
    /// Open time in all states.
    pub fn open_us(self) -> i64 {
        self.up_us + self.down_us + self.unknown_us
    }

    /// Time in one state; true for up.
    pub fn in_state_us(self, active: Option<bool>) -> i64 {
        match active {
            Some(true) => self.up_us,
            Some(false) => self.down_us,
            None => self.unknown_us,
        }
    }

    /// The same time with unknown time counted as `no_data` says.
    #[must_use]
    pub fn counted(self, no_data: NoData) -> Self {
        let times_us = [self.up_us, self.down_us, self.unknown_us];
        let [up_us, down_us, unknown_us] = no_data.count(times_us, 0);
        Self { up_us, down_us, unknown_us }
    }

    fn book(&mut self, active: Option<bool>, total_us: i64) {
        match active {
            Some(true) => self.up_us += total_us,
            Some(false) => self.down_us += total_us,
            None => self.unknown_us += total_us,
        }
    }
}

/// Adds up the time in each state within the open spans, cut to the range. Without steps all of it
/// is unknown. `open` must be sorted and disjoint.
pub fn tally(steps: &[Step], open: impl IntoIterator<Item = Span>, range: Span) -> Tally {
    let mut tally = Tally::default();
    let mut at =
        steps.partition_point(|step| step.starts_at <= range.starts_at()).saturating_sub(1);
    for span in open.into_iter().filter_map(|span| span.within(range)) {
        let mut from = span.starts_at();
        while from < span.ends_at() {
            let next_at = steps.get(at + 1).map_or(i64::MAX, |next| next.starts_at);
            if next_at <= from {
                at += 1;
                continue;
            }
            let to = next_at.min(span.ends_at());
            tally.book(steps.get(at).and_then(|step| step.active), to - from);
            from = to;
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::super::options::Interpolation::{self, Nearest, Next, Previous};
    use super::super::timeline::{Poll, steps};
    use super::*;

    const HALF_MINUTE: i64 = 1;

    fn at(hour: i64, minute: i64) -> i64 {
        (hour * 60 + minute) * 2 * HALF_MINUTE
    }

    /// Open from 09:00 to 12:00; `expected` is in half minutes.
    #[track_caller]
    fn check(polls: &[Poll], how: Interpolation, gap: Option<i64>, expected: (i64, i64, i64)) {
        let open = Span::new(at(9, 0), at(12, 0)).unwrap();
        let range = Span::new(0, at(24, 0)).unwrap();
        let tally = tally(&steps(polls, how, gap), [open], range);
        assert_eq!((tally.up_us, tally.down_us, tally.unknown_us), expected);
        assert_eq!(tally.open_us(), at(3, 0));
    }

    #[test]
    fn two_polls_in_three_open_hours() {
        let polls = [Poll::new(at(10, 14), true), Poll::new(at(11, 15), false)];
        check(&polls, Previous, None, (270, 90, 0));
        check(&polls, Nearest, None, (209, 151, 0));
        check(&polls, Next, None, (148, 212, 0));
        check(&polls, Previous, Some(at(0, 30)), (120, 60, 180));
        check(&[], Previous, None, (0, 0, 360));
    }

    #[test]
    fn unknown_time_counts_as_no_data_says() {
        let tally = Tally { up_us: 1, down_us: 2, unknown_us: 4 };
        for (no_data, expected) in
            [(NoData::Unknown, (1, 2, 4)), (NoData::Down, (1, 6, 0)), (NoData::Up, (5, 2, 0))]
        {
            let Tally { up_us, down_us, unknown_us } = tally.counted(no_data);
            assert_eq!((up_us, down_us, unknown_us), expected, "{no_data}");
        }
    }
}
