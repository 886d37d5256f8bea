//! Connections of Arrow clients, plain or with TLS, ready to be spoken on.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use super::super::Bound;
use super::super::accept::{Accepted, connections};

/// How long a client may take over a handshake of TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);
/// Handshakes at once.
const HANDSHAKES_MAX: usize = 64;

trait Speaks: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Speaks for S {}

pub struct Connection {
    stream: Pin<Box<dyn Speaks>>,
    client: SocketAddr,
    _place: OwnedSemaphorePermit,
}

/// Every connection of a listener that came through its handshake.
pub fn opened(
    listener: Bound,
    tls: Option<TlsAcceptor>,
) -> impl Stream<Item = std::io::Result<Connection>> {
    connections(listener)
        .map(move |accepted| open(accepted, tls.clone()))
        .buffer_unordered(HANDSHAKES_MAX)
        .filter_map(|opened| async { opened.map(Ok) })
}

async fn open(accepted: Accepted, tls: Option<TlsAcceptor>) -> Option<Connection> {
    let Accepted { stream, client, place } = accepted;
    let stream: Pin<Box<dyn Speaks>> = match tls {
        None => Box::pin(stream),
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => Box::pin(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                return None;
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                return None;
            }
        },
    };
    Some(Connection { stream, client, _place: place })
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
        self.stream.as_mut().poll_read(context, buffer)
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
