//! Choice between JSON and CSV for endpoints that offer both: by `format=`, else by `Accept`.

use warp::http::header::{ACCEPT, HeaderValue, VARY};
use warp::http::{Response, StatusCode};
use warp::reply::Response as Reply;

use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::content;
use super::{download, negotiate};
use crate::report::Format;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    Csv,
    Json,
}

impl ResponseFormat {
    /// Format of a request; JSON by default.
    ///
    /// # Errors
    /// If `format` is neither.
    pub fn read(request: &Request) -> Answer<Self> {
        match Self::from_query(request)? {
            Some(wanted) => Ok(wanted),
            None => Ok(Self::from_accept(request, [Self::Json, Self::Csv]).unwrap_or(Self::Json)),
        }
    }

    /// Format that `format=` names.
    pub fn from_query(request: &Request) -> Answer<Option<Self>> {
        match request.query.one("format")? {
            None => Ok(None),
            Some("csv") => Ok(Some(Self::Csv)),
            Some("json") => Ok(Some(Self::Json)),
            Some(other) => {
                Err(Refusal::wrong(format!("format: {other:?} is not one of csv, json")))
            }
        }
    }

    /// Format that `Accept` prefers; the first one offered on a tie. `None` if it names neither.
    pub fn from_accept(request: &Request, offered: [Self; 2]) -> Option<Self> {
        let accept = request.header_list(ACCEPT);
        let media_types = offered.map(Self::media_type);
        let preferred = negotiate::preferred(accept.as_deref(), &media_types)?;
        offered.into_iter().find(|wanted| wanted.media_type() == preferred)
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Response in this format, with `Vary`.
    pub fn reply(self, body: Vec<u8>) -> Reply {
        let media_type = match self {
            Self::Csv => download::file_type(Format::Csv).media_type,
            Self::Json => self.media_type(),
        };
        let mut reply: Response<_> = content(StatusCode::OK, media_type, body);
        reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        reply
    }
}
