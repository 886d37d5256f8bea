//! Audit log: contents of its lines, and rotation.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use uptally::internals::server::{AuditLog, Keyring, Role, Settings, key_file};

use super::process::{Process, curl};
use super::{Served, waiting};
use crate::harness::{block_on, uptally};

/// The lines of the file.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_audit_line_holds_key_request_and_outcome() {
    block_on(async {
        let folder = TempDir::new().unwrap();
        let (file, log) = (folder.path().join("keys"), folder.path().join("audit.ndjson"));
        let key = key_file::add(&file, Role::Read, None, "").unwrap();
        let expired = key_file::add(&file, Role::Read, Some(1), "").unwrap();
        let audit = AuditLog::open(&log).unwrap();
        let settings = Settings {
            keys: Some(Keyring::open(&file).unwrap()),
            audit: Some(audit.clone()),
            ..waiting()
        };
        let served = Served::with(settings).await;
        let [right, late] = [&key, &expired].map(|key| format!("x-api-key: {}", key.secret));
        let (right, late) = (right.as_str(), late.as_str());
        let [id, late_id] = [&key, &expired].map(|key| json!(key.id.to_string()));
        let nobody = Value::Null;
        let sql = "SELECT 'ü' AS secret_result";
        let long = format!("SELECT '{}'", "a".repeat(5000));
        let cut = format!("{}…", &long[..4096]);
        let post = format!("{{\"sql\": {}}}", json!(sql));
        for (method, path, headers, body, key, status, logged_sql) in [
            ("GET", "/livez", vec![], "", &nobody, "200", Value::Null),
            ("GET", "/v1/sql?a=b", vec![right], "", &id, "400", Value::Null),
            ("GET", "/v1/reports", vec![], "", &nobody, "401", Value::Null),
            ("GET", "/v1/reports", vec!["x-api-key: upt_0"], "", &nobody, "401", Value::Null),
            ("GET", "/v1/reports", vec![late], "", &late_id, "401", Value::Null),
            ("POST", "/v1/reports", vec![right], "", &id, "403", Value::Null),
            ("GET", "/v1/sql?q=SELECT+1", vec![right], "", &id, "200", json!("SELECT 1")),
            ("POST", "/v1/sql", vec![right], sql, &id, "200", json!(sql)),
            ("POST", "/v1/sql", vec![right], post.as_str(), &id, "200", json!(sql)),
            ("POST", "/v1/sql", vec![right], long.as_str(), &id, "200", json!(cut)),
            ("POST", "/v1/sql", vec![right], "SELEKT", &id, "400", json!("SELEKT")),
            ("BREW", "/nowhere", vec![], "", &nobody, "404", Value::Null),
        ] {
            let answer = served.ask(method, path, &headers, body).await;
            audit.flush();
            let line = lines(&log).pop().unwrap();
            assert_eq!(answer.status().to_string(), status, "{method} {path} {}", answer.text());
            for (field, expected) in [
                ("listener", json!("http")),
                ("method", json!(method)),
                ("path", json!(path)),
                ("key", key.clone()),
                ("status", json!(status)),
                ("sql", logged_sql),
                ("request_id", json!(answer.header("x-request-id"))),
                ("client", Value::Null),
                ("rows", Value::Null),
            ] {
                assert_eq!(line[field], expected, "{field} of {line}");
            }
            assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
            assert!(line["took_ms"].as_f64().unwrap() >= 0.0, "{line}");
        }
        let text = std::fs::read_to_string(&log).unwrap();
        for key in [&key, &expired] {
            assert!(!text.contains(&key.secret));
        }
        assert_eq!(text.lines().count(), 12);
        // Whoever is not let in leaves little.
        let path = format!("/v1/reports?name={}", "a".repeat(5000));
        for (headers, bytes_max) in [(vec![], 256), (vec![right], 4096)] {
            served.ask("GET", &path, &headers, "").await;
            audit.flush();
            let line = lines(&log).pop().unwrap();
            assert_eq!(line["path"], format!("{}…", &path[..bytes_max]), "{line}");
        }
    });
}

/// `/dev/full` opens, and takes nothing.
#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_audit_log_is_reported_once_and_stops_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = Process::start(folder.path(), "--audit-log /dev/full");
    for _ in 0..3 {
        assert!(curl(&[&format!("{}/livez", server.url)]).contains("alive"));
    }
    server.signal("TERM");
    let (ended_well, said) = server.ended();
    assert!(ended_well, "{said}");
    assert_eq!(said.matches("the audit log cannot be written").count(), 1, "{said}");
}

#[cfg(unix)]
#[test]
fn a_rotated_log_goes_on_in_the_file_that_has_the_name() {
    use std::os::unix::fs::MetadataExt;
    let folder = TempDir::new().unwrap();
    let (log, rotated) = (folder.path().join("audit"), folder.path().join("audit.1"));
    let server = Process::start(folder.path(), "--audit-log audit");
    let at = format!("{}/livez", server.url);
    let wait_for = |path: &Path, count: usize| {
        while lines(path).len() < count {
            std::thread::yield_now();
        }
    };
    curl(&[&at]);
    assert_eq!(std::fs::metadata(&log).unwrap().mode() & 0o777, 0o600);
    wait_for(&log, 1);
    let first = lines(&log);
    assert_eq!(first.len(), 1);
    let client = first[0]["client"].as_str().unwrap();
    assert!(client.starts_with("127.0.0.1:"), "{client}");
    std::fs::rename(&log, &rotated).unwrap();
    curl(&[&at]);
    wait_for(&rotated, 2);
    assert_eq!((lines(&rotated).len(), log.exists()), (2, false));
    server.signal("HUP");
    while !log.exists() || lines(&log).is_empty() {
        curl(&[&at]);
    }
    let before = lines(&rotated).len();
    curl(&[&at]);
    assert_eq!(lines(&rotated).len(), before);
}

#[test]
fn a_log_that_cannot_be_opened_keeps_a_server_from_starting() {
    let folder = TempDir::new().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--audit-log", "none/audit"];
    let refused = uptally(arguments).current_dir(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("\"none/audit\": cannot write"), "{said}");
}
