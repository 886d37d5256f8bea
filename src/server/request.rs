//! Request as endpoints see it: path, query, header and body.
//!
//! Knows no endpoint.

use std::borrow::Cow;
use std::convert::Infallible;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use uuid::Uuid;
use warp::http::header::{CONTENT_TYPE, HeaderName};
use warp::http::{HeaderMap, Method};

use super::problem::{Answer, Refusal};

#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Decoded parameters of the route's path, in order.
    pub path: Vec<String>,
    pub query: Query,
    pub headers: HeaderMap,
    /// Empty if the endpoint takes none.
    pub body: bytes::Bytes,
}

impl Request {
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Values of a repeated header field, joined by commas.
    pub fn header_list(&self, name: HeaderName) -> Option<String> {
        let values = self.headers.get_all(name);
        let values: Vec<_> = values.iter().filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Report id in the path.
    pub fn id(&self) -> Answer<Uuid> {
        report_id(self.path.first().map_or("", String::as_str))
    }

    /// Fields of a JSON object or a form; empty for an empty body.
    pub async fn fields(&self) -> Answer<Map<String, Value>> {
        if self.body.trim_ascii().is_empty() {
            return Ok(Map::new());
        }
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("multipart/form-data") {
            let pairs = parts(content_type, self.body.clone()).await;
            return each_once(pairs.map_err(|error| {
                Refusal::wrong(format!("the body is not a multipart form: {error}"))
            })?);
        }
        let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if is_form && !self.body.trim_ascii_start().starts_with(b"{") {
            let pairs = serde_urlencoded::from_bytes(&self.body);
            return each_once(
                pairs
                    .map_err(|error| Refusal::wrong(format!("the body is not a form: {error}")))?,
            );
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(Refusal::wrong("the body is JSON, but not an object of options")),
            Err(error) => Err(Refusal::wrong(format!("the body is not JSON: {error}"))),
        }
    }
}

/// Fields of a complete multipart form, by name.
async fn parts(content_type: &str, body: bytes::Bytes) -> multer::Result<Vec<(String, String)>> {
    let boundary = multer::parse_boundary(content_type)?;
    let body = futures::stream::once(async { Ok::<_, Infallible>(body) });
    let mut form = multer::Multipart::new(body, boundary);
    let mut parts = Vec::new();
    while let Some(part) = form.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        parts.push((name, part.text().await?));
    }
    Ok(parts)
}

fn each_once(pairs: Vec<(String, String)>) -> Answer<Map<String, Value>> {
    let mut fields = Map::new();
    for (name, value) in pairs {
        if fields.contains_key(&name) {
            return Err(given_twice(&name));
        }
        fields.insert(name, value.into());
    }
    Ok(fields)
}

fn given_twice(name: &str) -> Refusal {
    Refusal::wrong(format!("{name}: is given more than once"))
}

/// Parses a report's id, in the form in which it was issued; 404 for any other text.
pub fn report_id(text: &str) -> Answer<Uuid> {
    let id = Uuid::try_parse(text).ok().filter(|id| id.to_string() == text);
    id.ok_or_else(|| unknown_report(text))
}

pub fn unknown_report(id: impl std::fmt::Display) -> Refusal {
    Refusal::unknown(format!(
        "there is no report \"{id}\"; POST /v1/reports triggers one, GET /v1/reports lists them"
    ))
}

/// Name-value pairs of a query string.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Answer<Self> {
        let pairs = serde_urlencoded::from_str(text);
        pairs.map(Self).map_err(|error| Refusal::wrong(format!("the query is malformed: {error}")))
    }

    /// Value of a name; refused if it is repeated.
    pub fn one(&self, name: &str) -> Answer<Option<&str>> {
        let mut values = self.0.iter().filter(|(given, _)| given == name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(given_twice(name)),
            None => Ok(first.map(|(_, value)| value.as_str())),
        }
    }

    /// All pairs; refused if a name is repeated.
    pub fn each(&self) -> Answer<Vec<(&str, &str)>> {
        for (name, _) in &self.0 {
            self.one(name)?;
        }
        Ok(self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
    }
}

/// Decodes percent-encoding; `None` if it is malformed or the result is not UTF-8.
pub fn percent_decode(segment: &str) -> Option<String> {
    let is_sequence = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    // The crate leaves what is malformed as it is.
    if !segment.split('%').skip(1).all(is_sequence) {
        return None;
    }
    percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use warp::http::StatusCode;

    use super::*;

    #[test]
    fn a_path_is_decoded_or_refused() {
        assert_eq!(percent_decode("a%2Fb%20%F0%9F%8D%95"), Some("a/b 🍕".into()));
        for wrong in ["%", "%4", "%zz", "%+1", "%%41", "%ff"] {
            assert_eq!(percent_decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        assert!(report_id(id).is_ok());
        for other in [&id.to_uppercase(), &id.replace('-', ""), &format!("{{{id}}}"), "", "../x"] {
            assert_eq!(report_id(other).unwrap_err().status, StatusCode::NOT_FOUND, "{other}");
        }
    }
}
