//! `uptally serve`: runs the service over the tables of a folder.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::addresses::{HostPort, host_port, is_loopback};
use super::arguments::{at_least_one, bytes, bytes_text, duration_us, one_of};
use super::retention::retention;
use super::signals::{Hangups, StopSignal};
use super::sql;
use crate::error::{Error, Result};
use crate::generate::{DEFAULT_END_US, Spec, generate};
use crate::ingest::{LoadControl, LoadRequest, load};
use crate::rules::keyword::keyword;
use crate::server::{
    self, AllowedHosts, AuditLog, COMPLETE_AS, CompleteAs, HEADER_BYTES_MAX, Host, Keyring, Limits,
    Listeners, ListeningSockets, MemoryFlags, Origin, Retention, Service, Settings,
};
use crate::tables::{Dataset, WriteLock};

const DEFAULT_DATA: &str = "data";

/// Serves reports, stores, loads and SQL over HTTP, and optionally Flight SQL and PostgreSQL.
///
/// /docs on the server describes the HTTP API. Ctrl-C or SIGTERM stops the server. Without --data,
/// and with no data in the folder "data", serves a small synthetic chain.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the tables [default: data]
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA")]
    data: Option<PathBuf>,
    /// Name in downloaded files: uptally_NAME_20230125T180900Z.csv [default: name of the folder of
    /// the tables]
    #[arg(long, value_name = "NAME")]
    chain: Option<String>,
    /// Host and port to listen on, at all addresses of the host; port 0 is any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", value_parser = host_port)]
    listen: HostPort,
    /// Also serves Arrow Flight SQL there; port 0 is any free port
    #[cfg(feature = "flight")]
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    flight: Option<HostPort>,
    /// Also serves the PostgreSQL protocol there; port 0 is any free port
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    postgres: Option<HostPort>,
    /// File of keys created by `uptally keys add`, reloaded when it changes and on SIGHUP; without
    /// one everyone has full access
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// File to append every request to, as a line of JSON: time, listener, address, key, request,
    /// status, rows and duration; of Flight SQL and PostgreSQL, logins and statements. Reopened on
    /// SIGHUP. If a line cannot be written, the service continues and logs that once
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Allows other machines to connect although there are no keys
    #[arg(long)]
    insecure: bool,
    /// Host header to accept without keys, besides localhost and the hosts of --listen; may be
    /// repeated
    #[arg(long, value_name = "NAME", value_parser = Host::parse)]
    allow_host: Vec<Host>,
    /// Origin (scheme, host, port) whose pages may send requests (CORS); may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = Origin::parse)]
    allow_origin: Vec<Origin>,
    /// Certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Requires TLS on all listeners; otherwise PostgreSQL clients may connect without it
    #[arg(long, requires = "tls_cert")]
    require_tls: bool,
    /// Format of a complete report at `GET /get_report/{id}`, a path for clients of older services,
    /// if the request's Accept header names neither CSV nor JSON
    #[arg(
        long,
        default_value = keyword(COMPLETE_AS, defaults().complete_as),
        value_parser = one_of(COMPLETE_AS),
    )]
    complete_as: CompleteAs,
    /// Age, number and total size of the reports that are kept, like 30d, 1000, 10GB or
    /// 30d,1000,10GB; the oldest are deleted first
    #[arg(
        long,
        value_name = "AGE,COUNT,BYTES",
        default_value_t = defaults().reports.retention,
        value_parser = retention,
    )]
    retain: Retention,
    /// Reports that may wait for one of --reports-at-once; further requests for reports are refused
    /// with 429. With 0, a report is accepted only if it can start at once
    #[arg(long, value_name = "COUNT", default_value_t = defaults().reports.queue_max)]
    max_queue: usize,
    /// Reports computed at once; others wait in the queue. From four on, a client alone leaves one
    /// to others [default: 4, or as many as fit into --memory]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    reports_at_once: Option<usize>,
    /// Longest time that a report may take, like 10m; then it fails
    #[arg(
        long,
        value_name = "DURATION",
        default_value_t = defaults().reports.report_time.into(),
        value_parser = duration,
    )]
    report_time: humantime::Duration,
    /// Longest time that a question about stores may take, and the body of a request to arrive,
    /// like 30s
    #[arg(
        long,
        value_name = "DURATION",
        default_value_t = defaults().query_time.into(),
        value_parser = duration,
    )]
    query_time: humantime::Duration,
    /// Memory of the server, like 4GiB, for SQL, reports, and what clients send and receive; what
    /// does not fit is refused, with 503 over HTTP [default: a quarter of the machine's]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<usize>,
    /// Largest body of a request, or message of a PostgreSQL client, like 1MiB; larger ones are
    /// refused, with 413 over HTTP
    #[arg(
        long,
        value_name = "BYTES",
        default_value = bytes_text(defaults().body_bytes_max),
        value_parser = bytes,
    )]
    max_body: usize,
    /// Largest head of an HTTP request (path, query string and headers together), up to 65534
    /// bytes; larger ones are refused with 414 or 431
    #[arg(
        long,
        value_name = "BYTES",
        default_value = bytes_text(defaults().header_bytes_max),
        value_parser = header_bytes,
    )]
    max_header: usize,
    #[command(flatten)]
    sql: sql::ServiceLimits,
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    let stop = StopSignal::on_signals()?;
    // Before anything else, so that an early SIGHUP does not end the process.
    let hangups = Hangups::new()?;
    let addresses = Addresses::resolve(arguments).await?;
    let public = addresses.all().find(|address| !is_loopback(address));
    if let (Some(public), None, false) = (public, &arguments.keys, arguments.insecure) {
        return Err(Error::Argument(format!(
            "{public} is reached from other machines; give --keys FILE, or --insecure to give everyone full access"
        )));
    }
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(server::tls::acceptor(certificate, key)?),
        _ => None,
    };
    let memory_bytes = arguments.memory.or_else(server::part_of_machine);
    let (mut settings, lowered) = settings(arguments, memory_bytes)?;
    if !lowered.is_empty() {
        let lowered = lowered.join(" ");
        eprintln!("note: lowered to fit into the memory of the server (--memory): {lowered}");
    }
    if let Some(files) = server::raise_file_limit() {
        eprintln!("note: only {files} files may be open (ulimit -n), which limits connections");
    }
    settings.hosts.extend(arguments.listen.hosts(&addresses.http));
    settings.worker = worker_program();
    let data = data_folder(arguments, stop.flag()).await?;
    let service = Service::open(data, settings)?;
    let reloads = tokio::spawn(reload_on(hangups, service.clone()));
    let http = listen(&addresses.http).await?;
    if arguments.keys.is_some() && tls.is_none() && public.is_some() {
        eprintln!("note: keys are sent unencrypted over the network; use --tls-cert and --tls-key");
    }
    let bound = http.addresses().map_err(|error| cannot_listen(&arguments.listen, error))?;
    let listeners = Listeners {
        http,
        #[cfg(feature = "flight")]
        flight: listen_and_announce("Arrow Flight SQL at grpc", addresses.flight).await?,
        #[cfg(feature = "postgres")]
        postgres: listen_and_announce("PostgreSQL at postgres", addresses.postgres).await?,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    bound.iter().for_each(|bound| eprintln!("listening on {scheme}://{bound}"));
    server::run(listeners, tls, service, stop.requested()).await;
    reloads.abort();
    Ok(())
}

