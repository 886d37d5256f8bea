//! Who asks: the one by whom slots, queues and memory are shared out.
//!
//! A listener says who asks once, around the whole of an answer; what shares something out looks it
//! up. It is no argument, for it means nothing to what lies between. A task that is spawned on the
//! way starts as [`Client::Own`], unless it is told again. Knows no protocol.

use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// This process itself, as for what it does at its start, or the person at its command line.
    #[default]
    Own,
    /// The holder of a key, by the first bytes of the key's hash.
    Key([u8; 4]),
    /// A network, where there are no keys.
    Network(IpAddr),
}

tokio::task_local! {
    static CURRENT: Client;
}

impl Client {
    /// The client that the current task works for.
    pub fn current() -> Self {
        CURRENT.try_with(|client| *client).unwrap_or_default()
    }

    /// Does the work for this client.
    pub async fn asks<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_for_the_client_that_asks() {
        let client = Client::Key([1, 2, 3, 4]);
        assert_eq!(client.asks(async { Client::current() }).await, client);
        assert_eq!(Client::current(), Client::Own);
    }
}
