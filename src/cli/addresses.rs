//! Listen addresses given as flags.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::{Error, Result};
use crate::server::Host;

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// Resolves the host to its distinct addresses, IPv4 first.
    ///
    /// # Errors
    /// When the host name cannot be resolved.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut addresses: Vec<SocketAddr> = match found {
            Ok(found) => found.collect(),
            Err(_) if self.is_localhost() => {
                let ips = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
                ips.map(|ip| SocketAddr::new(ip, self.port)).to_vec()
            }
            Err(error) => return Err(self.unknown(error)),
        };
        // IPv4 first, because every client tries it.
        addresses.sort_by_key(|address| address.is_ipv6());
        addresses.dedup();
        match addresses.is_empty() {
            true => Err(self.unknown(std::io::ErrorKind::NotFound.into())),
            false => Ok(addresses),
        }
    }

    /// Values of the Host header to accept: the host as written, and its addresses.
    pub fn hosts(&self, addresses: &[SocketAddr]) -> impl Iterator<Item = Host> {
        let written = Host::parse(&self.host).ok().into_iter();
        written.chain(addresses.iter().map(|address| address.ip().into()))
    }

    /// Returns true for `localhost`, which is loopback by RFC 6761 even without a resolver.
    fn is_localhost(&self) -> bool {
        self.host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
    }

    fn unknown(&self, error: std::io::Error) -> Error {
        let host = &self.host;
        let what = format!("cannot find the host {host:?}; name an address, like 127.0.0.1");
        Error::Resource { what, source: error.into() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

/// Parses `127.0.0.1:8000`, `[::1]:8000` or `localhost:8000`.
///
/// # Errors
/// A message that says what was expected.
pub fn host_port(text: &str) -> std::result::Result<HostPort, String> {
    let expected = "expected a host and a port, like localhost:8000";
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("{expected}, without {scheme}://"));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(HostPort { host: address.ip().to_string(), port: address.port() });
    }
    let (host, port) = text.rsplit_once(':').ok_or(expected)?;
    let port = port.parse().map_err(|_| format!("{expected}; a port is a number up to 65535"))?;
    match host {
        "" | "*" => Err(format!("{expected}; the host 0.0.0.0 is every address of this machine")),
        _ if host.contains([':', '[', ']']) => {
            Err(format!("{expected}; an IPv6 address stands in brackets, as in [::1]:8000"))
        }
        _ if host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)) => {
            Ok(HostPort { host: host.to_owned(), port })
        }
        _ => Err(expected.to_owned()),
    }
}

/// Returns true for a loopback address, to which other machines cannot connect; IPv4-mapped ones
/// included.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::AllowedHosts;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in
            ["127.0.0.1:8000", "[::1]:0", "localhost:8000", "LocalHost.:1", "my-host.example:65535"]
        {
            assert_eq!(host_port(text).map(|read| read.to_string()), Ok(text.to_owned()));
        }
        for (text, expected) in [
            ("localhost", "expected a host and a port, like localhost:8000"),
            ("8000", "expected a host and a port"),
            (":8000", "the host 0.0.0.0 is every address"),
            ("*:8000", "the host 0.0.0.0 is every address"),
            ("localhost:http", "a port is a number up to 65535"),
            ("localhost:70000", "a port is a number up to 65535"),
            ("::1:8000", "stands in brackets"),
            ("http://localhost:8000", "without http://"),
            ("local host:1", "expected a host"),
            ("", "expected a host"),
        ] {
            let found = host_port(text).unwrap_err();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    #[test]
    fn only_loopback_is_private() {
        for (address, expected) in [
            ("127.0.0.1:1", true),
            ("127.1.2.3:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("[::ffff:192.168.0.1]:1", false),
            ("192.168.0.1:1", false),
        ] {
            assert_eq!(is_loopback(&address.parse().unwrap()), expected, "{address}");
        }
    }

    /// Checks whether a service without keys that listens there accepts the Host header.
    #[track_caller]
    fn check(listen: &str, addresses: &[&str], host: &str, expected: bool) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        let addresses: Vec<SocketAddr> = addresses.collect();
        let mut hosts = AllowedHosts::default();
        hosts.extend(host_port(listen).unwrap().hosts(&addresses));
        assert_eq!(hosts.contains(&Host::parse(host).unwrap()), expected, "{listen}: {host}");
    }

    #[test]
    fn a_service_accepts_the_hosts_where_it_listens() {
        check("127.0.0.1:0", &["127.0.0.1:0"], "localhost", true);
        check("127.0.0.1:0", &["127.0.0.1:0"], "127.0.0.2", false);
        check("127.0.0.2:0", &["127.0.0.2:0"], "127.0.0.2", true);
        check("192.168.0.7:0", &["192.168.0.7:0"], "192.168.0.7", true);
        check("192.168.0.7:0", &["192.168.0.7:0"], "192.168.0.8", false);
        check("[fe80::7]:0", &["[fe80::7]:0"], "fe80::7", true);
        check("Shop.example:0", &["192.168.0.7:0", "[fe80::7]:0"], "shop.example", true);
        check("Shop.example:0", &["192.168.0.7:0", "[fe80::7]:0"], "fe80::7", true);
        check("Shop.example:0", &["192.168.0.7:0", "[fe80::7]:0"], "www.shop.example", false);
        for everywhere in ["0.0.0.0:0", "[::]:0"] {
            check(everywhere, &[everywhere], "192.168.0.8", true);
            check(everywhere, &[everywhere], "fe80::8", true);
            check(everywhere, &[everywhere], "localhost", true);
            check(everywhere, &[everywhere], "shop.example", false);
        }
    }

    #[tokio::test]
    async fn localhost_is_this_machine() {
        let found = host_port("localhost:80").unwrap().resolve().await.unwrap();
        assert!(!found.is_empty() && found.iter().all(is_loopback), "{found:?}");
    }
}
