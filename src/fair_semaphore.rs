//! Semaphore that shares its permits fairly among clients.
//!
//! The waiting client with the fewest permits is next; among equals, the one that was served least
//! recently. Requests of one client are served in order. While several clients compete, none is
//! granted more than half of the permits. With four permits or more, one is reserved for clients
//! that hold none, so that a new client does not have to wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::client::Client;
use crate::error::Error;

/// Waiting requests per client; further ones are refused, which bounds memory and search.
const WAITING_MAX: usize = 256;
/// Number of permits from which one is reserved for clients that hold none.
const RESERVES_FROM: usize = 4;

#[derive(Debug)]
pub struct FairSemaphore {
    half: usize,
    reserved: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Clients that hold a permit or wait for one.
    clients: BTreeMap<Client, ClientState>,
    next_ticket: u64,
    grants: u64,
}

/// Permits and waiting requests of a client.
#[derive(Debug, Default)]
struct ClientState {
    /// Permits held, including those granted but not picked up.
    held: usize,
    /// Tickets whose permits have been granted but not picked up.
    granted: BTreeSet<u64>,
    waiting: VecDeque<Waiter>,
    /// Sequence number of the last grant.
    last_grant: u64,
}

impl ClientState {
    /// Takes a granted permit and returns true; otherwise registers the waker.
    fn pick_up(&mut self, ticket: u64, waker: &Waker) -> bool {
        if let Some(waiter) = self.waiting.iter_mut().find(|waiter| waiter.ticket == ticket) {
            waiter.waker = Some(waker.clone());
        }
        self.granted.remove(&ticket)
    }
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    waker: Option<Waker>,
}

/// Error: too many requests of one client are waiting.
#[derive(Debug)]
pub struct QueueFull;

impl From<QueueFull> for Error {
    fn from(_: QueueFull) -> Self {
        Self::Busy(format!("{WAITING_MAX} requests of this client are waiting; try again later"))
    }
}

/// Error of a request for which no permit became free in time.
pub fn no_permit(within: Duration) -> Error {
    let time = humantime::format_duration(within);
    Error::Busy(format!("no permit for a query became free within {time}; try again later"))
}

impl FairSemaphore {
    /// Without permits, requests wait forever.
    pub fn new(permits: usize) -> Self {
        let state = State { free: permits, clients: BTreeMap::new(), next_ticket: 0, grants: 0 };
        Self {
            half: (permits / 2).max(1),
            reserved: usize::from(permits >= RESERVES_FROM),
            state: Mutex::new(state),
        }
    }

    /// Queues immediately, before the future is polled. Dropping the future cancels the request.
    pub fn acquire(self: &Arc<Self>, client: Client) -> Acquire {
        let (ticket, woken) = {
            let mut state = self.state();
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let entry = state.clients.entry(client).or_default();
            entry.waiting.push_back(Waiter { ticket, waker: None });
            (ticket, self.grant_free(&mut state))
        };
        woken.into_iter().for_each(Waker::wake);
        Acquire { semaphore: Some(Arc::clone(self)), client, ticket }
    }

    /// Like [`Self::acquire`], for requests that nothing else limits.
    ///
    /// # Errors
    /// Too many requests of the client are waiting.
    pub fn acquire_bounded(self: &Arc<Self>, client: Client) -> Result<Acquire, QueueFull> {
        let waiting = self.state().clients.get(&client).map_or(0, |entry| entry.waiting.len());
        if waiting < WAITING_MAX { Ok(self.acquire(client)) } else { Err(QueueFull) }
    }

    /// Number of free permits.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.state().free
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state of a client and returns the permits that this frees.
    fn change(&self, client: Client, change: impl FnOnce(&mut ClientState) -> usize) {
        let woken = {
            let mut state = self.state();
            let Some(entry) = state.clients.get_mut(&client) else { return };
            let freed = change(entry);
            entry.held -= freed;
            let is_gone = entry.held == 0 && entry.waiting.is_empty();
            state.free += freed;
            if is_gone {
                state.clients.remove(&client);
            }
            self.grant_free(&mut state)
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Grants free permits and returns the wakers of their requests.
    fn grant_free(&self, state: &mut State) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(client) = self.next(state) {
            let Some(entry) = state.clients.get_mut(&client) else { break };
            let Some(waiter) = entry.waiting.pop_front() else { break };
            state.free -= 1;
            state.grants += 1;
            entry.held += 1;
            entry.last_grant = state.grants;
            entry.granted.insert(waiter.ticket);
            woken.extend(waiter.waker);
        }
        woken
    }

    /// Client that gets the next free permit.
    fn next(&self, state: &State) -> Option<Client> {
        if state.free == 0 {
            return None;
        }
        let are_others = state.clients.len() > 1;
        let may_have_more = |entry: &ClientState| {
            entry.held == 0 || state.free > self.reserved && (!are_others || entry.held < self.half)
        };
        let waiting = state.clients.iter().filter_map(|(client, entry)| {
            let first = entry.waiting.front()?;
            may_have_more(entry).then_some((entry.held, entry.last_grant, first.ticket, *client))
        });
        waiting.min().map(|(.., client)| client)
    }
}

/// Future of a permit.
pub struct Acquire {
    /// `None` once the permit is picked up.
    semaphore: Option<Arc<FairSemaphore>>,
    client: Client,
    ticket: u64,
}

impl Future for Acquire {
    type Output = Permit;

