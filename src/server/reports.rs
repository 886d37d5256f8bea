//! Native report API: `/v1/reports`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use warp::http::StatusCode;
use warp::http::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use warp::reply::Response as Reply;

use super::jobs::{
    Ending, Finished, Found, Job, Refused, Removed, Repeatable, ResolvedRequest, State, Step,
    Triggered,
};
use super::keys::Role;
use super::problem::{Answer, Refusal};
use super::report_request::{self, ReportRequest};
use super::request::{Request, unknown_report};
use super::service::{Service, content, json};
use super::{authorization, download, file_name};
use crate::report::Format;
use crate::rules::duration::duration_us;
use crate::{engine, planner};

/// Longest time that a client may have its request held.
const WAIT_MAX: Duration = Duration::from_secs(60);
const PAGE_REPORTS_MAX: usize = 200;
const CURSOR_CHECK_DIGITS: usize = 6;
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Returns the report for the request, a new one or an equal earlier one.
pub async fn trigger(
    service: &Service,
    wanted: ReportRequest,
    repeatable: Option<Repeatable>,
) -> Answer<Triggered> {
    let triggered = match service.jobs.check_file() {
        Ok(()) => find_or_start(service, wanted, repeatable).await?,
        Err(refused) => Err(refused),
    };
    let outcome = match &triggered {
        Ok(triggered) if triggered.is_new => "new",
        Ok(_) => "known",
        Err(_) => "refused",
    };
    service.metrics.triggered(outcome);
    triggered.map_err(refusal)
}

async fn find_or_start(
    service: &Service,
    wanted: ReportRequest,
    repeatable: Option<Repeatable>,
) -> Answer<Result<Triggered, Refused>> {
    let before = repeatable.as_ref().and_then(|given| service.jobs.triggered_before(given));
    if let Some(before) = before {
        return Ok(before);
    }
    let resolved = resolve(service, wanted).await?;
    Ok(service.jobs.trigger(resolved, repeatable).await)
}

/// Fixes version and *now*, so that the request has a single answer.
async fn resolve(service: &Service, wanted: ReportRequest) -> Answer<ResolvedRequest> {
    let snapshot = service.snapshots.at(wanted.as_of).await?;
    if let Some(unknown) = wanted.stores.iter().find(|id| !snapshot.has_store(id)) {
        return Err(Refusal::wrong(format!(
            "store: there is no store {unknown:?} in the data; /v1/stores lists them"
        )));
    }
    snapshot.check_zone(wanted.options.default_time_zone)?;
    let now = wanted
        .now
        .or(snapshot.latest_poll)
        .ok_or_else(|| Refusal::wrong("no poll to look back from; load polls or specify now"))?;
    let wanted = ReportRequest { now: None, as_of: None, ..wanted };
    let (version, fingerprint) = (snapshot.version(), snapshot.fingerprint);
    let zone_rules = snapshot.dataset.zone_edition(version);
    Ok(ResolvedRequest { version, fingerprint, zone_rules, now, request: wanted })
}

/// Report of an id.
///
/// # Errors
/// 404 for an unknown id, 410 for a forgotten report, 500 for an unreadable record.
pub fn job(service: &Service, id: Uuid) -> Answer<Arc<Job>> {
    match service.jobs.find(id)? {
        Found::Job(job) => Ok(job),
        Found::Gone => {
            let detail = format!("the report {id} has expired or was forgotten; trigger it again");
            Err(Refusal::new(StatusCode::GONE, detail))
        }
        Found::Unreadable => {
            let detail = format!(
                "the report {id} is kept, but its record cannot be read by this version of uptally; the server's log says why"
            );
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
        Found::Unknown => Err(unknown_report(id)),
    }
}

/// `POST /v1/reports`
pub async fn create(service: &Service, request: &Request) -> Answer {
    let wanted = ReportRequest::from_fields(&request.fields().await?).map_err(Refusal::wrong)?;
    if wanted.explain {
        return plan(service, wanted).await;
    }
    let repeatable = repeatable(request, &wanted)?;
    let format = wanted.format;
    let job = trigger(service, wanted, repeatable).await?.job;
    let mut body = report_json(&job);
    body["links"]["download"] = json!(file_path(job.id, format));
    let mut reply = json(StatusCode::ACCEPTED, &body);
    let headers = reply.headers_mut();
    let location = HeaderValue::from_str(&format!("/v1/reports/{}", job.id));
    headers.extend(location.ok().map(|location| (LOCATION, location)));
    headers.insert(RETRY_AFTER, HeaderValue::from_static(if job.has_ended() { "0" } else { "1" }));
    Ok(reply)
}

/// Plan instead of the report, like `uptally report --explain`.
async fn plan(service: &Service, wanted: ReportRequest) -> Answer {
    let snapshot = service.snapshots.at(wanted.as_of).await?;
    let plan = service.compute.run(async move {
        let plan =
            engine::explain(&snapshot.dataset, &wanted.report_query(wanted.now), wanted.engine)
                .await?;
        Ok(without_folder(plan, snapshot.dataset.folder()))
    });
    Ok(content(StatusCode::OK, "text/plain; charset=utf-8", plan.await?))
}

/// Replaces the folder's path in the plan, which clients must not see.
pub fn without_folder(plan: String, folder: &Path) -> String {
    // As the object store spells it, and as the system does.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let stored = planner::object_path(&folder);
    let spelled = folder.to_string_lossy();
    let spellings = [&spelled, spelled.trim_start_matches('/'), stored.as_ref()];
    spellings
        .iter()
        .filter(|spelling| !spelling.is_empty())
        .fold(plan, |plan, spelling| plan.replace(*spelling, "DATA"))
}

fn repeatable(request: &Request, wanted: &ReportRequest) -> Answer<Option<Repeatable>> {
    let Some(key) = request.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key =
        key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_BYTES_MAX);
    let key = key.ok_or_else(|| {
        Refusal::wrong(format!(
            "Idempotency-Key: expected 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters"
        ))
    })?;
    let asked = format!("{:?} {:?} {}", wanted.now, wanted.as_of, wanted.to_json());
    let fingerprint = *blake3::hash(asked.as_bytes()).as_bytes();
    Ok(Some(Repeatable { key: key.to_owned(), fingerprint }))
}

