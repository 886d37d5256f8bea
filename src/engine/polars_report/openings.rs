//! Lays weekly hours and local days onto the calendar of each store's time zone.

use std::path::PathBuf;

use polars::prelude::*;

use super::line::{Line, ORIGIN};
use super::scan::{self, STORE_ID};
use super::spans;
use super::stores::Stores;
use crate::rules::calendar::{DAY_S, DAY_US, HOUR_US, MINUTE_US, SECOND_US, day_of, weekday_of};
use crate::rules::{DailyHours, DefaultHours, Options};

/// Openings of each store within the range, as sorted, disjoint spans.
pub(super) fn open_spans(
    files: &[PathBuf],
    stores: &Stores,
    options: &Options,
    only: Option<&[String]>,
) -> PolarsResult<DataFrame> {
    let hours = scan::business_hours(files, only)?;
    let without = stores.rows().anti_join(hours.clone(), col(STORE_ID), col(STORE_ID));
    let (hours, always) = match options.default_hours {
        DefaultHours::Always => (hours, Some(without)),
        DefaultHours::Closed => (hours, None),
        DefaultHours::Daily(daily) => {
            (concat([hours, on_each_day(without, daily)?], UnionArgs::default())?, None)
        }
    };
    let midnight = col("day") * lit(DAY_US);
    let start = midnight.clone() + col("start_local_s") * lit(SECOND_US);
    let end = midnight + end_from_midnight_s(options.snap_end_of_day) * lit(SECOND_US);
    let on_dates = hours
        .inner_join(stores.rows(), col(STORE_ID), col(STORE_ID))
        .inner_join(dates(stores.line())?, col("day_of_week"), col("day_of_week"))
        .select([
            col(ORIGIN),
            stores.instant_of(start).alias("starts_at"),
            stores.instant_of(end).alias("ends_at"),
        ]);
    let mut spans = vec![spans::on_line(on_dates, stores.line())];
    spans.extend(always.map(|always| whole_range(always, stores.line())));
    spans::union(concat(spans, UnionArgs::default())?).collect()
}

/// Seven rows of business hours per store.
fn on_each_day(stores: LazyFrame, daily: DailyHours) -> PolarsResult<LazyFrame> {
    let time_s = |time_s: u32| vec![i64::from(time_s); 7];
    let week = df!(
        "day_of_week" => (0..7).collect::<Vec<i64>>(),
        "start_local_s" => time_s(daily.start_s()),
        "end_local_s" => time_s(daily.end_s()),
    )?;
    Ok(stores.select([col(STORE_ID)]).cross_join(week.lazy(), None))
}

/// The range, as one span per store.
fn whole_range(stores: LazyFrame, line: Line) -> LazyFrame {
    stores.select([col(ORIGIN), col(ORIGIN).alias("starts"), line.end().alias("ends")])
}

/// Local calendar days of each store within the range, sorted.
pub(super) fn local_days(stores: &Stores) -> PolarsResult<DataFrame> {
    let midnight = |day: Expr| stores.instant_of(day * lit(DAY_US));
    let days = stores.rows().cross_join(dates(stores.line())?, None).select([
        col(ORIGIN),
        midnight(col("day")).alias("starts_at"),
        midnight(col("day") + lit(1i64)).alias("ends_at"),
    ]);
    let days = spans::on_line(days, stores.line());
    days.sort(["starts"], SortMultipleOptions::default()).collect()
}

/// Local dates, in any zone, whose openings can reach into the range: `day`, counted from
/// 1970-01-01, and `day_of_week`.
fn dates(line: Line) -> PolarsResult<LazyFrame> {
    // No local clock has ever been farther from UTC.
    const FARTHEST_OFFSET_US: i64 = 16 * HOUR_US;
    let range = line.range();
    // An opening ends no later than on the date after its start.
    let first = day_of(range.starts_at() - FARTHEST_OFFSET_US) - 1;
    let last = day_of(range.ends_at() + FARTHEST_OFFSET_US);
    let days: Vec<i64> = (first..=last).collect();
    let weekdays: Vec<i64> = days.iter().map(|&day| i64::from(weekday_of(day))).collect();
    Ok(df!("day" => days, "day_of_week" => weekdays)?.lazy())
}

/// Seconds from midnight of the opening date to the end of the opening, which is on the next date
/// if it is not after the start.
fn end_from_midnight_s(snap_end_of_day: bool) -> Expr {
    let day_s = || lit(i64::from(DAY_S));
    let mut end_s = col("end_local_s");
    if snap_end_of_day {
        let snaps_from_s = lit(i64::from(DAY_S) - MINUTE_US / SECOND_US);
        end_s = when(end_s.clone().gt_eq(snaps_from_s)).then(day_s()).otherwise(end_s);
    }
    let is_next_date = end_s.clone().lt_eq(col("start_local_s"));
    when(is_next_date).then(end_s.clone() + day_s()).otherwise(end_s)
}
