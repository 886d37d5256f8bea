//! A number line that holds the time ranges of all stores, one after another.
//!
//! ```text
//! store A              store B              store C
//! ├──── range ────┤    ├──── range ────┤    ├──── range ────┤     origins at each ├
//! ```
//!
//! The range of a store begins at its *origin*; the next range begins one microsecond after its
//! end. Spans of two stores therefore never touch. One sorted integer represents store and instant,
//! so unions and lookups need neither groups nor other keys.

use polars::prelude::*;

use crate::rules::Span;

/// Column with the position at which the range of a row's store begins; it also identifies the
/// store.
pub(super) const ORIGIN: &str = "origin";

#[derive(Clone, Copy)]
pub(super) struct Line {
    range: Span,
}

impl Line {
    /// Exclusive upper bound of positions that leaves room for polls far outside the range.
    const LENGTH_MAX_US: i64 = 1 << 62;

    pub fn over(range: Span) -> Self {
        Self { range }
    }

    pub fn range(self) -> Span {
        self.range
    }

    pub fn range_us(self) -> i64 {
        self.range.ends_at() - self.range.starts_at()
    }

    /// Largest number of stores on the line: millions, for a range of a week.
    pub fn stores_max(self) -> usize {
        (Self::LENGTH_MAX_US / self.stride_us()) as usize
    }

    /// Position at which the range of a store begins; `store` is its index.
    pub fn origin_of(self, store: Expr) -> Expr {
        store.cast(DataType::Int64) * lit(self.stride_us())
    }

    /// Position of an instant of the row's store; the instant may lie outside the range.
    pub fn position_of(self, instant: Expr) -> Expr {
        col(ORIGIN) + (instant - lit(self.range.starts_at()))
    }

    /// Position at which the range of the row's store ends.
    pub fn end(self) -> Expr {
        col(ORIGIN) + lit(self.range_us())
    }

    fn stride_us(self) -> i64 {
        self.range_us() + 1
    }
}

/// As-of join: for each left row, the right row with the last key that is not greater, or nulls.
/// The right rows must be sorted by key.
pub(super) fn at_or_before(
    left: LazyFrame,
    key: &str,
    right: DataFrame,
    right_key: &str,
) -> LazyFrame {
    const PLACE: &str = "place";
    let columns = right.into_columns();
    let column = |column: Column| lit(column.take_materialized_series().rechunk());
    let keys = columns.iter().filter(|column| column.name() == right_key).cloned().map(column);
    // Number of keys that are not greater, which is the index of the last such key plus one.
    let count = |keys: Expr| keys.search_sorted(col(key), SearchSortedSide::Right, false);
    let counts: Vec<_> = keys.map(|keys| count(keys).alias(PLACE)).collect();
    let place = when(col(PLACE).gt(lit(0u32))).then(col(PLACE) - lit(1u32)).otherwise(lit(NULL));
    let placed = columns.into_iter().map(|right| {
        let name = right.name().clone();
        column(right).gather(place.clone(), false).alias(name)
    });
    let placed: Vec<_> = placed.collect();
    left.with_columns(counts).with_columns(placed).drop(cols([PLACE]))
}

pub(super) fn later_of(one: Expr, other: Expr) -> Expr {
    when(one.clone().gt(other.clone())).then(one).otherwise(other)
}

pub(super) fn earlier_of(one: Expr, other: Expr) -> Expr {
    when(one.clone().lt(other.clone())).then(one).otherwise(other)
}
