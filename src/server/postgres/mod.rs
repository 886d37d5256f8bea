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

mod answer;
mod answerer;
mod checked;
mod commands;
mod connection;
mod dialect;
mod failure;
mod frames;
mod idle;
mod kept;
mod messages;
mod negotiation;
mod parameters;
mod prepared;
mod rows;
mod sessions;
mod settings;
mod startup;
mod statement;
mod suspended;
mod system;
mod throttle;
mod values;

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

use self::answer::Answers;
pub use self::answerer::{Answerer, Form};
use self::connection::{Handlers, STARTUP_TIME};
use self::idle::{IDLE_TIME, IdleSessions};
use self::startup::Startup;
pub use self::statement::Outline;
use super::file_descriptors::connections_max;
use super::tcp::{Accepted, RESERVED_CONNECTIONS, SQL_CONNECTIONS_MAX, connections};
use super::{ListeningSockets, Service};

/// What clients ask for in the handshake of TLS.
const ALPN: &[u8] = b"postgresql";

/// Serves until the service stops; then lets what was begun be finished, within the time.
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
                let client = talk(accepted, tls.clone(), Arc::clone(&handlers), service.clone());
                clients.spawn(client);
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
async fn talk(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    handlers: Arc<Handlers>,
    service: Service,
) {
    let Accepted { stream, permit: place, full, .. } = accepted;
    let talked = async {
        let (stream, other) = doubled(stream)?;
        let mut talk = std::pin::pin!(connection::run(stream, tls, &handlers, &place, full));
        tokio::select! {
            // What a client said before it went, as a request to cancel, is heard.
            biased;
            talked = &mut talk => return talked,
            () = gone(&other) => return Ok(()),
            () = service.stopped() => {}
        }
        // It hears the end of what the client says, once it has answered.
        other.into_std()?.shutdown(Shutdown::Read)?;
        talk.await
    };
    if let Err(error) = talked.await {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// The stream, and the same once more to look at while somebody else reads it.
fn doubled(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let other = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(other)?))
}

/// Ends when the client has closed its end, also while it waits for an answer and nobody reads.
async fn gone(stream: &TcpStream) {
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
        startup: Arc::new(Startup::over(service.clone(), Arc::clone(&clients))),
        body_bytes_max: service.settings.body_bytes_max,
        startup_time: STARTUP_TIME,
        stall_time: service.settings.stall_time(),
        answers: Arc::new(Answers::new(service, idle.clone())),
        idle,
        cancel: Arc::new(DefaultCancelHandler::new(clients)),
    }
}
