//! Folds polls into segments of the line with one status each.
//!
//! Both entry points produce frames of *runs*: consecutive polls of one status between which no
//! change is possible, as positions `first` and `last`, with the span that they fill
//! (`fill_from`, `fill_to`). Only the ends of a run matter, and there are few runs.

use std::path::PathBuf;

use polars::prelude::*;

use super::ReportFiles;
use super::line::{self, ORIGIN, earlier_of, later_of};
use super::scan::{self, STORE_ID};
use super::stores::Stores;
use crate::rules::{Interpolation, Options};

/// Longest gap; longer ones have the same effect, and sums stay within an `i64`.
const MAX_GAP_MAX_US: i64 = 1 << 61;

/// Segments of the line, sorted: `held_from`, `held_to`, `active`; time without a segment is
/// unknown. Each store's range is filled as one span, from all its polls up to and including the
/// range's end.
pub(super) fn over_all_time(
    files: &ReportFiles,
    stores: &Stores,
    options: &Options,
    only: Option<&[String]>,
) -> PolarsResult<DataFrame> {
    let line = stores.line();
    let runs_of = |file: &[PathBuf]| {
        let polls = scan::polls(file, only)?;
        let seen = polls.filter(col("polled_at").lt_eq(lit(line.range().ends_at())));
        Ok(runs(seen, &[STORE_ID], options))
    };
    let all: Vec<PathBuf> = files.carried.iter().chain(&files.polls).cloned().collect();
    let runs = with_origin(each_file(&all, runs_of)?, stores).select([
        col(ORIGIN).alias("fill_from"),
        line.end().alias("fill_to"),
        line.position_of(col("first")).alias("first"),
        line.position_of(col("last")).alias("last"),
        col("active"),
    ]);
    held(runs, options).collect()
}

/// Same output, with each of the given spans filled from the polls within it alone.
pub(super) fn within(
    fill_spans: &DataFrame,
    files: &[PathBuf],
    stores: &Stores,
    options: &Options,
    only: Option<&[String]>,
) -> PolarsResult<DataFrame> {
    let line = stores.line();
    let fill_spans = fill_spans
        .clone()
        .lazy()
        .select([col("starts").alias("fill_from"), col("ends").alias("fill_to")])
        .collect()?;
    let runs_of = |file: &[PathBuf]| {
        let is_in_range = col("polled_at")
            .gt_eq(lit(line.range().starts_at()))
            .and(col("polled_at").lt(lit(line.range().ends_at())));
        let polls = with_origin(scan::polls(file, only)?.filter(is_in_range), stores)
            .select([line.position_of(col("polled_at")).alias("polled_at"), col("active")]);
        // Rows of a file are sorted by store and instant, and therefore by position.
        let placed = line::at_or_before(polls, "polled_at", fill_spans.clone(), "fill_from")
            .filter(col("polled_at").lt(col("fill_to")));
        Ok(runs(placed, &["fill_from", "fill_to"], options))
    };
    held(each_file(files, runs_of)?, options).collect()
}

/// Maps each file to a frame and concatenates them in order. Without files, maps an empty file.
fn each_file(
    files: &[PathBuf],
    runs_of: impl Fn(&[PathBuf]) -> PolarsResult<LazyFrame>,
) -> PolarsResult<LazyFrame> {
    if files.is_empty() {
        return runs_of(&[]);
    }
    let by_file: Vec<LazyFrame> = files.chunks(1).map(runs_of).collect::<PolarsResult<_>>()?;
    concat(by_file, UnionArgs::default())
}

/// Rows of the report's stores with their origins, in the same order.
fn with_origin(rows: LazyFrame, stores: &Stores) -> LazyFrame {
    rows.join_builder()
        .with(stores.origins())
        .left_on([col(STORE_ID)])
        .right_on([col(STORE_ID)])
        .how(JoinType::Inner)
        .maintain_order(MaintainOrderJoin::Left)
        .finish()
}

/// Folds sorted polls into runs. A run ends where the first of the owner's columns or the status
/// changes, or where the time between polls exceeds what the gap permits.
fn runs(polls: LazyFrame, owner: &[&str], options: &Options) -> LazyFrame {
    let before = |name: &str| col(name).shift(lit(1));
    let mut begins = col(owner[0]).neq(before(owner[0])).or(col("active").neq(before("active")));
    if let Some(gap) = max_gap_us(options) {
        begins = begins.or((col("polled_at") - before("polled_at")).gt(lit(gap)));
    }
    let mut columns: Vec<Expr> =
        owner.iter().map(|name| col(*name).filter(col("begins"))).collect();
    columns.extend([
        col("polled_at").filter(col("begins")).alias("first"),
        col("polled_at").filter(col("ends")).alias("last"),
        col("active").filter(col("begins")),
    ]);
    polls
        .with_column(begins.fill_null(lit(true)).alias("begins"))
        .with_column(col("begins").shift(lit(-1)).fill_null(lit(true)).alias("ends"))
        .select(columns)
}

/// Part of its fill span that each run decides: from the change before the run to the change after
/// it, limited by the gap.
///
/// Runs of a store that lie before the fill span count as equally early and keep their order; the
/// last of them has the first part that reaches into it.
fn held(runs: LazyFrame, options: &Options) -> LazyFrame {
    let in_order = SortMultipleOptions::default().with_maintain_order(true);
    let is_same_fill = col("fill_from").eq(col("fill_from").shift(lit(1)));
    let takes_over = change_between(col("last").shift(lit(1)), col("first"), options.interpolation);
    let decides_from = col("change_before").fill_null(col("fill_from"));
    let mut held_from = later_of(decides_from, col("fill_from"));
    let mut held_to = col("change_after").fill_null(col("fill_to"));
    if let Some(gap) = max_gap_us(options) {
        held_from = later_of(held_from, col("first") - lit(gap));
        held_to = earlier_of(held_to, col("last") + lit(gap));
    }
    runs.with_column(later_of(col("first"), col("fill_from")).alias("seen_from"))
        .sort(["seen_from"], in_order)
        .with_column(
            when(is_same_fill).then(takes_over).otherwise(lit(NULL)).alias("change_before"),
        )
        .with_column(col("change_before").shift(lit(-1)).alias("change_after"))
        .select([held_from.alias("held_from"), held_to.alias("held_to"), col("active")])
        .filter(col("held_from").lt(col("held_to")))
}

/// Position at which the status changes between two polls.
fn change_between(earlier_at: Expr, later_at: Expr, interpolation: Interpolation) -> Expr {
    match interpolation {
        Interpolation::Previous => later_at,
        Interpolation::Next => earlier_at,
        Interpolation::Nearest => {
            let gap_us = later_at - earlier_at.clone();
            earlier_at + (gap_us + lit(1i64)) / lit(2i64)
        }
    }
}

fn max_gap_us(options: &Options) -> Option<i64> {
    options.max_gap_us.map(|gap| gap.min(MAX_GAP_MAX_US))
}
