//! Messages of a load about replaced hours and zones, rejected rows and conflicts; and its sources.

mod rejects;
mod sources;

use std::path::Path;

use tempfile::TempDir;

use crate::harness::{run, text, uptally};

const POLLS: &str = "store_id,status,timestamp_utc\n";
const HOURS: &str = "store_id,day,start_time_local,end_time_local\n";
const ZONES: &str = "store_id,timezone_str\n";

/// A folder with these files, each a name and its text.
fn files(texts: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in texts {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// A row per letter, which replaces `{}`.
fn rows(header: &str, stores: &str, row: &str) -> String {
    let rows: String = stores.chars().map(|id| row.replace("{}", &id.to_string()) + "\n").collect();
    header.to_owned() + &rows
}

fn polls(stores: &str) -> String {
    rows(POLLS, stores, "{},active,2023-01-24 10:00:00 UTC")
}

fn hours(stores: &str, end: &str) -> String {
    rows(HOURS, stores, &format!("{{}},0,09:00,{end}"))
}

/// Stdout and stderr of the command.
#[track_caller]
fn done(folder: &Path, arguments: &str) -> (String, String) {
    let run = run(folder, arguments);
    assert_eq!(run.status.code(), Some(0), "{arguments}: {}", text(&run.stderr));
    (text(&run.stdout), text(&run.stderr))
}

#[track_caller]
fn refused(folder: &Path, arguments: &str) -> String {
    let run = run(folder, arguments);
    assert_eq!((run.status.code(), run.stdout.len()), (Some(1), 0), "{arguments}");
    text(&run.stderr)
}

#[track_caller]
fn asked(folder: &Path, sql: &str) -> String {
    let run = uptally(["sql", sql]).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "{sql}: {}", text(&run.stderr));
    text(&run.stdout)
}

/// Stores with their closing times, in order.
#[track_caller]
fn ends(folder: &Path) -> String {
    let sql = "SELECT store_id, end_local_s / 3600 AS h FROM business_hours ORDER BY 1, 2";
    let rows = asked(folder, sql);
    rows.lines().skip(1).map(|row| row.replace(',', "")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_load_of_few_stores_does_not_take_the_hours_of_most() {
    let folder = files(&[
        ("polls.csv", &polls("abcd")),
        ("all.csv", &hours("abcd", "17:00")),
        ("one.csv", &hours("a", "18:00")),
        ("half.csv", &hours("ab", "19:00")),
        ("new.csv", &hours("xyz", "20:00")),
    ]);
    let folder = folder.path();
    let (said, _) = done(folder, "ingest polls.csv all.csv");
    assert!(said.contains("business hours: 0 rows before, 4 after\n"), "{said}");

    let said = refused(folder, "ingest one.csv");
    assert!(said.contains("3 of the 4 stores that have business hours would lose them"), "{said}");
    assert!(said.contains("--merge") && said.contains("--replace"), "{said}");
    assert!(refused(folder, "ingest new.csv").contains("4 of the 4 stores"));
    assert_eq!(ends(folder), "a17 b17 c17 d17");
    assert_eq!(asked(folder, "SELECT max(version) AS v FROM loads"), "v\n1\n");

    // Half of them is not more than half.
    let (said, _) = done(folder, "ingest half.csv");
    let expected = "business hours: 4 rows before, 2 after; 2 stores lose theirs: \"c\", \"d\"\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(ends(folder), "a19 b19");

    done(folder, "ingest all.csv");
    let (said, _) = done(folder, "ingest --replace one.csv");
    let expected =
        "business hours: 4 rows before, 1 after; 3 stores lose theirs: \"b\", \"c\", \"d\"\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(ends(folder), "a18");
    assert!(done(folder, "ingest one.csv").0.contains("nothing to do"));
}

#[test]
fn a_merge_replaces_the_stores_in_the_file() {
    let folder = files(&[
        ("polls.csv", &polls("abcd")),
        ("all.csv", &hours("abcd", "17:00")),
        ("one.csv", &hours("b", "18:00")),
        ("other.csv", &hours("ax", "19:00")),
    ]);
    let folder = folder.path();
    done(folder, "ingest polls.csv all.csv");
    let (said, _) = done(folder, "ingest --merge one.csv");
    let expected = "business hours: 4 rows before, 4 after, those of 1 store replaced\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(ends(folder), "a17 b18 c17 d17");
    // Said again it changes nothing.
    let (said, _) = done(folder, "ingest --merge one.csv");
    assert!(said.contains("nothing to do") && said.ends_with("version 2\n"), "{said}");

    // Replaced rows are no longer in force.
    let (said, _) = done(folder, "ingest all.csv");
    assert!(said.ends_with("version 3\n"), "{said}");
    assert_eq!(ends(folder), "a17 b17 c17 d17");
    done(folder, "ingest --merge one.csv");
    // The last file to be merged, on its own, is another set of hours.
    done(folder, "ingest --replace one.csv");
    assert_eq!(ends(folder), "b18");
    done(folder, "ingest --merge other.csv");
    assert_eq!(ends(folder), "a19 b18 x19");
    // Merged before, still in force, and not the last one.
    let (said, _) = done(folder, "ingest --merge one.csv");
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(run(folder, "ingest --merge --replace one.csv").status.code(), Some(2));
}

#[test]
fn zones_are_guarded_and_merged_like_hours() {
    let zones = |stores, zone: &str| rows(ZONES, stores, &format!("{{}},{zone}"));
    let folder = files(&[
        ("polls.csv", &polls("abc")),
        ("all.csv", &zones("abc", "Asia/Tokyo")),
        ("one.csv", &zones("b", "Europe/London")),
    ]);
    let folder = folder.path();
    done(folder, "ingest polls.csv all.csv");
    let said = refused(folder, "ingest one.csv");
    assert!(said.contains("2 of the 3 stores that have a time zone would lose it"), "{said}");
    let (said, _) = done(folder, "ingest --merge one.csv");
    assert!(
        said.contains("time zones: 3 rows before, 3 after, that of 1 store replaced\n"),
        "{said}"
    );
    let zones = || asked(folder, "SELECT store_id, time_zone FROM time_zones ORDER BY 1");
    assert_eq!(zones(), "store_id,time_zone\na,Asia/Tokyo\nb,Europe/London\nc,Asia/Tokyo\n");
    assert!(done(folder, "ingest --merge one.csv").0.contains("nothing to do"));
    done(folder, "ingest --replace one.csv");
    assert_eq!(zones(), "store_id,time_zone\nb,Europe/London\n");
}

#[test]
fn stores_whose_rows_were_all_rejected_are_named() {
    let hours =
        "a,0,09:00,17:00\nb,0,25:00,17:00\nb,1,09:00\nc,9,09:00,17:00\nc,1,09:00,17:00\n ,0,1,2";
    let zones = "a,Mars/Base\nb,Mars/Base\nb,Asia/Tokyo\nc,Asia/Tokyo";
    let folder = files(&[
        ("polls.csv", &polls("abc")),
        ("hours.csv", &format!("{HOURS}{hours}\n")),
        ("zones.csv", &format!("{ZONES}{zones}\n")),
    ]);
    let folder = folder.path();
    let expected_rejects = "\
        file,line,column,reason,store_id,falls_back_to\n\
        hours.csv,3,b,always open\n\
        hours.csv,4,b,always open\n\
        hours.csv,5,c,\n\
        hours.csv,7,,\n\
        zones.csv,2,a,America/Chicago\n\
        zones.csv,3,b,\n";
    let check = |command: &str, hours: &str, zone: &str| {
        let (_, said) = done(folder, &format!("{command} --max-reject-rate 1 --rejects r.csv"));
        let warned = |what: &str, store: &str, default: &str| {
            let line = format!(
                "warning: 1 store has only rejected {what} and will count as {default}: \"{store}\"\n"
            );
            assert!(said.contains(&line), "{said}");
        };
        warned("hours", "b", hours);
        warned("zone", "a", zone);
        let rejects = std::fs::read_to_string(folder.join("r.csv")).unwrap();
        let mut rejects = csv::Reader::from_reader(rejects.as_bytes());
        let rows: Vec<_> = rejects
            .records()
            .map(Result::unwrap)
            .map(|row| format!("{},{},{},{}\n", &row[0], &row[1], &row[5], &row[6]))
            .collect();
        let expected: Vec<_> = expected_rejects
            .lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .map(|line| line.replace("always open", hours).replace("America/Chicago", zone))
            .collect();
        assert_eq!(rows, expected);
    };
    let all = "polls.csv hours.csv zones.csv";
    check(&format!("ingest {all}"), "always open", "America/Chicago");
    check(&format!("report {all}"), "always open", "America/Chicago");
    let defaults = "--default-hours closed --default-timezone Asia/Tokyo";
    check(&format!("report {all} {defaults}"), "closed", "Asia/Tokyo");
}

#[test]
fn a_store_that_keeps_its_hours_in_a_merge_does_not_fall_back() {
    let folder = files(&[
        ("hours.csv", &hours("ab", "17:00")),
        ("bad.csv", &format!("{HOURS}b,0,25:00,17:00\nc,0,25:00,17:00\n")),
    ]);
    done(folder.path(), "ingest hours.csv");
    let (_, said) = done(folder.path(), "ingest --merge --max-reject-rate 1 bad.csv");
    assert!(said.contains("count as always open: \"c\"\n"), "{said}");
    assert_eq!(ends(folder.path()), "a17 b17");
}

#[test]
fn only_the_first_ten_stores_are_named_on_stderr() {
    let bad: String = (10..30).map(|store| format!("s{store},0,25:00,17:00\n")).collect();
    let folder = files(&[("hours.csv", &format!("{HOURS}{bad}a,0,09:00,17:00\n"))]);
    let (_, said) = done(folder.path(), "ingest --max-reject-rate 1 --rejects r.csv hours.csv");
    assert!(said.contains("20 stores have only rejected hours"), "{said}");
    assert!(
        said.contains("\"s19\", … (--rejects FILE names all)") && !said.contains("s20"),
        "{said}"
    );
    let rejects = std::fs::read_to_string(folder.path().join("r.csv")).unwrap();
    assert_eq!(rejects.matches(",always open\n").count(), 20, "{rejects}");
}

#[test]
fn ids_without_a_polled_store_are_reported_with_a_likely_cause() {
    let polls = rows(POLLS, "123456", "113999999999999999{},active,2023-01-24 10:00:00 UTC");
    let hours = format!(
        "{HOURS}1.14E+18,0,09:00,17:00\n1139999999999999991,0,09:00,17:00\n1.2E+18,1,9:00,17:00\n"
    );
    let folder = files(&[("polls.csv", &polls), ("hours.csv", &hours)]);
    let folder = folder.path();
    let expected = "warning: \"hours.csv\": 2 of 3 ids of business hours match no polled store: \
                    \"1.14E+18\", \"1.2E+18\"; likely cause: a spreadsheet turned long ids into numbers";
    let (_, said) = done(folder, "report polls.csv hours.csv --rejects r.csv");
    assert!(said.contains(expected), "{said}");
    let rejects = std::fs::read_to_string(folder.join("r.csv")).unwrap();
    assert!(
        rejects.contains("hours.csv,,store_id,\"matches no polled store; ")
            || rejects.contains("hours.csv,,store_id,matches no polled store; "),
        "{rejects}"
    );
    assert!(rejects.contains(",1.14E+18,\n") && rejects.contains(",1.2E+18,\n"), "{rejects}");

    // Either file may come first, or both together.
    let (_, said) = done(folder, "ingest --data together polls.csv hours.csv");
    assert!(said.contains(expected), "{said}");
    let (_, said) = done(folder, "ingest --data hours-first hours.csv");
    assert_eq!(said, "");
    let (_, said) = done(folder, "ingest --data hours-first polls.csv");
    assert!(said.contains(expected), "{said}");
    done(folder, "ingest --data polls-first polls.csv");
    let (_, said) = done(folder, "ingest --data polls-first hours.csv");
    assert!(said.contains(expected), "{said}");
    let (_, said) = done(folder, "ingest --data polls-first hours.csv");
    assert_eq!(said, "", "it was told when it was loaded");
}
