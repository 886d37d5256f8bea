//! Origins of pages, and what a request reveals about the page that sends it.
//!
//! A browser lets any page send requests anywhere, and only withholds the responses. It names the
//! page's origin in `Origin` (RFC 6454), though not for every `GET`, and its relation in
//! `Sec-Fetch-Site` (Fetch Metadata) to HTTPS and to this machine. Other clients send neither.
//! Knows neither routes nor keys.

use std::fmt;

use warp::http::header::{HeaderName, ORIGIN};
use warp::http::{HeaderMap, HeaderValue};

use super::host::{Host, RequestedHost};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Lower case.
    scheme: String,
    host: Host,
    /// `None` for the scheme's port.
    port: Option<u16>,
}

impl Origin {
    /// Parses `https://dash.example` or `http://[::1]:3000`; not `null`.
    ///
    /// # Errors
    /// States the expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || "expected scheme, host and port alone, like https://dash.example:8443".to_owned();
        let (scheme, asked) = text.split_once("://").ok_or_else(expected)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let RequestedHost { host, port } =
            RequestedHost::parse(asked).filter(|_| is_scheme).ok_or_else(expected)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.filter(|port| Some(*port) != usual_port(&scheme));
        Ok(Self { scheme, host, port })
    }

    /// Returns true for an origin on the host itself, over HTTP or HTTPS.
    ///
    /// The scheme is unknown where a proxy ends TLS.
    fn is_of(&self, asked: &RequestedHost) -> bool {
        let usual_port = usual_port(&self.scheme);
        let asked_port = asked.port.filter(|port| Some(*port) != usual_port);
        usual_port.is_some() && self.host == asked.host && self.port == asked_port
    }
}

/// Formats as browsers do.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Initiator of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// Page of this server, a typed address, or a client that is not a browser.
    SameOrigin,
    /// Page of an allowed origin, as `Origin` names it.
    Allowed(HeaderValue),
    /// Page of another origin, or of several; `None` if the request does not name it.
    CrossSite(Option<Origin>),
}

