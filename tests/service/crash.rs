//! `kill -9` at random moments during triggers, a hundred times over one folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use uptally::{Dataset, Engine, Format, Layout, ReportQuery, answer, render_figures};

use super::process::Process;
use crate::harness::{block_on, ingest};

const KILLS: u64 = 100;
/// Questions that differ in their *now*: a second each, from this instant on.
const FIRST_NOW: i64 = 1_674_600_000_000_000;
const DEADLINE: Duration = Duration::from_secs(300);

/// A number that looks random and is the same for every run of the test.
fn dice(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn now_text(question: u64) -> String {
    let instant = chrono::DateTime::from_timestamp_micros(now(question)).unwrap();
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn now(question: u64) -> i64 {
    FIRST_NOW + question as i64 * 1_000_000
}

fn json(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Value> {
    let mut body = response.ok()?.into_body();
    serde_json::from_str(&body.read_to_string().ok()?).ok()
}

/// Triggers until the server is gone; every id that arrived is handed out.
fn trigger(
    url: &str,
    questions: impl Iterator<Item = u64>,
    handed_out: &Mutex<Vec<(u64, String)>>,
) {
    let agent = ureq::Agent::new_with_defaults();
    for question in questions {
        let body = format!("{{\"now\": \"{}\", \"engine\": \"polars\"}}", now_text(question));
        let Some(report) = json(agent.post(format!("{url}/v1/reports")).send(body)) else { return };
        let id = report["id"].as_str().unwrap().to_owned();
        handed_out.lock().unwrap().push((question, id));
    }
}

/// A run of the server, killed while two clients trigger reports.
fn live_and_die(folder: &Path, round: u64, known: &mut BTreeMap<u64, String>) {
    let server = Process::start(folder, "--data d --retain 100000 --max-queue 100000");
    check_known(&server.url, round, known);
    let handed_out = Mutex::new(Vec::new());
    let said = std::thread::scope(|scope| {
        for client in 0..2 {
            // Mostly new questions, now and then one that was asked before.
            let questions = (0..40).map(move |at| match dice(round * 100 + at) % 4 {
                0 => dice(at) % (round + 1) * 3,
                _ => round * 3 + (at + client) % 3,
            });
            let (url, handed_out) = (server.url.clone(), &handed_out);
            scope.spawn(move || trigger(&url, questions, handed_out));
        }
        // Some die before they answered anything, most a little after their first answer.
        let deadline = Instant::now() + DEADLINE;
        while !round.is_multiple_of(5) && handed_out.lock().unwrap().is_empty() {
            assert!(Instant::now() < deadline, "no trigger was answered");
            std::thread::yield_now();
        }
        let dies_at = Instant::now() + Duration::from_micros(dice(round) % 25_000);
        while Instant::now() < dies_at {
            std::thread::yield_now();
        }
        server.kill()
    });
    assert!(!said.contains("broken"), "{said}");
    for (question, id) in handed_out.into_inner().unwrap() {
        // The same question has one id, in this life and in those before.
        let first = known.entry(question).or_insert_with(|| id.clone());
        assert_eq!(*first, id, "round {round}, question {question}");
    }
}

/// Every id that was handed out in the round before is known.
fn check_known(url: &str, round: u64, known: &BTreeMap<u64, String>) {
    let agent = ureq::Agent::new_with_defaults();
    for (_, id) in known.range(round.saturating_sub(2) * 3..) {
        let report = json(agent.get(format!("{url}/v1/reports/{id}")).call());
        let state = report.unwrap_or_else(|| panic!("{id} is not known"))["state"].clone();
        assert!(["queued", "running", "complete"].iter().any(|s| state == *s), "{id} is {state}");
    }
}

#[test]
fn after_any_kill_every_id_is_known_and_every_report_whole() {
    let folder = TempDir::new().unwrap();
    let (data, sample) =
        (folder.path().join("d"), Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample"));
    block_on(ingest(&data, &[&sample])).unwrap();
    let mut known = BTreeMap::new();
    for round in 0..KILLS {
        live_and_die(folder.path(), round, &mut known);
    }
    assert!(known.len() as u64 >= KILLS / 2, "only {} ids were handed out", known.len());
    let server = Process::start(folder.path(), "--data d --retain 100000");
    let agent = ureq::Agent::new_with_defaults();
    let started = Instant::now();
    for (question, id) in &known {
        loop {
            let report = json(agent.get(format!("{}/v1/reports/{id}?wait=60s", server.url)).call());
            match report.unwrap_or_else(|| panic!("{id} is not known"))["state"].as_str().unwrap() {
                "complete" => break,
                state => assert!(started.elapsed() < DEADLINE, "{id} is {state}"),
            }
        }
        let csv = agent.get(format!("{}/v1/reports/{id}.csv", server.url)).call().unwrap();
        let csv = csv.into_body().read_to_vec().unwrap();
        assert!(csv == expected(&data, *question), "the report of question {question}");
    }
    assert!(!server.kill().contains("broken"));
}

fn expected(data: &Path, question: u64) -> Vec<u8> {
    block_on(async {
        let dataset = Dataset::open(data, None).await.unwrap().unwrap();
        let asked = ReportQuery { now: Some(now(question)), ..ReportQuery::default() };
        let figures = answer(&dataset, &asked, Engine::Polars).await.unwrap().figures;
        render_figures(&figures, Layout::default(), Format::Csv).unwrap()
    })
}
