//! `/v1/sql`: any SQL query, its rows streamed.
//!
//! [`sql_request`] reads the query, [`streaming`] sends the rows. Statements and limits are those
//! of [`crate::sql`]: a query that exceeds its time or memory is refused with 422 and the limit's
//! name; one that exceeds the limit of rows is truncated, and says so.

mod sql_request;
mod streaming;

use warp::http::header::{CACHE_CONTROL, ETAG, HeaderValue, VARY};
use warp::http::{Method, StatusCode};
use warp::reply::Response as Reply;

use self::sql_request::SqlRequest;
use super::download::is_known;
use super::problem::Answer;
use super::request::Request;
use super::service::Service;
use super::snapshots::Snapshot;
use crate::error::Error;
use crate::limits::Limits;

/// Statement of a request; `None` if it has none.
pub fn text(request: &Request) -> Option<String> {
    SqlRequest::read(request).ok().map(|wanted| wanted.sql)
}

/// `GET` and `POST /v1/sql`
pub async fn answer(service: &Service, request: &Request) -> Answer {
    let wanted = SqlRequest::read(request)?;
    let limits = service.settings.sql.at_most(wanted.time, wanted.rows);
    let snapshot = service.snapshots.at(wanted.version).await?;
    let query = wanted.query(snapshot.version(), limits);
    // The same query on the same data gives the same rows, unless it reads more than the data.
    let tag = tag(&wanted, &snapshot, limits);
    if request.method == Method::GET && is_known(request, &tag) {
        let described = {
            let (service, query) = (service.clone(), query.clone());
            async move { service.queries.describe(query).await.map_err(Error::from) }
        };
        let described = streaming::run_cancellable(service.compute.handle(), described).await?;
        if described.is_repeatable {
            let mut reply = Reply::default();
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(tagged(reply, &tag));
        }
    }
    let folder = snapshot.dataset.folder().to_owned();
    let streamed = streaming::StreamedQuery { query, limits, format: wanted.format, folder };
    let (reply, is_repeatable) = streaming::reply(service, streamed).await?;
    Ok(match is_repeatable && request.method != Method::POST {
        true => tagged(reply, &tag),
        false => reply,
    })
}

/// Entity tag. Weak: without `ORDER BY`, rows may come in another order.
fn tag(wanted: &SqlRequest, snapshot: &Snapshot, limits: Limits) -> String {
    let format = wanted.format.ending();
    let identity = format!(
        "{} {} {format} {} {:?} {}",
        env!("CARGO_PKG_VERSION"),
        snapshot.version(),
        limits.rows,
        wanted.params,
        wanted.sql
    );
    let mut hasher = blake3::Hasher::new();
    hasher.update(&snapshot.fingerprint).update(identity.as_bytes());
    format!("W/\"{}\"", &hasher.finalize().to_hex()[..32])
}

fn tagged(mut reply: Reply, tag: &str) -> Reply {
    let headers = reply.headers_mut();
    headers.extend(HeaderValue::from_str(tag).ok().map(|tag| (ETAG, tag)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    reply
}
