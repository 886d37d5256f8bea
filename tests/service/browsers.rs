//! Requests from browsers: Host and Origin checks, CORS and security headers.

use serde_json::json;
use uptally::internals::server::{Host, Keyring, Origin, ROUTES, Role, Settings, key_file};

use super::process::{Process, curl};
use super::{Answer, Served, waiting};
use crate::harness::block_on;

const DASH: &str = "origin: https://dash.example";
const EVIL: &str = "origin: https://evil.example";
const NONE: &[&str] = &[];
const CROSS_SITE: &str = "sec-fetch-site: cross-site";

fn allowing(hosts: &[&str], origins: &[&str]) -> Settings {
    let mut settings = waiting();
    settings.hosts.extend(hosts.iter().map(|host| Host::parse(host).unwrap()));
    settings.origins = origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect();
    settings
}

/// With the settings, and a key of the role `run`.
fn locked(settings: Settings) -> (Settings, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("keys");
    let key = key_file::add(&file, Role::Run, None, "").unwrap().secret;
    let keys = Some(Keyring::open(&file).unwrap());
    (Settings { keys, ..settings }, format!("x-api-key: {key}"))
}

/// A target of each route, with a value in every open place.
fn targets() -> impl Iterator<Item = (&'static str, String)> {
    ROUTES.iter().map(|route| {
        let path = route.path.replace("{format}", "csv").replace("{file}", "swagger-ui.css");
        let query = if route.path == "/v1/sql" { "?q=SELECT+1" } else { "" };
        (route.method.as_str(), path.replace("{id}", "x") + query)
    })
}

async fn status(served: &Served, method: &str, path: &str, headers: &[&str]) -> u16 {
    served.ask(method, path, headers, "").await.status()
}

#[test]
fn without_keys_a_host_must_be_allowed() {
    block_on(async {
        let mut served = Served::with(waiting()).await;
        check_hosts(&served, &[("localhost", 200), ("localhost:8000", 200)]).await;
        check_hosts(&served, &[("LocalHost.:1", 200), ("127.0.0.1:8000", 200)]).await;
        check_hosts(&served, &[("[::1]:8000", 200), ("[0:0::1]", 200)]).await;
        check_hosts(&served, &[("evil.example", 421), ("127.0.0.1.evil.example", 421)]).await;
        check_hosts(&served, &[("localhost.evil.example:8000", 421)]).await;
        check_hosts(&served, &[("127.0.0.2", 421), ("[::2]", 421)]).await;
        check_hosts(&served, &[("user@localhost", 400), ("localhost:x", 400), ("", 400)]).await;
        served = served.again(allowing(&["uptally.example"], &[]));
        check_hosts(&served, &[("UPTALLY.example.:8000", 200), ("localhost", 200)]).await;
        check_hosts(&served, &[("www.uptally.example", 421), ("evil.example", 421)]).await;
        served = served.again(allowing(&["0.0.0.0"], &[]));
        check_hosts(&served, &[("192.168.0.7:8000", 200), ("[fe80::1]:8000", 200)]).await;
        check_hosts(&served, &[("localhost", 200), ("evil.example", 421)]).await;
    });
}

async fn check_hosts(served: &Served, hosts: &[(&str, u16)]) {
    for (host, expected) in hosts {
        let fields = &[format!("host: {host}")];
        let probe = served.ask("GET", "/livez", &[&fields[0]], "").await;
        assert_eq!(probe.status(), 200, "{host:?}: {}", probe.text());
        let asked = served.ask("GET", "/metrics", &[&fields[0]], "").await;
        assert_eq!(asked.status(), *expected, "{host:?}: {}", asked.text());
        match asked.status() {
            421 => assert!(asked.detail().contains("--allow-host "), "{}", asked.text()),
            400 => assert!(asked.detail().contains("one Host field"), "{}", asked.text()),
            _ => {}
        }
    }
}

#[test]
fn no_route_answers_under_a_host_that_is_not_allowed() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let others = [("GET", "/nowhere"), ("GET", "/docs/"), ("PUT", "/livez"), ("OPTIONS", "/")];
        let others = others.map(|(method, path)| (method, path.to_owned()));
        // Probes come by any name, and tell nothing but that the server is up.
        let is_probe =
            |method, path: &str| method == "GET" && ["/livez", "/readyz"].contains(&path);
        for (method, path) in targets().chain(others) {
            if is_probe(method, &path) {
                let found = status(&served, method, &path, &["host: evil.example"]).await;
                assert_eq!(found, 200, "{method} {path}");
                continue;
            }
            let found = status(&served, method, &path, &["host: evil.example"]).await;
            assert_eq!(found, 421, "{method} {path}");
            let own = ["host: evil.example", "origin: http://evil.example"];
            assert_eq!(status(&served, method, &path, &own).await, 421, "{method} {path}");
        }
        let absolute = "http://evil.example/metrics";
        assert_eq!(status(&served, "GET", absolute, &["host: evil.example"]).await, 421);
        assert_eq!(status(&served, "GET", absolute, &["host: localhost"]).await, 400);
        assert_eq!(status(&served, "GET", "http://localhost/metrics", &[]).await, 200);
        assert_no_report(&served).await;
    });
}

