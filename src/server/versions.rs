//! `GET /v1/versions`: the loads, newest first.

use serde_json::{Value, json};
use warp::http::StatusCode;

use super::problem::{Answer, Refusal};
use super::report_request;
use super::request::Request;
use super::service::{Service, json};
use crate::rules::ZoneRules;
use crate::tables::{Dataset, Load, outdated_zone_rules};

const VERSIONS_MAX: usize = 1000;

pub async fn list(service: &Service, request: &Request) -> Answer {
    let limit = match request.query.one("limit")? {
        Some(limit) => limit.parse().ok().filter(|limit| (1..=VERSIONS_MAX).contains(limit)),
        None => Some(100),
    };
    let limit = limit.ok_or_else(|| {
        Refusal::wrong(format!("limit: expected a number from 1 to {VERSIONS_MAX}"))
    })?;
    let snapshot = service.snapshots.newest().await?;
    let loads = snapshot.dataset.loads();
    let versions: Vec<_> =
        loads.chunk_by(|left, right| left.version == right.version).rev().take(limit).collect();
    let dataset = &snapshot.dataset;
    let versions: Vec<_> = versions.into_iter().map(|loads| described(dataset, loads)).collect();
    let body = json!({
        "newest": snapshot.version(),
        "bundled_zone_rules": ZoneRules::bundled().edition(),
        "warning": outdated_zone_rules(dataset),
        "versions": versions,
    });
    Ok(json(StatusCode::OK, &body))
}

/// Loads of a version.
fn described(dataset: &Dataset, loads: &[Load]) -> Value {
    let files: Vec<_> = loads.iter().map(file).collect();
    json!({
        "version": loads[0].version,
        "loaded_at": report_request::instant_json(loads[0].loaded_at),
        "zone_rules": dataset.zone_edition(loads[0].version),
        "files": files,
    })
}

fn file(load: &Load) -> Value {
    // File name without its folder, which clients must not see.
    let name = load.file.rsplit(['/', '\\']).next().unwrap_or_default();
    json!({
        "name": name,
        "kind": load.kind,
        "rows": load.rows,
        "rejected": load.rejected,
        "content_hash": load.content_hash,
    })
}
