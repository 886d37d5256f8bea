//! A client's connection: encryption, then the startup within a time, then its messages one by one.
//!
//! Holds what pgwire's own loop over a socket does not: that loop goes on reading after an error
//! that ends the connection, with a client that gave a wrong password as one that was let in.

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

use super::super::keys::Pass;
use super::super::places::{self, Full, Place};
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

/// How long a client may take until it is let in.
pub const STARTUP_TIME: Duration = Duration::from_secs(10);

/// What a client hears whose session ends because it was idle.
const IDLE_FOR_PLACE: &str =
    "the session was idle, and others need its place among the connections; connect again";
const IDLE_FOR_MEMORY: &str =
    "the session was idle, and others need the memory of its statements; connect again";

/// What answers the messages of all clients.
pub struct Handlers {
    pub startup: Arc<Startup>,
    pub queries: Arc<QueryHandler>,
    pub cancel: Arc<DefaultCancelHandler>,
    pub idle: IdleSessions,
    pub body_bytes_max: usize,
    pub startup_time: Duration,
    /// For a client that takes nothing of what it is sent.
    pub stall_time: Duration,
}

type Socket = Framed<CheckedStream<MaybeTls>, PgWireMessageServerCodec<Arc<Prepared>>>;

/// Answers until the client goes, is refused, or has been idle where others need its place. Where all
/// places are full, it may ask to cancel a query, and is refused otherwise.
///
/// # Errors
/// Where the connection breaks off.
pub async fn run(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    handlers: &Handlers,
    place: &Place,
    full: Option<Full>,
) -> std::io::Result<()> {
    let started = start(stream, tls.as_ref(), handlers, place, full);
    let started = tokio::select! {
        started = tokio::time::timeout(handlers.startup_time, started) => started,
        () = place.evicted() => {
            tracing::debug!("a silent client gave its place up");
            return Ok(());
        }
    };
    let Ok(started) = started else {
        tracing::debug!("a client was not let in within the time for it");
        return Ok(());
    };
    let Some(mut socket) = started? else { return Ok(()) };
    place.heard();
    while answer_next(&mut socket, handlers, place).await? {}
    Ok(())
}

/// The connection of a client that was let in; `None` where it was not.
async fn start(
    stream: TcpStream,
    tls: Option<&TlsAcceptor>,
    handlers: &Handlers,
    place: &Place,
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

/// Reads a message and answers it; `false` where it was the last one.
async fn answer_next(
    socket: &mut Socket,
    handlers: &Handlers,
    place: &Place,
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
    places::client(key, Some(socket.socket_addr()))
}

/// The next message. Until it is there the client is idle, and an error where others need its place, or
/// the memory of what it keeps.
async fn next_session_message(
    socket: &mut Socket,
    handlers: &Handlers,
    place: &Place,
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

/// Gives the memory of what was said back: buffers stay as large as the largest row or message, and
/// clients stay for as long as they like.
fn shrink(socket: &mut Socket) {
    if socket.read_buffer().is_empty() {
        *socket.read_buffer_mut() = BytesMut::new();
    }
    if socket.write_buffer().is_empty() {
        *socket.write_buffer_mut() = BytesMut::new();
    }
    socket.get_mut().shrink();
}

/// What the client hears of an error.
///
/// # Errors
/// Where it is of the connection, so that nobody hears of it.
fn error_info(error: PgWireError) -> std::io::Result<ErrorInfo> {
    match error {
        // A message that did not pass its check is an error of the stream.
        PgWireError::IoError(error) => error.downcast::<PgWireError>().map(ErrorInfo::from),
        error => Ok(error.into()),
    }
}

/// Says why, and closes the connection; a client that does not listen is not waited for.
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
