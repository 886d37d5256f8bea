//! Connections for those who ask in SQL: accepted one after another, a limited number at once.
//!
//! Knows nothing of what is spoken.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Bound;

/// Connections at once, of each listener; whoever finds no room waits outside.
const CONNECTIONS_MAX: usize = 512;
/// After a failure that is not one connection's own, as where files are used up.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection, and its place among them.
pub struct Accepted {
    pub stream: TcpStream,
    #[cfg_attr(not(feature = "flight"), allow(dead_code))]
    pub client: SocketAddr,
    pub place: OwnedSemaphorePermit,
}

/// Every connection to the listening sockets, without an end.
pub fn connections(listener: Bound) -> impl Stream<Item = Accepted> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    futures::stream::unfold((listener, room), |(listener, room)| async {
        loop {
            match accept(&listener, &room).await {
                Ok(accepted) => return Some((accepted, (listener, room))),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

async fn accept(listener: &Bound, room: &Arc<Semaphore>) -> std::io::Result<Accepted> {
    let place = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    Ok(Accepted { stream, client, place })
}
