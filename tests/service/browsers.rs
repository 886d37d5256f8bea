//! What pages in a browser can do: the host that their requests name.

use serde_json::json;
use uptally::server::{Host, Keys, ROUTES, Role, Settings, keys};

use super::{Served, waiting};
use crate::harness::block_on;

fn allowing(hosts: &[&str]) -> Settings {
    let mut settings = waiting();
    settings.hosts.extend(hosts.iter().map(|host| Host::parse(host).unwrap()));
    settings
}

/// With the settings, and a key of the role `run`.
fn locked(settings: Settings) -> (Settings, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("keys");
    let key = keys::add(&file, Role::Run).unwrap();
    (Settings { keys: Some(Keys::read(&file).unwrap()), ..settings }, format!("x-api-key: {key}"))
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
        served = served.again(allowing(&["uptally.example"]));
        check_hosts(&served, &[("UPTALLY.example.:8000", 200), ("localhost", 200)]).await;
        check_hosts(&served, &[("www.uptally.example", 421), ("evil.example", 421)]).await;
        served = served.again(allowing(&["0.0.0.0"]));
        check_hosts(&served, &[("192.168.0.7:8000", 200), ("[fe80::1]:8000", 200)]).await;
        check_hosts(&served, &[("localhost", 200), ("evil.example", 421)]).await;
    });
}

async fn check_hosts(served: &Served, hosts: &[(&str, u16)]) {
    for (host, expected) in hosts {
        let asked = served.ask("GET", "/livez", &[&format!("host: {host}")], "").await;
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
        for (method, path) in targets().chain(others) {
            let found = status(&served, method, &path, &["host: evil.example"]).await;
            assert_eq!(found, 421, "{method} {path}");
            let own = ["host: evil.example", "origin: http://evil.example"];
            assert_eq!(status(&served, method, &path, &own).await, 421, "{method} {path}");
        }
        let absolute = "http://evil.example/livez";
        assert_eq!(status(&served, "GET", absolute, &["host: evil.example"]).await, 421);
        assert_eq!(status(&served, "GET", absolute, &["host: localhost"]).await, 400);
        assert_eq!(status(&served, "GET", "http://localhost/livez", &[]).await, 200);
        assert_no_report(&served).await;
    });
}

#[test]
fn with_keys_any_host_is_answered_who_has_one() {
    block_on(async {
        let (settings, key) = locked(waiting());
        let served = Served::with(settings).await;
        let host = "host: uptally.example";
        assert_eq!(status(&served, "GET", "/livez", &[host]).await, 200);
        assert_eq!(status(&served, "GET", "/v1/versions", &[host]).await, 401);
        assert_eq!(status(&served, "GET", "/v1/versions", &[host, &key]).await, 200);
        assert_eq!(status(&served, "POST", "/v1/reports", &[host, &key]).await, 202);
    });
}

async fn assert_no_report(served: &Served) {
    assert_eq!(served.get("/v1/reports").await.json()["reports"], json!([]));
}
