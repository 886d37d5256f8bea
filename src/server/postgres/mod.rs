//! The protocol of PostgreSQL, for its clients and the tools that speak it.
//!
//! `connection` reads a client's messages, which `negotiation` may encrypt; `frames` holds each
//! against the protocol before the protocol crate decodes it, and `checked` hands on what passed.
//! `startup` lets a client in, after a wait where `throttle` says so. `answer` has what it says run
//! and sends the rows, `commands` are about its session, `messages` logs what was said. Statements and
//! portals are `kept`, by sessions that are `idle` until others need the memory; portals are `suspended`
//! while their clients read. `settings` are those of a client's session, which `SET` and `SHOW` mean,
//! and `failure` is what it hears instead.
//!
//! The `answerer` works where questions are answered, which is in another process: `statement` reads
//! what clients say and `dialect` what that means to PostgreSQL, `sessions` plans it over the tables of
//! `system`, and `parameters` gives it its values, which `values` has checked. Knows nothing of how a
//! query runs.

mod binary_values;
mod checked_stream;
mod commands;
mod connection;
mod failure;
mod frames;
mod idle_sessions;
mod message_log;
mod negotiation;
mod parameters;
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
use super::accept::{Accepted, RESERVE, SQL_CONNECTIONS_MAX, connections};
use super::descriptors::places;
use super::{Bound, Service};

/// What clients ask for in the handshake of TLS.
const ALPN: &[u8] = b"postgresql";

/// Serves until the service stops; then lets what was begun be finished, within the time.
pub async fn serve(
    listener: Bound,
    tls: Option<TlsAcceptor>,
    service: Service,
    drain_time: Duration,
) {
    let handlers = Arc::new(handlers(service.clone()));
    let tls = tls.map(|tls| super::tls::speaking(&tls, &[ALPN]));
    let mut clients = JoinSet::new();
    let accepted = connections(listener, places(SQL_CONNECTIONS_MAX), places(RESERVE));
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

/// Until the client goes, or what it asked before the service stopped is answered.
async fn serve_client(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    handlers: Arc<Handlers>,
    service: Service,
) {
    let Accepted { stream, place, full, .. } = accepted;
    let served = async {
        let (stream, watched) = duplicate(stream)?;
        let mut connection = std::pin::pin!(connection::run(stream, tls, &handlers, &place, full));
        tokio::select! {
            // What a client said before it went, as a request to cancel, is heard.
            biased;
            ended = &mut connection => return ended,
            () = closed(&watched) => return Ok(()),
            () = service.stopped() => {}
        }
        // It hears the end of what the client says, once it has answered.
        watched.into_std()?.shutdown(Shutdown::Read)?;
        connection.await
    };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// The stream, and the same once more to look at while somebody else reads it.
fn duplicate(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let other = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(other)?))
}

/// Ends when the client has closed its end, also while it waits for an answer and nobody reads.
async fn closed(stream: &TcpStream) {
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // What there is to read is for the other one; this one waits for the next event.
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
