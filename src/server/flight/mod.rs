//! Arrow Flight SQL: what analysts ask in SQL, answered in Arrow.
//!
//! `connection` opens connections, and ends those not in use. `keys` lets a call pass, `timed` bounds
//! how long it is sent, `calls` logs it, `service` answers it: a statement is a ticket, and taking
//! the ticket runs it (`rows`). Nothing is kept between two calls: a prepared statement is its own
//! `handle`, signed by `mac`, and the `values` bound to it are checked before they are decoded.
//! `catalog` tells what there is, `status` what went wrong. Knows nothing of how a query runs.

mod authentication;
mod bound_values;
mod call_limits;
mod call_log;
mod connection;
mod mac;
mod metadata;
mod rows;
mod service;
mod statement_handle;
mod status;

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio_rustls::TlsAcceptor;
use tonic::codegen::InterceptedService;
use tonic::transport::Server;

use self::call_limits::LimitedCalls;
use self::mac::MacKeys;
use self::service::FlightSql;
use super::listener::{HEAD_TIME, PING_PAUSE};
use super::{Bound, Service};

/// What clients ask for in the handshake of TLS.
const ALPN: &[u8] = b"h2";
/// Of a call's message: a statement, or a handle with its values.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Calls at once of one connection.
const CALLS_MAX: u32 = 32;

/// Serves until the service stops; then lets what was begun be finished, within the time.
pub async fn serve(
    listener: Bound,
    tls: Option<TlsAcceptor>,
    service: Service,
    drain_time: Duration,
) {
    let tls = tls.map(|tls| super::tls::speaking(&tls, &[ALPN]));
    let interceptor = authentication::KeyInterceptor::new(service.clone());
    let handle_keys = match MacKeys::new(&service.settings) {
        Ok(keys) => keys,
        Err(error) => return tracing::error!(%error, "Flight SQL has not started"),
    };
    let budget = Arc::clone(&service.work.budget);
    let calls = FlightServiceServer::new(FlightSql::new(service.clone(), handle_keys))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let answers = InterceptedService::new(LimitedCalls { calls, budget }, interceptor);
    let incoming = connection::incoming(listener, tls, service.settings.stall_time());
    let served = Server::builder()
        .http2_keepalive_interval(Some(PING_PAUSE))
        .http2_keepalive_timeout(Some(HEAD_TIME))
        .max_concurrent_streams(CALLS_MAX)
        .add_service(answers)
        .serve_with_incoming_shutdown(incoming, service.stopped());
    let drained = async {
        service.stopped().await;
        tokio::time::sleep(drain_time).await;
    };
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::error!(%error, "Flight SQL has ended");
            }
        }
        () = drained => tracing::warn!("some Arrow clients were cut off as the server stopped"),
    }
}
