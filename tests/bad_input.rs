//! Invalid input gives a message with its location and an exit code, and is never loaded in part.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::harness::{run, text, uptally};

const POLLS: &str = "store_id,status,timestamp_utc\n";
const GOOD: &str = "store_id,status,timestamp_utc\na,active,2023-01-24 10:00:00 UTC\n";

/// Loading `x.csv` fails with the sentence, and leaves nothing to report on.
#[track_caller]
fn refused(content: impl AsRef<[u8]>, sentence: &str) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), content).unwrap();
    let load = run(folder.path(), "ingest x.csv");
    let said = text(&load.stderr);
    assert!(said.contains(sentence), "{said}");
    assert_eq!((load.status.code(), text(&load.stdout).as_str()), (Some(1), ""));
    let report = run(folder.path(), "report");
    assert!(text(&report.stderr).contains("no data in"), "{}", text(&report.stderr));
    assert_eq!((report.status.code(), report.stdout.len()), (Some(1), 0));
    let direct = run(folder.path(), "report x.csv");
    assert!(text(&direct.stderr).contains(sentence), "{}", text(&direct.stderr));
}

/// A hundred good rows and one bad row: loaded but for the bad one, which the rejects name.
#[track_caller]
fn rejected(header: &str, good: impl Fn(usize) -> String, bad: impl AsRef<[u8]>, reason: &str) {
    let folder = TempDir::new().unwrap();
    let mut content = format!("{header}\n").into_bytes();
    (0..60).for_each(|row| content.extend((good(row) + "\n").into_bytes()));
    content.extend_from_slice(bad.as_ref());
    content.push(b'\n');
    (60..120).for_each(|row| content.extend((good(row) + "\n").into_bytes()));
    std::fs::write(folder.path().join("x.csv"), content).unwrap();
    let load = run(folder.path(), "ingest --rejects rejects.csv x.csv");
    assert_eq!(load.status.code(), Some(0), "{}", text(&load.stderr));
    assert!(text(&load.stdout).contains("121 rows") && text(&load.stdout).contains("1 rejected"));
    let rejects = std::fs::read_to_string(folder.path().join("rejects.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(rejects.as_bytes());
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1, "{rejects}");
    assert_eq!((&rows[0][0], &rows[0][1]), ("x.csv", "62"), "{rejects}");
    let said = format!("{} {}", &rows[0][2], &rows[0][3]);
    assert!(said.contains(reason), "{said}");
    let strict = run(folder.path(), "ingest --data other --max-reject-rate 0 x.csv");
    let said = text(&strict.stderr);
    assert_eq!(strict.status.code(), Some(1));
    assert!(said.contains("\"x.csv\", line 62: ") && said.contains("--rejects"), "{said}");
}

#[track_caller]
fn rejected_poll(bad: impl AsRef<[u8]>, reason: &str) {
    rejected(POLLS.trim(), |row| format!("s{row},active,2023-01-24 10:00:00 UTC"), bad, reason);
}

#[track_caller]
fn rejected_hours(bad: &str, reason: &str) {
    rejected(
        "store_id,day,start_time_local,end_time_local",
        |row| format!("s{row},1,09:00,17:00"),
        bad,
        reason,
    );
}

#[test]
fn a_file_without_rows_to_read_is_refused() {
    refused("", "\"x.csv\" is empty; expected a header");
    refused("\n\n", "\"x.csv\" is empty; expected a header");
    refused("\u{feff}", "\"x.csv\" is empty; expected a header");
    refused("store_id,day,start_time_local,end_time_local\n", "\"x.csv\" has a header but no rows");
    refused("store_id,timezone_str\n", "\"x.csv\" has a header but no rows");
}

#[test]
fn a_header_that_does_not_fit_is_refused() {
    refused("store_id,timestamp_utc\na,b\n", "line 1: column \"status\" is missing");
    refused(
        "store_id,status,status,timestamp\na,b,c,d\n",
        "line 1: column \"status\" occurs twice",
    );
    refused("a,b\n1,2\n", "line 1: header \"a,b\" is not known");
    refused(b"\xff\xfes\0t\0", "is encoded in UTF-16LE; save it as UTF-8");
    refused("store_id;timezone_str\na;UTC\n", "fields are separated by semicolons");
    refused("a,active,2023-01-24 10:00:00 UTC\n", "is not known");
}

#[test]
fn a_poll_that_breaks_a_rule_is_named() {
    rejected_poll(
        "a,asleep,2023-01-24 10:00:00 UTC",
        "status \"asleep\" is not one of active, inactive",
    );
    rejected_poll(
        "a,active,2023-02-31 10:00:00 UTC",
        "timestamp_utc \"2023-02-31 10:00:00 UTC\" is not an instant",
    );
    rejected_poll(
        "a,active,2023-01-24 25:00:00 UTC",
        "timestamp_utc \"2023-01-24 25:00:00 UTC\" is not an instant",
    );
    rejected_poll(
        "a,active,2262-04-12 00:00:00 UTC",
        "timestamp_utc \"2262-04-12 00:00:00 UTC\" is more than 24 hours in the future",
    );
    rejected_poll(" ,active,2023-01-24 10:00:00 UTC", "store_id is blank");
    rejected_poll("a\0b,active,2023-01-24 10:00:00 UTC", "holds a NUL");
    rejected_poll(b"a\xff,active,2023-01-24 10:00:00 UTC", "is not UTF-8");
    rejected_poll("a,active", "the row has 2 fields; expected 3");
    rejected_poll("a,b,active,2023-01-24 10:00:00 UTC", "the row has 4 fields; expected 3");
    let next_year = chrono::Utc::now() + chrono::TimeDelta::days(366);
    rejected_poll(
        next_year.format("a,active,%F %T UTC").to_string(),
        "is more than 24 hours in the future",
    );
    rejected_poll(
        format!("{},active,2023-01-24 10:00:00 UTC", "x".repeat(1025)),
        "expected at most 1024",
    );
}

#[test]
fn hours_and_zones_that_break_a_rule_are_named() {
    rejected_hours("a,7,09:00,17:00", "day_of_week \"7\" is not one of 0 (Monday) to 6 (Sunday)");
    rejected_hours("a,1,25:00,17:00", "start_time_local \"25:00\" is not a time of day");
    rejected_hours("a,1,24:00,17:00", "start_time_local \"24:00\" is not a time of day");
    rejected_hours("a,1,09:00,24:01", "end_time_local \"24:01\" is not a time of day");
    rejected(
        "store_id,timezone_str",
        |row| format!("s{row},Europe/London"),
        "a,America/Nowhere",
        "timezone_str \"America/Nowhere\" is not a time zone",
    );
}

#[test]
fn a_row_that_is_cut_off_at_the_end_of_the_file_is_rejected() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), format!("{GOOD}a,inactive,2023-01-2")).unwrap();
    let load = run(folder.path(), "ingest --max-reject-rate 50% x.csv");
    assert!(text(&load.stdout).contains("2 rows of polls, 1 rejected"), "{}", text(&load.stdout));
}

