//! `uptally ingest`: loads CSV files into the tables.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::arguments::{duration, share};
use super::output;
use super::signals::StopSignal;
use super::zones::{self, change_text};
use crate::error::{Result, counted};
use crate::ingest::{
    CONFLICTS_MAX, DefaultTexts, FileKind, LoadControl, LoadOutcome, LoadRequest, ReplaceMode,
    Replaced, Unmatched, load, rejects_csv, sources,
};
use crate::report::Format;
use crate::rules::{DefaultHours, Options};
use crate::tables::WriteLock;

/// Loads CSV files into the tables, all or nothing; files loaded before are skipped.
///
/// Polls are added. Business hours and time zones replace those of all stores or, with --merge, of
/// the stores in the files.
#[derive(Debug, Args)]
pub struct Arguments {
    /// CSV files (plain, gzip or zstd), known by their header, or folders; - is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data")]
    data: PathBuf,
    /// Replaces hours and zones only of the stores in the files
    #[arg(long, conflicts_with = "replace")]
    merge: bool,
    /// Replaces hours and zones of all stores, even if more than half of them lose theirs
    #[arg(long)]
    replace: bool,
    /// Longest wait for another load of the folder to finish, like 30s [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    rejection: Rejection,
    #[command(flatten)]
    zones: zones::Source,
}

/// Handling of rows that break a rule.
#[derive(Clone, Debug, Args)]
pub struct Rejection {
    /// Largest share of a file's rows that may be rejected, like 0.01 or 1%
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    max_reject_rate: f64,
    /// CSV file to write rejected rows and their consequences to, even if the load fails
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

impl Rejection {
    /// Checks the name of the file for rejects.
    ///
    /// # Errors
    /// When its extension is that of another format than CSV.
    pub fn check(&self) -> std::result::Result<(), String> {
        let file = self.rejects.as_ref();
        file.map_or(Ok(()), |file| output::check_format("rejects are", Format::Csv, file))
    }
}

impl Arguments {
    /// Checks flags against each other, before any work.
    ///
    /// # Errors
    /// As [`Rejection::check`].
    pub fn check(&self) -> std::result::Result<(), String> {
        self.rejection.check()
    }
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    let stop = StopSignal::on_signals()?;
    let mode = match (arguments.merge, arguments.replace) {
        (true, _) => ReplaceMode::Merge,
        (false, true) => ReplaceMode::Replace,
        (false, false) => ReplaceMode::Careful,
    };
    let defaults = default_texts(&Options::default());
    let settings = LoadSettings {
        rejection: &arguments.rejection,
        zones: &arguments.zones,
        defaults: &defaults,
        mode,
        wait: arguments.wait.unwrap_or_default(),
    };
    let outcome = load_into(&arguments.data, &arguments.paths, &settings, stop.flag()).await?;
    arguments.zones.note_if_older(&outcome.zone_rules)?;
    print_warnings(&outcome, &defaults);
    let summary = summary(&outcome, mode);
    match &arguments.rejection.rejects {
        // Stdout carries the rejects, so the summary goes to stderr.
        Some(file) if output::is_stdout(file) => eprint!("{summary}"),
        _ => output::write(summary.as_bytes(), None)?,
    }
    Ok(())
}

/// Settings of one load.
pub struct LoadSettings<'a> {
    pub rejection: &'a Rejection,
    /// Source of time-zone rules; the newest edition among them and the dataset's is adopted.
    pub zones: &'a zones::Source,
    /// Default hours and zone as text, for warnings about stores that fall back to them.
    pub defaults: &'a DefaultTexts,
    pub mode: ReplaceMode,
    /// Longest wait for another load of the folder to end; zero fails at once.
    pub wait: Duration,
}

/// Loads the files into the folder, with a progress bar if stderr is a terminal.
pub async fn load_into(
    data: &Path,
    paths: &[PathBuf],
    settings: &LoadSettings<'_>,
    stopped: &AtomicBool,
) -> Result<LoadOutcome> {
    if let Some(file) = &settings.rejection.rejects {
        output::check_writable(file)?;
    }
    let bytes = sources(paths)?.iter().map(|source| source.size_bytes).sum();
    let lock = WriteLock::wait(data, settings.wait, stopped).await?;
    let bar = ProgressBar::new(bytes).with_style(bar_style());
    let control = LoadControl { stopped, on_read: &|bytes| bar.inc(bytes) };
    let request = LoadRequest {
        paths: paths.to_vec(),
        max_reject_rate: settings.rejection.max_reject_rate,
        loaded_at: chrono::Utc::now().timestamp_micros(),
        zone_rules: settings.zones.newest()?,
        mode: settings.mode,
    };
    let rejected = |outcome: &LoadOutcome| match &settings.rejection.rejects {
        Some(file) => output::write(&rejects_csv(outcome, settings.defaults)?, Some(file)),
        None => Ok(()),
    };
    let outcome = load(&request, &lock, &control, rejected).await;
    bar.finish_and_clear();
    outcome
}

