//! `uptally ingest`: CSV files into the tables.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::share;
use super::output;
use super::signals::Stop;
use super::zones::{self, change_text};
use crate::error::Result;
use crate::ingest::{Kind, Outcome, Reject, Request, Watch, load, rejects_csv, sources};
use crate::tables::WriteLock;

/// Loads CSV files into the tables, all or nothing; what was loaded before is left alone.
#[derive(Debug, Args)]
pub struct Arguments {
    /// CSV files, also gzip or zstd, or folders of them; each is known by its header
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    rejection: Rejection,
    #[command(flatten)]
    zones: zones::Source,
}

/// What becomes of rows that break a rule.
#[derive(Clone, Debug, Args)]
pub struct Rejection {
    /// Largest share of a file's rows that may be rejected, as 0.01 or 1%
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    max_reject_rate: f64,
    /// Writes every rejected row to a CSV file, whether the load succeeds or not
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    let stop = Stop::on_signals()?;
    let outcome = load_into(
        &arguments.data,
        &arguments.paths,
        (&arguments.rejection, &arguments.zones),
        stop.flag(),
    )
    .await?;
    arguments.zones.tell_older(&outcome.zone_rules)?;
    print!("{}", summary(&outcome));
    Ok(())
}

/// Loads the files into the folder, with a progress bar where stderr is a terminal.
pub async fn load_into(
    data: &Path,
    paths: &[PathBuf],
    (rejection, zones): (&Rejection, &zones::Source),
    stopped: &AtomicBool,
) -> Result<Outcome> {
    let lock = WriteLock::take(data)?;
    let bytes = sources(paths)?.iter().map(|source| source.size_bytes).sum();
    let bar = ProgressBar::new(bytes).with_style(bar_style());
    let watch = Watch { stopped, read: &|bytes| bar.inc(bytes) };
    let request = Request {
        paths: paths.to_vec(),
        max_reject_rate: rejection.max_reject_rate,
        loaded_at: chrono::Utc::now().timestamp_micros(),
        zone_rules: zones.newest()?,
    };
    let rejected = |rejects: &[Reject]| match &rejection.rejects {
        Some(file) => output::write(&rejects_csv(rejects)?, Some(file)),
        None => Ok(()),
    };
    let outcome = load(&request, &lock, &watch, rejected).await;
    bar.finish_and_clear();
    outcome
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What a load did, line by line.
pub fn summary(outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    for file in &outcome.files {
        let rejected = match file.rejected {
            0 => String::new(),
            rejected => format!(", {rejected} rejected"),
        };
        let (name, rows, kind) = (&file.file, file.rows, kind_words(file.kind));
        lines.push(match file.known {
            true => format!("{name:?}: {kind}; the same content was loaded before, nothing to do"),
            false => format!("{name:?}: {rows} rows of {kind}{rejected}"),
        });
    }
    if outcome.files.iter().any(|file| !file.known && file.kind == Kind::Polls) {
        let polls = outcome.polls;
        lines.push(format!(
            "polls: {} loaded, {} duplicate, {} conflicting",
            polls.loaded, polls.duplicates, polls.conflicts
        ));
    }
    if let Some(rows) = outcome.hours_rows {
        lines.push(format!("business hours: {rows} rows, in place of those before"));
    }
    if let Some(rows) = outcome.zone_rows {
        lines.push(format!("time zones: {rows} rows, in place of those before"));
    }
    lines.extend(conflicts(outcome));
    lines.extend(outcome.rules_change.as_ref().map(change_text));
    lines.extend(outcome.version.map(|version| format!("version {version}")));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Stores with more than one time zone.
pub fn conflicts(outcome: &Outcome) -> Option<String> {
    const SHOWN: usize = 5;
    let stores = &outcome.zone_conflicts;
    let shown: Vec<_> = stores.iter().take(SHOWN).map(|id| format!("{id:?}")).collect();
    let more = if stores.len() > SHOWN { ", …" } else { "" };
    (!stores.is_empty()).then(|| {
        format!(
            "time zones: {} stores have more than one, of which the last counts: {}{more}",
            stores.len(),
            shown.join(", ")
        )
    })
}

fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Polls => "polls",
        Kind::BusinessHours => "business hours",
        Kind::TimeZones => "time zones",
    }
}
