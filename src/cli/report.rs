//! `uptally report`: the report, from the tables or directly from CSV files.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use super::arguments::{instant, one_of};
use super::ingest::{LoadSettings, Rejection, conflicts, default_texts, load_into, print_warnings};
use super::output::{self, Output};
use super::report_options::OptionFlags;
use super::signals::StopSignal;
use super::zones;
use crate::engine::{Engine, ReportFigures, ReportQuery, answer, explain, prepare};
use crate::error::{Error, Result, counted};
use crate::ingest::{LoadOutcome, ReplaceMode};
use crate::report::{Format, Layout, render_figures};
use crate::rules::keyword::keyword;
use crate::tables::{Dataset, outdated_zone_rules};

/// Prints how long each store was up and down over the last hour, day and week.
///
/// The last hour is in minutes, the last day and week in hours.
#[derive(Debug, Args)]
pub struct Arguments {
    /// CSV files, folders or - for standard input, to report on without keeping anything
    #[arg(value_name = "PATH", conflicts_with = "as_of")]
    paths: Vec<PathBuf>,
    /// Folder of the tables
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA", default_value = "data")]
    data: PathBuf,
    /// Instant to look back from, like 2023-01-25T18:00:00Z [default: the latest poll of all
    /// stores]
    #[arg(long, value_name = "T", value_parser = instant)]
    now: Option<i64>,
    /// Engine to compute with; both print the same, and each checks the other
    #[arg(long, default_value_t, value_parser = one_of(Engine::KEYWORDS))]
    engine: Engine,
    #[command(flatten)]
    options: OptionFlags,
    /// Store to report on; may be repeated [default: all]
    #[arg(long = "store", value_name = "ID")]
    stores: Vec<String>,
    /// Version of the tables to report from [default: the newest]
    #[arg(long, value_name = "VERSION")]
    as_of: Option<u64>,
    /// Columns of the report; extended adds unknown and scheduled time and percentages
    #[arg(
        long,
        default_value = keyword(Layout::COLUMNS, Layout::default().extended),
        action = clap::ArgAction::Set,
        value_parser = one_of(Layout::COLUMNS)
    )]
    columns: bool,
    /// Prints integer microseconds instead of minutes and hours
    #[arg(long)]
    exact: bool,
    /// Output format [default: by the ending of the file's name, else csv]
    #[arg(long, value_parser = one_of(Format::KEYWORDS))]
    format: Option<Format>,
    /// File to write, whole or not at all, in the format that its name ends in, compressed for .gz
    /// and .zst; - is stdout [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints the plan instead of the report
    #[arg(long)]
    explain: bool,
    /// Threads of the SQL engine [default: number of cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Folder of SQL files that replace built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    #[command(flatten)]
    rejection: Rejection,
    #[command(flatten)]
    zones: zones::Source,
}

impl Arguments {
    /// Checks that no folder of tables is given beside files. In clap's own conflicts the
    /// environment variable would count as the flag.
    ///
    /// # Errors
    /// If the command line has both a path and `--data`.
    pub fn check_sources(matches: &ArgMatches) -> std::result::Result<(), String> {
        let is_given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        if is_given("paths") && is_given("data") {
            return Err("the argument '[PATH]...' cannot be used with '--data <DIR>'".to_owned());
        }
        Ok(())
    }

    /// Checks flags against each other, before any work.
    ///
    /// # Errors
    /// When a file's extension contradicts the format written to it.
    pub fn check(&self) -> std::result::Result<(), String> {
        self.rejection.check()?;
        match &self.output {
            Some(file) if self.explain => output::check_format("a plan is", Format::Table, file),
            _ => self.format().map(drop),
        }
    }

