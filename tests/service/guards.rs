//! Keys, roles, limits, and headers common to all responses.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;
use uptally::internals::server::{Keyring, Role, Service, Settings, key_file};

use super::{Served, waiting};
use crate::harness::{block_on, ingest};

#[test]
fn a_key_may_do_what_its_role_says() {
    block_on(async {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("keys");
        let roles = [Role::Read, Role::Run, Role::Admin];
        let made = roles.map(|role| key_file::add(&file, role, None, "").unwrap().secret);
        let settings = Settings { keys: Some(Keyring::open(&file).unwrap()), ..waiting() };
        let served = Served::with(settings).await;
        let admin = format!("x-api-key: {}", made[2]);
        let id =
            served.ask("POST", "/trigger-report", &[&admin], "").await.json()["report_id"].clone();
        let report = format!("/v1/reports/{}", id.as_str().unwrap());
        // Status for nobody, a wrong key, and each role.
        let no = [401, 401];
        for (method, path, of_strangers, of_roles) in [
            ("GET", "/livez", [200, 200], [200, 200, 200]),
            ("GET", "/openapi.json", [200, 200], [200, 200, 200]),
            ("GET", "/metrics", no, [200, 200, 200]),
            ("GET", report.as_str(), no, [200, 200, 200]),
            ("GET", "/v1/versions", no, [200, 200, 200]),
            ("GET", "/v1/sql?q=SELECT+1", no, [200, 200, 200]),
            ("POST", "/v1/reports", no, [403, 202, 202]),
            ("GET", "/trigger_report", no, [403, 200, 200]),
            // The first that may cancels; who runs reports may not forget what ended.
            ("DELETE", report.as_str(), no, [403, 204, 204]),
        ] {
            let wrong = ["".to_owned(), "authorization: Bearer upt_0".to_owned()];
            let right = made.iter().map(|key| format!("authorization: Bearer {key}"));
            let expected = of_strangers.into_iter().chain(of_roles);
            for (header, status) in wrong.into_iter().chain(right).zip(expected) {
                let headers: Vec<_> =
                    [header.as_str()].into_iter().filter(|h| !h.is_empty()).collect();
                let answer = served.ask(method, path, &headers, "").await;
                assert_eq!(answer.status(), status, "{method} {path} {header} {}", answer.text());
                if status == 401 {
                    assert_eq!(answer.header("www-authenticate"), "Bearer");
                }
            }
        }
        let id =
            served.ask("POST", "/trigger-report", &[&admin], "").await.json()["report_id"].clone();
        let path = format!("/v1/reports/{}", id.as_str().unwrap());
        assert_eq!(served.ask("DELETE", &path, &[&admin], "").await.status(), 204);
        let run = format!("x-api-key: {}", made[1]);
        let forget = served.ask("DELETE", &path, &[&run], "").await;
        assert_eq!(
            (forget.status(), forget.detail().as_str()),
            (403, "the key has the role run; expected admin")
        );
    });
}

#[test]
fn a_key_is_refused_from_its_expiry_on_and_within_a_second_of_its_removal() {
    /// 2030-01-01.
    const EXPIRES_AT: i64 = 1_893_456_000_000_000;
    const SECOND: i64 = 1_000_000;
    static NOW: AtomicI64 = AtomicI64::new(EXPIRES_AT - 1);
    block_on(async {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("keys");
        let expiring = key_file::add(&file, Role::Read, Some(EXPIRES_AT), "").unwrap();
        let removed = key_file::add(&file, Role::Read, None, "").unwrap();
        let keys = Some(Keyring::open(&file).unwrap());
        let clock = || NOW.load(Ordering::Relaxed);
        let served = Served::with(Settings { keys, clock, ..waiting() }).await;
        let ask = async |key: &key_file::NewKey, now: i64| {
            NOW.store(now, Ordering::Relaxed);
            let header = format!("x-api-key: {}", key.secret);
            served.ask("GET", "/v1/reports", &[&header], "").await
        };
        assert_eq!(ask(&expiring, EXPIRES_AT - 1).await.status(), 200);
        let refused = ask(&expiring, EXPIRES_AT).await;
        assert_eq!((refused.status(), refused.header("www-authenticate")), (401, "Bearer"));
        let id = expiring.id;
        assert_eq!(
            refused.detail(),
            format!("the key {id} expired at 2030-01-01T00:00:00.000000Z; ask for a new one")
        );
        assert_eq!(ask(&removed, EXPIRES_AT).await.status(), 200);
        key_file::remove(&file, &removed.id.to_string()).unwrap();
        let refused = ask(&removed, EXPIRES_AT + SECOND).await;
        assert_eq!(
            (refused.status(), refused.detail().as_str()),
            (401, "the key is not known to this server")
        );
    });
}

