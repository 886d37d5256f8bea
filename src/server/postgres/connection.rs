//! Client connection: TLS negotiation, startup within a deadline, then messages in order.
//!
//! Replaces pgwire's own socket loop, which continues after a fatal error and treats a client that
//! sent a wrong password as authenticated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use datafusion_postgres::pgwire::api::cancel::DefaultCancelHandler;
use datafusion_postgres::pgwire::api::{
    ClientInfo, DefaultClient, NoopHandler, PgWireConnectionState as State,
};
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use datafusion_postgres::pgwire::messages::{
    PgWireBackendMessage, PgWireFrontendMessage as Message,
};
use datafusion_postgres::pgwire::tokio::server::{
    MaybeTls, PgWireMessageServerCodec, process_error, process_message,
};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::Framed;

use super::super::connection_permits::{self, ConnectionPermit, Full};
use super::super::keys::Pass;
use super::checked_stream::{CheckedStream, LINGER_TIME, hang_up};
use super::failure::fatal;
use super::frames::Phase;
use super::idle_sessions::IdleSessions;
use super::negotiation::{Negotiated, negotiate};
use super::prepared::Prepared;
use super::query_handler::QueryHandler;
use super::session_resources;
use super::startup::Startup;
use crate::client::Client;

/// Deadline for negotiation and authentication.
pub const STARTUP_TIME: Duration = Duration::from_secs(10);

/// Messages of the errors that end an idle session.
const IDLE_FOR_PLACE: &str =
    "the session was idle, and others need its place among the connections; connect again";
const IDLE_FOR_MEMORY: &str =
    "the session was idle, and others need the memory of its statements; connect again";

/// Message handlers and limits shared by all connections.
pub struct Handlers {
    pub startup: Arc<Startup>,
    pub queries: Arc<QueryHandler>,
    pub cancel: Arc<DefaultCancelHandler>,
    pub idle: IdleSessions,
    pub body_bytes_max: usize,
    pub startup_time: Duration,
    /// Limit for a client that does not read its answer.
    pub stall_time: Duration,
}

type Socket = Framed<CheckedStream<MaybeTls>, PgWireMessageServerCodec<Arc<Prepared>>>;

/// Serves until the client disconnects, is rejected, or is evicted while idle. With `full` set,
/// only a cancel request is accepted.
///
/// # Errors
/// When the connection is aborted.
pub async fn run(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    handlers: &Handlers,
    place: &ConnectionPermit,
    full: Option<Full>,
) -> std::io::Result<()> {
    let started = start(stream, tls.as_ref(), handlers, place, full);
    let started = tokio::select! {
        started = tokio::time::timeout(handlers.startup_time, started) => started,
        () = place.evicted() => {
            tracing::debug!("a silent client was evicted");
            return Ok(());
        }
    };
    let Ok(started) = started else {
        tracing::debug!("a client did not authenticate in time");
        return Ok(());
    };
    let Some(mut socket) = started? else { return Ok(()) };
    place.heard();
    while answer_next(&mut socket, handlers, place).await? {}
    Ok(())
}

/// Negotiates and authenticates; `None` if the client was rejected.
async fn start(
    stream: TcpStream,
    tls: Option<&TlsAcceptor>,
    handlers: &Handlers,
    place: &ConnectionPermit,
    full: Option<Full>,
) -> std::io::Result<Option<Socket>> {
    let address = stream.peer_addr()?;
    let Some(negotiated) = negotiate(stream, tls).await? else { return Ok(None) };
    let mut socket = framed(negotiated, address, handlers);
    if let Some(full) = full {
        socket.session_extensions().insert(full);
    }
    while is_starting(&socket) {
        if !answer_next(&mut socket, handlers, place).await? {
            return Ok(None);
        }
    }
    Ok(Some(socket))
}

fn framed(negotiated: Negotiated, address: SocketAddr, handlers: &Handlers) -> Socket {
    let Negotiated { stream, is_secure, read } = negotiated;
    let codec = PgWireMessageServerCodec::new(DefaultClient::new(address, is_secure));
    let stream = CheckedStream::new(stream, &read, handlers.body_bytes_max, handlers.stall_time);
    let mut socket = Framed::new(stream, codec);
    socket.set_state(State::AwaitingStartup);
    socket
}

