//! HTTP connections: accepted, plain or with TLS, and closed gracefully on shutdown.
//!
//! Knows nothing of responses. hyper answers what is not a valid request by itself, with a status
//! and without a body: no HTTP (400), a head over 256 KiB or with more than 512 fields (431), a
//! target of 64 KiB (414). The limits of the service are tighter, so that only requests far beyond
//! them get such answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use warp::filters::BoxedFilter;
use warp::http::{Request, Uri};
use warp::hyper::body::Incoming;
use warp::hyper::service::{Service, service_fn};
use warp::reply::Response as Reply;

use super::ListeningSockets;
use super::budget::Share;
use super::connection_permits::{ConnectionPermit, Full};
use super::file_descriptors::connections_max;
use super::preface::PrefaceTimeout;
use super::response_tracker::ResponseTracker;
use super::tcp::{Accepted, RESERVED_CONNECTIONS, connections};

const CONNECTIONS_MAX: usize = 4096;
/// Time limit for a handshake, for the first bytes that tell HTTP/1 from HTTP/2, for the head of an
/// HTTP/1 request, and for the answer to an HTTP/2 ping.
pub const HEAD_TIME: Duration = Duration::from_secs(15);
/// Pause between two HTTP/2 pings.
pub const PING_PAUSE: Duration = Duration::from_secs(30);
/// Time without a request after which the connection is closed.
pub const IDLE_TIME: Duration = Duration::from_secs(120);
/// Largest head that is read at all; the service has tighter limits.
const HEAD_BYTES_MAX: usize = 256 << 10;
const HEAD_FIELDS_MAX: usize = 512;
/// Concurrent requests on a connection; HTTP/2 clients queue further ones.
const REQUESTS_MAX: u32 = 32;

/// Time limits for connections of a listener.
#[derive(Clone, Copy)]
pub struct Times {
    /// From the signal to stop until the end.
    pub drain: Duration,
    /// Without a request.
    pub idle: Duration,
    /// Without progress of any response.
    pub stall: Duration,
}

/// Accepts connections until `stop` completes; then requests in flight may finish in time.
pub async fn serve(
    listener: ListeningSockets,
    tls: Option<TlsAcceptor>,
    filter: BoxedFilter<(Reply,)>,
    stop: impl Future<Output = ()>,
    times: Times,
) {
    let (stopping, _) = watch::channel(());
    let mut accepted = Box::pin(connections(
        listener,
        connections_max(CONNECTIONS_MAX),
        connections_max(RESERVED_CONNECTIONS),
    ));
    let mut stop = std::pin::pin!(stop);
    loop {
        let Accepted { stream, client, permit, full } = tokio::select! {
            Some(accepted) = accepted.next() => accepted,
            () = &mut stop => break,
        };
        let (filter, stopping) = (filter.clone(), stopping.subscribe());
        let permit = Arc::new(permit);
        let connection = Connection { client, filter, stopping, times, permit, full };
        tokio::spawn(connection.run(stream, tls.clone()));
    }
    // Closes the sockets, so that new clients are refused at once.
    drop(accepted);
    stopping.send_replace(());
    if tokio::time::timeout(times.drain, stopping.closed()).await.is_err() {
        tracing::warn!("some requests were not answered before the server stopped");
    }
}

struct Connection {
    /// Passed to the filter as an extension of each request.
    client: SocketAddr,
    filter: BoxedFilter<(Reply,)>,
    /// Changes when it is time to stop; held until the connection has ended.
    stopping: watch::Receiver<()>,
    times: Times,
    permit: Arc<ConnectionPermit>,
    /// Reason why only probes are answered on this connection, if so.
    full: Option<Full>,
}

/// Extension of requests on a connection that may only probe: why it has no regular permit.
#[derive(Clone, Copy)]
pub struct ProbesOnly(pub Full);

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let evicted = self.permit.evicted();
        tokio::select! {
            () = self.open(stream, tls) => {}
            () = evicted => tracing::debug!("a silent client was evicted"),
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
        let (client, full) = (self.client, self.full);
        let tracker = ResponseTracker::new(Arc::clone(&self.permit));
        let begun = tracker.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(client);
            // `GET localhost`, or `CONNECT`: warp panics on a target without a path.
            if request.uri().path_and_query().is_none() {
                *request.uri_mut() = Uri::from_static("*");
            }
            if let Some(full) = full {
                request.extensions_mut().insert(ProbesOnly(full));
            }
            let answer = begun.begin();
            let called = service.call(request);
            async move {
                let mut reply = called.await?;
                let share = reply.extensions_mut().remove::<Arc<Share>>();
                if let Some(share) = share {
                    answer.hold(share);
                }
                Ok::<_, Infallible>(reply.map(|body| answer.track_body(body)))
            }
        });
        let stream = TokioIo::new(PrefaceTimeout::new(HEAD_TIME, stream));
        let builder = builder();
        let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
        let mut idle = std::pin::pin!(tracker.idle_for(self.times.idle));
        let mut is_leaving = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection failed");
                    }
                    return;
                }
                _ = self.stopping.changed(), if !is_leaving => {}
                () = idle.as_mut() => {
                    if is_leaving {
                        return;
                    }
                }
                () = tracker.stalled(self.times.stall) => {
                    tracing::debug!("a client stalled");
                    return;
                }
            }
            // Requests in flight finish if the client reads on.
            is_leaving = true;
            connection.as_mut().graceful_shutdown();
            idle.set(tracker.idle_for(HEAD_TIME));
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
        .max_concurrent_streams(REQUESTS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    builder
}

#[cfg(test)]
mod tests {
    use super::super::connection_permits::ConnectionPermits;
    use super::super::preface::PREFACE;
    use super::*;

    /// Types of the frames sent to an HTTP/2 client that answers pings and requests nothing.
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
                // The server may have closed the connection by now.
                let _ = stream.write_all(&frame(head[3], ACK, payload));
            }
        }
        heard
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_gracefully() {
        use warp::Filter;
        const GO_AWAY: u8 = 7;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::task::spawn_blocking(move || heard_by_an_idle_client(address));
        let (stream, client) = listener.accept().await.unwrap();
        let (_stop, stopping) = watch::channel(());
        let permits = Arc::new(ConnectionPermits::new(1));
        let permit = Arc::new(permits.take(address.ip()).ok().unwrap());
        let filter = warp::any().map(Reply::default).boxed();
        let times = Times {
            drain: Duration::ZERO,
            idle: Duration::from_millis(100),
            stall: Duration::from_secs(60),
        };
        let connection = Connection { client, filter, stopping, times, permit, full: None };
        connection.run(stream, None).await;
        let heard = heard.await.unwrap();
        assert!(heard.contains(&GO_AWAY), "{heard:?}");
    }
}
