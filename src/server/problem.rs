//! Refusals of requests: a status and a sentence, in the form of RFC 9457 (problem details).

use serde_json::json;
use warp::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use warp::http::{Response, StatusCode};
use warp::reply::Response as Reply;

use crate::error::Error;

pub type Answer<T = Reply> = std::result::Result<T, Refusal>;

/// Status, sentence for a person, and header fields.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new() }
    }

    /// 400: something in the request is not as it should be.
    pub fn wrong(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503: the server cannot do it now, but may be able to later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).after_seconds(1)
    }

    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    /// Adds `Retry-After`.
    pub fn after_seconds(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, &seconds.to_string())
    }

    pub fn into_reply(self) -> Reply {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut reply = Response::new((body.to_string() + "\n").into());
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        reply
    }
}

impl From<Error> for Refusal {
    /// The client sees the sentence of an error that it can fix; others are logged, once.
    fn from(error: Error) -> Self {
        match error {
            Error::Argument(sentence) => Self::wrong(sentence),
            Error::Query(wrong) => Self::wrong(wrong.sentence),
            Error::Limit(exceeded) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, exceeded.sentence)
            }
            Error::Busy(sentence) => Self::unavailable(sentence),
            Error::Interrupted => Self::unavailable("the server is stopping"),
            Error::Resource { .. } => {
                tracing::error!(error = error.sentence(), "a resource is missing");
                Self::unavailable("the server lacks a resource; its log says which")
            }
            Error::File(_) | Error::Bug { .. } => {
                tracing::error!(error = error.sentence(), "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
            }
        }
    }
}
