//! Incoming connections, plain or TLS, with limits on handshake, idle and stall times.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::super::ListeningSockets;
use super::super::connection_permits::ConnectionPermit;
use super::super::file_descriptors::connections_max;
use super::super::listener::{HEAD_TIME, IDLE_TIME};
use super::super::preface::PrefaceTimeout;
use super::super::response_tracker::ResponseTracker;
use super::super::tcp::{Accepted, SQL_CONNECTIONS_MAX, connections};

/// Concurrent handshakes: all connections, and one that replaces an evicted one.
const HANDSHAKES_MAX: usize = SQL_CONNECTIONS_MAX + 1;

trait Transport: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Transport for S {}

pub struct Connection {
    stream: Pin<Box<dyn Transport>>,
    peer: Peer,
    /// Completes when the connection must be closed; `None` afterwards.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Remote end of a connection; an extension of each of its calls.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    pub pace: ResponseTracker,
}

/// Stream of accepted connections, after their handshakes.
pub fn incoming(
    listener: ListeningSockets,
    tls: Option<TlsAcceptor>,
    stall_time: Duration,
) -> impl Stream<Item = std::io::Result<Connection>> {
    connections(listener, connections_max(SQL_CONNECTIONS_MAX), 0)
        .map(move |accepted| open(accepted, tls.clone(), stall_time))
        .buffer_unordered(HANDSHAKES_MAX)
        .filter_map(|opened| async { opened.map(Ok) })
}

async fn open(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    stall_time: Duration,
) -> Option<Connection> {
    let Accepted { stream, client: address, permit: place, .. } = accepted;
    let stream: Pin<Box<dyn Transport>> = match tls {
        None => Box::pin(PrefaceTimeout::new(HEAD_TIME, stream)),
        Some(tls) => {
            Box::pin(PrefaceTimeout::new(HEAD_TIME, tls_handshake(&tls, stream, &place).await?))
        }
    };
    let pace = ResponseTracker::new(Arc::new(place));
    Some(Connection::new(stream, Peer { address, pace }, IDLE_TIME, stall_time))
}

async fn tls_handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    place: &ConnectionPermit,
) -> Option<TlsStream<TcpStream>> {
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(HEAD_TIME, tls.accept(stream)) => accepted,
        () = place.evicted() => {
            tracing::debug!("a silent client was evicted");
            return None;
        }
    };
    match accepted {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

impl Connection {
    /// Creates a connection that is aborted when evicted for another client, when its client reads
    /// nothing of an answer for `stall_time`, and after `idle_time` without a call.
    fn new(
        stream: Pin<Box<dyn Transport>>,
        peer: Peer,
        idle_time: Duration,
        stall_time: Duration,
    ) -> Self {
        let pace = peer.pace.clone();
        let end = async move {
            tokio::select! {
                () = pace.evicted() => tracing::debug!("a silent client was evicted"),
                () = pace.stalled(stall_time) => tracing::debug!("a client did not read its answer"),
                () = pace.idle_for(idle_time) => tracing::debug!("a connection was idle"),
            }
        };
        Self { stream, peer, end: Some(Box::pin(end)) }
    }

    /// Passes `polled` on; an error if it is pending and the connection must be closed.
    fn unless_ended<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        if polled.is_pending()
            && self.end.as_mut().is_none_or(|end| end.as_mut().poll(context).is_ready())
        {
            self.end = None;
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
        }
        polled
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = self.stream.as_mut().poll_read(context, buffer);
        self.unless_ended(context, read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = self.stream.as_mut().poll_write(context, bytes);
        self.unless_ended(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = self.stream.as_mut().poll_write_vectored(context, slices);
        self.unless_ended(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let flushed = self.stream.as_mut().poll_flush(context);
        self.unless_ended(context, flushed)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::super::connection_permits::ConnectionPermits;
    use super::*;

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_frees_its_slot() {
        let places = Arc::new(ConnectionPermits::new(1));
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let place = places.take(address.ip()).ok().unwrap();
        place.heard();
        let peer = Peer { address, pace: ResponseTracker::new(Arc::new(place)) };
        let (mut client, server) = tokio::io::duplex(64);
        let mut connection = Connection::new(Box::pin(server), peer, Duration::ZERO, HEAD_TIME);
        client.write_all(b"PRI").await.unwrap();
        let mut received = Vec::new();
        let ended = connection.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionAborted);
        assert_eq!(received, b"PRI");
        assert!(places.take(address.ip()).is_err());
        drop(connection);
        assert!(places.take(address.ip()).is_ok());
    }
}
