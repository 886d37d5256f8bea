use datafusion_postgres::pgwire::api::ConnectionManager;
use datafusion_postgres::pgwire::messages::startup::SecretKey;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::super::connection_permits::ConnectionPermits;
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

/// Reads the next message: its type, and its payload as text.
async fn heard(client: &mut TcpStream) -> (char, String) {
    let kind = client.read_u8().await.unwrap();
    let length = client.read_u32().await.unwrap() as usize - size_of::<u32>();
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await.unwrap();
    (char::from(kind), String::from_utf8_lossy(&payload).into_owned())
}

/// Skips to the next message of the type and returns its payload.
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
async fn a_client_above_the_connection_limit_gets_an_error() {
    let (_folder, service) = service();
    let handlers = super::super::handlers(service.clone());
    for (full, sentence) in
        [(Full::All, "all connections are taken"), (Full::Network, "your network has its share")]
    {
        let (mut client, stream) = connected().await;
        let place = Arc::new(ConnectionPermits::new(1)).take([127, 0, 0, 1].into()).unwrap();
        client.write_all(STARTUP).await.unwrap();
        let talk = async {
            let (kind, payload) = heard(&mut client).await;
            assert_eq!(kind, 'E');
            check_fatal(&payload, "53300", sentence);
            drop(client);
        };
        let (ran, ()) = tokio::join!(run(stream, None, &handlers, &place, Some(full)), talk);
        ran.unwrap();
    }
    service.close();
}

#[tokio::test]
async fn a_query_can_be_cancelled_while_all_connections_are_taken() {
    let (_folder, service) = service();
    let clients = Arc::new(ConnectionManager::new());
    let (handle, _guard) = clients.register(7, SecretKey::I32(9));
    let cancelled = handle.start_query().await;
    let cancel = Arc::new(DefaultCancelHandler::new(clients));
    let handlers = Handlers { cancel, ..super::super::handlers(service.clone()) };
    let (mut client, stream) = connected().await;
    let place = Arc::new(ConnectionPermits::new(1)).take([127, 0, 0, 1].into()).unwrap();
    let request = [16_i32, 80_877_102, 7, 9].map(i32::to_be_bytes).concat();
    client.write_all(&request).await.unwrap();
    run(stream, None, &handlers, &place, Some(Full::All)).await.unwrap();
    assert!(matches!(cancelled.now_or_never(), Some(Ok(()))));
    service.close();
}

#[tokio::test]
async fn an_idle_client_is_evicted_with_an_error() {
    let (_folder, service) = service();
    let handlers = super::super::handlers(service.clone());
    let places = Arc::new(ConnectionPermits::evicting_oldest(1));
    let place = places.take([127, 0, 0, 1].into()).unwrap();
    let (mut client, stream) = connected().await;
    client.write_all(STARTUP).await.unwrap();
    let talk = async {
        heard_as(&mut client, 'Z').await;
        let _next = places.take([127, 0, 0, 1].into()).unwrap();
        let payload = heard_as(&mut client, 'E').await;
        check_fatal(&payload, "57P05", "others need its place");
        drop(client);
    };
    let (ran, ()) = tokio::join!(run(stream, None, &handlers, &place, None), talk);
    ran.unwrap();
    service.close();
}

/// Prepares a small statement.
async fn prepare(client: &mut TcpStream) -> (char, String) {
    client.write_all(b"P\0\0\0\x0es\0BEGIN\0\0\0S\0\0\0\x04").await.unwrap();
    heard(client).await
}

#[tokio::test]
async fn an_idle_session_is_evicted_when_another_client_needs_its_memory() {
    let (_folder, service) = service();
    let idle = IdleSessions::new(Duration::ZERO);
    let queries = Arc::new(QueryHandler::new(service.clone(), idle.clone()));
    let handlers = Handlers { idle, queries, ..super::super::handlers(service.clone()) };
    // The budget has room for one more statement, not for two.
    let (kept, mut others) = (&service.compute.retained, Vec::new());
    let mut left = kept.bytes_max();
    for number in 0.. {
        let bytes = (left - (40 << 10)).min(left / 2);
        others.push(kept.take(Client::Key([number; 4]), bytes).unwrap());
        left -= bytes;
        if left == 40 << 10 {
            break;
        }
    }
    let places = Arc::new(ConnectionPermits::new(2));
    let place = || places.take([127, 0, 0, 1].into()).unwrap();
    let (mut first, first_stream) = connected().await;
    let (mut second, second_stream) = connected().await;
    let (first_place, second_place) = (place(), place());
    let talk = async {
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
        talk
    );
    ran.and(also_ran).unwrap();
    service.close();
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::open(folder.path().to_owned(), Settings::default()).unwrap();
    let handlers =
        Handlers { startup_time: Duration::ZERO, ..super::super::handlers(service.clone()) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, address) = listener.accept().await.unwrap();
    let place = Arc::new(ConnectionPermits::new(1)).take(address.ip()).unwrap();
    run(stream, None, &handlers, &place, None).await.unwrap();
    assert_eq!(client.peek(&mut [0]).await.unwrap(), 0);
    service.close();
}