    fn format(&self) -> std::result::Result<Format, String> {
        let default = Format::default();
        match &self.output {
            Some(file) => output::format_for(file, self.format, default),
            None => Ok(self.format.unwrap_or(default)),
        }
    }
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    if let Some(file) = &arguments.output {
        output::check_writable(file)?;
    }
    if cfg!(debug_assertions) {
        eprintln!(
            "note: built without optimization: results are right, but slow; build with --release"
        );
    }
    let stop = StopSignal::on_signals()?;
    let engine = arguments.engine;
    tokio::spawn(async move { prepare(engine) });
    if arguments.paths.is_empty() {
        arguments.zones.check_unused()?;
        return report_on(&arguments.data, arguments, &stop).await;
    }
    let folder = tempfile::Builder::new().prefix("uptally-").tempdir();
    let folder = folder.map_err(|error| Error::io("write to", &std::env::temp_dir(), error))?;
    let defaults = default_texts(&report_query(arguments).options);
    let (rejection, zones) = (&arguments.rejection, &arguments.zones);
    let (mode, wait) = (ReplaceMode::Careful, Duration::ZERO);
    let settings = LoadSettings { rejection, zones, defaults: &defaults, mode, wait };
    let loaded = load_into(folder.path(), &arguments.paths, &settings, stop.flag()).await?;
    arguments.zones.note_if_older(&loaded.zone_rules)?;
    print_load_notes(&loaded);
    print_warnings(&loaded, &defaults);
    report_on(folder.path(), arguments, &stop).await
}

async fn report_on(data: &Path, arguments: &Arguments, stop: &StopSignal) -> Result<()> {
    let format = arguments.format().map_err(Error::Argument)?;
    let dataset = Dataset::open(data, arguments.as_of).await?.ok_or_else(|| {
        Error::Argument(format!(
            "no data in {data:?}; run `uptally ingest` first, or name CSV files to report on"
        ))
    })?;
    if let Some(warning) = outdated_zone_rules(&dataset) {
        eprintln!("warning: {warning}");
    }
    let query = report_query(arguments);
    if arguments.explain {
        if arguments.engine != Engine::DataFusion {
            return Err(Error::Argument("--explain requires --engine datafusion".into()));
        }
        let plan = explain(&dataset, &query, arguments.engine).await?;
        return output::write(plan.as_bytes(), arguments.output.as_deref());
    }
    let mut output = Output::for_format(format, arguments.output.as_deref())?;
    let answer = stop.or_interrupted(answer(&dataset, &query, arguments.engine)).await?;
    print_report_notes(&answer, &query, dataset.zone_rules()?.edition());
    let layout = Layout { extended: arguments.columns, exact: arguments.exact };
    let report = render_figures(&answer.figures, layout, format)?;
    output.write(&report)?;
    output.finish()
}

fn report_query(arguments: &Arguments) -> ReportQuery {
    ReportQuery {
        now: arguments.now,
        options: arguments.options.0,
        stores: arguments.stores.clone(),
        extended: arguments.columns,
        queries: arguments.queries.clone(),
        threads: arguments.threads,
    }
}

/// Prints notes on the files: rejected rows and conflicts.
fn print_load_notes(outcome: &LoadOutcome) {
    for file in outcome.files.iter().filter(|file| file.rejected > 0) {
        let rows = counted(file.rows, "row", "rows");
        let broke = match file.rejected {
            1 => "breaks a rule and was",
            _ => "break a rule and were",
        };
        eprintln!("note: {:?}: {} of {rows} {broke} left out", file.file, file.rejected);
    }
    if let Some(conflict) = conflicts(outcome) {
        eprintln!("note: {conflict}");
    }
    if outcome.polls.conflicts > 0 {
        eprintln!(
            "note: {} another of the same store and instant; inactive prevails",
            counted(outcome.polls.conflicts, "poll contradicts", "polls contradict")
        );
    }
}

/// Prints notes on the report: its instant, and how many stores have defaults.
fn print_report_notes(answer: &ReportFigures, query: &ReportQuery, zone_edition: &str) {
    let counts = answer.stores;
    let now = chrono::DateTime::from_timestamp_micros(answer.now).unwrap_or_default();
    eprintln!(
        "note: {}, looking back from {}; zone rules {zone_edition}",
        counted(counts.stores, "store", "stores"),
        now.format("%Y-%m-%d %H:%M:%S%.6f UTC")
    );
    if counts.without_hours > 0 {
        eprintln!(
            "note: {} as {}",
            counted(
                counts.without_hours,
                "store has no business hours and counts",
                "stores have no business hours and count"
            ),
            default_texts(&query.options).hours
        );
    }
    if counts.without_time_zone > 0 {
        let zone = query.options.default_time_zone;
        eprintln!(
            "note: {} as {zone}",
            counted(
                counts.without_time_zone,
                "store has no time zone and counts",
                "stores have no time zone and count"
            )
        );
    }
    if counts.without_polls > 0 {
        let stores = counted(counts.without_polls, "store was", "stores were");
        eprintln!("note: {stores} never polled");
    }
}
