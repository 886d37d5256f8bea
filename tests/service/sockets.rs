//! Behaviour visible on connections only: limits of heads and bodies, and shutdown.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use uptally::internals::server::{Settings, run};

use super::{Served, waiting};
use crate::harness::block_on;

/// Has clients talk to the service, on a thread of their own, until they are done.
fn listening(settings: Settings, clients: impl FnOnce(SocketAddr) + Send + 'static) {
    block_on(async {
        let served = Served::with(settings).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (done, is_done) = oneshot::channel::<()>();
        let clients = std::thread::spawn(move || {
            clients(address);
            drop(done);
        });
        run(listener.into(), None, served.service.clone(), async { drop(is_done.await) }).await;
        clients.join().unwrap();
    });
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// The status of the next answer, and its body.
fn answer(stream: &TcpStream) -> (u16, Value) {
    let mut reader = BufReader::new(stream);
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the connection ended");
        let line = line.trim_end();
        match line.split_once(": ") {
            Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
            None if line.is_empty() => break,
            None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn a_body_that_nobody_asked_for_is_let_pass() {
    listening(waiting(), |address| {
        let stream = connect(address);
        for (path, status) in [("/livez", 200), ("/nowhere", 404), ("/livez", 200)] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n"
            );
            (&stream).write_all(head.as_bytes()).unwrap();
            (&stream).write_all(&vec![b'a'; 2_000_000]).unwrap();
            assert_eq!(answer(&stream).0, status, "{path}");
        }
    });
}

#[test]
fn a_target_without_a_path_is_nowhere() {
    listening(waiting(), |address| {
        for line in ["GET localhost HTTP/1.1", "POST 1:2 HTTP/1.1", "OPTIONS * HTTP/1.1"] {
            let stream = connect(address);
            (&stream).write_all(format!("{line}\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
            let (status, _) = answer(&stream);
            assert!((400..500).contains(&status), "{line}: {status}");
        }
    });
}

#[test]
fn a_body_that_says_it_is_too_long_is_not_waited_for() {
    listening(waiting(), |address| {
        let stream = connect(address);
        let head =
            "POST /v1/reports HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n";
        (&stream).write_all(head.as_bytes()).unwrap();
        let (status, problem) = answer(&stream);
        assert_eq!(status, 413, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("--max-body"), "{problem}");
    });
}

#[test]
fn a_head_above_a_limit_names_the_limit() {
    listening(waiting(), |address| {
        let fields: String = (0..150).map(|at| format!("x{at}: y\r\n")).collect();
        let long = "a".repeat(60_000);
        for (target, fields, status, limit) in [
            ("/livez", fields, 431, "100"),
            ("/livez", format!("x: {long}\r\n"), 431, "--max-header"),
            (&format!("/livez?{long}"), String::new(), 414, "--max-header"),
            (&format!("/{long}"), String::new(), 414, "--max-header"),
        ] {
            let stream = connect(address);
            let head = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
            (&stream).write_all(head.as_bytes()).unwrap();
            let (answered, problem) = answer(&stream);
            assert_eq!(answered, status, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains(limit), "{problem}");
        }
    });
}

#[test]
fn a_report_that_runs_ends_before_the_service_does() {
    block_on(async {
        let mut settings = Settings::default();
        settings.reports.at_once = 1;
        let served = Served::with(settings).await;
        let first = served.trigger("").await;
        let path = format!("/v1/reports/{first}");
        while served.get(&path).await.json()["state"] == "queued" {
            tokio::task::yield_now().await;
        }
        let second = served.trigger(r#"{"exact": true}"#).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        run(listener.into(), None, served.service.clone(), async {}).await;
        let served = served.again(waiting());
        assert_eq!(served.get(&path).await.json()["state"], "complete");
        let served = served.again(Settings::default());
        let second = served.get(&format!("/v1/reports/{second}?wait=60s")).await.json();
        assert_eq!(second["state"], "complete");
    });
}

#[test]
fn a_request_names_one_host() {
    listening(waiting(), |address| {
        for (head, status) in [
            ("GET /v1/reports HTTP/1.1\r\nhost: localhost:1\r\n", 200),
            ("GET /v1/reports HTTP/1.1\r\nHOST: LOCALHOST.\r\n", 200),
            ("GET /v1/reports HTTP/1.1\r\nhost: [::1]:8000\r\n", 200),
            ("GET http://localhost/v1/reports HTTP/1.1\r\nhost: localhost\r\n", 200),
            ("GET http://localhost/v1/reports HTTP/1.1\r\n", 200),
            ("GET /v1/reports HTTP/1.1\r\nhost: evil.example\r\n", 421),
            ("GET /v1/reports HTTP/1.1\r\nhost: localhost.evil.example\r\n", 421),
            ("GET /v1/reports HTTP/1.0\r\nhost: evil.example\r\nconnection: keep-alive\r\n", 421),
            ("GET http://evil.example/v1/reports HTTP/1.1\r\nhost: evil.example\r\n", 421),
            ("GET http://evil.example/v1/reports HTTP/1.1\r\nhost: localhost\r\n", 400),
            ("GET http://localhost/v1/reports HTTP/1.1\r\nhost: evil.example\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\nhost: localhost@evil.example\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\nhost: evil.example@localhost\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\nhost:\r\n", 400),
            ("GET /v1/reports HTTP/1.1\r\n", 400),
            // Balancers ask by names of their own, or by none.
            ("GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n", 200),
            ("GET /livez HTTP/1.1\r\nhost: balancer.example\r\n", 200),
            ("GET /livez HTTP/1.1\r\nhost:\r\n", 200),
        ] {
            let stream = connect(address);
            (&stream).write_all(format!("{head}\r\n").as_bytes()).unwrap();
            let (answered, problem) = answer(&stream);
            assert_eq!(answered, status, "{head}: {problem}");
            let detail = problem["detail"].as_str().unwrap_or_default();
            match status {
                421 => assert!(detail.contains("--allow-host"), "{head}: {problem}"),
                400 => assert!(detail.contains("one Host field"), "{head}: {problem}"),
                _ => {}
            }
        }
    });
}
