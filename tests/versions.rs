//! A load creates a version, or changes nothing.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{printed, uptally};

fn polls(folder: &Path, name: &str, rows: &[&str]) {
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.join(name), format!("store_id,status,timestamp_utc\n{rows}")).unwrap();
}

#[track_caller]
fn run(folder: &Path, arguments: &str) -> String {
    printed(uptally(arguments.split_whitespace()).current_dir(folder))
}

/// Three files whose polls fall on several days, the second before and between those of the first.
fn three_files() -> TempDir {
    let folder = TempDir::new().unwrap();
    polls(
        folder.path(),
        "1.csv",
        &[
            "a,active,2023-01-20 10:00:00 UTC",
            "a,inactive,2023-01-23 10:00:00 UTC",
            "b,active,2023-01-23 11:00:00 UTC",
            "silent,inactive,2021-05-01 00:00:00 UTC",
        ],
    );
    polls(
        folder.path(),
        "2.csv",
        &[
            "a,inactive,2023-01-19 10:00:00 UTC",
            "b,inactive,2023-01-21 11:00:00 UTC",
            "silent,active,2022-05-01 00:00:00 UTC",
            "new,active,2023-01-21 12:00:00 UTC",
        ],
    );
    polls(
        folder.path(),
        "3.csv",
        &["a,active,2023-01-24 10:00:00 UTC", "b,active,2023-01-23 11:00:00 UTC"],
    );
    folder
}

#[test]
fn a_report_can_be_made_again_as_of_an_older_version() {
    let folder = three_files();
    let reports: Vec<_> = ["1.csv", "2.csv", "3.csv"]
        .map(|file| {
            run(folder.path(), &format!("ingest {file}"));
            run(folder.path(), "report --exact")
        })
        .to_vec();
    for (version, report) in (1..).zip(&reports) {
        for engine in ["datafusion", "polars"] {
            let arguments = format!("report --exact --as-of {version} --engine {engine}");
            assert_eq!(run(folder.path(), &arguments), *report);
        }
    }
    // The order of the loads and their number make no difference.
    assert_eq!(run(folder.path(), "report --exact 3.csv 2.csv 1.csv"), reports[2]);
    run(folder.path(), "ingest --data back 3.csv 1.csv");
    run(folder.path(), "ingest --data back 2.csv");
    assert_eq!(run(folder.path(), "report --exact --data back"), reports[2]);
}

#[test]
fn a_load_cut_off_before_its_last_commit_never_happened() {
    let folder = three_files();
    let copy = |from: &str, to: &str| {
        let _ = std::fs::remove_dir_all(folder.path().join(to));
        let done = Command::new("cp").args(["-r", from, to]).current_dir(folder.path()).status();
        assert!(done.unwrap().success());
    };
    run(folder.path(), "ingest 1.csv");
    let before = run(folder.path(), "report --exact");
    copy("data/loads", "loads-before");
    run(folder.path(), "ingest 2.csv");
    // As if the power had failed after the tables were written and before they were named.
    copy("loads-before", "data/loads");
    assert_eq!(run(folder.path(), "report --exact"), before);
    run(folder.path(), "ingest 3.csv");
    run(folder.path(), "ingest --data other 1.csv");
    run(folder.path(), "ingest --data other 3.csv");
    assert_eq!(
        run(folder.path(), "report --exact"),
        run(folder.path(), "report --exact --data other")
    );
    run(folder.path(), "ingest 2.csv");
    assert_eq!(
        run(folder.path(), "report --exact"),
        run(folder.path(), "report --exact 1.csv 2.csv 3.csv")
    );
}

#[test]
fn the_list_of_files_beside_a_log_is_what_the_log_says() {
    let folder = three_files();
    let lists = || {
        let tables = std::fs::read_dir(folder.path().join("data")).unwrap();
        let tables = tables.map(|table| table.unwrap().path().join("_files"));
        tables.filter(|list| list.is_dir()).collect::<Vec<_>>()
    };
    let files = |list: &Path| {
        let files = std::fs::read_dir(list).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    for file in ["1.csv", "2.csv", "3.csv"] {
        run(folder.path(), &format!("ingest {file}"));
    }
    let listed = run(folder.path(), "report --exact");
    let plan = run(folder.path(), "report --explain");
    // Of loads, polls, stores, what is carried, and the rules of time zones.
    assert_eq!(lists().iter().map(|list| files(list).len()).collect::<Vec<_>>(), [1; 5]);

    for broken in ["", "{", "[]"] {
        for list in lists() {
            files(&list).iter().for_each(|file| std::fs::write(file, broken).unwrap());
        }
        assert_eq!(run(folder.path(), "report --exact"), listed);
    }
    lists().iter().for_each(|list| std::fs::remove_dir_all(list).unwrap());
    assert_eq!(run(folder.path(), "report --exact"), listed);
    assert_eq!(run(folder.path(), "report --explain"), plan);
}

#[test]
fn overlapping_exports_do_not_double_polls() {
    let folder = three_files();
    polls(
        folder.path(),
        "4.csv",
        &[
            "a,active,2023-01-24 10:00:00 UTC",
            "a,active,2023-01-23 10:00:00 UTC",
            "b,active,2023-01-24 11:00:00 UTC",
        ],
    );
    assert!(
        run(folder.path(), "ingest 1.csv 3.csv")
            .contains("polls: 5 loaded, 1 duplicate, 0 conflicting")
    );
    assert!(
        run(folder.path(), "ingest 4.csv").contains("polls: 1 loaded, 1 duplicate, 1 conflicting")
    );
    assert!(run(folder.path(), "ingest 4.csv").contains("the same content was loaded before"));
}

#[test]
fn earlier_loads_stay_known_after_other_loads() {
    let folder = three_files();
    for file in ["1.csv", "2.csv", "3.csv"] {
        run(folder.path(), &format!("ingest {file}"));
    }
    for file in ["1.csv", "2.csv", "3.csv"] {
        let said = run(folder.path(), &format!("ingest {file}"));
        assert!(said.contains("nothing to do") && said.contains("version 3"), "{said}");
    }
}

#[test]
fn hours_and_zones_are_replaced_whole_and_come_back() {
    let folder = three_files();
    let hours = |name: &str, rows: &str| {
        let text = format!("store_id,day,start_time_local,end_time_local\n{rows}\n");
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    hours("all.csv", "a,0,09:00,17:00\nb,0,09:00,17:00");
    hours("one.csv", "a,1,00:00,24:00");
    run(folder.path(), "ingest 1.csv all.csv");
    let all = run(folder.path(), "report --exact");
    run(folder.path(), "ingest one.csv");
    let one = run(folder.path(), "report --exact");
    assert_ne!(all, one);
    assert_eq!(one, run(folder.path(), "report --exact 1.csv one.csv"));
    run(folder.path(), "ingest all.csv");
    assert_eq!(run(folder.path(), "report --exact"), all);
    assert!(run(folder.path(), "ingest all.csv").contains("nothing to do"));
}
