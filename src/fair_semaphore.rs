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
/// Clients remembered that neither hold a permit nor wait for one.
const REMEMBERED_MAX: usize = 1024;
/// Number of permits from which one is reserved for clients that hold none.
const RESERVES_FROM: usize = 4;

#[derive(Debug)]
pub struct FairSemaphore {
    half: usize,
    reserved: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    /// Clients that hold a permit or wait for one.
    clients: BTreeMap<Client, ClientState>,
    /// Sequence numbers of the last grants of other clients: a client that asks one request after
    /// the other is no new one each time.
    remembered: BTreeMap<Client, u64>,
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

impl State {
    fn enqueue(&mut self, client: Client, ticket: u64) {
        let last_grant = self.remembered.remove(&client).unwrap_or_default();
        let entry = self.clients.entry(client);
        let entry = entry.or_insert_with(|| ClientState { last_grant, ..ClientState::default() });
        entry.waiting.push_back(Waiter { ticket, waker: None });
    }

    /// Removes a client that neither holds a permit nor waits for one. If too many are remembered,
    /// the one that was served least recently is forgotten.
    fn retire(&mut self, client: Client) {
        let served = self.clients.remove(&client).filter(|entry| entry.last_grant > 0);
        let Some(ClientState { last_grant, .. }) = served else { return };
        if self.remembered.len() == REMEMBERED_MAX {
            let oldest = self.remembered.iter().min_by_key(|(_, last_grant)| **last_grant);
            let oldest = oldest.map(|(client, _)| *client);
            oldest.and_then(|client| self.remembered.remove(&client));
        }
        self.remembered.insert(client, last_grant);
    }
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
        let state = State { free: permits, ..State::default() };
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
            state.enqueue(client, ticket);
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
                state.retire(client);
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
mod tests;
