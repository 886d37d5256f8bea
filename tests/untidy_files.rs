//! Malformed files, as spreadsheets and concatenated exports produce them: no row is lost.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::{printed, uptally};

const HEADER: &str = "store_id,timestamp_utc,status,note\n";

fn said_by(folder: &Path, arguments: &[&str]) -> String {
    printed(uptally(arguments.iter().copied()).current_dir(folder))
}

/// Loads the content and compares the answer to a query, and the lines of the rejects.
#[track_caller]
fn check(content: impl AsRef<[u8]>, query: &str, rows: &[&str], rejected_lines: &[&str]) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), content).unwrap();
    said_by(
        folder.path(),
        &["ingest", "--max-reject-rate", "1", "--rejects", "rejects.csv", "x.csv"],
    );
    let found = said_by(folder.path(), &["sql", query]);
    assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), rows);
    let rejects = std::fs::read_to_string(folder.path().join("rejects.csv")).unwrap();
    let mut rejects = csv::Reader::from_reader(rejects.as_bytes());
    let lines: Vec<_> = rejects.records().map(|row| row.unwrap()[1].to_owned()).collect();
    assert_eq!(lines, rejected_lines);
}

#[track_caller]
fn check_polls(content: impl AsRef<[u8]>, stores: &[&str], rejected_lines: &[&str]) {
    check(content, "SELECT store_id FROM polls ORDER BY polled_at", stores, rejected_lines);
}

/// A row of the store with a note, as it is quoted.
fn row(store: &str, minute: u32, note: &str) -> String {
    format!("{store},2026-03-02 10:{minute:02}:00 UTC,active,{note}")
}

#[test]
fn a_stray_quote_rejects_its_line_alone() {
    let rows =
        [row("a", 0, "ok"), row("b", 5, "\"left open"), row("c", 10, "ok"), row("d", 15, "ok")];
    check_polls(format!("{HEADER}{}\n", rows.join("\n")), &["a", "c", "d"], &["3"]);
    let rows = [row("a", 0, "\"one"), row("b", 5, "ok"), row("c", 10, "\"two"), row("d", 15, "ok")];
    check_polls(format!("{HEADER}{}\n", rows.join("\n")), &["b", "d"], &["2", "4"]);
    let many: Vec<_> = (0..50_000).map(|at| row(&format!("s{}", at % 7), at % 60, "ok")).collect();
    let mut content = format!("{HEADER}{}\n{}\n", row("a", 0, "\"left open"), many.join("\n"));
    content.insert(0, '\u{feff}');
    check(content, "SELECT count(DISTINCT store_id) FROM polls", &["7"], &["2"]);
}

/// Column and reason of each reject.
#[track_caller]
fn check_reasons(content: &str, expected: &[(&str, &str)]) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("x.csv"), content).unwrap();
    let arguments = ["ingest", "--max-reject-rate", "1", "--rejects", "-", "x.csv"];
    let rejects = said_by(folder.path(), &arguments);
    let mut rejects = csv::Reader::from_reader(rejects.as_bytes());
    let rows: Vec<_> = rejects.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (row, (column, reason)) in rows.iter().zip(expected) {
        assert_eq!(&row[2], *column, "{row:?}");
        assert!(row[3].starts_with(reason), "{row:?}");
    }
}

#[test]
fn a_broken_quote_is_reported_with_its_column_and_reason() {
    let open = "opens with a quote that does not close; ";
    let behind = "has text behind its closing quote; ";
    for (row, column, reason) in [
        ("a,2026-03-02 10:00 UTC,active,\"left open", "note", open),
        ("a,2026-03-02 10:00 UTC,active,\"left\" open", "note", behind),
        ("a,2026-03-02 10:00 UTC,\"active,note", "status", open),
        ("a,\"2026-03-02\" 10:00 UTC,active,note", "timestamp_utc", behind),
        ("\"a,2026-03-02 10:00 UTC,active,note", "store_id", open),
        ("\"a\"\"\",b,c,d,\"e", "", "a field opens with a quote that does not close; "),
    ] {
        // Whatever follows: nothing, sound rows, or another quote that does not close.
        for rest in ["", "\nb,2026-03-02 10:00 UTC,active,", "\nb,2026-03-02 10:00 UTC,active,a\"b"]
        {
            check_reasons(&format!("{HEADER}{row}{rest}\n"), &[(column, reason)]);
        }
    }
    let two = format!("{HEADER}a,b,c,\"one\nb,2026-03-02 10:00 UTC,active,\"two\n");
    check_reasons(&two, &[("note", open), ("note", open)]);
}

