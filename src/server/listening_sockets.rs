//! Listening sockets that serve alike: a host name may have an IPv4 and an IPv6 address.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

/// Attempts to find a port that is free at all addresses.
const PORT_ATTEMPTS_MAX: usize = 16;

/// At least one listening socket.
#[derive(Debug)]
pub struct ListeningSockets(Vec<TcpListener>);

impl ListeningSockets {
    /// Listens on all addresses; if they ask for any port, all get the same.
    ///
    /// Addresses that this machine does not have are skipped, unless it has none of them.
    ///
    /// # Errors
    /// Names an address and why listening on it failed.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let mut tried = 0;
        loop {
            tried += 1;
            let any_port = addresses.iter().all(|address| address.port() == 0);
            match Self::bind_at_one_port(addresses).await {
                Err((_, error))
                    if any_port
                        && error.kind() == io::ErrorKind::AddrInUse
                        && tried < PORT_ATTEMPTS_MAX => {}
                bound => return bound,
            }
        }
    }

    async fn bind_at_one_port(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let (mut bound, mut missing) = (Vec::<TcpListener>::new(), None);
        for address in addresses {
            let mut address = *address;
            if let (0, Some(first)) = (address.port(), bound.first()) {
                address.set_port(first.local_addr().map_err(|error| (address, error))?.port());
            }
            match TcpListener::bind(address).await {
                Ok(listener) => bound.push(listener),
                Err(error) if concerns_port(&error) => return Err((address, error)),
                Err(error) => missing = missing.or(Some((address, error))),
            }
        }
        match (bound.is_empty(), missing) {
            (true, Some(missing)) => Err(missing),
            (true, None) => {
                let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
                Err((nowhere, io::ErrorKind::AddrNotAvailable.into()))
            }
            (false, _) => Ok(Self(bound)),
        }
    }

    /// Local addresses of the sockets.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }

    /// Accepts the next connection on any of the sockets. Cancel-safe.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            let polled = self.0.iter().map(|listener| listener.poll_accept(context));
            polled.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }
}

impl From<TcpListener> for ListeningSockets {
    fn from(listener: TcpListener) -> Self {
        Self(vec![listener])
    }
}

/// Returns true if the error is about the port, not about an address that this machine lacks.
fn concerns_port(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
