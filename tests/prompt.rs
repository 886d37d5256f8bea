//! `uptally sql` with arguments and pipes; the prompt itself needs a terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::harness::{block_on, ingest, uptally};
use crate::service::sql::{ENDLESS_JOIN, attempts};

/// The sample, loaded into `data` of a folder.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    block_on(ingest(&folder.path().join("data"), &[&sample])).unwrap();
    folder
}

fn asked(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let arguments = ["sql"].iter().chain(arguments).copied();
    let mut command = uptally(arguments);
    command.current_dir(folder).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The command may exit before it has read all input.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Stdout, a part of stderr, and the exit code.
#[track_caller]
fn check(folder: &Path, arguments: &[&str], stdin: &str, expected: (&str, &str, i32)) {
    let run = asked(folder, arguments, stdin);
    let said = String::from_utf8(run.stderr).unwrap();
    let (printed, words, code) = expected;
    assert_eq!(String::from_utf8(run.stdout).unwrap(), printed, "{arguments:?} {stdin:?} {said}");
    assert!(said.contains(words), "{arguments:?} {stdin:?}: {said}");
    assert_eq!(run.status.code(), Some(code), "{arguments:?} {stdin:?}: {said}");
    assert!(!words.is_empty() || said.is_empty(), "{arguments:?} {stdin:?}: {said}");
}

#[test]
fn questions_are_answered_in_their_order_until_one_is_wrong() {
    let folder = folder();
    let folder = folder.path();
    let count = "SELECT count(*) AS stores FROM stores";
    check(folder, &[count], "", ("stores\n40\n", "", 0));
    check(folder, &["SELECT 1 AS a; SELECT 'b;c' AS b;"], "", ("a\n1\nb\nb;c\n", "", 0));
    check(folder, &[], &format!("{count};\n"), ("stores\n40\n", "", 0));
    check(folder, &[], count, ("stores\n40\n", "", 0));
    check(folder, &[], "", ("", "", 0));
    check(folder, &[], "SELECT 1 AS a;\nSELEC;\nSELECT 2 AS b;", ("a\n1\n", "SELEC", 1));
    check(folder, &["SELECT 'a"], "", ("", "Unterminated string literal", 1));
    check(folder, &["SELECT nothing FROM polls"], "", ("", "there is no column nothing", 1));
    std::fs::write(folder.join("a.sql"), "SELECT 1 AS a;\n.mode ndjson\n\n.read b.sql\n").unwrap();
    std::fs::write(folder.join("b.sql"), "SELECT 2 AS b;\nSELECT * FROM nowhere;\n").unwrap();
    let placed = "\"b.sql\", line 2: ";
    check(folder, &["-f", "a.sql"], "", ("a\n1\n{\"b\":2}\n", placed, 1));
    std::fs::write(folder.join("loop.sql"), ".read loop.sql\n").unwrap();
    check(folder, &["-f", "loop.sql"], "", ("", "files read each other more than 16 deep", 1));
    check(folder, &["-f", "none.sql"], "", ("", "\"none.sql\": cannot read", 1));
    check(folder, &["--as-of", "1", count], "", ("stores\n40\n", "", 0));
    check(folder, &["--as-of", "2", count], "", ("", "there is no version 2", 1));
    check(
        folder,
        &["--data", "empty", count],
        "",
        ("", "no data in \"empty\"; run `uptally ingest` first", 1),
    );
    check(folder, &["--format", "xml", count], "", ("", "invalid value", 2));
}

#[test]
fn commands_tell_what_there_is_to_ask() {
    let folder = folder();
    let folder = folder.path();
    for (command, words) in [
        (".tables", "| business_hours |"),
        ("\\d", "| polls "),
        ("\\d polls", "| polls      | polled_at"),
        ("\\d+ polls", "| timestamp with time zone |"),
        ("\\dv", "| stores "),
        ("\\h pg_typeof", "'timestamp with time zone'; 'unknown' for a bare NULL"),
        (".schema stores", "| stores"),
        ("\\h abs", "absolute value"),
        ("\\h", "\n  uptime  "),
        ("\\h latest_poll", "latest_poll()   scalar"),
        (".help once", ".once FILE"),
        (".help", ".once FILE"),
        ("help", ".once FILE"),
        ("HELP;", ".once FILE"),
        ("?", ".once FILE"),
        (".help uptime", "  up            open time in which the store was up, microseconds"),
        ("\\d incidents", "scheduled open time in the outage, microseconds"),
        ("\\d business_hours", "| when it opens, seconds after local midnight"),
    ] {
        let run = asked(folder, &[], command);
        let printed = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success() && printed.contains(words), "{command}: {printed}");
    }
    for (command, words) in [
        ("\\d nowhere", "there is no such table"),
        ("\\h nothing", "there is no function \"nothing\""),
        (".drop", "there is no command \".drop\""),
        (".help foo", "there is no command or function \"foo\""),
        (".output a.csv", ".once FILE writes the rows of the next query to a file"),
    ] {
        check(folder, &[], command, ("", words, 1));
    }
    check(
        folder,
        &[],
        ".mode\n.timer on\nSELECT 1 AS a;\n.quit\nSELECT 2;",
        ("a\n1\n", "mode csv", 0),
    );
    for word in ["exit", "quit", "EXIT;", "quit()", "\\q", ".quit", ".exit", ":q"] {
        check(folder, &[], &format!("{word}\nSELECT 2;"), ("", "", 0));
        check(folder, &[], &format!("SELECT 1 AS a;\n{word}\nSELECT 2;"), ("a\n1\n", "", 0));
    }
    let run = asked(folder, &[], ".timer on\nSELECT 1;");
    assert!(String::from_utf8(run.stderr).unwrap().starts_with("1 row in "));
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = folder();
    let folder = folder.path();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    check(folder, &["-o", "a.csv", "SELECT 1 AS a"], "", ("", "", 0));
    assert_eq!(read("a.csv"), b"a\n1\n");
    // What fails on its way leaves what was there.
    let late = "SELECT 10 / (20000 - value) AS a FROM range(1, 30000)";
    check(folder, &["-o", "a.csv", late], "", ("", "division by zero", 1));
    assert_eq!(read("a.csv"), b"a\n1\n");
    let two = "use .once FILE before each of several";
    check(folder, &["-o", "a.csv", "SELECT 2 AS a; SELECT 3 AS a"], "", ("", two, 1));
    check(folder, &["-o", "a.csv"], "", ("", "there was none", 1));
    let script = ".mode json\n.once b.json\nSELECT 1 AS a;\nSELECT 2 AS a;";
    check(folder, &[], script, ("[{\"a\":2}]\n", "", 0));
    assert_eq!(read("b.json"), b"[{\"a\":1}]\n");
    check(
        folder,
        &["--format", "parquet", "-o", "polls.parquet", "SELECT * FROM polls"],
        "",
        ("", "", 0),
    );
    assert!(read("polls.parquet").ends_with(b"PAR1"));
    let left: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().starts_with('.')), "{left:?}");
}

