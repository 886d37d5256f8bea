//! Health endpoints: liveness, readiness and metrics.

use serde_json::json;
use warp::http::StatusCode;
use warp::reply::Response as Reply;

use super::problem::{Answer, Refusal};
use super::service::{Service, content, json};
use super::{metrics, reports};

/// `GET /livez`: the process responds; touches neither data nor reports.
pub fn livez() -> Reply {
    json(StatusCode::OK, &json!({ "status": "alive" }))
}

/// `GET /readyz`: the data can be read, and triggers would be recorded.
pub async fn readyz(service: &Service) -> Answer {
    if service.is_stopping() || !service.jobs.accept_changes() {
        return Err(Refusal::unavailable("the server is stopping"));
    }
    service.jobs.check_records().await.map_err(reports::refusal)?;
    let snapshot = service.snapshots.newest().await?;
    if !snapshot.dataset.exists() {
        tracing::error!(folder = ?snapshot.dataset.folder(), "the data folder is missing");
        return Err(Refusal::unavailable("the data cannot be read; the server's log says why"));
    }
    let ready = json!({
        "status": "ready",
        "data_version": snapshot.version(),
        "stores": snapshot.store_count(),
    });
    Ok(json(StatusCode::OK, &ready))
}

pub fn metrics(service: &Service) -> Reply {
    content(StatusCode::OK, metrics::MEDIA_TYPE, service.metrics.text())
}
