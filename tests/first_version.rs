//! A data folder that version 0.1.0 wrote, which every later version must read.
//!
//! `tests/data/0.1/tables` has two versions: polls across the start of daylight saving time, then
//! polls of the next day with other business hours. One store has no hours and no zone, one was never
//! polled. The program of then kept no zone rules with its tables and no rejects. Beside the folder
//! are the reports that it printed of both versions, in minutes and hours and in microseconds.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::uptally;

fn first() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/0.1")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// A folder with a copy of the tables, so that no test changes those that are kept.
fn copied() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&first().join("tables"), &folder.path().join("tables"));
    folder
}

#[track_caller]
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let mut command = uptally(arguments.iter().copied());
    crate::harness::printed(command.args(["--data", "tables"]).current_dir(folder))
}

#[track_caller]
fn check_reports(folder: &Path) {
    for version in ["1", "2"] {
        for (suffix, exact) in [("", None), ("_exact", Some("--exact"))] {
            let file = first().join(format!("version_{version}{suffix}.csv"));
            let expected = std::fs::read_to_string(&file).unwrap();
            for engine in ["datafusion", "polars"] {
                let asked = ["report", "--as-of", version, "--columns", "extended"];
                let asked: Vec<_> =
                    asked.into_iter().chain(["--engine", engine]).chain(exact).collect();
                assert_eq!(printed(folder, &asked), expected, "{asked:?}");
            }
        }
    }
}

#[test]
fn reports_of_the_first_version_have_the_same_bytes() {
    check_reports(copied().path());
}

#[test]
fn a_load_into_the_folder_of_the_first_version_leaves_its_versions_as_they_are() {
    let folder = copied();
    let more = "store_id,status,timestamp_utc\n3,active,2023-03-13 18:00:00 UTC\n";
    std::fs::write(folder.path().join("more.csv"), more).unwrap();
    printed(folder.path(), &["ingest", "more.csv"]);
    check_reports(folder.path());
    let asked = ["sql", "SELECT version, count(*) AS files FROM loads GROUP BY 1 ORDER BY 1"];
    assert_eq!(printed(folder.path(), &asked), "version,files\n1,3\n2,2\n3,1\n");
    let polls = "SELECT count(*) AS polls FROM polls";
    assert_eq!(printed(folder.path(), &["sql", polls]), "polls\n14\n");
    assert_eq!(printed(folder.path(), &["sql", "--as-of", "1", polls]), "polls\n9\n");
}
