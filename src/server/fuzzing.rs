//! Reads bodies of requests for the fuzz targets, without a server.

use serde_json::Value;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::http::{HeaderMap, Method};

use super::report_request::ReportRequest;
use super::request::{Query, Request};

#[cfg(feature = "flight")]
pub use super::flight::is_same_again;

fn request(body: &[u8], content_type: &'static str) -> Request {
    let content_type = HeaderValue::from_static(content_type);
    Request {
        method: Method::POST,
        path: Vec::new(),
        query: Query::default(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: body.to_vec().into(),
    }
}

/// Options of a report as described after reading the body, and after reading that description;
/// `None` if the body is refused.
pub fn report_options(body: &[u8], content_type: &'static str) -> Option<(Value, Value)> {
    let request = request(body, content_type);
    let fields = futures::executor::block_on(request.fields()).ok()?;
    let described = ReportRequest::from_fields(&fields).ok()?.to_json();
    let again = described.as_object().and_then(|fields| ReportRequest::from_fields(fields).ok());
    Some((described, again.map_or(Value::Null, |request| request.to_json())))
}

/// Statement of a body of `/v1/sql`; `None` if the body is refused.
pub fn sql_text(body: &[u8]) -> Option<String> {
    super::sql::text(&request(body, "application/json"))
}
