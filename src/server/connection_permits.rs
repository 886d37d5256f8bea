//! Permits for connections: a limited number, which silent clients cannot exhaust.
//!
//! A client is silent until it has sent a request or was authenticated. While all permits are
//! taken, a new client evicts the client that has been silent the longest, or else the one that has
//! been idle the longest, for at least half a minute. Once half of the permits are taken, a network
//! holds at most a quarter of them; beyond that its new clients evict its own silent and idle ones.
//! Knows no protocol.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::keys::KeyId;
use crate::client;

/// While permits are scarce, a network holds at most 1/`NETWORK_SHARE` of them.
const NETWORK_SHARE: usize = 4;
/// Leading bits of an IPv6 address that tell one customer of a provider from another.
const NETWORK_BITS: u32 = 64;
/// Idle time after which another client may take the permit.
const IDLE_TIME: Duration = Duration::from_secs(30);

pub struct ConnectionPermits {
    permits_max: usize,
    network_max: usize,
    idle_time: Duration,
    /// Treats all clients as silent, whatever they do.
    always_evict_oldest: bool,
    clients: Mutex<Clients>,
    released: Notify,
}

#[derive(Default)]
struct Clients {
    /// Clients by number, oldest first.
    all: BTreeMap<u64, Arc<Client>>,
    next_number: u64,
}

struct Client {
    network: IpAddr,
    activity: Mutex<Activity>,
    evicted: Notify,
}

/// Eviction order: silent before idle, longer idle before shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    Silent,
    /// Has awaited nothing since this instant.
    Idle(Instant),
    Busy,
}

impl Client {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reason why no permit is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The client's network has its share, and none of its clients can be evicted.
    Network,
    /// All permits are taken, and no client can be evicted.
    All,
}

impl Full {
    /// Sentence for the client, where it can be told.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Network => {
                "your network has its share of the connections; close some, or try again later"
            }
            Self::All => "all connections are taken; try again later",
        }
    }
}

/// Permit of a connection; released on drop.
pub struct ConnectionPermit {
    number: u64,
    client: Arc<Client>,
    permits: Arc<ConnectionPermits>,
}

impl ConnectionPermits {
    pub fn new(permits_max: usize) -> Self {
        Self {
            permits_max,
            network_max: permits_max.div_ceil(NETWORK_SHARE),
            idle_time: IDLE_TIME,
            always_evict_oldest: false,
            clients: Mutex::default(),
            released: Notify::new(),
        }
    }

    /// Permits of which the next client always evicts the oldest.
    pub fn evicting_oldest(permits_max: usize) -> Self {
        Self { always_evict_oldest: true, ..Self::new(permits_max) }
    }

    /// Acquires a free permit, or evicts a silent or idle client for it.
    ///
    /// # Errors
    /// If no permit is free and no client may be evicted.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, Full> {
        let network = network(address);
        let mut clients = self.clients();
        let of_network = clients.all.values().filter(|client| client.network == network).count();
        // Many clients may share an address, which harms nobody while permits are plentiful.
        let are_plenty = clients.all.len() < self.permits_max / 2;
        // All clients of a local proxy have its address.
        let is_here = address.to_canonical().is_loopback();
        let is_crowded = of_network >= self.network_max && !are_plenty && !is_here;
        if is_crowded || clients.all.len() >= self.permits_max {
            let next = |(number, client): (&u64, &Arc<Client>)| {
                let activity = *client.activity();
                let may_go = match activity {
                    Activity::Silent => true,
                    Activity::Idle(since) => since.elapsed() >= self.idle_time,
                    Activity::Busy => false,
                };
                (may_go && (!is_crowded || client.network == network))
                    .then_some((activity, *number))
            };
            let full = if is_crowded { Full::Network } else { Full::All };
            let (_, next) = clients.all.iter().filter_map(next).min().ok_or(full)?;
            if let Some(client) = clients.all.remove(&next) {
                client.evicted.notify_one();
            }
        }
        let activity = Mutex::new(Activity::Silent);
        let client = Client { network, activity, evicted: Notify::new() };
        let (number, client) = (clients.next_number, Arc::new(client));
        clients.next_number += 1;
        clients.all.insert(number, Arc::clone(&client));
        Ok(ConnectionPermit { number, client, permits: Arc::clone(self) })
    }

    /// Completes when a permit is released, possibly one from before the call.
    pub async fn released(&self) {
        self.released.notified().await;
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ConnectionPermit {
    /// Marks the client as busy: it keeps its permit until it is idle.
    pub fn heard(&self) {
        self.set_activity(Activity::Busy);
    }

    /// Marks the client as idle: it awaits nothing and may be evicted later.
    pub fn idle(&self) {
        self.set_activity(Activity::Idle(Instant::now()));
    }

    fn set_activity(&self, activity: Activity) {
        if !self.permits.always_evict_oldest {
            *self.client.activity() = activity;
        }
    }

    /// Completes when another client has taken the permit.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        let client = Arc::clone(&self.client);
        async move { client.evicted.notified().await }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        // After an eviction it has been removed already.
        self.permits.clients().all.remove(&self.number);
        self.permits.released.notify_one();
    }
}