/// `GET /v1/reports`
pub fn list(service: &Service, request: &Request) -> Answer {
    let limit = match request.query.one("limit")? {
        Some(limit) => limit.parse().ok().filter(|limit| (1..=PAGE_REPORTS_MAX).contains(limit)),
        None => Some(50),
    };
    let limit = limit.ok_or_else(|| {
        Refusal::wrong(format!("limit: expected a number from 1 to {PAGE_REPORTS_MAX}"))
    })?;
    let before = match request.query.one("cursor")? {
        Some(cursor) => Some(decode_cursor(cursor).ok_or_else(|| {
            Refusal::wrong(format!("cursor: {cursor:?} is not from this list; expected a next_cursor, or nothing for the first page"))
        })?),
        None => None,
    };
    let jobs = service.jobs.newest(before, limit + 1);
    let page = &jobs[..jobs.len().min(limit)];
    let next = (jobs.len() > limit).then(|| page.last().map(|job| encode_cursor(job.sequence)));
    let reports: Vec<_> = page.iter().map(|job| list_entry(job)).collect();
    Ok(json(StatusCode::OK, &json!({ "reports": reports, "next_cursor": next.flatten() })))
}

/// `GET /v1/reports/{id}`, held while the client wants to wait.
pub async fn show(service: &Service, request: &Request) -> Answer {
    let job = job(service, request.id()?)?;
    if let Some(time) = wait(request)? {
        service.wait(time, job.ended_within(time)).await;
    }
    let mut reply = json(StatusCode::OK, &report_json(&job));
    if !job.has_ended() {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(reply)
}

/// `?wait=30s`, or `Prefer: wait=30`.
fn wait(request: &Request) -> Answer<Option<Duration>> {
    if let Some(text) = request.query.one("wait")? {
        let wait_us =
            duration_us(text).map_err(|wrong| Refusal::wrong(format!("wait: {wrong}")))?;
        let wait = Duration::from_micros(wait_us.unsigned_abs());
        return match wait > WAIT_MAX {
            true => Err(Refusal::wrong(format!("wait: {text} is more than 60s, the limit"))),
            false => Ok(Some(wait)),
        };
    }
    let preferences = request.header_list(PREFER).unwrap_or_default();
    let seconds = preferences.split([',', ';']).find_map(|preference| {
        preference.trim().strip_prefix("wait=")?.trim_matches('"').parse::<u64>().ok()
    });
    // A mere preference is clamped, not refused.
    Ok(seconds.map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX)))
}

/// `GET /v1/reports/{id}.{format}`
pub async fn download(service: &Service, request: &Request) -> Answer {
    let ending = request.path.get(1).map_or("", String::as_str);
    let format = Format::ALL.into_iter().find(|format| format.ending() == ending);
    let format = format.ok_or_else(|| {
        let endings = Format::ALL.map(Format::ending);
        Refusal::unknown(format!("{ending:?} is not one of {}", endings.join(", ")))
    })?;
    let job = job(service, request.id()?)?;
    let compression = download::compression(request, format);
    if job.finished().is_some()
        && let Some(rendering) = service.jobs.rendering(&job, format, compression).await?
    {
        let name = file_name::attachment_of_chain(&service.chain, job.resolved.now, ending);
        return download::reply(request, &rendering, format, compression, Some(name));
    }
    Err(no_file(&job))
}

