//! Test harness: takes a chain through files, tables and an engine, like a load and a report.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use proptest::test_runner::Config;
use tempfile::TempDir;
use uptally::{
    DailyHours, Dataset, DefaultHours, Engine, Interpolation, LoadControl, LoadOutcome,
    LoadRequest, NoData, Options, ReportQuery, Scope, WriteLock, ZoneName, answer, load,
};

use crate::judge::{self, Chain, Tally};

pub const ENGINES: [Engine; 2] = [Engine::DataFusion, Engine::Polars];

pub const DAY_US: i64 = 86_400_000_000;
/// A wall clock later than any poll of a test: 2100-01-01.
const LOADED_AT: i64 = 4_102_444_800_000_000;

/// Configuration of property tests: `PROPTEST_CASES` cases, or the default.
///
/// Seeds of failures are kept in `proptest-regressions`, and drawn first from then on.
pub fn drawn(usual_cases: u32, max_shrink_iters: u32) -> Config {
    let config = Config { max_shrink_iters, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return config;
    }
    Config { cases: usual_cases, ..config }
}

/// The instant as RFC 3339 in UTC, to the microsecond.
pub fn instant_text(instant_us: i64) -> String {
    let instant = chrono::DateTime::from_timestamp_micros(instant_us).unwrap();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// The three CSV files of a chain.
pub fn write_chain(chain: &Chain, folder: &Path) {
    let mut polls = "store_id,status,timestamp_utc\n".to_owned();
    for (store, polled_at, active) in &chain.polls {
        let instant = chrono::DateTime::from_timestamp_micros(*polled_at).unwrap();
        let status = if *active { "active" } else { "inactive" };
        writeln!(polls, "{store},{status},{}", instant.format("%Y-%m-%d %H:%M:%S%.6f UTC"))
            .unwrap();
    }
    let mut hours = "store_id,day,start_time_local,end_time_local\n".to_owned();
    let clock = |s: u32| format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    for (store, day, start_s, end_s) in &chain.hours {
        writeln!(hours, "{store},{day},{},{}", clock(*start_s), clock(*end_s)).unwrap();
    }
    let mut zones = "store_id,timezone_str\n".to_owned();
    for (store, zone) in &chain.zones {
        writeln!(zones, "{store},{zone}").unwrap();
    }
    std::fs::write(folder.join("polls.csv"), polls).unwrap();
    for (name, rows, text) in
        [("hours.csv", chain.hours.len(), hours), ("zones.csv", chain.zones.len(), zones)]
    {
        if rows > 0 {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
}

/// Loads CSV files or folders of them into a data folder.
pub async fn ingest(data: &Path, paths: &[&Path]) -> uptally::Result<LoadOutcome> {
    let request = LoadRequest {
        paths: paths.iter().map(|path| path.to_path_buf()).collect(),
        max_reject_rate: 0.01,
        loaded_at: LOADED_AT,
        ..LoadRequest::default()
    };
    load(&request, &WriteLock::take(data)?, &LoadControl::default(), |_| Ok(())).await
}

/// The tables of a chain, in a folder that goes with them.
pub async fn tables_of(chain: &Chain) -> (TempDir, Dataset) {
    let (files, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write_chain(chain, files.path());
    ingest(data.path(), &[files.path()]).await.unwrap();
    let dataset = Dataset::open(data.path(), None).await.unwrap().unwrap();
    (data, dataset)
}

/// The judge's question as an engine is asked it.
pub fn question(asked: &judge::Question) -> ReportQuery {
    let options = Options {
        interpolation: match asked.interpolation {
            judge::Interpolation::Previous => Interpolation::Previous,
            judge::Interpolation::Nearest => Interpolation::Nearest,
            judge::Interpolation::Next => Interpolation::Next,
        },
        max_gap_us: asked.max_gap,
        scope: match asked.scope {
            judge::Scope::All => Scope::All,
            judge::Scope::Day => Scope::Day,
            judge::Scope::Interval => Scope::Interval,
        },
        no_data: match asked.no_data {
            judge::NoData::Unknown => NoData::Unknown,
            judge::NoData::Down => NoData::Down,
            judge::NoData::Up => NoData::Up,
        },
        snap_end_of_day: asked.snap_end_of_day,
        default_hours: match asked.default_hours {
            judge::DefaultHours::Always => DefaultHours::Always,
            judge::DefaultHours::Closed => DefaultHours::Closed,
            judge::DefaultHours::Daily(start_s, end_s) => {
                DefaultHours::Daily(DailyHours::new(start_s, end_s).unwrap())
            }
        },
        default_time_zone: ZoneName::parse(asked.default_zone.name()).unwrap(),
    };
    // Several partitions even for small chains.
    let threads = NonZeroUsize::new(3);
    ReportQuery { now: asked.now, options, extended: true, threads, ..ReportQuery::default() }
}

/// Figures of an engine as the judge's tallies; uptime + downtime + unknown = scheduled.
pub async fn tallies(
    dataset: &Dataset,
    question: &ReportQuery,
    engine: Engine,
) -> Vec<(String, [Tally; 3])> {
    let figures = answer(dataset, question, engine).await.unwrap().figures;
    let time = |kind: &str, window: &str, row: usize| {
        let column = figures.column_by_name(&format!("{kind}_{window}")).unwrap();
        column.as_primitive::<Int64Type>().value(row)
    };
    let ids = figures.column(0).as_string::<i32>();
    let of_row = |row: usize| {
        let tally = ["last_hour", "last_day", "last_week"].map(|window| {
            let tally = Tally {
                up: time("uptime", window, row),
                down: time("downtime", window, row),
                unknown: time("unknown", window, row),
            };
            let open = time("scheduled", window, row);
            assert_eq!(tally.up + tally.down + tally.unknown, open, "{} {window}", ids.value(row));
            tally
        });
        (ids.value(row).to_owned(), tally)
    };
    (0..figures.num_rows()).map(of_row).collect()
}

/// Runs async work of one test.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Output of a command of the operating system.
#[track_caller]
pub fn output_of(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; tests need bash, curl and gzip: install these packages")
    })
}

/// The command, as a user types it, with nothing of the outside in its surroundings.
pub fn uptally<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uptally"));
    command.args(arguments);
    for name in ["UPTALLY_DATA", "UPTALLY_LOG", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Seeds are drawn again only as long as their file is named as the source of the property.
#[test]
fn seeds_of_failures_are_those_of_a_property() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = root.join("proptest-regressions");
    let (mut folders, mut files) = (vec![seeds.clone()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let source = path.strip_prefix(&seeds).unwrap().with_extension("rs");
            let sources = ["src", "tests"].map(|folder| root.join(folder).join(&source));
            let has_property = |source: &Path| {
                std::fs::read_to_string(source).is_ok_and(|text| text.contains("proptest! {"))
            };
            let is_drawn = sources.iter().any(|source| has_property(source));
            assert!(is_drawn, "{}: there is no property in any of {sources:?}", path.display());
        }
    }
    assert!(files > 0, "no seeds in {}", seeds.display());
}

/// Runs the command, its arguments separated by spaces, in a folder.
pub fn run(folder: &Path, arguments: &str) -> Output {
    uptally(arguments.split_whitespace()).current_dir(folder).output().unwrap()
}

/// Output of a command that succeeds.
#[track_caller]
pub fn printed(command: &mut Command) -> String {
    let run = command.output().unwrap();
    assert!(run.status.success(), "{command:?}: {}", text(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
