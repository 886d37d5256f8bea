//! Report APIs of five older services, so that their clients work unchanged.
//!
//! They trigger reports without options, and differ in the place of the id and the shape of the
//! response. Reports and their bytes are those of the native API.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;
use warp::http::header::{ACCEPT, HeaderName};
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response as Reply;

use super::jobs::{Compression, Ending, Job, State};
use super::problem::{Answer, Refusal};
use super::report_request::{self, ReportRequest};
use super::request::{Request, report_id};
use super::response_format::ResponseFormat;
use super::service::{Service, content, json};
use super::settings::CompleteAs;
use super::{download, file_name, negotiate, reports};
use crate::report::Format;

const REPORT_STATUS: HeaderName = HeaderName::from_static("x-report-status");

/// `POST /trigger-report`, and `/trigger_report` with either method.
pub async fn trigger(service: &Service) -> Answer {
    let triggered = reports::trigger(service, ReportRequest::default(), None).await?;
    Ok(json(StatusCode::OK, &json!({ "report_id": triggered.job.id })))
}

/// Progress of a report, for clients that know three answers.
enum Progress {
    Running,
    Complete(Arc<Job>),
    /// Sentence for a person.
    Failed(String),
}

fn progress(service: &Service, id: Uuid) -> Answer<Progress> {
    let job = reports::job(service, id)?;
    Ok(match job.state() {
        State::Queued | State::Running { .. } => Progress::Running,
        State::Ended(Ending::Complete(_)) => Progress::Complete(job),
        State::Ended(Ending::Failed { detail, .. }) => Progress::Failed(detail),
        State::Ended(Ending::Cancelled { .. }) => {
            Progress::Failed("the report was cancelled".to_owned())
        }
    })
}

/// `GET /get-report/{id}?format=csv|json`
pub async fn dashed(service: &Service, request: &Request) -> Answer {
    let id = request.id()?;
    let wanted = ResponseFormat::from_query(request)?.unwrap_or(ResponseFormat::Csv);
    match progress(service, id)? {
        Progress::Running => Ok(status("Running", json!({ "status": "Running" }))),
        Progress::Failed(detail) => Ok(failed(&detail)),
        Progress::Complete(job) => match wanted {
            ResponseFormat::Csv => {
                csv_or_running(service, request, &job, &format!("report_{id}.csv")).await
            }
            ResponseFormat::Json => {
                let Some(text) = text(service, &job).await? else { return Ok(running_again()) };
                Ok(json(StatusCode::OK, &json!({ "status": "Complete", "data": text })))
            }
        },
    }
}

/// `/get_report` with either method; the id is in the query, a form or a JSON body.
pub async fn by_name(service: &Service, request: &Request) -> Answer {
    let id = named_id(request).await?;
    match progress(service, id)? {
        Progress::Running if wants_text(request) => {
            let reply = content(StatusCode::OK, "text/plain; charset=utf-8", "Running");
            Ok(with_status(reply, "Running"))
        }
        Progress::Running => Ok(status("Running", json!({ "status": "Running" }))),
        Progress::Failed(detail) => Ok(failed(&detail)),
        Progress::Complete(job) => {
            csv_or_running(service, request, &job, &format!("report_{id}.csv")).await
        }
    }
}

/// `GET /get_report/{id}`: the CSV, or for clients that ask for JSON, its location.
pub async fn by_path(service: &Service, request: &Request) -> Answer {
    let id = request.id()?;
    let wanted = match ResponseFormat::from_query(request)? {
        Some(wanted) => wanted,
        None => accepted_format(service, request),
    };
    match progress(service, id)? {
        Progress::Running if wants_text(request) => {
            let reply = content(StatusCode::OK, "text/plain; charset=utf-8", "Running");
            Ok(with_status(reply, "Running"))
        }
        Progress::Running => {
            Ok(status("Running", json!({ "status": "Running", "message": "Running" })))
        }
        Progress::Failed(detail) => Ok(failed(&detail)),
        Progress::Complete(job) => match wanted {
            ResponseFormat::Csv => csv_or_running(service, request, &job, &store_report(id)).await,
            ResponseFormat::Json => Ok(status("Complete", completed(&job))),
        },
    }
}

