//! Connections: accepted, plain or with TLS, until it is time to stop, and then let go gently.
//!
//! Knows nothing of what is answered. What hyper refuses before it is a request here, it answers by
//! itself with a status and no body, and offers no way to say more: what is no HTTP (400), a head
//! over 256 KiB or with more than 512 fields (431), a target of 64 KiB (414). The limits of the
//! service are closer, so that only what is far beyond them is answered so.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use warp::filters::BoxedFilter;
use warp::http::Request;
use warp::hyper::body::Incoming;
use warp::hyper::service::{Service, service_fn};
use warp::reply::Response as Reply;

use super::Bound;
use super::accept::{Accepted, connections};
use super::places::Place;

const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take over a handshake, over the first bytes that tell HTTP/1 from HTTP/2,
/// over the head of a request of HTTP/1, and over the answer to a ping of HTTP/2.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Between two pings that ask whether a client of HTTP/2 is there still.
const PING_PAUSE: Duration = Duration::from_secs(30);
/// Without a request, after which a client is asked to come again when it has one.
const IDLE_TIME: Duration = Duration::from_secs(120);
/// What a head may take up before it is read at all; the service has closer limits of its own.
const HEAD_BYTES_MAX: usize = 256 << 10;
const HEAD_FIELDS_MAX: usize = 512;

/// Accepts until the end of `stop`; then lets what was begun be finished, within the time.
pub async fn serve(
    listener: Bound,
    tls: Option<TlsAcceptor>,
    filter: BoxedFilter<(Reply,)>,
    stop: impl Future<Output = ()>,
    drain_time: Duration,
) {
    let (stopping, _) = watch::channel(());
    let mut accepted = Box::pin(connections(listener, CONNECTIONS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let Accepted { stream, client, place } = tokio::select! {
            Some(accepted) = accepted.next() => accepted,
            () = &mut stop => break,
        };
        let (filter, stopping) = (filter.clone(), stopping.subscribe());
        let place = Arc::new(place);
        let connection = Connection { client, filter, stopping, idle_time: IDLE_TIME, place };
        tokio::spawn(connection.run(stream, tls.clone()));
    }
    // Nobody is kept waiting who would not be answered any more.
    drop(accepted);
    stopping.send_replace(());
    if tokio::time::timeout(drain_time, stopping.closed()).await.is_err() {
        tracing::warn!("some requests were not answered before the server stopped");
    }
}

struct Connection {
    /// Told to the filter as an extension of each request.
    client: SocketAddr,
    filter: BoxedFilter<(Reply,)>,
    /// Changes when it is time to stop, and is held until the connection has ended.
    stopping: watch::Receiver<()>,
    idle_time: Duration,
    place: Arc<Place>,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let evicted = self.place.evicted();
        tokio::select! {
            () = self.open(stream, tls) => {}
            () = evicted => tracing::debug!("a silent client gave its place up"),
        }
    }

    async fn open(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.talk(stream).await };
        match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.talk(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn talk<S>(mut self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(warp::service(self.filter.clone()));
        let (asked, is_asked) = watch::channel(0);
        let (client, place) = (self.client, Arc::clone(&self.place));
        let service = service_fn(move |mut request: Request<Incoming>| {
            place.heard();
            request.extensions_mut().insert(client);
            let asked = Asked::counted_by(&asked);
            let answer = service.call(request);
            async move {
                let _asked = asked;
                answer.await
            }
        });
        let stream = TokioIo::new(Opening::within(HEAD_TIME, stream));
        let builder = builder();
        let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
        let mut idle = std::pin::pin!(idle_for(self.idle_time, is_asked));
        let mut goes_on = true;
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                _ = self.stopping.changed(), if goes_on => {}
                () = idle.as_mut(), if goes_on => {}
            }
            // What was begun is finished.
            goes_on = false;
            connection.as_mut().graceful_shutdown();
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEAD_FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_PAUSE)
        .keep_alive_timeout(HEAD_TIME)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

/// A request that is being answered.
struct Asked(watch::Sender<usize>);

impl Asked {
    fn counted_by(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Ends when so long a time has passed without a request.
async fn idle_for(time: Duration, mut asked: watch::Receiver<usize>) {
    while asked.wait_for(|count| *count == 0).await.is_ok() {
        if tokio::time::timeout(time, asked.changed()).await.is_err() {
            return;
        }
    }
    // Nobody counts any more: the connection is about to end.
    std::future::pending().await
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
    use super::super::places::Places;
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
    async fn time_is_idle_only_without_a_request() {
        let (count, counted) = watch::channel(0);
        let (first, second) = (Asked::counted_by(&count), Asked::counted_by(&count));
        let mut idle = std::pin::pin!(idle_for(Duration::ZERO, counted));
        let mut is_idle = async || {
            // As long as it takes a timer that is due.
            let due = tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>());
            tokio::select! { () = idle.as_mut() => true, _ = due => false }
        };
        assert!(!is_idle().await);
        drop(first);
        assert!(!is_idle().await);
        drop(second);
        idle.await;
    }

    /// What a client of HTTP/2 hears that answers every ping and asks for nothing: types of frames.
    fn heard_by_an_idle_client(address: std::net::SocketAddr) -> Vec<u8> {
        use std::io::{Read, Write};
        const SETTINGS: u8 = 4;
        const PING: u8 = 6;
        const ACK: u8 = 1;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let frame = |kind, flags, payload: &[u8]| {
            let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 0];
            [&head, payload].concat()
        };
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, &[])].concat()).unwrap();
        let (mut heard, mut head) = (Vec::new(), [0; 9]);
        while stream.read_exact(&mut head).is_ok() {
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).unwrap();
            heard.push(head[3]);
            if head[4] & ACK == 0 && [SETTINGS, PING].contains(&head[3]) {
                let payload = if head[3] == PING { payload.as_slice() } else { &[] };
                // It may have hung up by now.
                let _ = stream.write_all(&frame(head[3], ACK, payload));
            }
        }
        heard
    }

    #[tokio::test]
    async fn an_idle_client_is_asked_to_come_again() {
        use warp::Filter;
        const GO_AWAY: u8 = 7;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::task::spawn_blocking(move || heard_by_an_idle_client(address));
        let (stream, client) = listener.accept().await.unwrap();
        let (_stop, stopping) = watch::channel(());
        let places = Arc::new(Places::new(1));
        let place = Arc::new(places.take(address.ip()).ok().unwrap());
        let filter = warp::any().map(Reply::default).boxed();
        let idle_time = Duration::from_millis(100);
        Connection { client, filter, stopping, idle_time, place }.run(stream, None).await;
        let heard = heard.await.unwrap();
        assert!(heard.contains(&GO_AWAY), "{heard:?}");
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
