//! Computes the time in each state within the openings, by window.
//!
//! The time up, and the time with a known state, are running sums along the line. Their growth over
//! a span is the time in that state within the span, so two lookups per span replace an interval
//! join.

use polars::prelude::*;

use super::line::{self, Line, ORIGIN, earlier_of, later_of};
use super::scan::STORE_ID;
use super::stores::Stores;
use crate::rules::{NoData, Window};

const STATES: [&str; 4] = ["uptime", "downtime", "unknown", "scheduled"];

/// Table with a row per store: its id, then each state in each window.
pub(super) fn tallies(
    open: DataFrame,
    held: DataFrame,
    stores: &Stores,
    no_data: NoData,
) -> PolarsResult<DataFrame> {
    let held = running_sums(held.lazy()).collect()?;
    let spans = cut_at_window_starts(open.lazy(), stores.line())?;
    let spans = sums_until(spans, "starts", &held);
    let spans = sums_until(spans, "ends", &held);
    let by_store =
        booked(spans, no_data).group_by([col(ORIGIN)]).agg(sums_by_window(stores.line()));
    let columns =
        || STATES.into_iter().flat_map(|state| Window::ALL.map(|window| column(state, window)));
    let mut report = vec![col(STORE_ID)];
    report.extend(columns().map(|name| col(name).fill_null(lit(0i64))));
    stores
        .origins()
        .left_join(by_store, col(ORIGIN), col(ORIGIN))
        .sort([ORIGIN], SortMultipleOptions::default())
        .select(report)
        .collect()
}

fn column(state: &str, window: Window) -> String {
    format!("{state}_{}", window.name())
}

/// Adds the sums over all earlier segments: `known_before` and `up_before`.
fn running_sums(held: LazyFrame) -> LazyFrame {
    let length_us = col("held_to") - col("held_from");
    let up_us = length_us.clone() * col("active").cast(DataType::Int64);
    held.with_columns([
        (length_us.clone().cum_sum(false) - length_us).alias("known_before"),
        (up_us.clone().cum_sum(false) - up_us).alias("up_before"),
    ])
}

/// Sorted spans, cut at the starts of windows.
fn cut_at_window_starts(open: LazyFrame, line: Line) -> PolarsResult<LazyFrame> {
    let mut cuts_us = Window::ALL.map(|window| line.range_us() - window.length_us()).to_vec();
    cuts_us.push(line.range_us());
    cuts_us.sort_unstable();
    let between = |cuts_us: &[i64]| {
        let parts = open.clone().select([
            col(ORIGIN),
            later_of(col("starts"), col(ORIGIN) + lit(cuts_us[0])).alias("starts"),
            earlier_of(col("ends"), col(ORIGIN) + lit(cuts_us[1])).alias("ends"),
        ]);
        parts.filter(col("starts").lt(col("ends")))
    };
    let parts: Vec<LazyFrame> = cuts_us.windows(2).map(between).collect();
    Ok(concat(parts, UnionArgs::default())?.sort(["starts"], SortMultipleOptions::default()))
}

/// Adds the running sums at the positions in a sorted column: `known_until_` and `up_until_`,
/// followed by the column's name.
fn sums_until(spans: LazyFrame, position: &str, held: &DataFrame) -> LazyFrame {
    let held_us = || earlier_of(col(position), col("held_to")) - col("held_from");
    let known = col("known_before") + held_us();
    let up = col("up_before") + held_us() * col("active").cast(DataType::Int64);
    line::at_or_before(spans, position, held.clone(), "held_from")
        .with_columns([
            known.fill_null(lit(0i64)).alias(format!("known_until_{position}")),
            up.fill_null(lit(0i64)).alias(format!("up_until_{position}")),
        ])
        .drop(cols(["held_from", "held_to", "active", "known_before", "up_before"]))
}

/// Adds the time in each state per span; unknown time is counted as `no_data` says.
fn booked(spans: LazyFrame, no_data: NoData) -> LazyFrame {
    let grown = |sum: &str| col(format!("{sum}_until_ends")) - col(format!("{sum}_until_starts"));
    let scheduled = col("ends") - col("starts");
    let known = grown("known");
    let none = lit(0i64).cast(DataType::Int64);
    let times = [grown("up"), known.clone() - grown("up"), scheduled.clone() - known];
    let [up, down, unknown] = no_data.count(times, none);
    let states = STATES.into_iter().zip([up, down, unknown, scheduled]);
    let states: Vec<Expr> = states.map(|(name, time)| time.alias(name)).collect();
    spans.with_columns(states)
}

fn sums_by_window(line: Line) -> Vec<Expr> {
    let sum = |state: &'static str, window: Window| {
        let window_starts = col(ORIGIN) + lit(line.range_us() - window.length_us());
        let within = when(col("starts").gt_eq(window_starts)).then(col(state)).otherwise(lit(0i64));
        within.sum().alias(column(state, window))
    };
    STATES.into_iter().flat_map(|state| Window::ALL.map(|window| sum(state, window))).collect()
}
