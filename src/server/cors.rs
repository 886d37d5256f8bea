//! Cross-origin resource sharing: what browsers pass on to pages of allowed origins.
//!
//! Credentials are never allowed: there are no cookies, and a page sets the key's header field
//! itself. Knows no route.

use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response as Reply;

use super::origin::{Initiator, Origin};

/// Request fields that a page may set besides the CORS-safelisted ones.
const REQUEST_FIELDS: &str = "authorization, content-type, idempotency-key, if-none-match, if-range, prefer, range, traceparent, x-api-key";
/// Response fields that a page may read besides the CORS-safelisted ones.
const ANSWER_FIELDS: &str = "accept-ranges, allow, content-disposition, content-encoding, content-range, etag, link, location, retry-after, uptally-cut, www-authenticate, x-report-status, x-request-id";
/// Time for which a browser may cache a preflight.
const PREFLIGHT_SECONDS: u64 = 600;

/// Answers a preflight request (`OPTIONS`) of an allowed origin; `None` for other requests.
pub fn preflight(initiator: &Initiator, headers: &HeaderMap, methods: &str) -> Option<Reply> {
    let is_allowed = matches!(initiator, Initiator::Allowed(_));
    if !is_allowed || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let answered = reply.headers_mut();
    answered.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_str(methods).ok()?);
    answered.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_FIELDS));
    answered.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS));
    Some(reply)
}

/// Lets the page read the response if its origin is allowed.
pub fn share(answered: &mut HeaderMap, initiator: &Initiator, allowed: &[Origin]) {
    if allowed.is_empty() {
        return;
    }
    // Also on responses to others: a cache must not serve them to a page that may read its own.
    answered.append(VARY, HeaderValue::from_static("Origin"));
    if let Initiator::Allowed(origin) = initiator {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_FIELDS));
    }
}
