//! Connections of Arrow clients, plain or with TLS, ready to be spoken on.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::super::Bound;
use super::super::accept::{Accepted, SQL_CONNECTIONS_MAX, connections};
use super::super::places::Place;

/// How long a client may take over a handshake of TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);
/// Handshakes at once: all clients, and one that takes the place of another.
const HANDSHAKES_MAX: usize = SQL_CONNECTIONS_MAX + 1;

trait Speaks: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Speaks for S {}

pub struct Connection {
    stream: Pin<Box<dyn Speaks>>,
    client: SocketAddr,
    place: Place,
    /// `None` once the client was heard.
    evicted: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Every connection of a listener that came through its handshake.
pub fn opened(
    listener: Bound,
    tls: Option<TlsAcceptor>,
) -> impl Stream<Item = std::io::Result<Connection>> {
    connections(listener, SQL_CONNECTIONS_MAX)
        .map(move |accepted| open(accepted, tls.clone()))
        .buffer_unordered(HANDSHAKES_MAX)
        .filter_map(|opened| async { opened.map(Ok) })
}

async fn open(accepted: Accepted, tls: Option<TlsAcceptor>) -> Option<Connection> {
    let Accepted { stream, client, place } = accepted;
    let stream: Pin<Box<dyn Speaks>> = match tls {
        None => Box::pin(stream),
        Some(tls) => Box::pin(handshake(&tls, stream, &place).await?),
    };
    let evicted = Some(Box::pin(place.evicted()) as Pin<Box<dyn Future<Output = ()> + Send>>);
    Some(Connection { stream, client, place, evicted })
}

async fn handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    place: &Place,
) -> Option<TlsStream<TcpStream>> {
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)) => shaken,
        () = place.evicted() => {
            tracing::debug!("a silent client gave its place up");
            return None;
        }
    };
    match shaken {
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

impl Connected for Connection {
    type ConnectInfo = SocketAddr;

    /// Each call has it as an extension.
    fn connect_info(&self) -> SocketAddr {
        self.client
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = self.stream.as_mut().poll_read(context, buffer);
        let Some(evicted) = &mut self.evicted else { return read };
        if read.is_pending() {
            let aborted = || Err(std::io::ErrorKind::ConnectionAborted.into());
            return evicted.as_mut().poll(context).map(|()| aborted());
        }
        self.place.heard();
        self.evicted = None;
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