    /// # Panics
    /// Polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let (client, ticket) = (self.client, self.ticket);
        let semaphore = self.semaphore.take().expect("a permit is picked up once");
        let is_granted = {
            let mut state = semaphore.state();
            let entry = state.clients.get_mut(&client);
            entry.is_some_and(|entry| entry.pick_up(ticket, context.waker()))
        };
        if is_granted {
            return Poll::Ready(Permit { semaphore, client });
        }
        self.semaphore = Some(semaphore);
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(semaphore) = self.semaphore.take() else { return };
        semaphore.change(self.client, |entry| {
            entry.waiting.retain(|waiter| waiter.ticket != self.ticket);
            usize::from(entry.granted.remove(&self.ticket))
        });
    }
}

/// Permit, returned on drop.
#[derive(Debug)]
pub struct Permit {
    semaphore: Arc<FairSemaphore>,
    client: Client,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.semaphore.change(self.client, |_| 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const ANN: Client = Client::Key([1; 4]);
    const BOB: Client = Client::Key([2; 4]);
    const EVE: Client = Client::Key([3; 4]);

    /// Requests in the order in which they were made.
    struct Requests {
        semaphore: Arc<FairSemaphore>,
        waiting: Vec<(Client, Acquire)>,
        held: Vec<(Client, Permit)>,
    }

    impl Requests {
        fn new(permits: usize) -> Self {
            let semaphore = Arc::new(FairSemaphore::new(permits));
            Self { semaphore, waiting: Vec::new(), held: Vec::new() }
        }

        /// Makes requests and picks up what is granted.
        fn ask(&mut self, client: Client, times: usize) {
            for _ in 0..times {
                self.waiting.push((client, self.semaphore.acquire(client)));
            }
            self.pick_up();
        }

        fn pick_up(&mut self) {
            for (client, mut waiting) in std::mem::take(&mut self.waiting) {
                match (&mut waiting).now_or_never() {
                    Some(permit) => self.held.push((client, permit)),
                    None => self.waiting.push((client, waiting)),
                }
            }
        }

        /// Returns the client's oldest permit.
        fn release(&mut self, client: Client) {
            let place = self.held.iter().position(|(holder, _)| *holder == client).unwrap();
            drop(self.held.remove(place));
            self.pick_up();
        }

        fn held_by(&self, client: Client) -> usize {
            self.held.iter().filter(|(holder, _)| *holder == client).count()
        }
    }

    #[track_caller]
    fn check_alone(permits: usize, expected: usize) {
        let mut requests = Requests::new(permits);
        requests.ask(ANN, 20);
        assert_eq!(requests.held_by(ANN), expected, "of {permits}");
    }

    #[test]
    fn a_client_alone_gets_all_permits_but_a_reserved_one() {
        for (permits, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (8, 7)] {
            check_alone(permits, expected);
        }
    }

    #[test]
    fn the_next_client_is_served_at_once_and_gets_half() {
        let mut requests = Requests::new(8);
        requests.ask(ANN, 20);
        requests.ask(BOB, 20);
        assert_eq!((requests.held_by(ANN), requests.held_by(BOB)), (7, 1));
        for expected in [(6, 1), (5, 2), (4, 3), (4, 3)] {
            requests.release(ANN);
            assert_eq!((requests.held_by(ANN), requests.held_by(BOB)), expected);
        }
        // The last permit is reserved for clients that hold none.
        assert_eq!(requests.semaphore.free(), 1);
        requests.ask(EVE, 5);
        assert_eq!(requests.held_by(EVE), 1);
    }

    #[test]
    fn permits_alternate_and_requests_of_a_client_keep_their_order() {
        let mut requests = Requests::new(1);
        let mut order = Vec::new();
        requests.ask(ANN, 4);
        requests.ask(BOB, 2);
        requests.ask(EVE, 1);
        while let [(client, _)] = requests.held.as_slice() {
            let client = *client;
            order.push(client);
            requests.release(client);
        }
        assert_eq!(order, [ANN, BOB, EVE, ANN, BOB, ANN, ANN]);
    }

    #[test]
    fn two_competing_clients_get_half_each() {
        let mut requests = Requests::new(2);
        requests.ask(ANN, 1);
        requests.ask(BOB, 1);
        requests.ask(ANN, 3);
        assert_eq!((requests.held_by(ANN), requests.held_by(BOB)), (1, 1));
        requests.release(BOB);
        // Nobody else competes any more.
        assert_eq!(requests.held_by(ANN), 2);
    }

    #[test]
    fn dropping_a_request_leaves_the_queue_or_returns_the_permit() {
        let mut requests = Requests::new(1);
        requests.ask(ANN, 1);
        let given_up = requests.semaphore.acquire(BOB);
        let granted = requests.semaphore.acquire(EVE);
        drop(given_up);
        requests.release(ANN);
        assert_eq!(requests.semaphore.free(), 0);
        drop(granted);
        assert_eq!(requests.semaphore.free(), 1);
        assert!(requests.semaphore.state().clients.is_empty());
    }

    #[test]
    fn a_client_with_many_waiting_is_refused_and_others_are_not() {
        let semaphore = Arc::new(FairSemaphore::new(1));
        let _held = semaphore.acquire(ANN).now_or_never().unwrap();
        let mut waiting: Vec<_> =
            (0..WAITING_MAX).map(|_| semaphore.acquire_bounded(ANN).unwrap()).collect();
        assert!(semaphore.acquire_bounded(ANN).is_err());
        assert!(semaphore.acquire_bounded(BOB).is_ok());
        waiting.pop();
        assert!(semaphore.acquire_bounded(ANN).is_ok());
    }

    #[tokio::test]
    async fn a_waiting_request_is_woken() {
        let semaphore = Arc::new(FairSemaphore::new(1));
        let first = semaphore.acquire(ANN).await;
        let waits = tokio::spawn(semaphore.acquire(BOB));
        tokio::task::yield_now().await;
        drop(first);
        drop(waits.await.unwrap());
        assert_eq!(semaphore.free(), 1);
    }
}
