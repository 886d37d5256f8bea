//! Connections: accepted, plain or with TLS, until it is time to stop, and then let go gently.
//!
//! Knows nothing of what is answered.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use warp::filters::BoxedFilter;
use warp::reply::Response as Reply;

const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take over a handshake, or over the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(15);
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
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
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
        builder.http2().timer(TokioTimer::new()).max_header_list_size(HEAD_BYTES_MAX as u32);
        let service = TowerToHyperService::new(warp::service(self.filter.clone()));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