#[test]
fn with_keys_any_host_header_is_accepted() {
    block_on(async {
        let (settings, key) = locked(waiting());
        let served = Served::with(settings).await;
        let host = "host: uptally.example";
        assert_eq!(status(&served, "GET", "/livez", &[host]).await, 200);
        assert_eq!(status(&served, "GET", "/v1/versions", &[host]).await, 401);
        assert_eq!(status(&served, "GET", "/v1/versions", &[host, &key]).await, 200);
        assert_eq!(status(&served, "POST", "/v1/reports", &[host, &key]).await, 202);
        assert_eq!(status(&served, "POST", "/v1/reports", &[host, &key, EVIL]).await, 403);
    });
}

async fn assert_no_report(served: &Served) {
    assert_eq!(served.get("/v1/reports").await.json()["reports"], json!([]));
}

#[test]
fn pages_of_other_sites_read_and_do_nothing_else() {
    // Everything else that is asked by `GET` is answered: a link may lead there.
    const GUARDED: [(&str, &str); 2] = [("GET", "/trigger_report"), ("GET", "/v1/sql?q=SELECT+1")];
    block_on(async {
        let served = Served::with(waiting()).await;
        for headers in [
            &[EVIL][..],
            &[EVIL, CROSS_SITE],
            &[EVIL, "sec-fetch-site: same-origin"],
            &["origin: null"],
            &["origin: http://localhost:3000"],
            &["origin: http://localhost.evil.example"],
            &[CROSS_SITE],
            &[CROSS_SITE, "sec-fetch-mode: navigate"],
            &["sec-fetch-site: same-site"],
        ] {
            for (method, path) in targets() {
                let is_guarded = method != "GET" || GUARDED.contains(&(method, path.as_str()));
                let asked = served.ask(method, &path, headers, "").await;
                let line = format!("{method} {path} {headers:?}: {}", asked.status());
                assert_eq!(asked.status() == 403, is_guarded, "{line}");
                if is_guarded {
                    assert!(asked.detail().contains("--allow-origin "), "{}", asked.detail());
                }
                assert_eq!(asked.header("access-control-allow-origin"), "", "{line}");
            }
            for (method, path, expected) in [
                ("HEAD", "/trigger_report", 403),
                ("HEAD", "/v1/sql?q=SELECT+1", 403),
                ("PUT", "/v1/reports", 403),
                ("OPTIONS", "/v1/reports", 403),
                ("POST", "/nowhere", 403),
                ("POST", "/v1/reports/", 403),
                ("GET", "/nowhere", 404),
                ("GET", "/docs", 200),
                ("HEAD", "/docs", 200),
                ("GET", "/v1/reports/x.csv", 404),
            ] {
                let found = status(&served, method, path, headers).await;
                assert_eq!(found, expected, "{method} {path} {headers:?}");
            }
        }
        assert_no_report(&served).await;
    });
}

#[test]
fn pages_of_this_server_and_other_clients_do_everything() {
    block_on(async {
        let served = Served::with(allowing(&["uptally.example"], &[])).await;
        for headers in [
            NONE,
            &["origin: http://localhost", "sec-fetch-site: same-origin"],
            &["host: 127.0.0.1:8000", "origin: http://127.0.0.1:8000"],
            &["host: [::1]:8000", "origin: http://[::1]:8000"],
            // A proxy ends TLS.
            &["host: uptally.example", "origin: https://uptally.example"],
            &["sec-fetch-site: same-origin"],
            &["sec-fetch-site: none", "sec-fetch-mode: navigate"],
        ] {
            for (method, path, expected) in [
                ("POST", "/v1/reports", 202),
                ("GET", "/trigger_report", 200),
                ("POST", "/trigger-report", 200),
                ("GET", "/v1/sql?q=SELECT+1", 200),
                ("PUT", "/v1/reports", 405),
                ("OPTIONS", "/v1/reports", 405),
            ] {
                let answer = served.ask(method, path, headers, "").await;
                let line = format!("{method} {path} {headers:?}: {}", answer.text());
                assert_eq!(answer.status(), expected, "{line}");
            }
        }
    });
}

#[track_caller]
fn assert_shared(answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), "https://dash.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(vary(answer).contains(&"Origin"), "{:?}", vary(answer));
}

