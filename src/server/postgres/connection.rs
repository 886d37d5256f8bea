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
use super::answer::Answers;
use super::checked::{Checked, LINGER_TIME, hang_up};
use super::failure::fatal;
use super::frames::Phase;
use super::idle::IdleSessions;
use super::kept;
use super::negotiation::{Negotiated, negotiate};
use super::prepared::Prepared;
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
    pub answers: Arc<Answers>,
    pub cancel: Arc<DefaultCancelHandler>,
    pub idle: IdleSessions,
    pub body_bytes_max: usize,
    pub startup_time: Duration,
    /// For a client that takes nothing of what it is sent.
    pub stall_time: Duration,
}

type Socket = Framed<Checked<MaybeTls>, PgWireMessageServerCodec<Arc<Prepared>>>;

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
    let stream = Checked::new(stream, &read, handlers.body_bytes_max, handlers.stall_time);
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
        Phase::Session => next_of_session(socket, handlers, place).await,
        _ => socket.next().await,
    };
    let message = match next {
        None | Some(Ok(Message::Terminate(_))) => return Ok(false),
        Some(Ok(message)) => message,
        Some(Err(error)) => return refuse(socket, told(error)?).await,
    };
    let is_extended = message.is_extended_query();
    let is_last = matches!(message, Message::CancelRequest(_));
    let client = client(socket);
    let answered = process_message(
        message,
        socket,
        Arc::clone(&handlers.startup),
        Arc::clone(&handlers.answers),
        Arc::clone(&handlers.answers),
        Arc::new(NoopHandler),
        Arc::clone(&handlers.cancel),
    );
    let Err(error) = client.asks(answered).await else { return Ok(!is_last) };
    let told = told(error)?;
    if told.is_fatal() || phase != Phase::Session {
        return refuse(socket, told).await;
    }
    process_error(socket, PgWireError::UserError(Box::new(told)), is_extended).await?;
    Ok(true)
}

fn client(socket: &Socket) -> Client {
    let key = socket.session_extensions().get::<Pass>().map(|pass| pass.key());
    places::client(key, Some(socket.socket_addr()))
}