#[test]
fn a_limit_is_named_where_it_is_met() {
    block_on(async {
        let settings = Settings { body_bytes_max: 100, header_bytes_max: 200, ..waiting() };
        let served = Served::with(settings).await;
        let body = served.ask("POST", "/v1/reports", &[], &" ".repeat(101)).await;
        assert_eq!(
            (body.status(), body.detail().as_str()),
            (413, "the body is longer than 100 bytes, the limit of --max-body")
        );
        // With Expect: 100-continue, the rejection precedes the body.
        let told = served.ask("POST", "/v1/reports", &["content-length: 101"], "").await;
        assert_eq!((told.status(), told.detail()), (413, body.detail()));
        let long = format!("x-long: {}", "a".repeat(200));
        let header = served.ask("GET", "/livez", &[&long], "").await;
        assert_eq!(header.status(), 431);
        assert!(header.detail().contains("--max-header is 200"), "{}", header.text());
        let query = served.get(&format!("/livez?{}", "a".repeat(201))).await;
        assert_eq!(query.status(), 414);
        assert!(query.detail().contains("--max-header is 200"), "{}", query.text());
        let path = served.get(&format!("/{}", "a".repeat(200))).await;
        assert_eq!((path.status(), path.detail()), (414, query.detail().replace("207", "201")));
        // Beside the host.
        let many: Vec<_> = (0..100).map(|at| format!("x{at}: ")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let served = served.again(waiting());
        let fields = served.ask("GET", "/livez", &many, "").await;
        assert_eq!(fields.status(), 431);
        assert!(fields.detail().contains("101 fields"), "{}", fields.text());
        assert_eq!(served.ask("GET", "/livez", &many[1..], "").await.status(), 200);
        let settings = Settings { query_time: Duration::ZERO, ..waiting() };
        let slow = served.again(settings).get("/v1/stores/1177941416522642976/uptime").await;
        assert_eq!((slow.status(), slow.header("retry-after")), (503, "1"));
        assert!(slow.detail().contains("the limit of --query-time"), "{}", slow.text());
    });
}

#[test]
fn every_answer_has_the_id_of_its_request() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let header = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
        for path in ["/livez", "/nowhere", "/get_report/x"] {
            let answer = served.ask("GET", path, &[&header], "").await;
            assert_eq!(answer.header("x-request-id"), trace, "{path}");
            assert_eq!(served.get(path).await.header("x-request-id").len(), 32);
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
            assert_eq!(answer.header("strict-transport-security"), "", "not over TLS");
            assert_eq!(answer.header("vary"), "");
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    });
}

#[test]
fn unknown_paths_and_methods_have_different_statuses() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let nothing = served.get("/reports").await;
        assert_eq!(
            (nothing.status(), nothing.detail().as_str()),
            (404, "there is nothing at \"/reports\"; /docs lists every path")
        );
        let method = served.ask("PUT", "/trigger_report", &[], "").await;
        assert_eq!((method.status(), method.header("allow")), (405, "GET, POST, HEAD"));
        assert_eq!(
            method.detail(),
            "PUT is not allowed for \"/trigger_report\"; allowed: GET, POST, HEAD"
        );
    });
}

#[test]
fn nothing_is_ready_before_anything_was_loaded() {
    block_on(async {
        let served = Served::over(tempfile::TempDir::new().unwrap(), Settings::default());
        assert_eq!(served.get("/livez").await.json(), json!({ "status": "alive" }));
        for (method, path) in
            [("GET", "/readyz"), ("POST", "/trigger-report"), ("GET", "/v1/versions")]
        {
            let answer = served.ask(method, path, &[], "").await;
            assert_eq!(answer.status(), 503, "{path}");
            assert!(answer.detail().contains("run `uptally ingest` first"), "{}", answer.text());
        }
    });
}

