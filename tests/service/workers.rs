//! Worker processes seen from the operating system: their limits, and what happens when they exceed
//! them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use uptally::internals::server::Settings;

use super::process::{Process, curl};
use super::sql::path_of;
use super::{Served, csv_of_sample, waiting};
use crate::harness::{block_on, ingest, output_of};

/// Slack for a machine whose cores are busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// Status and body of a response.
fn ask(server: &Process, sql: &str) -> (String, String) {
    let url = format!("{}/v1/sql", server.url);
    let body = curl(&["-d", sql, "-w", "\n%{http_code}", &url]);
    let (body, status) = body.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[track_caller]
fn check_answers(server: &Process) {
    assert_eq!(ask(server, "SELECT 1 AS a"), ("200".to_owned(), "a\n1\n".to_owned()));
}

/// Numbers of the processes that a server has started.
fn children(server: &Process) -> BTreeSet<u32> {
    let parent = server.child.id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let numbers = processes.filter_map(|name| name.to_str()?.parse::<u32>().ok());
    let is_child = |number: &u32| {
        // After the name, which may hold anything, come the state and the parent.
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.next() != Some("Z") && fields.next() == Some(parent.as_str())
    };
    numbers.filter(is_child).collect()
}

fn kill(process: u32) {
    // One that has just ended cannot be killed.
    Command::new("kill").args(["-s", "KILL", &process.to_string()]).output().unwrap();
}

/// Waits until the operating system has reached a state.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun_at = Instant::now();
    while !is_so() {
        assert!(begun_at.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_question_that_looks_at_no_limit_ends_at_its_deadline() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-time 3s --sql-at-once 1");
    check_answers(&server);
    for stuck in [
        "SELECT levenshtein(repeat('ab', 1500000), repeat('ba', 1500000))",
        "SELECT sum(business_time(store_id, '1950-01-01', '2049-01-01')) FROM polls",
    ] {
        let begun_at = Instant::now();
        let (status, answer) = ask(&server, stuck);
        assert_eq!(status, "422", "{answer}");
        assert!(begun_at.elapsed() < PATIENCE, "{stuck}: {:?}", begun_at.elapsed());
        assert!(answer.contains("longer than 3s, the limit of time"), "{answer}");
        // There is one turn: it is free again, and so is the core.
        check_answers(&server);
    }
}

#[test]
fn a_question_that_no_pool_counts_ends_at_its_memory() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-memory 64MiB --sql-time 60s");
    check_answers(&server);
    let joined = (0..40).map(|at| format!("repeat('{at}', 20000000)")).collect::<Vec<_>>();
    for large in [
        format!("SELECT length({})", joined.join(" || ")),
        format!("SELECT cardinality(make_array({}))", joined.join(", ")),
        "WITH RECURSIVE d AS (SELECT repeat('x', 1000000) AS t UNION ALL \
         SELECT t || t FROM d WHERE length(t) < 2000000000) SELECT max(length(t)) FROM d"
            .to_owned(),
    ] {
        let (status, answer) = ask(&server, &large);
        assert_eq!(status, "422", "{large}: {answer}");
        assert!(answer.contains("--sql-memory"), "{large}: {answer}");
        check_answers(&server);
    }
}

/// Waits until one of the processes has ended, sooner than one does that nobody uses.
#[track_caller]
fn wait_for_end(server: &Process, processes: &BTreeSet<u32>) {
    let begun_at = Instant::now();
    wait_until("all processes go on", || !children(server).is_superset(processes));
    assert!(begun_at.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_question_that_nothing_in_its_process_counts_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let limits = "--sql-memory 64MiB --sql-time 60s --sql-at-once 1";
    let server = Process::start(folder.path(), limits);
    check_answers(&server);
    let before = children(&server);
    // A batch of 64 MB, which no operator holds, becomes one of six times as much.
    let large = "SELECT max(length(a || a || a || a || a || a)) \
        FROM (SELECT repeat('x', 8000 + value % 2) AS a FROM range(0, 8000)) AS texts";
    let (status, answer) = ask(&server, large);
    assert_eq!(status, "422", "{answer}");
    assert!(answer.contains("--sql-memory"), "{answer}");
    wait_for_end(&server, &before);
    check_answers(&server);
}

#[test]
fn nothing_goes_on_of_a_question_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-time 60s --sql-at-once 1");
    check_answers(&server);
    let before = children(&server);
    // The limit is reached by the first row while the second is still computed, by a function that
    // cannot be cancelled. The first takes long enough for the second to start on another core.
    let enough = "(SELECT levenshtein(repeat('ab', 3000 + value), repeat('ba', 3000)) AS a \
        FROM range(0, 1)) UNION ALL \
        (SELECT levenshtein(repeat('ab', 1500000 + value), repeat('ba', 1500000 + value)) \
        FROM range(0, 1)) LIMIT 1";
    assert_eq!(ask(&server, enough), ("200".to_owned(), "a\n2\n".to_owned()));
    wait_for_end(&server, &before);
    check_answers(&server);
}

#[test]
fn a_process_that_is_killed_is_replaced() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-time 60s");
    check_answers(&server);
    let before = children(&server);
    assert!(!before.is_empty());
    before.iter().copied().for_each(kill);
    wait_until("a killed process goes on", || children(&server).is_disjoint(&before));
    check_answers(&server);
    // So is one that works.
    let url = format!("{}{}", server.url, path_of(super::sql::ENDLESS_JOIN));
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| {
            let run = output_of(Command::new("curl").args(["-sS", "-w", "\n%{http_code}", &url]));
            String::from_utf8(run.stdout).unwrap()
        });
        while !asked.is_finished() {
            // Whichever works; those that are idle are replaced as well.
            children(&server).into_iter().filter(|process| is_busy(*process)).for_each(kill);
            std::thread::yield_now();
        }
        let answer = asked.join().unwrap();
        assert!(answer.ends_with("\n503"), "{answer}");
    });
    check_answers(&server);
}