/// Refusal for a report without a file.
pub fn no_file(job: &Job) -> Refusal {
    let conflict = |detail: String| Refusal::new(StatusCode::CONFLICT, detail);
    match job.state() {
        State::Ended(Ending::Failed { detail, .. }) => {
            conflict(format!("the report failed: {detail}"))
        }
        State::Ended(Ending::Cancelled { .. }) => conflict("the report was cancelled".to_owned()),
        _ => conflict("the report is not complete yet".to_owned()).after_seconds(1),
    }
}

/// `DELETE /v1/reports/{id}`: the role `run` may cancel a report, `admin` may forget one.
pub async fn delete(service: &Service, request: &Request, role: Role) -> Answer {
    let id = request.id()?;
    if job(service, id)?.has_ended() && role < Role::Admin {
        return Err(authorization::forbidden(role, Role::Admin));
    }
    match service.jobs.remove(id).await.map_err(refusal)? {
        Removed::Cancelled | Removed::Forgotten => {
            let mut reply = Reply::default();
            *reply.status_mut() = StatusCode::NO_CONTENT;
            Ok(reply)
        }
    }
}

pub fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::QueueFull => {
            let detail = "too many reports are queued (--max-queue); try again later";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).after_seconds(2)
        }
        Refused::OtherRequest => Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Idempotency-Key: came with a different request before; use a new key",
        ),
        Refused::Conflict => {
            Refusal::new(StatusCode::CONFLICT, "the report is changing; try again")
        }
        Refused::NotRecorded(sentence) => Refusal::unavailable(sentence),
        Refused::Stopping => Refusal::unavailable("the server is stopping"),
    }
}

/// Report in a list: without the ids of stores, which may be thousands.
fn list_entry(job: &Job) -> Value {
    let mut listed = report_json(job);
    let options = listed["options"].as_object_mut();
    drop(options.and_then(|options| options.remove("store")));
    listed
}

/// Report with all its fields.
fn report_json(job: &Job) -> Value {
    let resolved = &job.resolved;
    let mut described = json!({
        "id": job.id,
        "state": "queued",
        "progress": 0.0,
        "data_version": resolved.version,
        "zone_rules": resolved.zone_rules,
        "now": report_request::instant_json(resolved.now),
        "options": job.options(),
        "stores_named": resolved.request.stores.len(),
        "created_at": report_request::instant_json(job.created_at),
        "started_at": null,
        "finished_at": null,
        "stores": null,
        "detail": null,
        "links": links(job),
    });
    match job.state() {
        State::Queued => {}
        State::Running { started_at, step } => {
            described["state"] = json!("running");
            described["progress"] = json!(match step {
                Step::Reading => 0.1,
                Step::Writing => 0.9,
            });
            described["started_at"] = report_request::instant_json(started_at);
        }
        State::Ended(ending) => {
            described["finished_at"] = report_request::instant_json(ending.finished_at());
            described["progress"] = json!(1.0);
            describe_ending(&mut described, &ending);
        }
    }
    described
}

fn describe_ending(described: &mut Value, ending: &Ending) {
    match ending {
        Ending::Complete(finished) => {
            described["state"] = json!("complete");
            described["started_at"] = report_request::instant_json(finished.started_at);
            described["stores"] = counts(finished);
        }
        Ending::Failed { detail, .. } => {
            described["state"] = json!("failed");
            described["detail"] = json!(detail);
        }
        Ending::Cancelled { .. } => described["state"] = json!("cancelled"),
    }
}

/// Number of stores in the report, and of those with defaults.
fn counts(finished: &Finished) -> Value {
    let counts = finished.counts();
    json!({
        "stores": counts.stores,
        "without_hours": counts.without_hours,
        "without_time_zone": counts.without_time_zone,
        "without_polls": counts.without_polls,
    })
}

fn links(job: &Job) -> Value {
    let mut links = json!({ "self": format!("/v1/reports/{}", job.id) });
    for format in Format::ALL {
        links[format.ending()] = json!(file_path(job.id, format));
    }
    links
}

fn file_path(id: Uuid, format: Format) -> String {
    format!("/v1/reports/{id}.{}", format.ending())
}

/// Cursor of a page: its last report's sequence number, and a checksum against made-up cursors.
fn encode_cursor(sequence: u64) -> String {
    let check = blake3::hash(&sequence.to_le_bytes()).to_hex();
    format!("{sequence:x}{}", &check[..CURSOR_CHECK_DIGITS])
}

/// Sequence number of a cursor; `None` if it is malformed.
fn decode_cursor(cursor: &str) -> Option<u64> {
    let place = cursor.len().checked_sub(CURSOR_CHECK_DIGITS)?;
    let sequence = u64::from_str_radix(cursor.get(..place)?, 16).ok()?;
    (encode_cursor(sequence) == cursor).then_some(sequence)
}
