//! Connections: accepted one after another, a limited number at once.
//!
//! Knows nothing of what is spoken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::net::TcpStream;

use super::ListeningSockets;
use super::connection_permits::{ConnectionPermit, ConnectionPermits, Full};

/// Connections at once to each listener for those who ask in SQL.
#[cfg(any(feature = "flight", feature = "postgres"))]
pub const SQL_CONNECTIONS_MAX: usize = 512;
/// Connections beside those of a listener, for clients that are asked to come again and for those who
/// may be heard however many others are there.
pub const RESERVED_CONNECTIONS: usize = 16;
/// After a failure that is not one connection's own, as where files are used up.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two looks for a client that has to give its place up.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// How long a client says nothing before the system asks whether it is there, how long it waits for an
/// answer, and how often it asks.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_TIME: Duration = Duration::from_secs(60);
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_PAUSE: Duration = Duration::from_secs(10);
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_ASKED_MAX: u32 = 6;

/// A connection, and its place among them.
pub struct Accepted {
    pub stream: TcpStream,
    pub client: SocketAddr,
    pub permit: ConnectionPermit,
    /// Why the place is one of the reserve, where it is.
    pub full: Option<Full>,
}

/// Every connection to the listening sockets, without an end.
///
/// Where all places are taken by clients that were heard, or those of the client's network are, it
/// has a place of the reserve, from which the next one pushes it out. Without a reserve the next
/// client waits for a place, and one whose network has its share is turned away.
pub fn connections(
    listener: ListeningSockets,
    connections_max: usize,
    reserve: usize,
) -> impl Stream<Item = Accepted> {
    let permits = Arc::new(ConnectionPermits::new(connections_max));
    let reserve = (reserve > 0).then(|| Arc::new(ConnectionPermits::evicting_oldest(reserve)));
    let door = (listener, permits, reserve);
    futures::stream::unfold(door, |(listener, permits, reserve)| async move {
        loop {
            match accept(&listener, &permits, reserve.as_ref()).await {
                Ok(Some(accepted)) => return Some((accepted, (listener, permits, reserve))),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

/// The next connection; `None` for one that is turned away.
async fn accept(
    listener: &ListeningSockets,
    permits: &Arc<ConnectionPermits>,
    reserve: Option<&Arc<ConnectionPermits>>,
) -> std::io::Result<Option<Accepted>> {
    let (stream, client) = listener.accept().await?;
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    keep_alive(&stream);
    loop {
        let full = match permits.take(client.ip()) {
            Ok(permit) => return Ok(Some(Accepted { stream, client, permit, full: None })),
            Err(full) => full,
        };
        if let Some(Ok(permit)) = reserve.map(|reserve| reserve.take(client.ip())) {
            return Ok(Some(Accepted { stream, client, permit, full: Some(full) }));
        }
        match full {
            Full::All => {
                // Meanwhile somebody may have been idle for long enough.
                let _ = tokio::time::timeout(FULL_PAUSE, permits.released()).await;
            }
            Full::Network => {
                tracing::debug!(%client, "a connection beyond its network's share was closed");
                return Ok(None);
            }
        }
    }
}

/// Has the system find out that a client has gone without a word, as one whose machine was shut does:
/// its connection ends, with all that was kept for it.
#[cfg(unix)]
fn keep_alive(stream: &TcpStream) {
    use rustix::net::sockopt;
    // Without it the connection is as good as any, for a client that goes as it should.
    let _ = sockopt::set_socket_keepalive(stream, true);
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        let _ = sockopt::set_tcp_keepidle(stream, ALIVE_TIME);
        let _ = sockopt::set_tcp_keepintvl(stream, ALIVE_PAUSE);
        let _ = sockopt::set_tcp_keepcnt(stream, ALIVE_ASKED_MAX);
    }
}

/// The system's own time holds.
#[cfg(not(unix))]
fn keep_alive(_: &TcpStream) {}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn clients_that_say_nothing_keep_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = std::pin::pin!(connections(listener.into(), 2, 0));
        let (mut clients, mut permits) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
            permits.push(accepted.next().await.unwrap().permit);
        }
        permits[0].evicted().await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_system_asks_whether_a_client_is_there_still() {
        use rustix::net::sockopt;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = std::pin::pin!(connections(listener.into(), 1, 0));
        let _client = TcpStream::connect(address).await.unwrap();
        let stream = accepted.next().await.unwrap().stream;
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), ALIVE_TIME);
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_has_one_of_the_reserve() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = std::pin::pin!(connections(listener.into(), 1, 1));
        let (mut clients, mut all) = (Vec::new(), Vec::new());
        for full in [None, Some(Full::All), Some(Full::All)] {
            clients.push(TcpStream::connect(address).await.unwrap());
            let next = accepted.next().await.unwrap();
            assert_eq!(next.full, full);
            next.permit.heard();
            all.push(next.permit);
        }
        all[1].evicted().await;
    }
}