/// Returns true if a process has used two seconds of processor time.
fn is_busy(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Option<u64> = fields.nth(11).and_then(|ticks| ticks.parse().ok());
    ticks.is_some_and(|ticks| ticks > 200)
}

#[test]
fn a_question_that_is_wrong_or_wants_too_much_costs_no_process() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-time 60s");
    check_answers(&server);
    let before = children(&server);
    for (wrong, expected) in [
        ("SELEKT 1", "400"),
        ("SELECT nowhere FROM polls", "400"),
        ("SELECT 1 / (value - 5) FROM range(0, 9)", "400"),
        ("SELECT repeat('x', 2000000000)", "422"),
    ] {
        let (status, answer) = ask(&server, wrong);
        assert_eq!(status, expected, "{wrong}: {answer}");
    }
    check_answers(&server);
    assert!(children(&server).is_superset(&before));
}

#[test]
fn processes_end_with_the_server() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "");
    check_answers(&server);
    let processes = children(&server);
    assert!(!processes.is_empty());
    server.kill();
    wait_until("some processes outlive the server", || !processes.iter().any(is_worker));
}

fn is_worker(process: &u32) -> bool {
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).any(|argument| argument == b"worker")
}

fn niceness(process: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which may hold anything, and 16 other fields.
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[test]
fn processes_know_nothing_but_the_folder() {
    let folder = TempDir::new().unwrap();
    let add = crate::harness::uptally(["keys", "add", "--role", "read", "keys"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let key = String::from_utf8(add.stdout).unwrap();
    let server = Process::start(folder.path(), "--keys keys");
    let url = format!("{}/v1/sql", server.url);
    let header = format!("Authorization: Bearer {}", key.trim());
    assert_eq!(curl(&["-H", &header, "-d", "SELECT 1 AS a", &url]), "a\n1\n");
    let workers: Vec<_> = children(&server).into_iter().filter(is_worker).collect();
    assert!(!workers.is_empty());
    let lowered = (niceness(server.child.id()) + 5).min(19);
    for process in workers {
        let names = std::fs::read(format!("/proc/{process}/environ")).unwrap();
        let names = String::from_utf8(names).unwrap();
        let names =
            names.split_terminator('\0').map(|variable| variable.split('=').next().unwrap());
        let known = ["UPTALLY_LOG", "RUST_LOG", "RUST_BACKTRACE", "PATH", "TMPDIR"];
        assert!(names.clone().all(|name| known.contains(&name)), "{:?}", names.collect::<Vec<_>>());
        // Where memory runs out, it goes before the server does, as soon as it has begun.
        let score = || std::fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap();
        wait_until("the system ends the server first", || score() == "1000\n");
        assert_eq!(niceness(process), lowered);
        let command = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
        let command: Vec<_> = command.split_terminator('\0').collect();
        let data = folder.path().join("data/sample-tables");
        assert_eq!(command, ["uptally", "worker", data.to_str().unwrap()]);
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        for file in files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok()) {
            let file = file.to_string_lossy().into_owned();
            assert!(!file.ends_with("keys") && !file.ends_with("jobs.redb"), "{file}");
        }
    }
}

#[test]
fn queries_spill_to_disk() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-memory 128MiB --sql-time 60s --sql-rows 3");
    let sorted = "SELECT value % 7 AS a, repeat('x', 100) || value AS b FROM range(0, 1000000) \
        ORDER BY b DESC";
    let (status, answer) = ask(&server, sorted);
    assert_eq!(status, "200", "{answer}");
    assert!(answer.starts_with("a,b\n"), "{answer}");
}

#[test]
fn reports_are_tables_for_processes_too() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        let asked = [
            ("SELECT count(*) AS n FROM reports", "n\n1\n".to_owned()),
            ("SELECT report_id AS id, state FROM reports", format!("id,state\n{id},complete\n")),
            ("SELECT count(*) AS n FROM report_rows", "n\n40\n".to_owned()),
        ];
        for (sql, expected) in asked {
            let answer = served.ask("POST", "/v1/sql", &[], sql).await;
            assert_eq!((answer.status(), answer.text()), (200, expected), "{sql}");
        }
        // A report whose file is broken is made again.
        let file = served.data.path().join(format!("reports/files/{id}.arrow"));
        std::fs::write(&file, "broken").unwrap();
        let rows =
            served.ask("POST", "/v1/sql", &[], "SELECT count(*) AS n FROM report_rows").await;
        assert_eq!(rows.status(), 200, "{}", rows.text());
        let shown = served.get(&format!("/v1/reports/{id}?wait=60s")).await.json();
        assert_eq!(shown["state"], "complete");
        assert_eq!(served.get(&format!("/v1/reports/{id}.csv")).await.text(), csv_of_sample());
    });
}

