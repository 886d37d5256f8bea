//! `/v1/sql` over a socket: end of queries that fail late, exceed their time or lose their client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::process::Process;
use super::sql::{ENDLESS_JOIN, LONG, path_of};
use crate::harness::output_of;

/// Response by curl: true if complete, and the body.
fn curl(server: &Process, body: &str) -> (bool, Vec<u8>) {
    let url = format!("{}/v1/sql", server.url);
    let mut command = Command::new("curl");
    let run = output_of(command.args(["-sS", "--max-time", "120", "-d", body, &url]));
    (run.status.success(), run.stdout)
}

#[test]
fn a_query_that_fails_late_breaks_the_body_off() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "");
    let late = "SELECT repeat('x', 1000) AS a, 10 / (30000 - value) AS b FROM range(0, 1000000)";
    let unmarked = json!({ "sql": LONG, "max_rows": 9000, "format": "arrows" }).to_string();
    for body in [late, &unmarked] {
        let (is_whole, part) = curl(&server, body);
        assert!(!is_whole && part.len() > 1 << 20, "{body}: {} bytes", part.len());
    }
}

#[test]
fn queries_that_never_give_way_keep_nobody_waiting() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--sql-time 5s --sql-at-once 8 --memory 16GiB");
    let stuck = "SELECT sum(business_time(store_id, '1950-01-01', '2049-01-01')) FROM polls";
    let url = format!("{}/v1/sql", server.url);
    let ask = || output_of(Command::new("curl").args(["-sS", "-d", stuck, &url]));
    std::thread::scope(|threads| {
        let asked: Vec<_> = (0..3).map(|_| threads.spawn(ask)).collect();
        assert_eq!(curl(&server, "SELECT 1 AS a").1, b"a\n1\n");
        for answer in asked.into_iter().map(|asked| asked.join().unwrap()) {
            let answer = String::from_utf8(answer.stdout).unwrap();
            assert!(answer.contains("longer than 5s, the limit of time"), "{answer}");
        }
    });
    assert_eq!(curl(&server, "SELECT 1 AS a").1, b"a\n1\n");
}

#[test]
fn a_query_is_cancelled_when_its_client_disconnects() {
    let folder = TempDir::new().unwrap();
    let flags = "--sql-at-once 1 --sql-time 1h --sql-rows 1000000000000 --sql-spool 1MiB";
    let server = Process::start(folder.path(), flags);
    let address = server.url.strip_prefix("http://").unwrap();
    let rows = "SELECT a.store_id FROM polls a, range(0, 10000000000) b";
    let hashed = "SELECT count(*) FROM polls a JOIN range(0, 10000000000) b \
        ON a.active = (b.value % 2 = 0)";
    for (question, has_rows) in [(rows, true), (ENDLESS_JOIN, false), (hashed, false)] {
        let mut client = TcpStream::connect(address).unwrap();
        write!(client, "GET {} HTTP/1.1\r\nhost: {address}\r\n\r\n", path_of(question)).unwrap();
        if has_rows {
            client.read_exact(&mut [0; 1 << 20]).unwrap();
        }
        // Whoever asks next has to wait for the turn that the query has.
        let waits = json!({ "sql": "SELECT 1 AS a", "timeout_ms": 100 }).to_string();
        let runs = (0..1_000).any(|_| curl(&server, &waits).1 != b"a\n1\n");
        assert!(runs, "{question} never ran");
        drop(client);
        // Its own limit of time is far longer than what curl waits.
        assert_eq!(curl(&server, "SELECT 1 AS a").1, b"a\n1\n", "{question}");
    }
}

#[test]
fn clients_that_never_read_keep_nobody_waiting() {
    let folder = TempDir::new().unwrap();
    let flags = "--sql-at-once 1 --sql-time 60s --sql-rows 60000";
    let server = Process::start(folder.path(), flags);
    let address = server.url.strip_prefix("http://").unwrap();
    let unread = (0..8).map(|_| {
        let mut client = TcpStream::connect(address).unwrap();
        write!(client, "GET {} HTTP/1.1\r\nhost: {address}\r\n\r\n", path_of(LONG)).unwrap();
        // Its query runs, and has the only turn.
        client.read_exact(&mut [0; 1 << 10]).unwrap();
        client
    });
    let unread: Vec<_> = unread.collect();
    assert_eq!(curl(&server, "SELECT 1 AS a").1, b"a\n1\n");
    drop(unread);
}
