//! Plans of queries and reports, compared as a whole with `tests/sql/plans/NAME.txt`, which
//! `BLESS=1` writes.
//!
//! Each is of two partitions over a chain of 40 stores and 20 days, the last of which is
//! 2023-01-25. Folders, names of files and instants of the clock are replaced: they differ in each
//! run.

mod cases;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use tempfile::TempDir;
use uptally::internals::generate::{DEFAULT_END_US, Spec, generate};
use uptally::{Database, Dataset, Limits, Session};

use self::cases::{QUERIES, REPORTS};
use super::few_stores::{filled, ids};
use crate::golden_files::compare;
use crate::harness::{block_on, ingest, uptally};

const PARTITIONS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
/// 2023-11-14, later than any instant of the chain.
const CLOCK_SINCE_US: i64 = 1_700_000_000_000_000;

/// Of 40 stores over so many days, the last of which is 2023-01-25; the tables are in `data`.
pub async fn session_over(days: u32) -> (TempDir, Session) {
    let folder = TempDir::new().unwrap();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    let spec = Spec { stores: 40, days, seed: 3, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).unwrap();
    ingest(&data, &[&files]).await.unwrap();
    let dataset = Dataset::open(&data, None).await.unwrap().unwrap();
    let database = Database::new(Limits::default()).with_partitions(PARTITIONS);
    (folder, database.session(&dataset).unwrap())
}

/// Physical plan of a query with values for `$1`, `$2` and so on.
pub async fn plan_of(session: &Session, sql: &str, values: &[&str]) -> String {
    let plan = session.plan(&format!("EXPLAIN {sql}")).await;
    let mut plan = plan.unwrap_or_else(|error| panic!("{sql}: {error}"));
    if !values.is_empty() {
        let values: Vec<_> = values.iter().copied().map(ScalarValue::from).collect();
        plan = Session::bind(plan, values).unwrap();
    }
    let (batches, _) = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap();
    let plans = batches.iter().flat_map(|batch| {
        let plans = arrow::compute::cast(batch.column(1), &DataType::Utf8).unwrap();
        plans.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    });
    plans.last().unwrap()
}

/// The plan without what differs in each run: `[/tmp/x/data/polls/polled_on=…/1234.parquet]` is
/// `[polls/polled_on=…/FILE.parquet]`, and an instant of the clock `NOW`.
fn normalized(plan: &str) -> String {
    let (mut text, mut rest) = (String::new(), plan);
    while let Some((before, after)) = rest.split_once(".parquet") {
        let path_at = before.rfind(['[', ' ']).map_or(0, |at| at + 1);
        let (text_before, path) = before.split_at(path_at);
        let in_data = path.rsplit_once("/data/").map_or(path, |(_, in_data)| in_data);
        let (folder, _) = in_data.rsplit_once('/').expect("a file is in the folder of its table");
        text.extend([text_before, folder, "/FILE.parquet"]);
        rest = after;
    }
    text += rest;
    let is_no_digit = |symbol: char| !symbol.is_ascii_digit();
    let parts = text.split_inclusive(is_no_digit).map(|part| {
        let number = part.trim_end_matches(is_no_digit);
        let is_of_clock = number.len() == CLOCK_SINCE_US.to_string().len()
            && number.parse().is_ok_and(|at_us: i64| at_us >= CLOCK_SINCE_US);
        if is_of_clock { part.replace(number, "NOW") } else { part.to_owned() }
    });
    parts.collect::<String>().trim_end().to_owned() + "\n"
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql/plans")
}

/// Compares the plan of a query or report with its file.
fn check(name: &str, heading: &str, asked: &str, plan: &str) -> Result<(), String> {
    let found = format!("-- {heading}\n{asked}\n\n{}", normalized(plan));
    compare(&folder().join(name).with_extension("txt"), &found)
}

#[test]
fn the_plan_of_each_query_is_that_of_its_file() {
    block_on(async {
        let (_folder, session) = session_over(20).await;
        let ids = ids(&session).await;
        let mut wrong = Vec::new();
        for group in QUERIES {
            let values =
                (1..).zip(group.values).map(|(number, value)| format!("${number} = {value}"));
            let values: Vec<_> = values.collect();
            let heading = match values.as_slice() {
                [] => group.rule.to_owned(),
                values => format!("{}\n-- {}", group.rule, values.join(", ")),
            };
            for (name, query) in group.queries {
                let sql = filled(query, &ids);
                let plan = plan_of(&session, &sql, group.values).await;
                wrong.extend(check(name, &heading, &sql, &plan).err());
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn the_plan_of_each_report_is_that_of_its_file() {
    let (folder, _session) = block_on(session_over(20));
    let mut wrong = Vec::new();
    for (name, rule, flags) in REPORTS {
        let command = format!("report {flags} --explain");
        let run = uptally(command.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
        let plan = String::from_utf8(run.stdout).unwrap();
        wrong.extend(check(name, rule, &format!("uptally {command}"), &plan).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_file_of_a_plan_has_a_case_of_its_own() {
    let queries = QUERIES.iter().flat_map(|group| group.queries).map(|(name, _)| *name);
    let names: Vec<_> = queries.chain(REPORTS.iter().map(|(name, ..)| *name)).collect();
    let cases: BTreeSet<_> = names.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(cases.len(), names.len(), "two cases have one name");
    let entries = std::fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|file| file.ends_with(".txt")).collect();
    let stale: Vec<_> = files.difference(&cases).collect();
    assert!(stale.is_empty(), "files without a case, to be removed: {stale:?}");
}

#[test]
fn what_differs_in_each_run_is_replaced() {
    for (plan, expected) in [
        ("[[tmp/a/data/stores/1.parquet]]\n", "[[stores/FILE.parquet]]\n"),
        (
            "[tmp/data/x/data/polls/polled_on=2023-01-18/a-1.parquet, t/data/polls/b.parquet:0..9]",
            "[polls/polled_on=2023-01-18/FILE.parquet, polls/FILE.parquet:0..9]\n",
        ),
        ("at > 1795722209641075 AND", "at > NOW AND\n"),
        ("(1795722209641075, 1674518400000000, false)", "(NOW, 1674518400000000, false)\n"),
        (
            "id = 1533847222793663237, file_type=parquet",
            "id = 1533847222793663237, file_type=parquet\n",
        ),
    ] {
        assert_eq!(normalized(plan), expected);
    }
}
