//! Limits on a request's head and body.
//!
//! The limits of the head lie below those at which hyper answers by itself, without a sentence: see
//! [`super::listener`]. Knows neither routes nor endpoints.

use bytes::{Buf, BytesMut};
use futures::{Stream, StreamExt};
use warp::http::header::{CONTENT_LENGTH, EXPECT};
use warp::http::{HeaderMap, StatusCode};

use super::budget::Share;
use super::problem::{Answer, Refusal};

/// Largest value for the limit of the head: hyper refuses longer targets by itself.
pub const HEADER_BYTES_MAX: usize = 65_534;
/// Memory of a request and its response besides their bytes, roughly.
pub const REQUEST_BYTES: usize = 8 << 10;
const HEADER_FIELDS_MAX: usize = 100;
/// Bytes that are drained of a body whose content does not matter.
const DRAINED_BYTES_MAX: usize = 8 << 20;

/// Checks the size of path and query, and of the whole head.
pub fn check_head(target_bytes: usize, headers: &HeaderMap, bytes_max: usize) -> Answer<()> {
    if target_bytes > bytes_max {
        let detail =
            format!("path and query have {target_bytes} bytes, and --max-header is {bytes_max}");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, detail));
    }
    let too_large = |detail| Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail));
    if headers.len() > HEADER_FIELDS_MAX {
        let fields = headers.len();
        return too_large(format!(
            "the header has {fields} fields, and {HEADER_FIELDS_MAX} is the limit"
        ));
    }
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let head_bytes = fields.sum::<usize>() + target_bytes;
    if head_bytes > bytes_max {
        return too_large(format!(
            "path, query and header have {head_bytes} bytes, and --max-header is {bytes_max}"
        ));
    }
    Ok(())
}

/// Reads the whole body.
///
/// # Errors
/// If it exceeds the limit or declares to, if it ends early, or if the budget has no room for it.
pub async fn read_body<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
    headers: &HeaderMap,
    bytes_max: usize,
    share: &mut Share,
) -> Answer<bytes::Bytes> {
    let too_long = || {
        let detail = format!("the body is longer than {bytes_max} bytes, the limit of --max-body");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if declared_bytes(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_long());
    }
    let mut read = BytesMut::new();
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let mut chunk =
            chunk.map_err(|error| Refusal::wrong(format!("the body ended early: {error}")))?;
        if read.len() + chunk.remaining() > bytes_max {
            return Err(too_long());
        }
        let length = chunk.remaining();
        share.grow(length)?;
        read.extend_from_slice(&chunk.copy_to_bytes(length));
    }
    Ok(read.freeze())
}

/// Returns true if the rest of the body should be drained before the connection closes: many
/// clients do not read before they have sent all, and would lose the response.
pub fn drains_rest(headers: &HeaderMap, status: StatusCode) -> bool {
    let is_about_the_body =
        matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    let is_long = declared_bytes(headers).is_some_and(|bytes| bytes > DRAINED_BYTES_MAX as u64);
    // `Expect: 100-continue`: the client is told not to send.
    !is_about_the_body && !is_long && !headers.contains_key(EXPECT)
}

/// Reads and discards a body up to a limit.
pub async fn drain<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) {
    let mut body = std::pin::pin!(body);
    let mut passed = 0;
    while let Some(Ok(chunk)) = body.next().await {
        passed += chunk.remaining();
        if passed > DRAINED_BYTES_MAX {
            return;
        }
    }
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
