//! `uptally serve`: the service, from the tables of a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::arguments::{at_least_one, duration, duration_us, one_of};
use super::signals::Stop;
use super::sql;
use crate::error::{Error, Result};
use crate::generate::{DEFAULT_END_US, Spec, generate};
use crate::ingest::{Request, Watch, load};
use crate::server::{self, COMPLETE_AS, CompleteAs, Keys, Limits, Retention, Service, Settings};
use crate::tables::{Dataset, WriteLock};

const DEFAULT_DATA: &str = "data";

/// Answers by HTTP: reports, stores and what was loaded.
///
/// Without --data, where nothing was loaded into "data" yet, serves a small chain made up for it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the tables [default: data]
    #[arg(long, value_name = "DIR", env = "UPTALLY_DATA")]
    data: Option<PathBuf>,
    /// Address and port; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// File of keys made by `uptally keys add`; without one everybody may do everything
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Listens beyond this machine although there are no keys
    #[arg(long)]
    insecure: bool,
    /// Certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// What `GET /get_report/{id}` answers to who takes anything
    #[arg(long, default_value = "csv", value_parser = one_of(COMPLETE_AS))]
    complete_as: CompleteAs,
    /// How long reports are kept, and how many, as 30d, 1000 or 30d,1000
    #[arg(long, value_name = "AGE,COUNT", default_value = "30d,1000", value_parser = retention)]
    retain: Retention,
    /// Reports that may wait for their turn
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    max_queue: usize,
    /// Reports that are made at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = at_least_one)]
    reports_at_once: usize,
    /// How long a report may take
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    report_time: Duration,
    /// How long a question about a store may take, and the body of a request
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    query_time: Duration,
    /// The largest body of a request
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_body: usize,
    /// The largest header of a request
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10)]
    max_header: usize,
    #[command(flatten)]
    sql: sql::OfService,
}

pub async fn run(arguments: &Arguments) -> Result<()> {
    let stop = Stop::on_signals()?;
    let address = arguments.listen;
    if !address.ip().is_loopback() && arguments.keys.is_none() && !arguments.insecure {
        return Err(Error::Argument(format!(
            "{address} is reached from other machines; expected --keys FILE, or --insecure where everybody may do everything"
        )));
    }
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(server::tls::acceptor(certificate, key)?),
        _ => None,
    };
    let settings = settings(arguments)?;
    let data = data(arguments, stop.flag()).await?;
    let service = Service::open(data, settings)?;
    let bound = tokio::net::TcpListener::bind(address).await.and_then(|listener| {
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    });
    let (listener, bound) = bound.map_err(|error| Error::Resource {
        what: format!("cannot listen on {address}"),
        source: error.into(),
    })?;
    if arguments.keys.is_some() && tls.is_none() && !address.ip().is_loopback() {
        eprintln!("note: keys cross the network as they are; --tls-cert and --tls-key hide them");
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    eprintln!("listening on {scheme}://{bound}");
    server::run(listener, tls, service, stop.asked()).await;
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    Ok(Settings {
        complete_as: arguments.complete_as,
        reports: Limits {
            retention: arguments.retain,
            queue_max: arguments.max_queue,
            at_once: arguments.reports_at_once,
            report_time: arguments.report_time,
        },
        query_time: arguments.query_time,
        sql: arguments.sql.limits(),
        body_bytes_max: arguments.max_body,
        header_bytes_max: arguments.max_header,
        keys: arguments.keys.as_deref().map(Keys::read).transpose()?,
        ..Settings::default()
    })
}

/// The folder to serve: the one asked for, or the usual one, or that of the sample where the usual
/// one is empty.
async fn data(arguments: &Arguments, stopped: &AtomicBool) -> Result<PathBuf> {
    if let Some(data) = &arguments.data {
        return Ok(data.clone());
    }
    let usual = PathBuf::from(DEFAULT_DATA);
    if Dataset::open(&usual, None).await?.is_some() {
        return Ok(usual);
    }
    // Apart from what will be loaded one day, so that made-up stores never mix with real ones.
    let sample = usual.join("sample-tables");
    load_sample(&sample, stopped).await?;
    eprintln!(
        "note: nothing was loaded into {usual:?} yet; serving data/sample, 40 made-up stores, from {sample:?}"
    );
    Ok(sample)
}

/// Loads the chain of `data/sample`, which the generator makes byte for byte wherever this runs.
async fn load_sample(data: &Path, stopped: &AtomicBool) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("uptally-").tempdir();
    let folder = folder.map_err(|error| Error::io("write to", &std::env::temp_dir(), error))?;
    let files = folder.path().join("sample");
    let spec = Spec { stores: 40, days: 7, seed: 1, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).map_err(|error| Error::io("write a chain to", &files, error))?;
    let request = Request {
        paths: vec![files],
        max_reject_rate: 0.01,
        loaded_at: chrono::Utc::now().timestamp_micros(),
    };
    let watch = Watch { stopped, read: &|_| {} };
    load(&request, &WriteLock::take(data)?, &watch, |_| Ok(())).await?;
    Ok(())
}

/// `30d`, `1000` or `30d,1000`; what is not said stays as it is by default.
fn retention(text: &str) -> std::result::Result<Retention, String> {
    let mut retention = Settings::default().reports.retention;
    for part in text.split(',').map(str::trim) {
        match part.parse() {
            Ok(reports_max) => retention.reports_max = reports_max,
            Err(_) => retention.age_us = duration_us(part)?,
        }
    }
    Ok(retention)
}
