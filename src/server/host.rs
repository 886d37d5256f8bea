//! Hosts that requests name, and the ones that are allowed without keys.
//!
//! DNS rebinding: a page of `evil.example` points its own name at this machine once it is loaded,
//! and then sends requests as if they were same-origin. They still name `evil.example` as their
//! host. An address needs no look-up and cannot be rebound. Knows neither routes nor keys.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use warp::host::Authority;
use warp::http::HeaderMap;
use warp::http::header::HOST;

/// Longest DNS name (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// Host in its canonical spelling, without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Never IPv4-mapped.
    Address(IpAddr),
    /// Lower case, without a trailing dot.
    Name(String),
}

impl Host {
    /// Parses `uptally.example`, `127.0.0.1`, `[::1]` or `::1`, in any case, with or without a
    /// trailing dot.
    ///
    /// # Errors
    /// States the expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || "expected a host name or an address without a port, like uptally.example".to_owned();
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = inside.parse::<Ipv6Addr>().map_err(|_| expected())?;
            return Ok(IpAddr::from(address).into());
        }
        let plain = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = plain.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let is_label = |label: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_plain)
        };
        match plain.len() <= NAME_BYTES_MAX && plain.split('.').all(is_label) {
            true => Ok(Self::Name(plain.to_ascii_lowercase())),
            false => Err(expected()),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

/// Formats as in a URL: IPv6 in brackets.
impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

/// Host and port that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedHost {
    pub host: Host,
    /// `None` means the port of the scheme.
    pub port: Option<u16>,
}

impl RequestedHost {
    /// Host of a request, given the authority of its target or its first `Host` field.
    ///
    /// `None` if it is missing, malformed, or there are several `Host` fields.
    pub fn read(authority: Option<&Authority>, headers: &HeaderMap) -> Option<Self> {
        match headers.get_all(HOST).iter().nth(1) {
            Some(_) => None,
            None => Self::parse(authority?.as_str()),
        }
    }

    /// Parses `host` or `host:port` without user information; the port may be empty (RFC 3986).
    pub fn parse(text: &str) -> Option<Self> {
        let host_bytes = match text.rfind(']') {
            Some(bracket) => bracket + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(host_bytes);
        let port = match port.strip_prefix(':') {
            None if !port.is_empty() => return None,
            None | Some("") => None,
            // Parsing as a number alone would accept a sign.
            Some(digits) if !digits.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            Some(digits) => Some(digits.parse().ok()?),
        };
        Some(Self { host: Host::parse(host).ok()?, port })
    }
}

/// Hosts that are served without keys; always `localhost`, `127.0.0.1` and `[::1]`.
#[derive(Clone, Debug)]
pub struct AllowedHosts {
    hosts: BTreeSet<Host>,
    any_address: bool,
}

impl AllowedHosts {
    pub fn contains(&self, host: &Host) -> bool {
        (self.any_address && matches!(host, Host::Address(_))) || self.hosts.contains(host)
    }
}

impl Default for AllowedHosts {
    fn default() -> Self {
        let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let hosts = addresses.into_iter().map(Host::from);
        let hosts = hosts.chain([Host::Name("localhost".to_owned())]).collect();
        Self { hosts, any_address: false }
    }
}

/// An unspecified address (`0.0.0.0`, `[::]`) stands for every address, and for no name.
impl Extend<Host> for AllowedHosts {
    fn extend<I: IntoIterator<Item = Host>>(&mut self, hosts: I) {
        for host in hosts {
            match host {
                Host::Address(address) if address.is_unspecified() => self.any_address = true,
                host => {
                    self.hosts.insert(host);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (text, expected) in [
            ("localhost", "localhost"),
            ("LocalHost", "localhost"),
            ("localhost.", "localhost"),
            ("localhost.evil.com", "localhost.evil.com"),
            ("127.0.0.1.evil.com", "127.0.0.1.evil.com"),
            ("my_host-1", "my_host-1"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("::1", "[::1]"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[FE80::A]", "[fe80::a]"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            // Browsers turn these into addresses before they send; to us they are names.
            ("2130706433", "2130706433"),
            ("0x7f.1", "0x7f.1"),
        ] {
            let read = Host::parse(text);
            assert_eq!(read.as_ref().map(Host::to_string).as_deref(), Ok(expected), "{text}");
            assert_eq!(Host::parse(expected), read, "{expected}");
        }
        let long = "a.".repeat(127) + "a";
        for wrong in [
            "",
            ".",
            "..",
            "localhost..",
            ".localhost",
            "a..b",
            "localhost:8000",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "[]",
            "[fe80::1%eth0]",
            "user@localhost",
            "local host",
            "localhost/",
            "*",
            "bücher.example",
            &long,
        ] {
            let sentence = Host::parse(wrong).unwrap_err();
            assert!(sentence.starts_with("expected a host name or an address"), "{wrong}");
        }
    }

    #[test]
    fn a_port_may_stand_behind_the_host() {
        for (text, expected) in [
            ("localhost", Some(("localhost", None))),
            ("localhost:", Some(("localhost", None))),
            ("LOCALHOST.:8000", Some(("localhost", Some(8000)))),
            ("127.0.0.1:0", Some(("127.0.0.1", Some(0)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:8000", Some(("[::1]", Some(8000)))),
            ("::1", None),
            ("[::1]8000", None),
            ("[::1]:[::1]", None),
            ("localhost:+80", None),
            ("localhost:65536", None),
            ("localhost:http", None),
            ("localhost:80:80", None),
            ("user@localhost:80", None),
            ("user:word@localhost", None),
            ("localhost@evil.com", None),
            ("localhost:80@evil.com", None),
            (":80", None),
            ("", None),
        ] {
            let read = RequestedHost::parse(text).map(|asked| (asked.host.to_string(), asked.port));
            let read = read.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_request_asks_for_one_host() {
        let authority = Authority::from_static("localhost:8000");
        for (fields, expected) in [
            (vec![], RequestedHost::parse("localhost:8000")),
            (vec!["localhost:8000"], RequestedHost::parse("localhost:8000")),
            (vec!["localhost:8000", "localhost:8000"], None),
            (vec!["localhost:8000", "evil.example"], None),
        ] {
            let mut headers = HeaderMap::new();
            for &field in &fields {
                headers.append(HOST, HeaderValue::from_static(field));
            }
            assert_eq!(RequestedHost::read(Some(&authority), &headers), expected, "{fields:?}");
            assert_eq!(RequestedHost::read(None, &headers), None, "{fields:?}");
        }
    }

    #[track_caller]
    fn check(added: &[&str], allowed: &[&str], others: &[&str]) {
        let parse = |text: &&str| Host::parse(text).unwrap();
        let mut hosts = AllowedHosts::default();
        hosts.extend(added.iter().map(parse));
        for host in ["localhost", "127.0.0.1", "[::1]"].iter().chain(allowed) {
            assert!(hosts.contains(&parse(host)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.com", "x.localhost"].iter().chain(others) {
            assert!(!hosts.contains(&parse(host)), "{host}");
        }
    }

    #[test]
    fn an_unspecified_address_stands_for_addresses_and_not_for_names() {
        let addresses = ["127.0.0.2", "192.168.0.7", "[fe80::1]", "0.0.0.0", "[::]"];
        check(&[], &[], &addresses);
        check(&["192.168.0.7"], &["192.168.0.7"], &["192.168.0.8", "0.0.0.0"]);
        check(&["0.0.0.0"], &addresses, &["uptally"]);
        check(&["::"], &addresses, &["uptally"]);
        check(&["Uptally.example."], &["uptally.example"], &["www.uptally.example", "uptally"]);
    }
}
