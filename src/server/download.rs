//! Downloads of reports: entity tags, ranges and content codings (RFC 9110).
//!
//! Knows no endpoint: the caller gives the file's name and format.

use bytes::Bytes;
use warp::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use warp::http::{HeaderValue, Response, StatusCode};
use warp::reply::Response as Reply;

use super::jobs::{Compression, Rendering};
use super::negotiate;
use super::problem::{Answer, Refusal};
use super::request::Request;
use super::service::IsCounted;
use crate::report::Format;

/// Compression of a response in a format. Ranges are sent uncompressed, so that each can be read by
/// itself.
pub fn compression(request: &Request, format: Format) -> Compression {
    if request.header(RANGE).is_some() {
        return Compression::None;
    }
    let accepted = request.header_list(ACCEPT_ENCODING);
    if format.packs() { negotiate::compression(accepted.as_deref()) } else { Compression::None }
}

/// Responds with the rendering, a range of it, or 304; [`super::file_name`] has the disposition.
pub fn reply(
    request: &Request,
    rendering: &Rendering,
    format: Format,
    compression: Compression,
    disposition: Option<String>,
) -> Answer {
    let etag = format!("\"{}\"", rendering.checksum);
    let mut headers = vec![
        (ETAG, etag.clone()),
        (VARY, "Accept, Accept-Encoding".to_owned()),
        // Cached, but revalidated: a report can be forgotten.
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if is_known(request, &etag) {
        return Ok(assembled(StatusCode::NOT_MODIFIED, headers, Bytes::new()));
    }
    headers.push((ACCEPT_RANGES, "bytes".to_owned()));
    headers.push((CONTENT_TYPE, format.content_type().to_owned()));
    match compression {
        Compression::None => {}
        Compression::Gzip => headers.push((CONTENT_ENCODING, "gzip".to_owned())),
        Compression::Zstd => headers.push((CONTENT_ENCODING, "zstd".to_owned())),
    }
    headers.extend(disposition.map(|disposition| (CONTENT_DISPOSITION, disposition)));
    let total = rendering.bytes.len();
    match requested_range(request, &etag, total) {
        RequestedRange::Whole => Ok(assembled(StatusCode::OK, headers, rendering.bytes.clone())),
        RequestedRange::Part { first, last } => {
            headers.push((CONTENT_RANGE, format!("bytes {first}-{last}/{total}")));
            let part = rendering.bytes.slice(first..=last);
            Ok(assembled(StatusCode::PARTIAL_CONTENT, headers, part))
        }
        RequestedRange::Unsatisfiable => Err(Refusal::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("the range lies outside of the file, which has {total} bytes"),
        )
        .with(CONTENT_RANGE, &format!("bytes */{total}"))),
    }
}

fn assembled(status: StatusCode, headers: Vec<(HeaderName, String)>, body: Bytes) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.extensions_mut().insert(IsCounted);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// Returns true if the client has the response with this tag, by the weak comparison.
pub fn is_known(request: &Request, etag: &str) -> bool {
    let Some(known) = request.header_list(IF_NONE_MATCH) else { return false };
    let opaque = etag.trim_start_matches("W/");
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == opaque)
}

#[derive(Debug, PartialEq, Eq)]
enum RequestedRange {
    Whole,
    /// Inclusive at both ends.
    Part {
        first: usize,
        last: usize,
    },
    Unsatisfiable,
}

/// Parses `Range`; the whole for a malformed one, for several, or if `If-Range` does not match.
fn requested_range(request: &Request, etag: &str, total: usize) -> RequestedRange {
    let range = request.header(RANGE).and_then(|range| range.strip_prefix("bytes="));
    let is_of_this = request.header(IF_RANGE).is_none_or(|tag| tag == etag);
    match range {
        Some(range) if is_of_this => parse_range(range, total),
        _ => RequestedRange::Whole,
    }
}

fn parse_range(range: &str, total: usize) -> RequestedRange {
    let Some((first, last)) = range.trim().split_once('-') else { return RequestedRange::Whole };
    let number = |digits: &str| {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // A number too large to parse exceeds any file.
        all_digits.then(|| digits.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() && first < total => {
            RequestedRange::Part { first, last: total - 1 }
        }
        (Some(first), Some(last)) if last < first => RequestedRange::Whole,
        (Some(first), Some(last)) if first < total => {
            RequestedRange::Part { first, last: last.min(total - 1) }
        }
        (None, Some(length)) if first.is_empty() && length > 0 && total > 0 => {
            RequestedRange::Part { first: total.saturating_sub(length), last: total - 1 }
        }
        (Some(_), Some(_)) => RequestedRange::Unsatisfiable,
        (Some(_), None) if last.is_empty() => RequestedRange::Unsatisfiable,
        (None, Some(_)) if first.is_empty() => RequestedRange::Unsatisfiable,
        _ => RequestedRange::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file() {
        let some = |first, last| RequestedRange::Part { first, last };
        for (range, expected) in [
            ("0-0", some(0, 0)),
            ("2-4", some(2, 4)),
            ("2-", some(2, 9)),
            ("-3", some(7, 9)),
            ("-30", some(0, 9)),
            ("8-99999999999999999999999", some(8, 9)),
            ("10-", RequestedRange::Unsatisfiable),
            ("10-12", RequestedRange::Unsatisfiable),
            ("-0", RequestedRange::Unsatisfiable),
            ("4-2", RequestedRange::Whole),
            ("0-1,3-4", RequestedRange::Whole),
            ("-", RequestedRange::Whole),
            ("a-b", RequestedRange::Whole),
        ] {
            assert_eq!(parse_range(range, 10), expected, "{range}");
        }
        assert_eq!(parse_range("-3", 0), RequestedRange::Unsatisfiable);
    }
}