#[test]
fn ids_are_opaque_text() {
    let long = "9".repeat(300);
    let ids = ["a,b", "say \"hi\"", "two\nlines", "🍕", "007", "7", &long, "1e5"];
    let folder = TempDir::new().unwrap();
    let mut polls = csv::Writer::from_path(folder.path().join("x.csv")).unwrap();
    polls.write_record(["store_id", "status", "timestamp_utc"]).unwrap();
    for id in ids {
        polls.write_record([id, "active", "2023-01-24 10:00:00 UTC"]).unwrap();
    }
    polls.flush().unwrap();
    for engine in ["datafusion", "polars"] {
        let report = run(folder.path(), &format!("report x.csv --engine {engine}"));
        let mut rows = csv::Reader::from_reader(report.stdout.as_slice());
        let found: Vec<_> = rows.records().map(|row| row.unwrap()[0].to_owned()).collect();
        let mut expected = ids.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_truncated_gzip_is_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    (0..2000).for_each(|row| writeln!(gzip, "s{row},active,2023-01-24 10:00:00 UTC").unwrap());
    let mut whole = GzEncoder::new(Vec::new(), Compression::fast());
    whole.write_all(GOOD.as_bytes()).unwrap();
    let mut bytes = whole.finish().unwrap();
    bytes.extend(gzip.finish().unwrap());
    refused(&bytes[..bytes.len() - 40], "cannot be read");
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv.gz"), &bytes).unwrap();
    assert_eq!(run(folder.path(), "ingest x.csv.gz").status.code(), Some(0));
}

#[test]
fn a_zstd_file_says_what_the_plain_one_says() {
    let folder = TempDir::new().unwrap();
    let zstd = zstd::encode_all(GOOD.as_bytes(), 1).unwrap();
    std::fs::write(folder.path().join("x.csv.zst"), zstd).unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    let load = run(folder.path(), "ingest x.csv.zst");
    assert!(text(&load.stdout).contains("polls: 1 loaded"), "{}", text(&load.stdout));
    let again = run(folder.path(), "ingest x.csv");
    assert!(text(&again.stdout).contains("the same content was loaded before"));
    assert!(text(&again.stdout).ends_with("version 1\n"), "{}", text(&again.stdout));
}

/// Checks that the message names the problem; the exit code is 1, or 2 for a wrong flag.
#[track_caller]
fn fails(arguments: &str, code: i32, sentence: &str) {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    assert_eq!(run(folder.path(), "ingest --data loaded x.csv").status.code(), Some(0));
    let failed = run(folder.path(), arguments);
    let said = text(&failed.stderr);
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(code), 0), "{said}");
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_wrong_path_or_flag_is_named() {
    fails("ingest empty", 1, "\"empty\" holds no CSV file");
    fails("ingest missing.csv", 1, "\"missing.csv\": cannot read");
    fails("ingest --data x.csv x.csv", 1, "\"x.csv\": cannot create");
    fails("report --data missing", 1, "no data in \"missing\"; run `uptally ingest` first");
    fails("report --data loaded --as-of 7", 1, "there is no version 7; expected 1 to 1");
    fails("report --data loaded --store b", 1, "there is no store \"b\"");
    fails("report x.csv --as-of 1", 2, "cannot be used with");
    fails("report --data loaded --max-gap soon", 2, "--max-gap");
    fails("report --data loaded --max-gap 0s", 2, "--max-gap");
    fails("report --data loaded --now yesterday", 2, "--now");
    fails("report --data loaded --default-hours 9-17", 2, "daily hours like 09:00-17:00");
    fails("report --data loaded --default-timezone Mars/Olympus", 2, "--default-timezone");
    fails("report --data loaded --format xml", 2, "--format");
    fails(
        "report --data loaded -o missing/report.csv",
        1,
        "\"missing/report.csv\": there is no folder \"missing\"; make it first",
    );
    fails("ingest --max-reject-rate 2 x.csv", 2, "--max-reject-rate");
    fails("generate --stores 0 --days 1 --seed 1 out", 1, "stores");
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_tables_as_they_were() {
    let folder = TempDir::new().unwrap();
    let rows: String =
        (0..40_000).map(|row| format!("s{row},active,2023-01-24 10:00:00 UTC\n")).collect();
    std::fs::write(folder.path().join("big.csv"), format!("{POLLS}{rows}")).unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    assert_eq!(run(folder.path(), "ingest x.csv").status.code(), Some(0));
    let before = run(folder.path(), "report").stdout;
    // No file may grow beyond 32 blocks of 512 or 1,024 bytes: writing fails as on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 32; exec {} ingest big.csv",
        env!("CARGO_BIN_EXE_uptally")
    );
    let load = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = text(&load.stderr);
    assert_eq!(load.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write"), "{said}");
    assert_eq!(text(&run(folder.path(), "report").stdout), text(&before));
    assert!(run(folder.path(), "ingest big.csv").status.success());
    assert_eq!(text(&run(folder.path(), "report").stdout).lines().count(), 40_002);
}

#[test]
fn a_missing_file_of_the_tables_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    assert_eq!(run(folder.path(), "ingest x.csv").status.code(), Some(0));
    let day = folder.path().join("data/polls/polled_on=2023-01-24");
    let polls = std::fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&polls).unwrap();
    let name = polls.file_name().unwrap().to_str().unwrap();
    std::fs::write(folder.path().join("polls.sql"), "SELECT * FROM polls").unwrap();
    for asked in ["report", "report --engine polars", "sql -f polls.sql"] {
        let failed = run(folder.path(), asked);
        let said = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{asked}: {said}");
        assert!(said.contains("cannot read") && said.contains(name), "{asked}: {said}");
        assert!(!said.contains("bug"), "{asked}: {said}");
    }
}

