//! The report in lazy frames on Polars.
//!
//! Shares no fold, expansion or overlap with the SQL engine, so that each can judge the other. All
//! of it is one-dimensional: `line` lays the ranges of all stores end to end, and from there on
//! polls, spans and windows are integers on one line. Knows nothing of Delta, versions or printing.

mod figures;
mod line;
mod openings;
mod overlap;
mod scan;
mod spans;
mod stores;
#[cfg(test)]
mod tests;
mod timelines;

use std::path::PathBuf;

use polars::prelude::*;

pub use self::figures::figures;
use self::line::Line;
use self::stores::Stores;
use crate::rules::{Options, Scope, Window, ZoneRules};

/// Parquet files of one version of the tables, the ones a report must read. Any list may be empty.
#[derive(Clone, Debug)]
pub struct ReportFiles {
    /// `store_id`, `polled_at` (UTC), `active`: one file a UTC day, in order of days, each sorted
    /// by store and instant, one poll an instant. May start before the asked range, and end after
    /// it.
    pub polls: Vec<PathBuf>,
    /// The same columns: of each store at most its last poll before the first of those days.
    pub carried: Vec<PathBuf>,
    /// `store_id`: the rows of the report.
    pub stores: Vec<PathBuf>,
    /// `store_id`, `day_of_week` (0 = Monday), `start_local_s`, `end_local_s`.
    pub business_hours: Vec<PathBuf>,
    /// `store_id`, `time_zone` (IANA name), one row a store.
    pub time_zones: Vec<PathBuf>,
    /// What the zones mean.
    pub zone_rules: ZoneRules,
}

/// The uptime, downtime, unknown and scheduled time of each store in each window before `now`.
///
/// Sorted by `store_id` bytewise; then `uptime_last_hour`, `uptime_last_day` and so on, in
/// microseconds. `only` leaves the other stores out.
///
/// Blocks. On a single-threaded runtime of tokio Polars panics.
///
/// # Errors
/// Where a file cannot be read or lacks a column, or a time zone is unknown.
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
