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

pub struct Places {
    places_max: usize,
    network_max: usize,
    idle_time: Duration,
    /// Whether all clients count as silent, whatever they do.
    are_yielding: bool,
    clients: Mutex<Clients>,
    freed: Notify,
}

#[derive(Default)]
struct Clients {
    /// By number, so that older clients come first.
    all: BTreeMap<u64, Arc<Client>>,
    next_number: u64,
}

struct Client {
    network: IpAddr,
    standing: Mutex<Standing>,
    evicted: Notify,
}

/// Silent comes before idle, and idle for longer before idle for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Silent,
    /// It waits for nothing since then.
    Idle(Instant),
    Busy,
}

impl Client {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
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
pub struct Place {
    number: u64,
    client: Arc<Client>,
    places: Arc<Places>,
}

impl Places {
    pub fn new(places_max: usize) -> Self {
        Self {
            places_max,
            network_max: places_max.div_ceil(NETWORK_SHARE),
            idle_time: IDLE_TIME,
            are_yielding: false,
            clients: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Places from which the next client always pushes out the oldest one.
    pub fn yielding(places_max: usize) -> Self {
        Self { are_yielding: true, ..Self::new(places_max) }
    }

    /// A free place, or that of a client that is silent or idle.
    ///
    /// # Errors
    /// Where no place is free and none of the clients that would have to go may.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let network = network(address);
        let mut clients = self.clients();
        let of_network = clients.all.values().filter(|client| client.network == network).count();
        // Many clients may share an address, which is nobody's harm while there are places.
        let are_plenty = clients.all.len() < self.places_max / 2;
        // All clients of a proxy on this machine have its address.
        let is_here = address.to_canonical().is_loopback();
        let is_crowded = of_network >= self.network_max && !are_plenty && !is_here;
        if is_crowded || clients.all.len() >= self.places_max {
            let next = |(number, client): (&u64, &Arc<Client>)| {
                let standing = *client.standing();
                let may_go = match standing {
                    Standing::Silent => true,
                    Standing::Idle(since) => since.elapsed() >= self.idle_time,
                    Standing::Busy => false,
                };
                (may_go && (!is_crowded || client.network == network))
                    .then_some((standing, *number))
            };
            let full = if is_crowded { Full::Network } else { Full::All };
            let (_, next) = clients.all.iter().filter_map(next).min().ok_or(full)?;
            if let Some(client) = clients.all.remove(&next) {
                client.evicted.notify_one();
            }
        }
        let standing = Mutex::new(Standing::Silent);
        let client = Client { network, standing, evicted: Notify::new() };
        let (number, client) = (clients.next_number, Arc::new(client));
        clients.next_number += 1;
        clients.all.insert(number, Arc::clone(&client));
        Ok(Place { number, client, places: Arc::clone(self) })
    }

    /// Ends when a place was given back, possibly one before this was called.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Place {
    /// From now on the place is the client's, until it is idle.
    pub fn heard(&self) {
        self.stand(Standing::Busy);
    }

    /// The client waits for nothing, and may come again.
    pub fn idle(&self) {
        self.stand(Standing::Idle(Instant::now()));
    }

    fn stand(&self, standing: Standing) {
        if !self.places.are_yielding {
            *self.client.standing() = standing;
        }
    }

    /// Ends when another client has taken the place.
    pub fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        let client = Arc::clone(&self.client);
        async move { client.evicted.notified().await }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is gone already where another client took the place.
        self.places.clients().all.remove(&self.number);
        self.places.freed.notify_one();
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

    fn places(places_max: usize) -> Arc<Places> {
        Arc::new(Places::new(places_max))
    }

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(address.parse().unwrap())
    }

    /// Whether another client has taken the place.
    async fn is_evicted(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.evicted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_client_that_is_silent_the_longest_gives_its_place_up() {
        let places = places(3);
        let all = [HERE; 3].map(|here| take(&places, here).unwrap());
        all[0].heard();
        let fourth = take(&places, HERE).unwrap();
        assert!(!is_evicted(&all[0]).await && is_evicted(&all[1]).await);
        assert!(!is_evicted(&all[2]).await && !is_evicted(&fourth).await);
    }

    #[tokio::test]
    async fn the_client_that_is_idle_the_longest_comes_after_the_silent_ones() {
        let places = Places { idle_time: Duration::ZERO, ..Places::new(3) };
        let places = Arc::new(places);
        let all = [HERE; 3].map(|here| take(&places, here).unwrap());
        all[2].idle();
        all[0].idle();
        let mut newer = Vec::new();
        for (evicted, kept) in [(1, 2), (2, 0)] {
            newer.push(take(&places, HERE).unwrap());
            newer.iter().for_each(Place::heard);
            assert!(is_evicted(&all[evicted]).await && !is_evicted(&all[kept]).await);
        }
    }

    #[tokio::test]
    async fn who_was_just_heard_is_not_idle_yet() {
        let places = places(1);
        let first = take(&places, HERE).unwrap();
        first.idle();
        assert_eq!(take(&places, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn places_that_yield_are_never_kept() {
        let places = Arc::new(Places::yielding(1));
        let first = take(&places, HERE).unwrap();
        first.heard();
        let _second = take(&places, HERE).unwrap();
        assert!(is_evicted(&first).await);
    }

    #[test]
    fn without_silent_clients_a_place_must_be_given_back() {
        let places = places(2);
        let all = [HERE; 2].map(|here| take(&places, here).unwrap());
        all.iter().for_each(Place::heard);
        assert_eq!(take(&places, HERE).err(), Some(Full::All));
        let [first, _second] = all;
        drop(first);
        assert!(take(&places, HERE).is_ok());
    }

    #[test]
    fn the_place_of_an_evicted_client_is_given_back_once() {
        let places = places(1);
        let first = take(&places, HERE).unwrap();
        let second = take(&places, HERE).unwrap();
        second.heard();
        drop(first);
        assert_eq!(take(&places, HERE).err(), Some(Full::All));
    }

    #[tokio::test]
    async fn a_network_has_more_than_a_quarter_only_while_places_are_plenty() {
        let places = places(8);
        let all = ["192.0.2.1"; 4].map(|address| take(&places, address).unwrap());
        let fifth = take(&places, "192.0.2.1").unwrap();
        assert!(is_evicted(&all[0]).await && !is_evicted(&all[1]).await);
        assert!(!is_evicted(&fifth).await);
    }

    #[tokio::test]
    async fn a_network_takes_a_quarter_of_the_places() {
        let places = places(8);
        let [first, second] = ["192.0.2.1"; 2].map(|address| take(&places, address).unwrap());
        let [other, _another] =
            ["192.0.2.2", "192.0.2.4"].map(|address| take(&places, address).unwrap());
        let third = take(&places, "::ffff:192.0.2.1").unwrap();
        assert!(is_evicted(&first).await && !is_evicted(&second).await);
        assert!(!is_evicted(&other).await);
        second.heard();
        third.heard();
        assert_eq!(take(&places, "192.0.2.1").err(), Some(Full::Network));
        assert!(take(&places, "192.0.2.3").is_ok());
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
