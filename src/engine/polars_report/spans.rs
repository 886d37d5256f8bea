//! Frames of half-open, non-empty spans on the line: `origin` of the store, `starts`, `ends`.

use polars::prelude::*;

use super::line::{Line, ORIGIN, earlier_of, later_of};

/// Converts spans of instants, `starts_at` and `ends_at`, to positions, clipped to the range. Drops
/// empty and negative spans.
pub(super) fn on_line(spans: LazyFrame, line: Line) -> LazyFrame {
    let range = line.range();
    let starts_at = later_of(col("starts_at"), lit(range.starts_at()));
    let ends_at = earlier_of(col("ends_at"), lit(range.ends_at()));
    spans
        .select([
            col(ORIGIN),
            line.position_of(starts_at).alias("starts"),
            line.position_of(ends_at).alias("ends"),
        ])
        .filter(col("starts").lt(col("ends")))
}

/// Union of the spans, sorted. Overlapping and adjacent spans are merged, so no instant counts
/// twice.
pub(super) fn union(spans: LazyFrame) -> LazyFrame {
    spans
        .sort(["starts"], SortMultipleOptions::default())
        .with_column(col("ends").cum_max(false).alias("reach"))
        .with_column(
            col("starts").gt(col("reach").shift(lit(1))).fill_null(lit(true)).alias("opens"),
        )
        .with_column(col("opens").shift(lit(-1)).fill_null(lit(true)).alias("closes"))
        .select([
            col(ORIGIN).filter(col("opens")),
            col("starts").filter(col("opens")),
            col("reach").filter(col("closes")).alias("ends"),
        ])
}