impl Initiator {
    /// Reads `Origin` and `Sec-Fetch-Site`; malformed or repeated fields count as cross-site.
    pub fn read(headers: &HeaderMap, asked: Option<&RequestedHost>, allowed: &[Origin]) -> Self {
        let mut origins = headers.get_all(ORIGIN).iter();
        if let Some(value) = origins.next() {
            let origin = value.to_str().ok().and_then(|text| Origin::parse(text).ok());
            match origin.filter(|_| origins.next().is_none()) {
                None => return Self::CrossSite(None),
                Some(origin) if allowed.contains(&origin) => return Self::Allowed(value.clone()),
                Some(origin) if !asked.is_some_and(|asked| origin.is_of(asked)) => {
                    return Self::CrossSite(Some(origin));
                }
                Some(_) => {}
            }
        }
        let is_same = |site: &HeaderValue| site == "same-origin" || site == "none";
        match headers.get_all(SEC_FETCH_SITE).iter().all(is_same) {
            true => Self::SameOrigin,
            false => Self::CrossSite(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_it_is_written() {
        for (text, expected) in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("HTTPS://Dash.Example", "https://dash.example"),
            ("https://dash.example.", "https://dash.example"),
            ("https://dash.example:443", "https://dash.example"),
            ("http://dash.example:443", "http://dash.example:443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            let read = Origin::parse(text);
            assert_eq!(read.as_ref().map(Origin::to_string).as_deref(), Ok(expected), "{text}");
            assert_eq!(Origin::parse(expected), read, "{expected}");
        }
        for wrong in [
            "",
            "null",
            "*",
            "dash.example",
            "//dash.example",
            "://dash.example",
            "https://",
            "https://dash.example/",
            "https://dash.example/page",
            "https://dash.example?x",
            "https://user@dash.example",
            "https://user:word@dash.example",
            "https://dash.example https://other.example",
            "https://*.example",
            "https://::1",
            "1http://x",
        ] {
            let sentence = Origin::parse(wrong).unwrap_err();
            assert!(sentence.starts_with("expected scheme, host and port alone"), "{wrong}");
        }
    }

    #[test]
    fn an_origin_is_of_the_host_that_is_asked() {
        for (origin, asked, expected) in [
            ("http://localhost:8000", "localhost:8000", true),
            ("https://localhost:8000", "LOCALHOST.:8000", true),
            ("http://[::1]:8000", "[0:0::1]:8000", true),
            ("http://uptally.example", "uptally.example", true),
            ("http://uptally.example", "uptally.example:80", true),
            ("https://uptally.example", "uptally.example", true),
            ("https://uptally.example", "uptally.example:443", true),
            ("https://uptally.example", "uptally.example:80", false),
            ("http://localhost:3000", "localhost:8000", false),
            ("http://localhost", "localhost:8000", false),
            ("http://127.0.0.1:8000", "localhost:8000", false),
            ("http://localhost.evil.com:8000", "localhost:8000", false),
            ("chrome-extension://localhost", "localhost", false),
        ] {
            let read = Origin::parse(origin).unwrap().is_of(&RequestedHost::parse(asked).unwrap());
            assert_eq!(read, expected, "{origin} of {asked}");
        }
    }

    /// Checks a request to `localhost:8000` with these fields; `https://dash.example` is allowed.
    #[track_caller]
    fn check(fields: &[(&'static str, &'static str)], expected: &str) {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let allowed = [Origin::parse("https://dash.example").unwrap()];
        let asked = RequestedHost::parse("localhost:8000");
        let found = match Initiator::read(&headers, asked.as_ref(), &allowed) {
            Initiator::SameOrigin => "same origin".to_owned(),
            Initiator::Allowed(origin) => format!("allowed {}", origin.to_str().unwrap()),
            Initiator::CrossSite(None) => "cross-site".to_owned(),
            Initiator::CrossSite(Some(origin)) => format!("cross-site {origin}"),
        };
        assert_eq!(found, expected, "{fields:?}");
    }

    #[test]
    fn clients_besides_browsers_are_not_cross_site() {
        check(&[], "same origin");
        check(&[("referer", "https://evil.example/")], "same origin");
    }

    #[test]
    fn pages_of_this_server_are_told_from_others() {
        let own = ("origin", "http://localhost:8000");
        let other = ("origin", "https://evil.example");
        check(&[own], "same origin");
        check(&[own, ("sec-fetch-site", "same-origin")], "same origin");
        check(&[("sec-fetch-site", "same-origin")], "same origin");
        check(&[("sec-fetch-site", "none")], "same origin");
        check(&[other], "cross-site https://evil.example");
        check(&[other, ("sec-fetch-site", "same-origin")], "cross-site https://evil.example");
        check(&[("origin", "http://localhost:3000")], "cross-site http://localhost:3000");
    }

    #[test]
    fn a_request_that_names_another_host_is_cross_site() {
        let own = ("origin", "http://localhost:8000");
        for site in ["cross-site", "same-site", "Same-Origin", "", "anything"] {
            check(&[("sec-fetch-site", site)], "cross-site");
            check(&[own, ("sec-fetch-site", site)], "cross-site");
        }
        check(&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], "cross-site");
        for origin in ["null", "", "localhost:8000", "http://localhost:8000/"] {
            check(&[("origin", origin)], "cross-site");
        }
        check(&[own, own], "cross-site");
        check(&[own, ("origin", "https://evil.example")], "cross-site");
    }

    #[test]
    fn an_allowed_origin_counts_wherever_it_is() {
        let dash = ("origin", "https://dash.example");
        check(&[dash], "allowed https://dash.example");
        check(&[dash, ("sec-fetch-site", "cross-site")], "allowed https://dash.example");
        check(&[("origin", "http://dash.example")], "cross-site http://dash.example");
        check(&[("origin", "https://x.dash.example")], "cross-site https://x.dash.example");
        check(&[dash, dash], "cross-site");
    }

    #[test]
    fn without_a_host_every_origin_is_cross_site() {
        let mut headers = HeaderMap::new();
        let initiator = |headers: &HeaderMap| Initiator::read(headers, None, &[]);
        assert_eq!(initiator(&headers), Initiator::SameOrigin);
        headers.insert(ORIGIN, HeaderValue::from_static("http://localhost:8000"));
        assert!(matches!(initiator(&headers), Initiator::CrossSite(Some(_))));
    }
}
