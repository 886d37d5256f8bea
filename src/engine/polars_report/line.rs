//! One line of time for all stores.
//!
//! A store's *origin* is where its range begins on the line; the next store's range begins one
//! microsecond after the end of it. Thus spans of two stores never touch, and one sorted integer
//! does for store and instant: unions and look-ups need no grouping, and no key but this.

use polars::prelude::*;

use crate::rules::Span;

/// Column of positions at which the range of a row's store begins; a store's key as well.
pub(super) const ORIGIN: &str = "origin";

#[derive(Clone, Copy)]
pub(super) struct Line {
    range: Span,
}

impl Line {
    /// Positions stay below this, so that a poll far outside the range still has one.
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

    /// How many stores have room on the line: millions, for a range of a week.
    pub fn stores_max(self) -> usize {
        (Self::LENGTH_MAX_US / self.stride_us()) as usize
    }

    /// Where the range of the store of that index begins.
    pub fn origin_of(self, store: Expr) -> Expr {
        store.cast(DataType::Int64) * lit(self.stride_us())
    }

    /// The position of an instant of the row's store, which may lie outside the range.
    pub fn position_of(self, instant: Expr) -> Expr {
        col(ORIGIN) + (instant - lit(self.range.starts_at()))
    }

    /// Where the range of the row's store ends.
    pub fn end(self) -> Expr {
        col(ORIGIN) + lit(self.range_us())
    }

    fn stride_us(self) -> i64 {
        self.range_us() + 1
    }
}

/// For each left row, the right row of the last key at or before its own; nulls where none is.
/// The right rows are in order of their keys.
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
    // How many keys are not after it: one more than the place of the last of them.
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