#[test]
fn a_line_that_does_not_end_is_a_reject_and_the_rest_is_loaded() {
    let long = "x".repeat(40 << 20);
    for end in ["\n", "\r\n"] {
        let rows = [row("a", 0, "ok"), row("b", 5, &long), row("c", 10, "ok")];
        let content = format!("{}{end}{}{end}", HEADER.trim(), rows.join(end));
        check_polls(&content, &["a", "c"], &["3"]);
    }
    let content = format!("{HEADER}{}\n{}", row("a", 0, "ok"), row("b", 5, &long));
    check_polls(content, &["a"], &["3"]);
    let content = format!("{HEADER}{}\n{}", row("b", 5, &long), row("a", 0, "ok"));
    check_reasons(&content, &[("", "the row does not end within 33554432 bytes; ")]);
    // Its fields may hold line ends before.
    let content =
        format!("{HEADER}{},\"two\nlines\",{long}\n{}\n", row("b", 5, "x"), row("a", 0, "ok"));
    check_polls(content, &["a"], &["2"]);
}

#[test]
fn a_quoted_field_may_hold_line_breaks_of_any_length() {
    let long = format!("\"{}\"", "two\r\nlines, one \"\"field\"\"\n".repeat(60_000));
    let rows = [row("a", 0, &long), row("b", 5, "\"left open"), row("c", 10, "ok")];
    check_polls(format!("{HEADER}{}\n", rows.join("\n")), &["a", "c"], &["120003"]);
}

#[test]
fn joined_exports_leave_marks_and_headers_behind() {
    let header = "\u{feff}store_id,status,timestamp_utc\n";
    let content = format!(
        "{header}a,active,2026-03-02 10:00:00 UTC\n{header}b,active,2026-03-02 10:00:01 UTC\n\
         \u{feff}c,active,2026-03-02 10:00:02 UTC\nSTORE_ID, Status ,\"timestamp_utc\"\n"
    );
    check_polls(content, &["a", "b", "c"], &[]);
}

#[test]
fn lines_may_end_with_carriage_returns_at_any_size() {
    let rows: String =
        (0..40_000).map(|at| row(["a", "b"][at % 2], (at % 60) as u32, "ok") + "\r").collect();
    let content = format!("{}\r{rows}c,2026-03-02 11:00:00 UTC,asleep,\r", HEADER.trim());
    check(content, "SELECT count(*) FROM polls", &["60"], &["40002"]);
}

#[test]
fn empty_rows_are_skipped_like_blank_lines() {
    let content = ",,\n \nstore_id,status,timestamp_utc\na,active,2026-03-02 10:00:00 UTC\n,,\n\
                   b,inactive,2026-03-02 10:00:01 UTC\n,,\n\"\", ,\t\n,\n\n";
    check_polls(content, &["a", "b"], &[]);
}

#[test]
fn instants_may_end_with_the_minute_and_be_in_the_basic_form() {
    let content = "store_id,status,timestamp_utc\na,active,2026-03-02T10:00Z\n\
                   a,online,2026-03-02 11:30\na,OFFLINE,2026-03-02T13:00+01:00\n\
                   a,inactive,20260302T123000Z\na,active,\"2026-03-02 13:00:00,5 UTC\"\n";
    let instants = [
        "2026-03-02T10:00:00Z",
        "2026-03-02T11:30:00Z",
        "2026-03-02T12:00:00Z",
        "2026-03-02T12:30:00Z",
        "2026-03-02T13:00:00.500Z",
    ];
    check(content, "SELECT polled_at FROM polls ORDER BY polled_at", &instants, &[]);
}

#[test]
fn hours_may_be_as_spreadsheets_write_them() {
    let content = "store_id,day,start_time_local,end_time_local\na,Monday,9:00 AM,5:30 PM\n\
                   a,tue,12:00 AM,12:00 PM\nb,0,09:00,17:30\nc,Freitag,09:00,17:00\n";
    let query = "SELECT store_id, day_of_week, start_local_s, end_local_s FROM business_hours \
                 ORDER BY store_id, day_of_week";
    let rows = ["a,0,32400,63000", "a,1,0,43200", "b,0,32400,63000"];
    check(content, query, &rows, &["5"]);
}