/// Client that permits and budgets are counted for: the key's holder, or else the network.
pub fn client(key: Option<KeyId>, address: Option<SocketAddr>) -> client::Client {
    match (key, address) {
        (Some(key), _) => client::Client::Key(key.bytes()),
        (None, Some(address)) => client::Client::Network(network(address.ip())),
        (None, None) => client::Client::Own,
    }
}

/// Addresses of a single client: an IPv4 address, or the first half of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loopback address, which may hold all permits.
    const HERE: &str = "127.0.0.1";

    fn permits(permits_max: usize) -> Arc<ConnectionPermits> {
        Arc::new(ConnectionPermits::new(permits_max))
    }

    fn take(permits: &Arc<ConnectionPermits>, address: &str) -> Result<ConnectionPermit, Full> {
        permits.take(address.parse().unwrap())
    }

    /// Returns true if another client has taken the permit.
    async fn is_evicted(permit: &ConnectionPermit) -> bool {
        tokio::select! {
            biased;
            () = permit.evicted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_longest_silent_client_is_evicted() {
        let permits = permits(3);
        let all = [HERE; 3].map(|here| take(&permits, here).unwrap());
        all[0].heard();
        let fourth = take(&permits, HERE).unwrap();
        assert!(!is_evicted(&all[0]).await && is_evicted(&all[1]).await);
        assert!(!is_evicted(&all[2]).await && !is_evicted(&fourth).await);
    }

    #[tokio::test]
    async fn idle_clients_are_evicted_after_silent_ones_longest_first() {
        let permits = ConnectionPermits { idle_time: Duration::ZERO, ..ConnectionPermits::new(3) };
        let permits = Arc::new(permits);
        let all = [HERE; 3].map(|here| take(&permits, here).unwrap());
        all[2].idle();
        all[0].idle();
        let mut newer = Vec::new();
        for (evicted, kept) in [(1, 2), (2, 0)] {
            newer.push(take(&permits, HERE).unwrap());
            newer.iter().for_each(ConnectionPermit::heard);
            assert!(is_evicted(&all[evicted]).await && !is_evicted(&all[kept]).await);
        }
    }

    #[tokio::test]
    async fn a_client_that_was_just_busy_is_not_idle_yet() {
        let permits = permits(1);
        let first = take(&permits, HERE).unwrap();
        first.idle();
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn reserved_permits_are_always_evicted() {
        let permits = Arc::new(ConnectionPermits::evicting_oldest(1));
        let first = take(&permits, HERE).unwrap();
        first.heard();
        let _second = take(&permits, HERE).unwrap();
        assert!(is_evicted(&first).await);
    }

    #[test]
    fn without_silent_clients_a_permit_must_be_released() {
        let permits = permits(2);
        let all = [HERE; 2].map(|here| take(&permits, here).unwrap());
        all.iter().for_each(ConnectionPermit::heard);
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
        let [first, _second] = all;
        drop(first);
        assert!(take(&permits, HERE).is_ok());
    }

    #[test]
    fn the_permit_of_an_evicted_client_is_released_once() {
        let permits = permits(1);
        let first = take(&permits, HERE).unwrap();
        let second = take(&permits, HERE).unwrap();
        second.heard();
        drop(first);
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn a_network_holds_more_than_a_quarter_only_while_permits_are_plentiful() {
        let permits = permits(8);
        let all = ["192.0.2.1"; 4].map(|address| take(&permits, address).unwrap());
        let fifth = take(&permits, "192.0.2.1").unwrap();
        assert!(is_evicted(&all[0]).await && !is_evicted(&all[1]).await);
        assert!(!is_evicted(&fifth).await);
    }

    #[tokio::test]
    async fn a_network_holds_a_quarter_of_the_permits() {
        let permits = permits(8);
        let [first, second] = ["192.0.2.1"; 2].map(|address| take(&permits, address).unwrap());
        let [other, _another] =
            ["192.0.2.2", "192.0.2.4"].map(|address| take(&permits, address).unwrap());
        let third = take(&permits, "::ffff:192.0.2.1").unwrap();
        assert!(is_evicted(&first).await && !is_evicted(&second).await);
        assert!(!is_evicted(&other).await);
        second.heard();
        third.heard();
        assert_eq!(take(&permits, "192.0.2.1").err(), Some(Full::Network));
        assert!(take(&permits, "192.0.2.3").is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_the_first_half_of_an_address() {
        for (address, expected) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(network(address), expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
