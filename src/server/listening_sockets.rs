//! Listening sockets that serve alike: a host name has an address for each family of the internet.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

/// How often other addresses are tried at the port that the system gave the first one.
const PORT_ATTEMPTS_MAX: usize = 16;

/// At least one listening socket.
#[derive(Debug)]
pub struct ListeningSockets(Vec<TcpListener>);

impl ListeningSockets {
    /// Listens at all of the addresses; where the first asks for any port, all have the one it gets.
    ///
    /// Addresses that this machine does not have are left out, unless it has none of them.
    ///
    /// # Errors
    /// Says at which address nobody can listen.
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

    /// Where clients are waited for.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }

    /// The next connection to any of them; nothing is lost where this is dropped before.
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

/// Whether every machine would say so, as where the port is taken; not for want of the address.
fn concerns_port(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
