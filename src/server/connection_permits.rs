//! Places for connections: a limited number, of which silent clients keep nobody out.
//!
//! A client is silent until it was heard: until it sent a request, or was let in. While all places
//! are taken, a new client takes the place of the client that has been silent the longest, or else
//! of the one that has been idle the longest, for half a minute at least. Once half of the places are
//! taken, one network takes a quarter of them at most; beyond that its new clients take the places of
//! its own silent and idle ones. Knows nothing of what is spoken.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::keys::KeyId;
use crate::client;

/// One network takes one place of so many, where there are not plenty.
const NETWORK_SHARE: usize = 4;
/// Bits of an IPv6 address that tell one customer of a provider from another.
const NETWORK_BITS: u32 = 64;
/// How long a client is idle before another may take its place.
const IDLE_TIME: Duration = Duration::from_secs(30);

pub struct ConnectionPermits {
    permits_max: usize,
    network_max: usize,
    idle_time: Duration,
    /// Whether all clients count as silent, whatever they do.
    always_evict_oldest: bool,
    clients: Mutex<Clients>,
    released: Notify,
}

#[derive(Default)]
struct Clients {
    /// By number, so that older clients come first.
    all: BTreeMap<u64, Arc<Client>>,
    next_number: u64,
}

struct Client {
    network: IpAddr,
    activity: Mutex<Activity>,
    evicted: Notify,
}

/// Silent comes before idle, and idle for longer before idle for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    Silent,
    /// It waits for nothing since then.
    Idle(Instant),
    Busy,
}

impl Client {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The client's network has its share, and none of its clients is silent.
    Network,
    /// All places are taken, and no client is silent.
    All,
}

impl Full {
    /// What the client hears, where it can be told.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Network => {
                "your network has its share of the connections; close some, or try again later"
            }
            Self::All => "all connections are taken; try again later",
        }
    }
}

/// A place, free again once this is dropped.
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

    /// Places from which the next client always pushes out the oldest one.
    pub fn evicting_oldest(permits_max: usize) -> Self {
        Self { always_evict_oldest: true, ..Self::new(permits_max) }
    }

    /// A free place, or that of a client that is silent or idle.
    ///
    /// # Errors
    /// Where no place is free and none of the clients that would have to go may.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, Full> {
        let network = network(address);
        let mut clients = self.clients();
        let of_network = clients.all.values().filter(|client| client.network == network).count();
        // Many clients may share an address, which is nobody's harm while there are places.
        let are_plenty = clients.all.len() < self.permits_max / 2;
        // All clients of a proxy on this machine have its address.
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

    /// Ends when a place was given back, possibly one before this was called.
    pub async fn released(&self) {
        self.released.notified().await;
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ConnectionPermit {
    /// From now on the place is the client's, until it is idle.
    pub fn heard(&self) {
        self.set_activity(Activity::Busy);
    }

    /// The client waits for nothing, and may come again.
    pub fn idle(&self) {
        self.set_activity(Activity::Idle(Instant::now()));
    }

    fn set_activity(&self, activity: Activity) {
        if !self.permits.always_evict_oldest {
            *self.client.activity() = activity;
        }
    }

    /// Ends when another client has taken the place.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        let client = Arc::clone(&self.client);
        async move { client.evicted.notified().await }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        // It is gone already where another client took the place.
        self.permits.clients().all.remove(&self.number);
        self.permits.released.notify_one();
    }
}

/// Who asks: the holder of the key where there is one, else the network.
pub fn client(key: Option<KeyId>, address: Option<SocketAddr>) -> client::Client {
    match (key, address) {
        (Some(key), _) => client::Client::Key(key.bytes()),
        (None, Some(address)) => client::Client::Network(network(address.ip())),
        (None, None) => client::Client::Own,
    }
}

/// The addresses that one client can be expected to have at its disposal: an address of IPv4, the
/// first half of one of IPv6.
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

    /// An address of this machine, of which all places may be.
    const HERE: &str = "127.0.0.1";

    fn permits(permits_max: usize) -> Arc<ConnectionPermits> {
        Arc::new(ConnectionPermits::new(permits_max))
    }

    fn take(permits: &Arc<ConnectionPermits>, address: &str) -> Result<ConnectionPermit, Full> {
        permits.take(address.parse().unwrap())
    }

    /// Whether another client has taken the place.
    async fn is_evicted(permit: &ConnectionPermit) -> bool {
        tokio::select! {
            biased;
            () = permit.evicted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_client_that_is_silent_the_longest_gives_its_place_up() {
        let permits = permits(3);
        let all = [HERE; 3].map(|here| take(&permits, here).unwrap());
        all[0].heard();
        let fourth = take(&permits, HERE).unwrap();
        assert!(!is_evicted(&all[0]).await && is_evicted(&all[1]).await);
        assert!(!is_evicted(&all[2]).await && !is_evicted(&fourth).await);
    }

    #[tokio::test]
    async fn the_client_that_is_idle_the_longest_comes_after_the_silent_ones() {
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
    async fn who_was_just_heard_is_not_idle_yet() {
        let permits = permits(1);
        let first = take(&permits, HERE).unwrap();
        first.idle();
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn places_that_yield_are_never_kept() {
        let permits = Arc::new(ConnectionPermits::evicting_oldest(1));
        let first = take(&permits, HERE).unwrap();
        first.heard();
        let _second = take(&permits, HERE).unwrap();
        assert!(is_evicted(&first).await);
    }

    #[test]
    fn without_silent_clients_a_place_must_be_given_back() {
        let permits = permits(2);
        let all = [HERE; 2].map(|here| take(&permits, here).unwrap());
        all.iter().for_each(ConnectionPermit::heard);
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
        let [first, _second] = all;
        drop(first);
        assert!(take(&permits, HERE).is_ok());
    }

    #[test]
    fn the_place_of_an_evicted_client_is_given_back_once() {
        let permits = permits(1);
        let first = take(&permits, HERE).unwrap();
        let second = take(&permits, HERE).unwrap();
        second.heard();
        drop(first);
        assert_eq!(take(&permits, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn a_network_has_more_than_a_quarter_only_while_places_are_plenty() {
        let permits = permits(8);
        let all = ["192.0.2.1"; 4].map(|address| take(&permits, address).unwrap());
        let fifth = take(&permits, "192.0.2.1").unwrap();
        assert!(is_evicted(&all[0]).await && !is_evicted(&all[1]).await);
        assert!(!is_evicted(&fifth).await);
    }

    #[tokio::test]
    async fn a_network_takes_a_quarter_of_the_places() {
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
