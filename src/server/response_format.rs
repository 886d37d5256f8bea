//! Choice between JSON and CSV for endpoints that offer both: by `format=`, else by `Accept`.

use warp::http::header::{ACCEPT, HeaderValue, VARY};
use warp::http::{Response, StatusCode};
use warp::reply::Response as Reply;

use super::negotiate;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::content;
use crate::report::Format;
use crate::rules::keyword::{Keywords, parse_keyword};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    Csv,
    Json,
}

impl ResponseFormat {
    pub const KEYWORDS: Keywords<Self> =
        &[(Format::Csv.name(), Self::Csv), (Format::Json.name(), Self::Json)];

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
            Some(word) => parse_keyword(Self::KEYWORDS, word)
                .map(Some)
                .map_err(|wrong| Refusal::wrong(format!("format: {wrong}"))),
        }
    }

    /// Format that `Accept` prefers; the first one offered on a tie. `None` if it names neither.
    pub fn from_accept(request: &Request, offered: [Self; 2]) -> Option<Self> {
        let accept = request.header_list(ACCEPT);
        let media_types = offered.map(|wanted| wanted.format().media_type());
        let preferred = negotiate::preferred(accept.as_deref(), &media_types)?;
        offered.into_iter().find(|wanted| wanted.format().media_type() == preferred)
    }

    pub fn format(self) -> Format {
        match self {
            Self::Csv => Format::Csv,
            Self::Json => Format::Json,
        }
    }

    /// Response in this format, with `Vary`.
    pub fn reply(self, body: Vec<u8>) -> Reply {
        let content_type = self.format().content_type();
        let mut reply: Response<_> = content(StatusCode::OK, content_type, body);
        reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        reply
    }
}