/// Default hours and zone of the options, as text.
pub fn default_texts(options: &Options) -> DefaultTexts {
    let hours = match options.default_hours {
        DefaultHours::Always => "always open".to_owned(),
        DefaultHours::Closed => "closed".to_owned(),
        DefaultHours::Daily(daily) => format!("open {daily} every day"),
    };
    DefaultTexts { hours, zone: options.default_time_zone.as_str().to_owned() }
}

/// Prints warnings: stores that fall back to a default because their rows were rejected, files
/// whose ids match no polled store, and conflicts that were not listed.
pub fn print_warnings(outcome: &LoadOutcome, defaults: &DefaultTexts) {
    for (kind, what) in [(FileKind::BusinessHours, "hours"), (FileKind::TimeZones, "zone")] {
        let of_kind = outcome.fallbacks.iter().filter(|fallback| fallback.kind == kind);
        let stores: Vec<_> = of_kind.map(|fallback| fallback.store.as_str()).collect();
        if !stores.is_empty() {
            let default = defaults.for_kind(kind);
            let count = counted(stores.len(), "store has", "stores have");
            eprintln!(
                "warning: {count} only rejected {what} and will count as {default}: {}",
                list_first(&stores, " (--rejects FILE names all)")
            );
        }
    }
    for Unmatched { file, kind, ids, ids_in_file, likely_cause } in &outcome.unmatched {
        eprintln!(
            "warning: {file:?}: {} of {} of {} {} no polled store: {}; likely cause: {likely_cause}",
            ids.len(),
            counted(*ids_in_file, "id", "ids"),
            kind_name(*kind),
            if ids.len() == 1 { "matches" } else { "match" },
            list_first(ids, " (--rejects FILE names all)")
        );
    }
    if outcome.polls.conflicts > CONFLICTS_MAX as u64 {
        eprintln!(
            "note: the table \"conflicts\" lists the first {CONFLICTS_MAX} conflicting polls"
        );
    }
}

/// Lists the first ten, quoted, and says where to find the rest.
fn list_first(ids: &[impl AsRef<str>], elsewhere: &str) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(|id| format!("{:?}", id.as_ref())).collect();
    let more = if ids.len() > SHOWN { format!(", …{elsewhere}") } else { String::new() };
    shown.join(", ") + &more
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Summary of a load, a fact per line.
fn summary(outcome: &LoadOutcome, mode: ReplaceMode) -> String {
    let mut lines = Vec::new();
    for file in &outcome.files {
        let rejected = match file.rejected {
            0 => String::new(),
            rejected => format!(", {rejected} rejected"),
        };
        let (name, rows, kind) = (&file.file, file.rows, kind_name(file.kind));
        lines.push(match file.known {
            true => format!("{name:?}: {kind}; the same content was loaded before, nothing to do"),
            false => {
                let rows = counted(rows, "row", "rows");
                format!("{name:?}: {rows} of {kind}{rejected}")
            }
        });
    }
    if outcome.files.iter().any(|file| !file.known && file.kind == FileKind::Polls) {
        let polls = outcome.polls;
        lines.push(format!(
            "polls: {} loaded, {} duplicate, {} conflicting",
            polls.loaded, polls.duplicates, polls.conflicts
        ));
    }
    for (kind, replaced) in
        [(FileKind::BusinessHours, &outcome.hours), (FileKind::TimeZones, &outcome.zones)]
    {
        lines.extend(replaced.as_ref().map(|replaced| replaced_line(kind, replaced, mode)));
    }
    lines.extend(conflicts(outcome));
    lines.extend(outcome.rules_change.as_ref().map(change_text));
    lines.extend(outcome.version.map(|version| format!("version {version}")));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn replaced_line(kind: FileKind, replaced: &Replaced, mode: ReplaceMode) -> String {
    let Replaced { rows_before, rows, stores_given, lost, .. } = replaced;
    let those = if kind == FileKind::TimeZones { ("that", "those") } else { ("those", "those") };
    let replaced_stores = match mode {
        ReplaceMode::Merge if *stores_given == 1 => format!(", {} of 1 store replaced", those.0),
        ReplaceMode::Merge => format!(", {} of {stores_given} stores replaced", those.1),
        ReplaceMode::Careful | ReplaceMode::Replace => String::new(),
    };
    let lost = match lost.len() {
        0 => String::new(),
        count => {
            format!(
                "; {} theirs: {}",
                counted(count, "store loses", "stores lose"),
                list_first(lost, "")
            )
        }
    };
    let rows_before = counted(*rows_before, "row", "rows");
    format!("{}: {rows_before} before, {rows} after{replaced_stores}{lost}", kind_name(kind))
}

/// Message about stores with several time zones; `None` without such.
pub fn conflicts(outcome: &LoadOutcome) -> Option<String> {
    const SHOWN: usize = 5;
    let stores = &outcome.zone_conflicts;
    let shown: Vec<_> = stores.iter().take(SHOWN).map(|id| format!("{id:?}")).collect();
    let more = if stores.len() > SHOWN { ", …" } else { "" };
    (!stores.is_empty()).then(|| {
        format!(
            "time zones: {} more than one, of which the last counts: {}{more}",
            counted(stores.len(), "store has", "stores have"),
            shown.join(", ")
        )
    })
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Polls => "polls",
        FileKind::BusinessHours => "business hours",
        FileKind::TimeZones => "time zones",
    }
}