/// Reloads keys and reopens logs on SIGHUP.
async fn reload_on(mut hangups: Hangups, service: Service) {
    loop {
        hangups.next().await;
        let service = service.clone();
        // Disk access must not block the threads that serve clients.
        let _ = tokio::task::spawn_blocking(move || service.reload()).await;
    }
}

/// Resolved listen addresses.
struct Addresses {
    http: Vec<SocketAddr>,
    #[cfg(feature = "flight")]
    flight: Option<Vec<SocketAddr>>,
    #[cfg(feature = "postgres")]
    postgres: Option<Vec<SocketAddr>>,
}

impl Addresses {
    async fn resolve(arguments: &Arguments) -> Result<Self> {
        Ok(Self {
            http: arguments.listen.resolve().await?,
            #[cfg(feature = "flight")]
            flight: resolve_optional(arguments.flight.as_ref()).await?,
            #[cfg(feature = "postgres")]
            postgres: resolve_optional(arguments.postgres.as_ref()).await?,
        })
    }

    fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let others: [Option<&Vec<SocketAddr>>; 2] = [
            #[cfg(feature = "flight")]
            self.flight.as_ref(),
            #[cfg(not(feature = "flight"))]
            None,
            #[cfg(feature = "postgres")]
            self.postgres.as_ref(),
            #[cfg(not(feature = "postgres"))]
            None,
        ];
        self.http.iter().chain(others.into_iter().flatten().flatten()).copied()
    }
}

#[cfg(any(feature = "flight", feature = "postgres"))]
async fn resolve_optional(named: Option<&HostPort>) -> Result<Option<Vec<SocketAddr>>> {
    match named {
        Some(named) => named.resolve().await.map(Some),
        None => Ok(None),
    }
}

/// Listens on an optional listener's addresses and prints them.
#[cfg(any(feature = "flight", feature = "postgres"))]
async fn listen_and_announce(
    what: &str,
    addresses: Option<Vec<SocketAddr>>,
) -> Result<Option<ListeningSockets>> {
    let Some(addresses) = addresses else { return Ok(None) };
    let bound = listen(&addresses).await?;
    let bound_addresses = bound.addresses().map_err(|error| cannot_listen(&addresses[0], error))?;
    bound_addresses.iter().for_each(|address| eprintln!("{what}://{address}"));
    Ok(Some(bound))
}

