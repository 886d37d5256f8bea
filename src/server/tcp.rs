//! TCP connections: accepted one after another, up to a limit.
//!
//! Knows no protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::net::TcpStream;

use super::ListeningSockets;
use super::connection_permits::{ConnectionPermit, ConnectionPermits, Full};

/// Concurrent connections to each SQL listener.
#[cfg(any(feature = "flight", feature = "postgres"))]
pub const SQL_CONNECTIONS_MAX: usize = 512;
/// Connections beyond the limit of a listener, for refusals and for probes.
pub const RESERVED_CONNECTIONS: usize = 16;
/// Pause after an error that is not about one connection, for instance without free descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause between two attempts to evict a client.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// TCP keepalive: idle time before the first probe, time between probes, and their number.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_TIME: Duration = Duration::from_secs(60);
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_PAUSE: Duration = Duration::from_secs(10);
#[cfg(any(target_os = "linux", target_os = "macos"))]
const ALIVE_ASKED_MAX: u32 = 6;

/// Connection and its permit.
pub struct Accepted {
    pub stream: TcpStream,
    pub client: SocketAddr,
    pub permit: ConnectionPermit,
    /// Reason why the permit is a reserved one, if it is.
    pub full: Option<Full>,
}

/// Endless stream of connections to the sockets.
///
/// If no regular permit is available, a connection gets a reserved one, from which the next client
/// evicts it. Without reserved ones the next client waits for a permit, and is turned away if its
/// network has its share.
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

/// Accepts a connection; `None` if it was turned away.
async fn accept(
    listener: &ListeningSockets,
    permits: &Arc<ConnectionPermits>,
    reserve: Option<&Arc<ConnectionPermits>>,
) -> std::io::Result<Option<Accepted>> {
    let (stream, client) = listener.accept().await?;
    // Small responses must not wait for more data.
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
                // Meanwhile a client may have become idle for long enough.
                let _ = tokio::time::timeout(FULL_PAUSE, permits.released()).await;
            }
            Full::Network => {
                tracing::debug!(%client, "a connection beyond its network's share was closed");
                return Ok(None);
            }
        }
    }
}

/// Enables TCP keepalive, so that connections of vanished clients end and release what they hold.
#[cfg(unix)]
fn keep_alive(stream: &TcpStream) {
    use rustix::net::sockopt;
    // Clients that disconnect properly need no keepalive.
    let _ = sockopt::set_socket_keepalive(stream, true);
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        let _ = sockopt::set_tcp_keepidle(stream, ALIVE_TIME);
        let _ = sockopt::set_tcp_keepintvl(stream, ALIVE_PAUSE);
        let _ = sockopt::set_tcp_keepcnt(stream, ALIVE_ASKED_MAX);
    }
}

/// Keeps the system's default.
#[cfg(not(unix))]
fn keep_alive(_: &TcpStream) {}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn silent_clients_are_evicted() {
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
    async fn connections_have_tcp_keepalive() {
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
    async fn a_client_beyond_the_permits_gets_a_reserved_one() {
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
