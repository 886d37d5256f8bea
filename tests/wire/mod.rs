//! The Flight SQL and PostgreSQL listeners, tested with their clients.

#[cfg(feature = "postgres")]
mod catalog;
#[cfg(feature = "flight")]
mod flight;
#[cfg(feature = "flight")]
mod handles;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod scripts;
#[cfg(feature = "postgres")]
mod untrusted;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uptally::internals::server::{
    AuditLog, Keyring, Listeners, Role, Service, Settings, key_file, run,
};

use crate::harness::ingest;

/// Stores and polls of the sample.
const STORES: i64 = 40;

/// Some 10^21 distinct pairs of polls: the query does not end before it is cancelled.
const ENDLESS: &str = "SELECT count(*) FROM polls a, polls b, polls c, polls d, polls e, polls f \
    WHERE a.polled_at + (f.polled_at - e.polled_at) <> b.polled_at";

/// Statement with a chain of so many operators.
fn deep(operators: usize) -> String {
    format!("SELECT 1{}", " + 1".repeat(operators))
}

/// A service over the sample that listens until it is stopped.
struct Wired {
    flight: SocketAddr,
    postgres: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    data: TempDir,
}

impl Wired {
    async fn with(settings: Settings) -> Self {
        let data = TempDir::new().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
        ingest(data.path(), &[&sample]).await.unwrap();
        Self::over(data, settings).await
    }

    async fn over(data: TempDir, mut settings: Settings) -> Self {
        settings.worker = crate::service::worker();
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (flight, postgres) = (bind().await.unwrap(), bind().await.unwrap());
        let (at_flight, at_postgres) =
            (flight.local_addr().unwrap(), postgres.local_addr().unwrap());
        let service = Service::open(data.path().to_owned(), settings).unwrap();
        let listeners = Listeners {
            http: bind().await.unwrap().into(),
            #[cfg(feature = "flight")]
            flight: Some(flight.into()),
            #[cfg(feature = "postgres")]
            postgres: Some(postgres.into()),
        };
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(run(listeners, None, service, async { drop(stopped.await) }));
        Self { flight: at_flight, postgres: at_postgres, stop, served, data }
    }

    /// Stops the service; returns once all clients are disconnected.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// Settings that require a key, and one with the role `read`.
fn locked() -> (Settings, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    let key = key_file::add(&path, Role::Read, None, "").unwrap().secret;
    (Settings { keys: Some(Keyring::open(&path).unwrap()), ..Settings::default() }, key)
}

/// Settings that require a key and audit statements; the key, its id, and a reader of the log's
/// lines.
fn audited(folder: &TempDir) -> (Settings, key_file::NewKey, impl Fn() -> Vec<serde_json::Value>) {
    let [file, log] = ["keys", "audit"].map(|name| folder.path().join(name));
    let key = key_file::add(&file, Role::Read, None, "").unwrap();
    let audit = AuditLog::open(&log).unwrap();
    let keys = Some(Keyring::open(&file).unwrap());
    let settings = Settings { keys, audit: Some(audit.clone()), ..Settings::default() };
    let lines = move || {
        audit.flush();
        crate::service::audit::lines(&log)
    };
    (settings, key, lines)
}

/// Checks method, SQL, status, rows and key of the lines.
#[track_caller]
fn check_lines(lines: &[serde_json::Value], listener: &str, expected: &[Logged]) {
    let found: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["listener"], listener, "{line}");
            assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
            let text = |field: &str| line[field].as_str();
            (
                text("key"),
                text("method").unwrap(),
                text("sql"),
                text("status").unwrap(),
                line["rows"].as_u64(),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

/// Id of the key, method, SQL, status, rows.
type Logged<'a> = (Option<&'a str>, &'a str, Option<&'a str>, &'a str, Option<u64>);

/// 2030-01-01.
const EXPIRES_AT: i64 = 1_893_456_000_000_000;

/// Settings that require a key, and one that expires at [`EXPIRES_AT`], a microsecond from now.
fn expiring(now: &'static AtomicI64, clock: fn() -> i64) -> (Settings, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    let key = key_file::add(&path, Role::Read, Some(EXPIRES_AT), "").unwrap().secret;
    now.store(EXPIRES_AT - 1, Ordering::Relaxed);
    let keys = Some(Keyring::open(&path).unwrap());
    (Settings { keys, clock, ..Settings::default() }, key)
}

fn limited(limits: uptally::Limits) -> Settings {
    Settings { sql: limits, ..Settings::default() }
}