#[test]
fn every_limit_of_a_query_is_named_where_it_is_met() {
    let folder = folder();
    let folder = folder.path();
    let all = "SELECT 1 AS a FROM polls";
    let cut = "cut off after 2 rows, the limit (--sql-rows)";
    check(folder, &["--sql-rows", "2", all], "", ("a\n1\n1\n", cut, 0));
    check(folder, &["--sql-time", "200ms", ENDLESS_JOIN], "", ("", "(--sql-time)", 1));
    let hungry = "SELECT a.store_id, count(DISTINCT b.polled_at) FROM polls a JOIN polls b USING (store_id) GROUP BY 1";
    check(folder, &["--sql-memory", "1KiB", hungry], "", ("", "(--sql-memory)", 1));
    check(
        folder,
        &["--sql-memory", "0", all],
        "",
        ("", "expected a number of bytes like 512MiB", 2),
    );
    // A file has all of them, a table no more than a service would give.
    let many = "SELECT value FROM range(0, 100001)";
    let run = asked(folder, &[many], "");
    assert_eq!(run.stdout.iter().filter(|byte| **byte == b'\n').count(), 100_002);
    let run = asked(folder, &["--format", "table", many], "");
    assert!(String::from_utf8(run.stderr).unwrap().contains("cut off after 100000 rows"));
}