fn vary(answer: &Answer) -> Vec<&str> {
    answer.0.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn pages_of_an_allowed_origin_do_everything_and_see_the_answers() {
    block_on(async {
        let served = Served::with(allowing(&[], &["https://dash.example"])).await;
        let dash = [DASH, CROSS_SITE];
        for (method, path, expected) in [
            ("POST", "/v1/reports", 202),
            ("GET", "/trigger_report", 200),
            ("GET", "/v1/sql?q=SELECT+1", 200),
            ("GET", "/v1/stores", 200),
            ("GET", "/nowhere", 404),
            ("PUT", "/v1/reports", 405),
            // Not a preflight.
            ("OPTIONS", "/v1/reports", 405),
        ] {
            assert_shared(&served.ask(method, path, &dash, "").await, expected);
        }
        for headers in [NONE, &[EVIL], &["origin: http://dash.example"]] {
            let other = served.ask("GET", "/v1/stores", headers, "").await;
            assert_eq!(other.status(), 200);
            assert_eq!(other.header("access-control-allow-origin"), "");
            assert!(vary(&other).contains(&"Origin"), "{:?}", vary(&other));
        }
        assert_eq!(status(&served, "POST", "/v1/reports", &[EVIL]).await, 403);
        // An origin that is allowed makes no host allowed.
        let host = "host: dash.example";
        assert_eq!(status(&served, "GET", "/metrics", &[DASH, host]).await, 421);
    });
}

#[test]
fn browsers_hear_beforehand_what_an_allowed_origin_may_ask() {
    block_on(async {
        let asked = "access-control-request-method: POST";
        let (settings, key) = locked(allowing(&[], &["https://dash.example"]));
        let served = Served::with(settings).await;
        for (path, methods) in [
            ("/v1/sql", "GET, POST, HEAD"),
            ("/v1/reports/x", "GET, DELETE, HEAD"),
            ("/trigger-report", "POST"),
        ] {
            let preflight = served.ask("OPTIONS", path, &[DASH, asked], "").await;
            assert_shared(&preflight, 204);
            assert_eq!(preflight.header("access-control-allow-methods"), methods);
            assert_eq!(preflight.header("access-control-max-age"), "600");
            let fields = preflight.header("access-control-allow-headers");
            for field in ["authorization", "x-api-key", "content-type", "idempotency-key"] {
                assert!(fields.split(", ").any(|allowed| allowed == field), "{field}: {fields}");
            }
        }
        assert_shared(&served.ask("OPTIONS", "/nowhere", &[DASH, asked], "").await, 404);
        assert_eq!(status(&served, "OPTIONS", "/v1/sql", &[EVIL, asked]).await, 403);
        assert_eq!(status(&served, "OPTIONS", "/v1/sql", &[asked]).await, 405);
        assert_shared(&served.ask("POST", "/v1/reports", &[DASH], "").await, 401);
        assert_shared(&served.ask("POST", "/v1/reports", &[DASH, &key], "").await, 202);
    });
}

#[test]
fn responses_expose_their_headers_to_allowed_origins() {
    // Headers of all responses, and those for browsers only.
    const OTHERS: [&str; 9] = [
        "access-control-allow-origin",
        "access-control-expose-headers",
        "allow",
        "cache-control",
        "content-length",
        "content-type",
        "cross-origin-resource-policy",
        "vary",
        "x-content-type-options",
    ];
    block_on(async {
        let origins = allowing(&[], &["https://dash.example"]).origins;
        let served = Served::with(Settings { origins, ..Settings::default() }).await;
        let id = served.finished("").await;
        for (method, path) in [
            ("POST", "/v1/reports".to_owned()),
            ("GET", format!("/v1/reports/{id}")),
            ("GET", format!("/v1/reports/{id}.csv")),
            ("GET", format!("/get-report/{id}")),
            ("GET", format!("/get_report/{id}")),
            ("GET", "/v1/stores?limit=1".to_owned()),
            ("GET", "/v1/sql?max_rows=1&q=SELECT+*+FROM+stores".to_owned()),
        ] {
            let headers = [DASH, "accept-encoding: gzip", "range: bytes=0-9"];
            let answer = served.ask(method, &path, &headers, "").await;
            let shown = answer.header("access-control-expose-headers");
            for name in answer.0.headers().keys().map(|name| name.as_str()) {
                let is_shown = OTHERS.contains(&name) || shown.split(", ").any(|is| is == name);
                assert!(is_shown, "{method} {path}: {name}");
            }
        }
    });
}

#[test]
fn flags_allow_hosts_and_origins() {
    let folder = tempfile::TempDir::new().unwrap();
    let flags = "--allow-host uptally.example --allow-host a.example --allow-origin https://dash.example --allow-origin http://localhost:3000";
    let server = Process::start(folder.path(), flags);
    let at = format!("{}/v1/sql?q=SELECT+1", server.url);
    for (header, expected) in [
        ("accept: */*", "200"),
        ("host: localhost", "200"),
        ("host: Uptally.example:8000", "200"),
        ("host: a.example", "200"),
        ("host: evil.example", "421"),
        (DASH, "200"),
        ("origin: http://localhost:3000", "200"),
        ("origin: http://localhost:3001", "403"),
        (EVIL, "403"),
        (CROSS_SITE, "403"),
    ] {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let asked = ["-H", header, version, "-o", "/dev/null", "-w", "%{http_code}", &at];
            assert_eq!(curl(&asked), expected, "{version} {header}");
        }
    }
}