/// `GET /download_report?file_path=reports/store_report_{id}.csv`: the path is a name from an
/// earlier response, and opens no file.
pub async fn download_by_path(service: &Service, request: &Request) -> Answer {
    let path = request.query.one("file_path")?;
    let path = path.ok_or_else(|| Refusal::wrong("file_path: is missing from the query"))?;
    let unknown = || Refusal::unknown(format!("there is no file {path:?}"));
    let id = path.strip_prefix("reports/store_report_").and_then(|rest| rest.strip_suffix(".csv"));
    let id = id.and_then(|id| report_id(id).ok()).ok_or_else(unknown)?;
    let job = reports::job(service, id)?;
    if job.finished().is_some()
        && let Some(reply) = csv(service, request, &job, &store_report(id)).await?
    {
        return Ok(reply);
    }
    let word = if job.has_ended() { "Failed" } else { "Running" };
    Err(reports::no_file(&job).with(REPORT_STATUS, word))
}

/// Format that the client prefers; on a tie, the one that the server prefers.
fn accepted_format(service: &Service, request: &Request) -> ResponseFormat {
    let offered = match service.settings.complete_as {
        CompleteAs::Csv => [ResponseFormat::Csv, ResponseFormat::Json],
        CompleteAs::Json => [ResponseFormat::Json, ResponseFormat::Csv],
    };
    ResponseFormat::from_accept(request, offered).unwrap_or(offered[0])
}

fn wants_text(request: &Request) -> bool {
    let accept = request.header_list(ACCEPT);
    let offered = ["application/json", "text/plain"];
    negotiate::preferred(accept.as_deref(), &offered) == Some("text/plain")
}

/// Id in the query, or else in the body of a POST.
async fn named_id(request: &Request) -> Answer<Uuid> {
    if let Some(id) = request.query.one("report_id")? {
        return report_id(id);
    }
    let fields = if request.method == Method::POST { request.fields().await? } else { Map::new() };
    match fields.get("report_id") {
        Some(Value::String(id)) => report_id(id),
        Some(other) => Err(Refusal::wrong(format!("report_id: {other} is not a text"))),
        None => Err(Refusal::wrong(
            "report_id: is missing; expected it in the query, or in a form or JSON body of a POST",
        )),
    }
}

async fn csv_or_running(
    service: &Service,
    request: &Request,
    job: &Arc<Job>,
    name: &str,
) -> Answer {
    Ok(csv(service, request, job, name).await?.unwrap_or_else(running_again))
}

/// Report as CSV, with the header field that tells it from a status; `None` if its file is broken
/// and the report runs again.
async fn csv(
    service: &Service,
    request: &Request,
    job: &Arc<Job>,
    name: &str,
) -> Answer<Option<Reply>> {
    let compression = download::compression(request, Format::Csv);
    let Some(rendering) = service.jobs.rendering(job, Format::Csv, compression).await? else {
        return Ok(None);
    };
    let name = Some(file_name::attachment(name));
    let reply = download::reply(request, &rendering, Format::Csv, compression, name)?;
    Ok(Some(with_status(reply, "Complete")))
}

async fn text(service: &Service, job: &Arc<Job>) -> Answer<Option<String>> {
    let rendering = service.jobs.rendering(job, Format::Csv, Compression::None).await?;
    Ok(rendering.map(|rendering| String::from_utf8_lossy(&rendering.bytes).into_owned()))
}

fn store_report(id: Uuid) -> String {
    format!("store_report_{id}.csv")
}

/// Body for clients of the fifth service: the file's location, and what the figures are about.
fn completed(job: &Job) -> Value {
    let mut completed = json!({
        "status": "Completed",
        "filepath": format!("reports/{}", store_report(job.id)),
        "report_id": job.id,
        "now": report_request::instant_json(job.resolved.now),
    });
    if let Some(finished) = job.finished() {
        completed["completed_at"] = report_request::instant_json(finished.finished_at);
        completed["stores"] = json!(finished.stores);
    }
    completed
}

fn failed(detail: &str) -> Reply {
    status("Failed", json!({ "status": "Failed", "message": detail }))
}

/// Response for a report that runs again because its file is broken.
fn running_again() -> Reply {
    status("Running", json!({ "status": "Running", "message": "Running" }))
}

fn status(word: &'static str, body: Value) -> Reply {
    with_status(json(StatusCode::OK, &body), word)
}

fn with_status(mut reply: Reply, word: &'static str) -> Reply {
    reply.headers_mut().insert(REPORT_STATUS, HeaderValue::from_static(word));
    reply
}
