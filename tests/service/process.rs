//! The server process over a socket, queried with `curl`.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::csv_of_sample;
use crate::harness::{output_of, uptally};

/// A server that runs until it is dropped.
pub struct Process {
    pub child: Child,
    pub url: String,
    stderr: BufReader<ChildStderr>,
    /// Stderr until it listened.
    pub said: String,
}

impl Process {
    pub fn start(folder: &Path, arguments: &str) -> Self {
        Self::start_with(folder, arguments.split_whitespace())
    }

    pub fn start_with<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let all = ["serve", "--listen", "127.0.0.1:0"].into_iter().chain(arguments);
        Self::start_by(folder, uptally(all))
    }

    /// Of a command that becomes the server.
    fn start_by(folder: &Path, mut command: Command) -> Self {
        command
            .current_dir(folder)
            .env("UPTALLY_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self { child, url: String::new(), stderr, said: String::new() };
        let mut line = String::new();
        while server.url.is_empty() {
            line.clear();
            let read = server.stderr.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the server stopped: {}", server.said);
            match line.trim().strip_prefix("listening on ") {
                Some(url) => server.url = url.to_owned(),
                None => server.said += &line,
            }
        }
        server
    }

    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.ended().1
    }

    /// The first line that it says from now on that holds the words.
    pub fn says(&mut self, words: &str) -> String {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended without {words:?}");
        }
        line
    }

    /// Returns true if it exited successfully, and its stderr since it listened.
    pub fn ended(&mut self) -> (bool, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().success(), rest)
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn curl(arguments: &[&str]) -> String {
    let run = output_of(Command::new("curl").args(["-sS", "--max-time", "60"]).args(arguments));
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn few_files_are_fewer_connections_and_nobody_is_shut_out() {
    let folder = TempDir::new().unwrap();
    let serve = uptally(["serve", "--listen", "127.0.0.1:0"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""]);
    limited.arg(serve.get_program()).args(serve.get_args());
    let server = Process::start_by(folder.path(), limited);
    assert!(server.said.contains("256 files may be open"), "{}", server.said);
    let address = server.url.trim_start_matches("http://");
    // More than there are files for.
    let _silent: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    let livez = format!("{}/livez", server.url);
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &livez]), "200");
}

fn report_id(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    answer["report_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_newcomer_gets_a_report_on_the_sample_in_every_dialect() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "");
    assert!(server.said.contains("serving data/sample"), "{}", server.said);
    let url = &server.url;
    let at = |path: &str| format!("{url}{path}");
    let ids = [
        curl(&["-X", "POST", &at("/trigger-report")]),
        curl(&[&at("/trigger_report")]),
        curl(&["-X", "POST", &at("/trigger_report")]),
    ];
    let id = report_id(&ids[0]);
    assert!(ids.iter().all(|answer| report_id(answer) == id));
    let shown = curl(&[&at(&format!("/v1/reports/{id}?wait=60s"))]);
    assert!(shown.contains("\"state\":\"complete\""), "{shown}");
    let csv = csv_of_sample();
    for arguments in [
        vec![at(&format!("/get-report/{id}"))],
        vec![at(&format!("/get_report?report_id={id}"))],
        vec!["-d".to_owned(), format!("report_id={id}"), at("/get_report")],
        vec![at(&format!("/get_report/{id}"))],
        vec![at(&format!("/download_report?file_path=reports/store_report_{id}.csv"))],
        vec!["--compressed".to_owned(), at(&format!("/v1/reports/{id}.csv"))],
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        assert_eq!(curl(&arguments), csv, "{arguments:?}");
    }
    let completed = curl(&["-H", "Accept: application/json", &at(&format!("/get_report/{id}"))]);
    assert!(completed.contains("\"status\":\"Completed\""), "{completed}");
    let name = curl(&[
        "-OJ",
        "-w",
        "%{filename_effective}",
        "--output-dir",
        folder.path().to_str().unwrap(),
        &at(&format!("/get-report/{id}")),
    ]);
    assert!(name.ends_with(&format!("report_{id}.csv")), "{name}");
    let two = curl(&[
        "--http2-prior-knowledge",
        "-w",
        "%{http_version}",
        "-o",
        "/dev/null",
        &at("/livez"),
    ]);
    assert_eq!(two, "2");
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let head = curl(&["-I", version, &at(&format!("/v1/reports/{id}.csv"))]);
        let length = format!("content-length: {}", csv.len());
        assert!(head.lines().any(|line| line.trim_end() == length), "{head}");
    }
}