#[test]
fn one_load_at_a_time_changes_a_folder() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    let lock = uptally::WriteLock::take(&folder.path().join("data")).unwrap();
    let load = run(folder.path(), "ingest x.csv");
    assert_eq!(load.status.code(), Some(1));
    assert!(text(&load.stderr).contains("another uptally is loading"), "{}", text(&load.stderr));
    drop(lock);
    assert!(run(folder.path(), "ingest x.csv").status.success());
}

#[test]
fn a_report_file_is_written_whole() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), GOOD).unwrap();
    std::fs::write(folder.path().join("report.csv"), "old").unwrap();
    let printed = run(folder.path(), "report x.csv").stdout;
    let written = run(folder.path(), "report x.csv -o report.csv");
    assert_eq!((written.status.code(), written.stdout.len()), (Some(0), 0));
    assert_eq!(std::fs::read(folder.path().join("report.csv")).unwrap(), printed);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing else is left behind: {left:?}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_load_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    for (signal, arguments) in
        [("INT", "ingest --data tables pipe.csv"), ("TERM", "report pipe.csv")]
    {
        let (folder, temporary) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let pipe = folder.path().join("pipe.csv");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut load = uptally(arguments.split_whitespace())
            .current_dir(folder.path())
            .env("TMPDIR", temporary.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Opening waits until the load reads; then it waits for the rest of the file.
        let mut file = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        file.write_all(GOOD.as_bytes()).unwrap();
        let number = load.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &number]).status().unwrap().success());
        let mut said = BufReader::new(load.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(said.any(|line| line.starts_with("stopping")));
        drop(file);
        assert_eq!(load.wait().unwrap().code(), Some(130));
        assert_eq!(said.last().unwrap(), "uptally: interrupted; nothing was changed");
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
        let report = run(folder.path(), "report --data tables");
        assert!(text(&report.stderr).contains("no data in"), "{}", text(&report.stderr));
    }
}