#[test]
fn nothing_is_changed_and_nothing_beside_the_data_is_read() {
    let folder = folder();
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\nhidden\n").unwrap();
    for attempt in attempts(&secret) {
        let run = asked(folder.path(), &[&attempt], "");
        assert_eq!(run.status.code(), Some(1), "{attempt}");
        assert!(run.stdout.is_empty(), "{attempt}: {}", String::from_utf8_lossy(&run.stdout));
        assert!(!String::from_utf8_lossy(&run.stderr).contains("hidden"), "{attempt}");
    }
    assert_eq!(std::fs::read(&secret).unwrap(), b"a\nhidden\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_parameter_has_the_value_that_it_was_given() {
    let folder = folder();
    let folder = folder.path();
    let of_store = "SELECT count(*) AS stores FROM stores WHERE store_id = $store";
    let store = "store=1177941416522642976";
    check(folder, &["--param", store, of_store], "", ("stores\n1\n", "", 0));
    check(folder, &[of_store], "", ("", "no value is given for $store", 1));
    check(folder, &["--param", "1=3", "SELECT $1 + 1 AS a"], "", ("a\n4\n", "", 0));
    check(folder, &["--param", "1=0.5", "SELECT $1 + 1 AS a"], "", ("a\n1.5\n", "", 0));
    let unused = ("a\n1\n", "--param b: no statement uses $b", 1);
    check(folder, &["--param", "b=1", "SELECT 1 AS a"], "", unused);
    check(folder, &["--param", "b", "SELECT 1 AS a"], "", ("", "expected NAME=VALUE", 2));
    let script =
        format!(".param store 1177941416522642976\n{of_store};\n.param store\n{of_store};");
    check(folder, &[], &script, ("stores\n1\n", "no value is given for $store", 1));
    for (query, param) in [
        ("long_outages", "store_id=1177941416522642976"),
        ("month_against_target", "target_pct=99.5"),
    ] {
        let file = format!("{}/queries/analyst/{query}.sql", env!("CARGO_MANIFEST_DIR"));
        let run = asked(folder, &["-f", &file, "--param", param], "");
        assert!(run.status.success(), "{query}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn the_rows_of_the_next_query_wait_for_one_that_gives_any() {
    let folder = folder();
    let folder = folder.path();
    let lost = ".once none/a.csv\nSELECT 1 AS a;";
    check(folder, &[], lost, ("", "there is no folder \"none\"; make it first", 1));
    // In the mode for people, a file is in the format of its ending.
    check(folder, &["--format", "table"], ".once a.csv\nSELECT 1 AS a;", ("", "", 0));
    assert_eq!(std::fs::read(folder.join("a.csv")).unwrap(), b"a\n1\n");
    // So it is in any other mode: the name says more of the file than the mode does.
    check(folder, &["--format", "csv"], ".once a.json\nSELECT 1 AS a;", ("", "", 0));
    assert_eq!(std::fs::read(folder.join("a.json")).unwrap(), b"[{\"a\":1}]\n");
    check(folder, &[], ".once a.xyz\nSELECT 1;", ("", "nothing is written as .xyz", 1));
    check(folder, &[], ".once a.xlsx\nSELECT 1;", ("", "nothing is written as .xlsx", 1));
}
