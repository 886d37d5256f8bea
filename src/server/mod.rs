//! `uptally serve`: reports and stores over HTTP.
//!
//! In the order a request travels: `listener` accepts it. `router` finds its line in `routes`, and
//! checks `request_limits` and its `authorization`: its `host`, the `origin` of the page that sends
//! it, and its key in the `keyring` (the `keys` of a `key_file`). `reports`, `store_list`,
//! `stores`, `explain`, `sql`, `versions` and, for clients of older services, `legacy_api` answer
//! it; `request_log` and `audit` record it.
//!
//! Reports are `jobs`, computed on the `compute_pool` from `snapshots` of the data. Connections
//! hold `connection_permits`, as many as `file_descriptors` allow; `response_tracker` and
//! `deadline` end those of stalled clients. `memory_limits` divides the memory, and `budget` counts
//! what clients hold of it. The figures come from the engine; nothing here computes one.

mod audit;
mod authorization;
mod budget;
mod clock;
mod compute_pool;
mod connection_permits;
mod cors;
#[cfg(feature = "postgres")]
mod deadline;
mod docs;
mod download;
mod explain;
mod file_descriptors;
mod file_name;
#[cfg(feature = "flight")]
mod flight;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod health;
mod host;
mod jobs;
pub mod key_file;
mod keyring;
mod keys;
mod legacy_api;
mod listener;
mod listening_sockets;
mod memory_limits;
mod metrics;
mod negotiate;
mod openapi;
mod origin;
#[cfg(feature = "postgres")]
mod postgres;
mod preface;
mod problem;
mod queries;
mod report_request;
mod reports;
mod request;
mod request_limits;
mod request_log;
mod response_format;
mod response_tracker;
mod router;
mod routes;
mod service;
mod settings;
mod snapshots;
mod sql;
mod store_csv;
mod store_list;
mod store_values;
mod stores;
mod tcp;
pub mod tls;
mod trace;
mod versions;

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use warp::Filter;

use crate::sql::NamedTable;

pub use self::audit::AuditLog;
pub use self::file_descriptors::raise as raise_file_limit;
pub use self::host::{AllowedHosts, Host};
pub use self::jobs::{Limits, Retention};
pub use self::keyring::Keyring;
pub use self::keys::{Keys, ROLES, Role};
pub use self::listening_sockets::ListeningSockets;
pub use self::memory_limits::{MemoryFlags, part_of_machine};
pub use self::origin::Origin;
#[cfg(unix)]
pub use self::queries::worker;
pub use self::request_limits::HEADER_BYTES_MAX;
pub use self::router::router;
pub use self::routes::ROUTES;
pub use self::service::Service;
pub use self::settings::{COMPLETE_AS, CompleteAs, SQL_FLAGS, Settings};

/// Folder of the reports, in that of the tables.
const REPORTS: &str = "reports";
/// Time for requests and reports in flight after the signal to stop.
const DRAIN_TIME: Duration = Duration::from_secs(8);
/// Pause between two expiries of reports.
const EXPIRY_PAUSE: Duration = Duration::from_secs(600);

/// SQL tables of the reports in an offline data folder.
pub fn report_tables(data: &Path) -> Vec<NamedTable> {
    jobs::tables_of(&data.join(REPORTS))
}

/// Listening sockets of the service.
pub struct Listeners {
    pub http: ListeningSockets,
    #[cfg(feature = "flight")]
    pub flight: Option<ListeningSockets>,
    #[cfg(feature = "postgres")]
    pub postgres: Option<ListeningSockets>,
}

impl From<TcpListener> for Listeners {
    /// HTTP alone.
    fn from(http: TcpListener) -> Self {
        Self {
            http: http.into(),
            #[cfg(feature = "flight")]
            flight: None,
            #[cfg(feature = "postgres")]
            postgres: None,
        }
    }
}

/// Serves on the listeners until `stop` completes; then finishes requests and reports in flight.
///
/// Reports that are queued by then, or run too long, run again after the next start.
pub async fn run(
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    service: Service,
    stop: impl Future<Output = ()>,
) {
    // On the compute pool: what they send is encoded there as well.
    let mut beside = tokio::task::JoinSet::<()>::new();
    #[cfg(feature = "flight")]
    if let Some(listener) = listeners.flight {
        let served = flight::serve(listener, tls.clone(), service.clone(), DRAIN_TIME);
        beside.spawn_on(served, service.compute.handle());
    }
    #[cfg(feature = "postgres")]
    if let Some(listener) = listeners.postgres {
        let served = postgres::serve(listener, tls.clone(), service.clone(), DRAIN_TIME);
        beside.spawn_on(served, service.compute.handle());
    }
    let expiry = tokio::spawn(expire_now_and_then(service.clone()));
    // In the background; if there is no data, requests report that.
    tokio::spawn({
        let service = service.clone();
        async move {
            if let Ok(snapshot) = service.snapshots.newest().await {
                service.queries.warm(snapshot.version());
            }
        }
    });
    let (stopping, is_stopping) = tokio::sync::oneshot::channel::<()>();
    let stop = async {
        stop.await;
        service.stop_waiting();
        drop(stopping);
    };
    let reports = async {
        let _ = is_stopping.await;
        if tokio::time::timeout(DRAIN_TIME, service.jobs.drain()).await.is_err() {
            tracing::warn!("some reports did not finish; they run again after the next start");
        }
    };
    let router = match tls {
        Some(_) => router(service.clone()).map(tls::with_strict_transport).boxed(),
        None => router(service.clone()),
    };
    let (idle, stall) = (listener::IDLE_TIME, service.settings.stall_time());
    let times = listener::Times { drain: DRAIN_TIME, idle, stall };
    let requests = listener::serve(listeners.http, tls, router, stop, times);
    tokio::join!(requests, reports);
    while beside.join_next().await.is_some() {}
    expiry.abort();
    service.close();
}

async fn expire_now_and_then(service: Service) {
    loop {
        service.expire((service.settings.clock)()).await;
        tokio::time::sleep(EXPIRY_PAUSE).await;
    }
}
