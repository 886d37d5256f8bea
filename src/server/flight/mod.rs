//! Arrow Flight SQL listener.
//!
//! `connection` accepts connections and closes idle ones. `authentication` checks keys,
//! `call_limits` bounds a request, `call_log` logs it, `service` answers it: the ticket is the
//! statement, and redeeming it streams `rows`. The server keeps no state between calls: a
//! prepared statement is its own `statement_handle`, signed by `mac`, and `bound_values` are
//! validated before they are decoded. `metadata` describes server and tables; `status` maps errors
//! to gRPC. This module does not execute queries.

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
#[cfg(any(test, feature = "fuzzing"))]
pub use self::statement_handle::is_same_again;
use super::listener::{HEAD_TIME, PING_PAUSE};
use super::{ListeningSockets, Service};

/// ALPN protocol name.
const ALPN: &[u8] = b"h2";
/// Largest message of a call: a statement, or a handle with values.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Concurrent calls of one connection.
const CALLS_MAX: u32 = 32;

/// Accepts connections until the service stops, then drains them for at most `drain_time`.
pub async fn serve(
    listener: ListeningSockets,
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
    let budget = Arc::clone(&service.compute.budget);
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
