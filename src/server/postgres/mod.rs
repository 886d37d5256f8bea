//! The protocol of PostgreSQL, for its clients and the tools that speak it.
//!
//! `startup` lets a client in, `statement` reads what it says and `dialect` what that means to
//! PostgreSQL, `sessions` plans it over the newest data and the tables of `system`, `answer` runs
//! it and sends the rows, `messages` logs what was said; `settings` are those of a client's session, which `SET` and `SHOW` mean,
//! and `failure` is what it hears instead. Knows nothing of how a query runs.

mod answer;
mod dialect;
mod failure;
mod messages;
mod parameters;
mod prepared;
mod rows;
mod sessions;
mod settings;
mod startup;
mod statement;
mod system;

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use datafusion_postgres::pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use datafusion_postgres::pgwire::api::{ConnectionManager, PgWireServerHandlers, auth};
use datafusion_postgres::pgwire::tokio::process_socket;
use futures::StreamExt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::answer::Answers;
use self::startup::Startup;
use super::accept::{Accepted, connections};
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
    let handlers = Arc::new(Handlers::over(service.clone()));
    let tls = tls.map(|tls| super::tls::speaking(&tls, &[ALPN]));
    let mut clients = JoinSet::new();
    let mut accepted = std::pin::pin!(connections(listener));
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
    let Accepted { stream, place: _place, .. } = accepted;
    let talked = async {
        let (stream, other) = doubled(stream)?;
        let mut talk = std::pin::pin!(process_socket(stream, tls, handlers));
        tokio::select! {
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

struct Handlers {
    startup: Arc<Startup>,
    answers: Arc<Answers>,
    cancel: Arc<DefaultCancelHandler>,
}

impl Handlers {
    fn over(service: Service) -> Self {
        let clients = Arc::new(ConnectionManager::new());
        Self {
            startup: Arc::new(Startup::over(service.clone(), Arc::clone(&clients))),
            answers: Arc::new(Answers::over(service)),
            cancel: Arc::new(DefaultCancelHandler::new(clients)),
        }
    }
}

impl PgWireServerHandlers for Handlers {
    fn startup_handler(&self) -> Arc<impl auth::StartupHandler> {
        Arc::clone(&self.startup)
    }

    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.answers)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.answers)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::clone(&self.cancel)
    }
}
