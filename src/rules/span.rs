//! Half-open spans of time, and unions of them.

/// Span `[starts_at, ends_at)` in microseconds UTC; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    starts_at: i64,
    ends_at: i64,
}

impl Span {
    /// End of an unbounded span.
    pub const FOREVER: i64 = i64::MAX;

    /// `None` if the end is not after the start.
    pub fn new(starts_at: i64, ends_at: i64) -> Option<Self> {
        (starts_at < ends_at).then_some(Self { starts_at, ends_at })
    }

    pub fn starts_at(self) -> i64 {
        self.starts_at
    }

    pub fn ends_at(self) -> i64 {
        self.ends_at
    }

    /// Intersection; `None` if it is empty.
    pub fn within(self, other: Span) -> Option<Self> {
        Self::new(self.starts_at.max(other.starts_at), self.ends_at.min(other.ends_at))
    }
}

/// Sorted spans that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// Merges overlapping and touching spans, so that no instant counts twice.
    pub fn union(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable();
        spans.dedup_by(|next, kept| {
            let joins = next.starts_at <= kept.ends_at;
            if joins {
                kept.ends_at = kept.ends_at.max(next.ends_at);
            }
            joins
        });
        Self(spans)
    }

    /// Intersection with the range.
    pub fn within(mut self, range: Span) -> Self {
        self.0 = self.0.into_iter().filter_map(|span| span.within(range)).collect();
        self
    }
}

impl std::ops::Deref for Spans {
    type Target = [Span];

    fn deref(&self) -> &[Span] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pairs: &[(i64, i64)]) -> Vec<Span> {
        pairs.iter().filter_map(|&(start, end)| Span::new(start, end)).collect()
    }

    #[track_caller]
    fn check(given: &[(i64, i64)], united: &[(i64, i64)]) {
        assert_eq!(*Spans::union(spans(given)), *spans(united));
    }

    #[test]
    fn overlapping_and_touching_spans_never_count_an_instant_twice() {
        check(&[], &[]);
        check(&[(5, 9), (1, 3)], &[(1, 3), (5, 9)]);
        check(&[(1, 3), (3, 5)], &[(1, 5)]);
        check(&[(1, 9), (2, 3), (8, 12)], &[(1, 12)]);
        check(&[(4, 4), (7, 2)], &[]);
    }

    #[test]
    fn a_range_clips_and_drops() {
        let range = Span::new(2, 6).unwrap();
        let clipped = Spans::union(spans(&[(0, 1), (1, 3), (5, 8), (9, 10)])).within(range);
        assert_eq!(*clipped, *spans(&[(2, 3), (5, 6)]));
    }
}
