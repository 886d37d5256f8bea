//! PostgreSQL wire protocol, version 3.
//!
//! In the server: `connection` reads messages, after `negotiation` of TLS; `frames` validates each
//! message before pgwire decodes it, and `checked_stream` forwards valid ones. `startup`
//! authenticates, `admission` checks keys again; `throttle` delays wrong passwords. `query_handler`
//! runs statements, and `planner` builds their requests; rows are sent by `rows`.
//! `commands` change the session, `message_log` writes the request log. `session_resources` limits
//! statements and portals; `idle_sessions` end when others need memory; a `suspended_portal` is
//! read in parts. `settings` holds what `SET` and `SHOW` know; `failure` maps errors to SQLSTATEs.
//!
//! In the worker process: `worker_planner` plans. `statement` parses, `rewrite` adapts to
//! PostgreSQL, `session_setup` adds the `system` tables, `parameters` infers types and decodes
//! values validated by `binary_values`. This module does not execute queries.

mod admission;
mod binary_values;
mod checked_stream;
mod commands;
mod connection;
mod failure;
mod frames;
mod idle_sessions;
mod message_log;
mod negotiation;
mod open_results;
mod parameters;
mod planner;
mod prepared;
mod query_handler;
mod rewrite;
mod rows;
mod session_resources;
mod session_setup;
mod settings;
mod startup;
mod statement;
mod suspended_portal;
mod system;
mod throttle;
mod worker_planner;

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::pgwire::api::ConnectionManager;
use datafusion_postgres::pgwire::api::cancel::DefaultCancelHandler;
use futures::StreamExt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::connection::{Handlers, STARTUP_TIME};
use self::idle_sessions::{IDLE_TIME, IdleSessions};
use self::query_handler::QueryHandler;
use self::startup::Startup;
pub use self::statement::Outline;
pub use self::worker_planner::{StatementContext, WorkerPlanner};
use super::file_descriptors::connections_max;
use super::tcp::{Accepted, RESERVED_CONNECTIONS, SQL_CONNECTIONS_MAX, connections};
use super::{ListeningSockets, Service};

/// ALPN protocol name.
const ALPN: &[u8] = b"postgresql";

/// Accepts connections until the service stops, then drains them for at most `drain_time`.
pub async fn serve(
    listener: ListeningSockets,
    tls: Option<TlsAcceptor>,
    service: Service,
    drain_time: Duration,
) {
    let handlers = Arc::new(handlers(service.clone()));
    let tls = tls.map(|tls| super::tls::speaking(&tls, &[ALPN]));
    let mut clients = JoinSet::new();
    let accepted = connections(
        listener,
        connections_max(SQL_CONNECTIONS_MAX),
        connections_max(RESERVED_CONNECTIONS),
    );
    let mut accepted = std::pin::pin!(accepted);
    let mut stop = std::pin::pin!(service.stopped());
    loop {
        tokio::select! {
            Some(accepted) = accepted.next() => {
                let handlers = Arc::clone(&handlers);
                clients.spawn(serve_client(accepted, tls.clone(), handlers, service.clone()));
            }
            Some(_) = clients.join_next() => {}
            () = &mut stop => break,
        }
    }
    let drained = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_time, drained).await.is_err() {
        tracing::warn!("some PostgreSQL clients were cut off as the server stopped");
    }
}

/// Serves one connection until the client disconnects or the service stops; a request that was
/// received before the stop is still answered.
async fn serve_client(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    handlers: Arc<Handlers>,
    service: Service,
) {
    let Accepted { stream, permit: place, full, .. } = accepted;
    let served = async {
        let (stream, watched) = duplicate(stream)?;
        let mut connection = std::pin::pin!(connection::run(stream, tls, &handlers, &place, full));
        tokio::select! {
            // Messages sent before a disconnect, such as a cancel request, are still processed.
            biased;
            ended = &mut connection => return ended,
            () = closed(&watched) => return Ok(()),
            () = service.stopped() => {}
        }
        // The connection reads end of stream once it has answered.
        watched.into_std()?.shutdown(Shutdown::Read)?;
        connection.await
    };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection was aborted");
    }
}

/// Duplicates the socket: one to read, one to watch for a disconnect meanwhile.
fn duplicate(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let other = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(other)?))
}

/// Completes when the client has closed its side, even while a query runs and nothing is read.
async fn closed(stream: &TcpStream) {
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // Clears readiness without consuming bytes; the other handle reads them.
        let _ = stream
            .try_io(Interest::READABLE, || Err::<(), _>(std::io::ErrorKind::WouldBlock.into()));
    }
}

fn handlers(service: Service) -> Handlers {
    let clients = Arc::new(ConnectionManager::new());
    let idle = IdleSessions::new(IDLE_TIME);
    Handlers {
        startup: Arc::new(Startup::new(service.clone(), Arc::clone(&clients))),
        body_bytes_max: service.settings.body_bytes_max,
        startup_time: STARTUP_TIME,
        stall_time: service.settings.stall_time(),
        queries: Arc::new(QueryHandler::new(service, idle.clone())),
        idle,
        cancel: Arc::new(DefaultCancelHandler::new(clients)),
    }
}
