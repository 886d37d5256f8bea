//! `uptally generate`: synthetic chains.

use std::path::PathBuf;

use clap::Args;

use super::arguments::instant;
use super::output;
use crate::error::{Error, Result, counted};
use crate::generate::{DEFAULT_END_US, Spec, generate};

/// Generates the three CSV files of a synthetic chain; the same seed gives the same bytes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Number of stores
    #[arg(long)]
    stores: u32,
    /// Number of days that the polls cover
    #[arg(long)]
    days: u32,
    /// Seed of the random generator
    #[arg(long)]
    seed: u64,
    /// Instant of the last poll [default: 2023-01-25 18:13:22.47922 UTC]
    #[arg(long, value_name = "T", value_parser = instant)]
    end: Option<i64>,
    /// Folder to write store_status.csv, menu_hours.csv and timezones.csv to
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let spec = Spec {
        stores: arguments.stores,
        days: arguments.days,
        seed: arguments.seed,
        ends_at_us: arguments.end.unwrap_or(DEFAULT_END_US),
    };
    let written = generate(&spec, &arguments.out).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Error::Argument(error.to_string()),
        _ => Error::io("write a chain to", &arguments.out, error),
    })?;
    let summary = format!(
        "wrote {}, {} of business hours and {} to {:?}\n",
        counted(written.polls, "poll", "polls"),
        counted(written.hours_rows, "row", "rows"),
        counted(written.zone_rows, "time zone", "time zones"),
        arguments.out
    );
    output::write(summary.as_bytes(), None)
}
