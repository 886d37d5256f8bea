//! Computes the report with lazy frames on Polars; the independent judge of the SQL engine.
//!
//! Both engines fold polls, expand hours and intersect spans with code of their own. Here all of it
//! is one-dimensional: `line` places the ranges of all stores one after another, and polls, spans
//! and windows become integers on that line. Knows nothing about Delta, versions or printing.

mod figures;
mod line;
mod openings;
mod overlap;
mod scan;
mod spans;
mod stores;
mod timelines;

use std::path::PathBuf;

use polars::prelude::*;

pub use self::figures::figures;
use self::line::Line;
use self::stores::Stores;
use crate::rules::{Options, Scope, Window, ZoneRules};

/// Parquet files that a report reads, at one version of the tables. Any list may be empty.
#[derive(Clone, Debug)]
pub struct ReportFiles {
    /// `store_id`, `polled_at` (UTC), `active`: one file per UTC day, sorted by day. Each file is
    /// sorted by store and instant, and has one poll per instant. May cover more than the range.
    pub polls: Vec<PathBuf>,
    /// Same columns; for each store at most its last poll before the first of those days.
    pub carried: Vec<PathBuf>,
    /// `store_id`: the stores of the report.
    pub stores: Vec<PathBuf>,
    /// `store_id`, `day_of_week` (0 = Monday), `start_local_s`, `end_local_s`.
    pub business_hours: Vec<PathBuf>,
    /// `store_id`, `time_zone` (IANA name); one row per store.
    pub time_zones: Vec<PathBuf>,
    /// Rules of the time zones.
    pub zone_rules: ZoneRules,
}

/// Computes uptime, downtime, unknown and scheduled time per store and window before `now`.
///
/// Output: `store_id`, then `uptime_last_hour`, `uptime_last_day` and so on in microseconds, sorted
/// by `store_id` bytewise. With `only`, other stores are left out.
///
/// Blocks. Polars panics on a single-threaded tokio runtime.
///
/// # Errors
/// If a file cannot be read or lacks a column, or if a time zone is unknown.
pub fn tallies(
    files: &ReportFiles,
    now: i64,
    options: &Options,
    only: Option<&[String]>,
) -> PolarsResult<DataFrame> {
    let line = Line::over(Window::LONGEST.before(now));
    let stores = Stores::read(files, line, options.default_time_zone, only)?;
    let open = openings::open_spans(&files.business_hours, &stores, options, only)?;
    let held = match options.scope {
        Scope::All => timelines::over_all_time(files, &stores, options, only)?,
        Scope::Day => {
            let days = openings::local_days(&stores)?;
            timelines::within(&days, &files.polls, &stores, options, only)?
        }
        Scope::Interval => timelines::within(&open, &files.polls, &stores, options, only)?,
    };
    overlap::tallies(open, held, &stores, options.no_data)
}