fn is_starting(socket: &Socket) -> bool {
    matches!(socket.state(), State::AwaitingStartup | State::AuthenticationInProgress)
}

/// Reads one message and answers it; `false` after the last one.
async fn answer_next(
    socket: &mut Socket,
    handlers: &Handlers,
    place: &ConnectionPermit,
) -> std::io::Result<bool> {
    let phase = match socket.state() {
        State::AwaitingStartup => Phase::Startup,
        State::AuthenticationInProgress => Phase::Password,
        _ => Phase::Session,
    };
    socket.get_mut().expect(phase);
    let next = match phase {
        Phase::Session => next_session_message(socket, handlers, place).await,
        _ => socket.next().await,
    };
    let message = match next {
        None | Some(Ok(Message::Terminate(_))) => return Ok(false),
        Some(Ok(message)) => message,
        Some(Err(error)) => return refuse(socket, error_info(error)?).await,
    };
    let is_extended = message.is_extended_query();
    let is_last = matches!(message, Message::CancelRequest(_));
    let client = client(socket);
    let answered = process_message(
        message,
        socket,
        Arc::clone(&handlers.startup),
        Arc::clone(&handlers.queries),
        Arc::clone(&handlers.queries),
        Arc::new(NoopHandler),
        Arc::clone(&handlers.cancel),
    );
    let Err(error) = client.scope(answered).await else { return Ok(!is_last) };
    let info = error_info(error)?;
    if info.is_fatal() || phase != Phase::Session {
        return refuse(socket, info).await;
    }
    process_error(socket, PgWireError::UserError(Box::new(info)), is_extended).await?;
    Ok(true)
}

fn client(socket: &Socket) -> Client {
    let key = socket.session_extensions().get::<Pass>().map(|pass| pass.key());
    connection_permits::client(key, Some(socket.socket_addr()))
}

/// Waits for the next message. The session counts as idle meanwhile, and may be evicted in favour
/// of a client that needs its connection slot or the memory of its statements.
async fn next_session_message(
    socket: &mut Socket,
    handlers: &Handlers,
    place: &ConnectionPermit,
) -> Option<PgWireResult<Message>> {
    place.idle();
    shrink(socket);
    let mut idle =
        session_resources::holds_any(socket).then(|| handlers.idle.enter(client(socket)));
    let others_need_memory = async {
        match &mut idle {
            Some(idle) => idle.evicted().await,
            None => std::future::pending().await,
        }
    };
    let next = tokio::select! {
        biased;
        next = socket.next() => next,
        () = place.evicted() => Some(Err(fatal("57P05", IDLE_FOR_PLACE))),
        eviction = others_need_memory => {
            session_resources::release_all(socket);
            drop(eviction);
            Some(Err(fatal("57P05", IDLE_FOR_MEMORY)))
        }
    };
    place.heard();
    next
}

/// Frees the buffers, which would keep the size of the largest message for the whole session.
fn shrink(socket: &mut Socket) {
    if socket.read_buffer().is_empty() {
        *socket.read_buffer_mut() = BytesMut::new();
    }
    if socket.write_buffer().is_empty() {
        *socket.write_buffer_mut() = BytesMut::new();
    }
    socket.get_mut().shrink();
}

/// Converts an error into a protocol message.
///
/// # Errors
/// When the connection itself failed, so that no message can be sent.
fn error_info(error: PgWireError) -> std::io::Result<ErrorInfo> {
    match error {
        // `CheckedStream` reports an invalid message as an I/O error.
        PgWireError::IoError(error) => error.downcast::<PgWireError>().map(ErrorInfo::from),
        error => Ok(error.into()),
    }
}

/// Sends the error and closes the connection, waiting at most [`LINGER_TIME`] for the client.
async fn refuse(socket: &mut Socket, info: ErrorInfo) -> std::io::Result<bool> {
    let sent = socket.send(PgWireBackendMessage::ErrorResponse(info.into()));
    if let Ok(sent) = tokio::time::timeout(LINGER_TIME, sent).await {
        sent?;
        hang_up(socket.get_mut().stream_mut()).await;
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