#[test]
fn nothing_is_ready_while_the_folder_is_not_there() {
    block_on(async {
        let served = Served::with(waiting()).await;
        assert_eq!(served.get("/readyz").await.status(), 200);
        let (folder, aside) = (served.data.path().to_owned(), tempfile::TempDir::new().unwrap());
        let aside = aside.path().join("data");
        std::fs::rename(&folder, &aside).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        let not_ready = served.get("/readyz").await;
        assert_eq!((not_ready.status(), not_ready.header("retry-after")), (503, "1"));
        assert!(not_ready.detail().contains("cannot be"), "{}", not_ready.text());
        let named = folder.to_str().unwrap();
        assert!(!not_ready.text().contains(named), "{}", not_ready.text());
        assert_eq!(served.get("/livez").await.status(), 200);
        std::fs::remove_file(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        assert_eq!(served.get("/readyz").await.status(), 200);
    });
}

#[test]
fn nothing_is_ready_while_one_part_of_the_folder_is_not_there() {
    block_on(async {
        let served = Served::with(waiting()).await;
        assert_eq!(served.get("/readyz").await.status(), 200);
        for (part, sentence) in [("reports", "reports cannot be recorded"), ("loads", "the data")] {
            let (part, aside) = (served.data.path().join(part), served.data.path().join("aside"));
            std::fs::rename(&part, &aside).unwrap();
            let not_ready = served.get("/readyz").await;
            assert_eq!(not_ready.status(), 503, "{}", not_ready.text());
            assert!(not_ready.detail().starts_with(sentence), "{}", not_ready.text());
            std::fs::rename(&aside, &part).unwrap();
            assert_eq!(served.get("/readyz").await.status(), 200);
        }
    });
}

#[cfg(unix)]
#[test]
fn reports_are_not_lost_to_a_folder_that_was_replaced_while_the_server_runs() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let known = served.trigger("").await;
        let folder = served.data.path().to_owned();
        let elsewhere = tempfile::TempDir::new_in(folder.parent().unwrap()).unwrap();
        let aside = elsewhere.path().join("data");
        std::fs::rename(&folder, &aside).unwrap();
        // A folder that another server has left, with the same version of the same data.
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
        ingest(&folder, &[&sample]).await.unwrap();
        Service::open(folder.clone(), waiting()).unwrap().close();
        let refused = [
            served.get("/readyz").await,
            served.ask("POST", "/v1/reports", &[], "").await,
            served.ask("POST", "/v1/reports", &["idempotency-key: a"], "").await,
            served.ask("POST", "/trigger_report", &[], "").await,
            served.ask("DELETE", &format!("/v1/reports/{known}"), &[], "").await,
        ];
        for answer in refused {
            assert_eq!(answer.status(), 503, "{}", answer.text());
            assert!(answer.detail().contains("the data folder was moved or replaced"));
            assert!(!answer.text().contains(folder.to_str().unwrap()), "{}", answer.text());
        }
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        assert_eq!(served.get("/readyz").await.status(), 200);
        assert_eq!(served.trigger("").await, known);
    });
}

#[test]
fn metrics_count_by_route_and_state_and_never_by_store() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        served.get("/v1/stores/1177941416522642976/uptime").await;
        served.get("/v1/stores/nobody/uptime").await;
        served.ask("BREW", "/v1/reports", &[], "").await;
        let metrics = served.get("/metrics").await;
        let text = metrics.text();
        assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
        for line in [
            "uptally_http_requests_total{method=\"POST\",route=\"/v1/reports\",status=\"202\"} 1",
            "uptally_http_requests_total{method=\"GET\",route=\"/v1/stores/{id}/uptime\",status=\"404\"} 1",
            "uptally_http_requests_total{method=\"other\",route=\"none\",status=\"405\"} 1",
            "uptally_triggers_total{outcome=\"new\"} 1",
            "uptally_reports{state=\"complete\"} 1",
            "uptally_http_request_seconds_count{route=\"/v1/reports/{id}\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(
            !text.contains("1177941416522642976")
                && !text.contains("nobody")
                && !text.contains(&id)
        );
        assert!(text.ends_with("# EOF\n"));
    });
}