/// The next message. Until it is there the client is idle, and an error where others need its place, or
/// the memory of what it keeps.
async fn next_of_session(
    socket: &mut Socket,
    handlers: &Handlers,
    place: &Place,
) -> Option<PgWireResult<Message>> {
    place.idle();
    shrink(socket);
    let mut idle = kept::is_any(socket).then(|| handlers.idle.enter(client(socket)));
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
            kept::forget_all(socket);
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
fn told(error: PgWireError) -> std::io::Result<ErrorInfo> {
    match error {
        // A message that did not pass its check is an error of the stream.
        PgWireError::IoError(error) => error.downcast::<PgWireError>().map(ErrorInfo::from),
        error => Ok(error.into()),
    }
}

/// Says why, and closes the connection; a client that does not listen is not waited for.
async fn refuse(socket: &mut Socket, told: ErrorInfo) -> std::io::Result<bool> {
    let said = socket.send(PgWireBackendMessage::ErrorResponse(told.into()));
    if let Ok(said) = tokio::time::timeout(LINGER_TIME, said).await {
        said?;
        hang_up(socket.get_mut().stream_mut()).await;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use datafusion_postgres::pgwire::api::ConnectionManager;
    use datafusion_postgres::pgwire::messages::startup::SecretKey;
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::super::places::Places;
    use super::super::super::{Service, Settings};
    use super::*;

    /// The startup message of a user without a database.
    const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";

    /// Both ends of a connection.
    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    fn service() -> (tempfile::TempDir, Service) {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(folder.path().to_owned(), Settings::default()).unwrap();
        (folder, service)
    }

    /// The next message: its type, and its payload as text.
    async fn heard(client: &mut TcpStream) -> (char, String) {
        let kind = client.read_u8().await.unwrap();
        let length = client.read_u32().await.unwrap() as usize - size_of::<u32>();
        let mut payload = vec![0; length];
        client.read_exact(&mut payload).await.unwrap();
        (char::from(kind), String::from_utf8_lossy(&payload).into_owned())
    }

    /// The payload of the next message of the type.
    async fn heard_as(client: &mut TcpStream, kind: char) -> String {
        loop {
            let (heard, payload) = heard(client).await;
            if heard == kind {
                return payload;
            }
        }
    }

    #[track_caller]
    fn check_fatal(payload: &str, code: &str, sentence: &str) {
        assert!(payload.contains("FATAL") && payload.contains(code), "{payload}");
        assert!(payload.contains(sentence), "{payload}");
    }

    #[tokio::test]
    async fn a_client_without_a_place_hears_why() {
        let (_folder, service) = service();
        let handlers = super::super::handlers(service.clone());
        for (full, sentence) in [
            (Full::All, "all connections are taken"),
            (Full::Network, "your network has its share"),
        ] {
            let (mut client, stream) = connected().await;
            let place = Arc::new(Places::new(1)).take([127, 0, 0, 1].into()).unwrap();
            client.write_all(STARTUP).await.unwrap();
            let told = async {
                let (kind, payload) = heard(&mut client).await;
                assert_eq!(kind, 'E');
                check_fatal(&payload, "53300", sentence);
                drop(client);
            };
            let (ran, ()) = tokio::join!(run(stream, None, &handlers, &place, Some(full)), told);
            ran.unwrap();
        }
        service.close();
    }

    #[tokio::test]
    async fn a_query_can_be_cancelled_where_all_places_are_taken() {
        let (_folder, service) = service();
        let clients = Arc::new(ConnectionManager::new());
        let (handle, _guard) = clients.register(7, SecretKey::I32(9));
        let cancelled = handle.start_query().await;
        let cancel = Arc::new(DefaultCancelHandler::new(clients));
        let handlers = Handlers { cancel, ..super::super::handlers(service.clone()) };
        let (mut client, stream) = connected().await;
        let place = Arc::new(Places::new(1)).take([127, 0, 0, 1].into()).unwrap();
        let request = [16_i32, 80_877_102, 7, 9].map(i32::to_be_bytes).concat();
        client.write_all(&request).await.unwrap();
        run(stream, None, &handlers, &place, Some(Full::All)).await.unwrap();
        assert!(matches!(cancelled.now_or_never(), Some(Ok(()))));
        service.close();
    }

    #[tokio::test]
    async fn an_idle_client_whose_place_another_needs_hears_so() {
        let (_folder, service) = service();
        let handlers = super::super::handlers(service.clone());
        let places = Arc::new(Places::yielding(1));
        let place = places.take([127, 0, 0, 1].into()).unwrap();
        let (mut client, stream) = connected().await;
        client.write_all(STARTUP).await.unwrap();
        let told = async {
            heard_as(&mut client, 'Z').await;
            let _next = places.take([127, 0, 0, 1].into()).unwrap();
            let payload = heard_as(&mut client, 'E').await;
            check_fatal(&payload, "57P05", "others need its place");
            drop(client);
        };
        let (ran, ()) = tokio::join!(run(stream, None, &handlers, &place, None), told);
        ran.unwrap();
        service.close();
    }

    /// Prepares a statement that keeps little.
    async fn prepare(client: &mut TcpStream) -> (char, String) {
        client.write_all(b"P\0\0\0\x0es\0BEGIN\0\0\0S\0\0\0\x04").await.unwrap();
        heard(client).await
    }

    #[tokio::test]
    async fn an_idle_session_ends_where_another_client_needs_the_memory_of_its_statements() {
        let (_folder, service) = service();
        let idle = IdleSessions::new(Duration::ZERO);
        let answers = Arc::new(Answers::new(service.clone(), idle.clone()));
        let handlers = Handlers { idle, answers, ..super::super::handlers(service.clone()) };
        // Others leave room for one statement and not for two.
        let (kept, mut others) = (&service.work.kept, Vec::new());
        let mut left = kept.bytes_max();
        for number in 0.. {
            let bytes = (left - (40 << 10)).min(left / 2);
            others.push(kept.take(Client::Key([number; 4]), bytes).unwrap());
            left -= bytes;
            if left == 40 << 10 {
                break;
            }
        }
        let places = Arc::new(Places::new(2));
        let place = || places.take([127, 0, 0, 1].into()).unwrap();
        let (mut first, first_stream) = connected().await;
        let (mut second, second_stream) = connected().await;
        let (first_place, second_place) = (place(), place());
        let told = async {
            first.write_all(STARTUP).await.unwrap();
            heard_as(&mut first, 'Z').await;
            assert_eq!(prepare(&mut first).await.0, '1');
            heard_as(&mut first, 'Z').await;
            second.write_all(STARTUP).await.unwrap();
            heard_as(&mut second, 'Z').await;
            let (kind, payload) = prepare(&mut second).await;
            assert_eq!(kind, '1', "{payload}");
            check_fatal(&heard_as(&mut first, 'E').await, "57P05", "the memory of its statements");
            drop((first, second));
        };
        let (ran, also_ran, ()) = tokio::join!(
            run(first_stream, None, &handlers, &first_place, None),
            run(second_stream, None, &handlers, &second_place, None),
            told
        );
        ran.and(also_ran).unwrap();
        service.close();
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(folder.path().to_owned(), Settings::default()).unwrap();
        let handlers =
            Handlers { startup_time: Duration::ZERO, ..super::super::handlers(service.clone()) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let place = Arc::new(Places::new(1)).take(address.ip()).unwrap();
        run(stream, None, &handlers, &place, None).await.unwrap();
        assert_eq!(client.peek(&mut [0]).await.unwrap(), 0);
        service.close();
    }
}