#[test]
fn the_service_lives_while_four_reports_run() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "");
    let agent = ureq::Agent::new_with_defaults();
    for second in 0..4 {
        let body = format!("{{\"now\": \"2023-01-24T12:00:0{second}Z\"}}");
        agent.post(format!("{}/v1/reports", server.url)).send(body).unwrap();
    }
    let mut answered_meanwhile = 0;
    loop {
        agent.get(format!("{}/livez", server.url)).call().unwrap();
        let metrics = agent.get(format!("{}/metrics", server.url)).call().unwrap();
        let metrics = metrics.into_body().read_to_string().unwrap();
        if metrics.contains("uptally_reports{state=\"complete\"} 4") {
            break;
        }
        // How fast is measured by benches/load.
        answered_meanwhile += 1;
    }
    assert!(answered_meanwhile > 0, "all reports were complete before anybody asked");
}

#[test]
fn a_server_that_is_asked_to_stop_ends_well_and_waits_for_no_idle_connection() {
    /// After which a connection that asks nothing is closed anyway.
    const IDLE_TIME: Duration = Duration::from_secs(120);

    let folder = TempDir::new().unwrap();
    for signal in ["TERM", "INT"] {
        let mut server = Process::start(folder.path(), "");
        // A connection that stays open and asks nothing must not hold it up.
        let _idle =
            std::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
        report_id(&curl(&[&format!("{}/trigger_report", server.url)]));
        let started = Instant::now();
        server.signal(signal);
        let (ended_well, said) = server.ended();
        assert!(ended_well, "{said}");
        assert!(started.elapsed() < IDLE_TIME, "{:?}", started.elapsed());
    }
}

#[cfg(unix)]
#[test]
fn files_of_a_server_are_private_to_its_owner() {
    use std::os::unix::fs::MetadataExt;
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "");
    let id = report_id(&curl(&[&format!("{}/trigger_report", server.url)]));
    let shown = curl(&[&format!("{}/v1/reports/{id}?wait=60s", server.url)]);
    assert!(shown.contains("\"state\":\"complete\""), "{shown}");
    let report = format!("reports/files/{id}.arrow");
    for (path, mode) in [
        ("", 0o700),
        ("reports", 0o700),
        ("reports/files", 0o700),
        ("reports/jobs.redb", 0o600),
        (report.as_str(), 0o600),
    ] {
        let made = folder.path().join("data/sample-tables").join(path);
        assert_eq!(made.metadata().unwrap().mode() & 0o777, mode, "{made:?}");
    }
}

#[test]
fn a_second_server_of_the_same_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Process::start(folder.path(), "--data d");
    let second = uptally(["serve", "--listen", "127.0.0.1:0", "--data", "d"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another uptally serves this folder"), "{said}");
    drop(server);
}

#[test]
fn other_machines_are_let_in_by_key_or_knowingly() {
    let folder = TempDir::new().unwrap();
    let refused =
        uptally(["serve", "--listen", "0.0.0.0:0"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("give --keys FILE, or --insecure"), "{said}");
    let add = uptally(["keys", "add", "--role", "run", "keys"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let key = String::from_utf8(add.stdout).unwrap();
    assert!(!std::fs::read_to_string(folder.path().join("keys")).unwrap().contains(key.trim()));
    let server = Process::start(folder.path(), "--keys keys");
    let at = format!("{}/trigger_report", server.url);
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &at]), "401");
    report_id(&curl(&["-H", &format!("Authorization: Bearer {}", key.trim()), &at]));
}

/// The certificate and its key are of this test alone; nobody else trusts them.
#[test]
fn with_a_certificate_the_server_speaks_tls() {
    let folder = TempDir::new().unwrap();
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/tls");
    let (certificate, key) = (pem.join("certificate.pem"), pem.join("key.pem"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let server =
        Process::start(folder.path(), &format!("--tls-cert {certificate} --tls-key {key}"));
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let at = format!("{}/livez", server.url);
    let answer = curl(&["--cacert", certificate, "-w", "%{http_version}", &at]);
    assert_eq!(answer, "{\"status\":\"alive\"}\n2");
    for path in ["livez", "nowhere"] {
        let at = format!("{}/{path}", server.url);
        let strict = "%header{strict-transport-security}";
        let told = curl(&["--cacert", certificate, "-o", "/dev/null", "-w", strict, &at]);
        assert_eq!(told, "max-age=63072000", "{path}");
    }
    let plain = output_of(Command::new("curl").args(["-s", &at.replace("https", "http")]));
    assert!(!plain.status.success());
}
