//! Request ids: the trace id of W3C Trace Context, or a random one.

use uuid::Uuid;
use warp::http::HeaderMap;

/// 32 hexadecimal digits.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    given.and_then(trace_id).unwrap_or_else(|| Uuid::new_v4().simple().to_string())
}

/// Trace id of a `traceparent`; `None` if it is malformed, which is ignored.
fn trace_id(traceparent: &str) -> Option<String> {
    let is_hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_well_formed = is_hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2);
    let is_some = |id: &str| id.bytes().any(|byte| byte != b'0');
    (is_well_formed && is_some(trace) && is_some(parent)).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_honoured_where_it_is_well_formed() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = "00f067aa0ba902b7";
        assert_eq!(trace_id(&format!("00-{trace}-{parent}-01")).as_deref(), Some(trace));
        assert_eq!(trace_id(&format!("01-{trace}-{parent}-01-more")).as_deref(), Some(trace));
        for wrong in [
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}"),
            String::new(),
        ] {
            assert_eq!(trace_id(&wrong), None, "{wrong}");
        }
    }
}