async fn listen(addresses: &[SocketAddr]) -> Result<ListeningSockets> {
    let bound = ListeningSockets::bind(addresses).await;
    bound.map_err(|(address, error)| cannot_listen(&address, error))
}

fn cannot_listen(address: &impl fmt::Display, error: std::io::Error) -> Error {
    let what = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("cannot listen on {address}; stop the other server, or choose another port")
        }
        _ => format!("cannot listen on {address}"),
    };
    Error::Resource { what, source: error.into() }
}

/// Settings from the flags, and descriptions of those lowered to fit into memory.
///
/// # Errors
/// When a file cannot be used, or explicitly requested limits do not fit into memory.
fn settings(arguments: &Arguments, memory_bytes: Option<usize>) -> Result<(Settings, Vec<String>)> {
    let mut hosts = AllowedHosts::default();
    hosts.extend(arguments.allow_host.iter().cloned());
    let mut settings = Settings {
        chain: arguments.chain.clone(),
        complete_as: arguments.complete_as,
        reports: Limits {
            retention: arguments.retain,
            queue_max: arguments.max_queue,
            at_once: arguments.reports_at_once.unwrap_or(defaults().reports.at_once),
            report_time: arguments.report_time.into(),
        },
        memory_bytes: memory_bytes.unwrap_or(defaults().memory_bytes),
        query_time: arguments.query_time.into(),
        sql: arguments.sql.limits(),
        body_bytes_max: arguments.max_body,
        header_bytes_max: arguments.max_header,
        audit: arguments.audit_log.as_deref().map(AuditLog::open).transpose()?,
        keys: arguments.keys.as_deref().map(Keyring::open).transpose()?,
        requires_tls: arguments.require_tls,
        hosts,
        origins: arguments.allow_origin.clone(),
        ..defaults()
    };
    let lowered = settings.fit_into_memory(MemoryFlags {
        sql_memory: arguments.sql.sql_memory.is_some(),
        sql_at_once: arguments.sql.sql_at_once.is_some(),
        reports_at_once: arguments.reports_at_once.is_some(),
    })?;
    Ok((settings, lowered))
}

/// Executable for worker processes: the one that is running, even if its file was replaced since.
fn worker_program() -> Option<PathBuf> {
    let started_from = PathBuf::from("/proc/self/exe");
    match started_from.exists() {
        true => Some(started_from),
        false => std::env::current_exe().ok().filter(|_| cfg!(unix)),
    }
}

/// Defaults of the flags.
fn defaults() -> Settings {
    Settings::default()
}

/// Folder to serve: the given one, else the default, else a sample if the default has no data.
async fn data_folder(arguments: &Arguments, stopped: &AtomicBool) -> Result<PathBuf> {
    if let Some(data) = &arguments.data {
        return Ok(data.clone());
    }
    let default = PathBuf::from(DEFAULT_DATA);
    if Dataset::open(&default, None).await?.is_some() {
        return Ok(default);
    }
    // A separate folder, so that synthetic stores never mix with real ones.
    let sample = default.join("sample-tables");
    load_sample(&sample, stopped).await?;
    eprintln!(
        "note: no data in {default:?}; serving data/sample, 40 synthetic stores, from {sample:?}"
    );
    Ok(sample)
}

/// Loads the chain of `data/sample`, regenerated with its seed, so that no file is needed.
async fn load_sample(data: &Path, stopped: &AtomicBool) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("uptally-").tempdir();
    let folder = folder.map_err(|error| Error::io("write to", &std::env::temp_dir(), error))?;
    let files = folder.path().join("sample");
    let spec = Spec { stores: 40, days: 7, seed: 1, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).map_err(|error| Error::io("write a chain to", &files, error))?;
    let request = LoadRequest {
        paths: vec![files],
        max_reject_rate: 0.01,
        loaded_at: chrono::Utc::now().timestamp_micros(),
        ..LoadRequest::default()
    };
    let control = LoadControl { stopped, on_read: &|_| {} };
    load(&request, &WriteLock::take(data)?, &control, |_| Ok(())).await?;
    Ok(())
}

fn duration(text: &str) -> std::result::Result<humantime::Duration, String> {
    Ok(Duration::from_micros(duration_us(text)?.unsigned_abs()).into())
}

fn header_bytes(text: &str) -> std::result::Result<usize, String> {
    let number = bytes(text).ok().filter(|number| *number <= HEADER_BYTES_MAX);
    number.ok_or_else(|| format!("expected a number of bytes from 1 to {HEADER_BYTES_MAX}"))
}

#[cfg(test)]
mod tests;
