//! Connections: accepted one after another, a limited number at once.
//!
//! Knows nothing of what is spoken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::net::TcpStream;

use super::Bound;
use super::places::{Full, Place, Places};

/// Connections at once to each listener for those who ask in SQL.
#[cfg(any(feature = "flight", feature = "postgres"))]
pub const SQL_CONNECTIONS_MAX: usize = 512;
/// After a failure that is not one connection's own, as where files are used up.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection, and its place among them.
pub struct Accepted {
    pub stream: TcpStream,
    pub client: SocketAddr,
    pub place: Place,
}

/// Every connection to the listening sockets, without an end.
///
/// Where all places are taken by clients that were heard, the next client waits for one of them to
/// go; a client whose network has its share of places is turned away.
pub fn connections(listener: Bound, connections_max: usize) -> impl Stream<Item = Accepted> {
    let places = Arc::new(Places::new(connections_max));
    futures::stream::unfold((listener, places), |(listener, places)| async move {
        loop {
            match accept(&listener, &places).await {
                Ok(Some(accepted)) => return Some((accepted, (listener, places))),
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
async fn accept(listener: &Bound, places: &Arc<Places>) -> std::io::Result<Option<Accepted>> {
    let (stream, client) = listener.accept().await?;
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    loop {
        match places.take(client.ip()) {
            Ok(place) => return Ok(Some(Accepted { stream, client, place })),
            Err(Full::All) => places.freed().await,
            Err(Full::Network) => {
                tracing::debug!(%client, "a connection beyond its network's share was closed");
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn clients_that_say_nothing_keep_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = std::pin::pin!(connections(listener.into(), 2));
        let (mut clients, mut places) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
            places.push(accepted.next().await.unwrap().place);
        }
        places[0].evicted().await;
    }
}
