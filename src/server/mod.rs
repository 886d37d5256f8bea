//! `uptally serve`: reports and stores by HTTP.
//!
//! In the order a request travels: `listener` accepts it, `router` finds its line in `routes`
//! and holds it against limits, and `gate` against its `host`, the `origin` of the page that sends
//! it and the `keyring` (the `keys` of a `key_file`); `dialects` (older services' ways of asking),
//! `reports`, `store_list`, `stores`, `explain`, `sql` and `versions` answer it, and `request_log`
//! and `audit` write down who asked what. Reports are `jobs`, made on
//! the threads of `work` from the data of the `catalog`; everybody else only looks at them.
//! Connections have `places`, and `pace` and `deadline` see that nothing waits for a client for ever.
//! There are as many places as `descriptors` allow. `memory_shares` divides the memory, and `budget` counts what clients have of it.
//! What the figures are is the engine's; nothing here computes one.

mod accept;
mod ask;
mod audit;
mod bound;
mod budget;
mod catalog;
mod clock;
mod cors;
#[cfg(feature = "postgres")]
mod deadline;
mod descriptors;
mod dialects;
mod docs;
mod download;
mod explain;
mod file_name;
#[cfg(feature = "flight")]
mod flight;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gate;
mod health;
mod host;
mod intake;
mod jobs;
pub mod key_file;
mod keyring;
mod keys;
mod listener;
mod memory_shares;
mod metrics;
mod negotiate;
mod openapi;
mod opening;
mod origin;
mod pace;
mod places;
#[cfg(feature = "postgres")]
mod postgres;
mod problem;
mod questions;
mod reports;
mod request;
mod request_log;
mod router;
mod routes;
mod service;
mod settings;
mod sql;
mod store_csv;
mod store_list;
mod stores;
pub mod tls;
mod trace;
mod versions;
mod wanted;
mod work;

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use warp::Filter;

use crate::sql::NamedTable;

pub use self::audit::AuditLog;
pub use self::bound::Bound;
pub use self::descriptors::raise as raise_file_limit;
pub use self::host::{AllowedHosts, Host};
pub use self::intake::HEADER_BYTES_MAX;
pub use self::jobs::{Limits, Retention};
pub use self::keyring::Keyring;
pub use self::keys::{Key, KeyId, Keys, ROLES, Role};
pub use self::memory_shares::{MemoryFlags, part_of_machine};
pub use self::origin::Origin;
#[cfg(unix)]
pub use self::questions::worker;
pub use self::router::router;
pub use self::routes::{ROUTES, Route};
pub use self::service::Service;
pub use self::settings::{COMPLETE_AS, CompleteAs, Settings};

/// The folder of the reports, in that of the tables.
const REPORTS: &str = "reports";
/// Between the wish to stop and the end, for requests and reports that were begun.
const DRAIN_TIME: Duration = Duration::from_secs(8);
/// Between two looks for reports that are due to be forgotten.
const EXPIRY_PAUSE: Duration = Duration::from_secs(600);

/// The reports of a data folder as tables in SQL, for who reads it without a server.
pub fn report_tables(data: &Path) -> Vec<NamedTable> {
    jobs::tables_of(&data.join(REPORTS))
}

/// Where clients are waited for.
pub struct Listeners {
    pub http: Bound,
    #[cfg(feature = "flight")]
    pub flight: Option<Bound>,
    #[cfg(feature = "postgres")]
    pub postgres: Option<Bound>,
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

/// Serves on the listeners until `stop` ends; then finishes what was begun, and returns.
///
/// Reports that wait by then, or take too long, are made after the next start.
pub async fn run(
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    service: Service,
    stop: impl Future<Output = ()>,
) {
    // On the threads of the work: what they send is encoded there as well.
    let mut beside = tokio::task::JoinSet::<()>::new();
    #[cfg(feature = "flight")]
    if let Some(listener) = listeners.flight {
        let served = flight::serve(listener, tls.clone(), service.clone(), DRAIN_TIME);
        beside.spawn_on(served, service.work.handle());
    }
    #[cfg(feature = "postgres")]
    if let Some(listener) = listeners.postgres {
        let served = postgres::serve(listener, tls.clone(), service.clone(), DRAIN_TIME);
        beside.spawn_on(served, service.work.handle());
    }
    let expiry = tokio::spawn(expire_now_and_then(service.clone()));
    // So that nobody waits for it; whether there is data is for those to hear who ask.
    tokio::spawn({
        let service = service.clone();
        async move {
            if let Ok(edition) = service.catalog.newest().await {
                service.questions.warm(edition.version());
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
        if tokio::time::timeout(DRAIN_TIME, service.jobs.run_out()).await.is_err() {
            tracing::warn!("some reports were not finished; they are made after the next start");
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
