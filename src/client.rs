//! Clients: the units among which permits, queues and memory are shared.
//!
//! A listener sets the client once, around the whole response; whatever is shared looks it up. It
//! is task-local, since it means nothing to the code in between. A spawned task starts as
//! [`Client::Own`] unless its client is set again. Knows no protocol.

use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// This process itself, or the user of its command line.
    #[default]
    Own,
    /// Holder of a key, identified by the first bytes of the key's hash.
    Key([u8; 4]),
    /// Network, if there are no keys.
    Network(IpAddr),
}

tokio::task_local! {
    static CURRENT: Client;
}

impl Client {
    /// Client that the current task works for.
    pub fn current() -> Self {
        CURRENT.try_with(|client| *client).unwrap_or_default()
    }

    /// Runs the future on behalf of this client.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_runs_for_its_client() {
        let client = Client::Key([1, 2, 3, 4]);
        assert_eq!(client.scope(async { Client::current() }).await, client);
        assert_eq!(Client::current(), Client::Own);
    }
}
