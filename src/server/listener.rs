//! Connections: accepted, plain or with TLS, until it is time to stop, and then let go gently.
//!
//! Knows nothing of what is answered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use warp::filters::BoxedFilter;
use warp::reply::Response as Reply;

const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take over a handshake, over the first bytes that tell HTTP/1 from HTTP/2,
/// over the head of a request of HTTP/1, and over the answer to a ping of HTTP/2.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Between two pings that ask whether a client of HTTP/2 is there still.
const PING_PAUSE: Duration = Duration::from_secs(30);
/// What a head may take up before it is read at all; the service has a closer limit of its own.
const HEAD_BYTES_MAX: usize = 256 << 10;
/// After a failure that is not one connection's own, as where files are used up.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the end of `stop`; then lets what was begun be finished, within the time.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    filter: BoxedFilter<(Reply,)>,
    stop: impl Future<Output = ()>,
    drain_time: Duration,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            // Whoever finds no room waits outside.
            let place = Arc::clone(&room).acquire_owned().await.map_err(std::io::Error::other)?;
            let (stream, _) = listener.accept().await?;
            Ok::<_, std::io::Error>((stream, place))
        };
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = Connection { filter: filter.clone(), _place: place };
                tokio::spawn(connection.run(stream, tls.clone(), graceful.watcher()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered before the server stopped");
    }
}

struct Connection {
    filter: BoxedFilter<(Reply,)>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>, watcher: Watcher) {
        // Small answers must not wait for more to send.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.talk(stream, watcher).await };
        match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.talk(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn talk<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_PAUSE)
            .keep_alive_timeout(HEAD_TIME)
            .max_header_list_size(HEAD_BYTES_MAX as u32);
        let service = TowerToHyperService::new(warp::service(self.filter.clone()));
        let stream = Opening::within(HEAD_TIME, stream);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}

/// What a client of HTTP/2 says first, whatever it wants.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose first bytes must come in time: until they tell HTTP/1 from HTTP/2, nobody else
/// looks at the clock.
struct Opening<S> {
    stream: S,
    /// `None` once they are there.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that were read.
    read: usize,
}

impl<S> Opening<S> {
    fn within(time: Duration, stream: S) -> Self {
        Self { stream, deadline: Some(Box::pin(tokio::time::sleep(time))), read: 0 }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let expected = &PREFACE[self.read..];
        let is_preface = expected.iter().zip(bytes).all(|(expected, byte)| expected == byte);
        self.read += bytes.len().min(expected.len());
        if !is_preface || self.read == PREFACE.len() {
            self.deadline = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(deadline) = &mut self.deadline else { return read };
        if read.is_pending() {
            let late = || Err(std::io::ErrorKind::TimedOut.into());
            return deadline.as_mut().poll(context).map(|()| late());
        }
        self.look_at(&buffer.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that says something and then nothing more, without going away.
    struct Silent<'a>(&'a [u8]);

    impl AsyncRead for Silent<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            // In two parts, wherever they are cut.
            let (part, rest) = self.0.split_at(self.0.len().div_ceil(2));
            buffer.put_slice(part);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// Reads what the client said, and once more; whether that is cut off where no time is left.
    async fn is_cut_off(said: &[u8]) -> bool {
        let mut opening = Opening::within(Duration::ZERO, Silent(said));
        std::future::poll_fn(|context| {
            let mut bytes = [0; 64];
            loop {
                let mut buffer = ReadBuf::new(&mut bytes);
                match Pin::new(&mut opening).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                        return Poll::Ready(true);
                    }
                    Poll::Pending if opening.deadline.is_none() => return Poll::Ready(false),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn a_client_that_does_not_say_what_it_speaks_is_cut_off() {
        assert!(is_cut_off(b"").await);
        assert!(is_cut_off(&PREFACE[..1]).await);
        assert!(is_cut_off(&PREFACE[..PREFACE.len() - 1]).await);
        assert!(!is_cut_off(PREFACE).await);
        assert!(!is_cut_off(&[PREFACE, b"more"].concat()).await);
        assert!(!is_cut_off(b"G").await);
        assert!(!is_cut_off(b"PRINT / HTTP/1.1").await);
    }
}