/// Queries with their parameters as JSON.
const QUESTIONS: [(&str, &str); 7] = [
    ("SELECT count(*) AS n FROM polls WHERE store_id = $1", r#"["1177941416522642976"]"#),
    ("SELECT $a + 1 AS b, $c AS d", r#"{"a": 5, "c": null}"#),
    ("SELECT polled_at FROM polls WHERE polled_at >= $1 ORDER BY 1 LIMIT 3", r#"["2023-01-24"]"#),
    ("SELECT nowhere FROM polls", "[]"),
    ("SELECT $1", "[]"),
    ("DROP TABLE polls", "[]"),
    ("SELECT * FROM uptime('2023-01-24', '2023-01-25') ORDER BY store_id", "[]"),
];

#[test]
fn processes_answer_as_the_server_itself_would() {
    block_on(async {
        let data = || async {
            let data = TempDir::new().unwrap();
            let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
            ingest(data.path(), &[&sample]).await.unwrap();
            data
        };
        let apart = Served::over(data().await, waiting());
        let here = Served::in_process(data().await, waiting());
        for (sql, params) in QUESTIONS {
            let params: serde_json::Value = serde_json::from_str(params).unwrap();
            for format in ["csv", "json", "arrows"] {
                let body = json!({ "sql": sql, "params": params, "format": format }).to_string();
                let apart = apart.ask("POST", "/v1/sql", &[], &body).await;
                let here = here.ask("POST", "/v1/sql", &[], &body).await;
                assert_eq!(apart.status(), here.status(), "{sql}: {}", apart.text());
                assert!(apart.bytes() == here.bytes(), "{sql} as {format}: {}", apart.text());
            }
        }
    });
}

#[test]
fn a_missing_worker_program_is_only_logged() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let Served { data, service, router } = served;
        service.close();
        drop((router, service));
        let nowhere = Some(PathBuf::from("/nowhere/uptally"));
        let served = Served::in_process(data, Settings { worker: nowhere, ..waiting() });
        let answer = served.ask("POST", "/v1/sql", &[], "SELECT 1").await;
        assert_eq!(answer.status(), 503);
        assert!(!answer.text().contains("nowhere"), "{}", answer.text());
    });
}
