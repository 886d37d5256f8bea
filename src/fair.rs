//! A semaphore that shares its slots out fairly among clients.
//!
//! Of those who wait, the client that holds the fewest slots is next, and of several such the one
//! that was not served for longest; what one client asks for is served in its order. While several
//! clients ask, none is given more than half of the slots. A client that asks alone may have them
//! all but one where there are four or more: so the next client need not wait until work ends that
//! was begun before it came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::client::Client;
use crate::error::Error;

/// Waiting requests of one client; more are refused, so that a flood is neither kept nor searched.
const WAITING_MAX: usize = 256;
/// From so many slots on, one is left to clients that hold none.
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
    /// Clients that hold a slot or wait for one.
    clients: BTreeMap<Client, Share>,
    next_ticket: u64,
    grants: u64,
}

/// What a client has and wants.
#[derive(Debug, Default)]
struct Share {
    /// Includes those that are granted.
    held: usize,
    /// Tickets of slots that wait to be picked up.
    granted: BTreeSet<u64>,
    waiting: VecDeque<Waiter>,
    /// The number of its last grant.
    last_grant: u64,
}

impl Share {
    /// Whether the slot of the ticket was granted; if not, the waker is told of it.
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

/// Too many requests of one client wait already.
#[derive(Debug)]
pub struct Crowded;

impl From<Crowded> for Error {
    fn from(_: Crowded) -> Self {
        Self::Busy(format!(
            "{WAITING_MAX} requests of this client wait for their turn already; try again later"
        ))
    }
}

impl FairSemaphore {
    /// Without any slots, everybody waits for ever.
    pub fn new(slots: usize) -> Self {
        let state = State { free: slots, clients: BTreeMap::new(), next_ticket: 0, grants: 0 };
        Self {
            half: (slots / 2).max(1),
            reserved: usize::from(slots >= RESERVES_FROM),
            state: Mutex::new(state),
        }
    }

    /// Queues at once, also before the result is polled. Dropping that leaves the queue.
    pub fn acquire(self: &Arc<Self>, client: Client) -> Acquire {
        let (ticket, woken) = {
            let mut state = self.state();
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            let share = state.clients.entry(client).or_default();
            share.waiting.push_back(Waiter { ticket, waker: None });
            (ticket, self.grant(&mut state))
        };
        woken.into_iter().for_each(Waker::wake);
        Acquire { semaphore: Some(Arc::clone(self)), client, ticket }
    }

    /// As [`Self::acquire`], for what clients may ask for without any other limit.
    ///
    /// # Errors
    /// Where too many requests of the client wait already.
    pub fn enqueue(self: &Arc<Self>, client: Client) -> Result<Acquire, Crowded> {
        let waiting = self.state().clients.get(&client).map_or(0, |share| share.waiting.len());
        if waiting < WAITING_MAX { Ok(self.acquire(client)) } else { Err(Crowded) }
    }

    /// Slots that nobody holds.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.state().free
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what a client has or wants, and gives out what is free now.
    fn change(&self, client: Client, change: impl FnOnce(&mut Share) -> usize) {
        let woken = {
            let mut state = self.state();
            let Some(share) = state.clients.get_mut(&client) else { return };
            let freed = change(share);
            share.held -= freed;
            let is_gone = share.held == 0 && share.waiting.is_empty();
            state.free += freed;
            if is_gone {
                state.clients.remove(&client);
            }
            self.grant(&mut state)
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Gives out free slots, and returns whom to wake.
    fn grant(&self, state: &mut State) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(client) = self.next(state) {
            let Some(share) = state.clients.get_mut(&client) else { break };
            let Some(waiter) = share.waiting.pop_front() else { break };
            state.free -= 1;
            state.grants += 1;
            share.held += 1;
            share.last_grant = state.grants;
            share.granted.insert(waiter.ticket);
            woken.extend(waiter.waker);
        }
        woken
    }

    /// The client that is given the next free slot.
    fn next(&self, state: &State) -> Option<Client> {
        if state.free == 0 {
            return None;
        }
        let are_others = state.clients.len() > 1;
        let may_have_more = |share: &Share| {
            share.held == 0 || state.free > self.reserved && (!are_others || share.held < self.half)
        };
        let waiting = state.clients.iter().filter_map(|(client, share)| {
            let first = share.waiting.front()?;
            may_have_more(share).then_some((share.held, share.last_grant, first.ticket, *client))
        });
        waiting.min().map(|(.., client)| client)
    }
}

/// Waits for a slot.
pub struct Acquire {
    /// `None` once the slot was picked up.
    semaphore: Option<Arc<FairSemaphore>>,
    client: Client,
    ticket: u64,
}

impl Future for Acquire {
    type Output = Slot;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Slot> {
        let (client, ticket) = (self.client, self.ticket);
        let semaphore = self.semaphore.take().expect("a slot is picked up once");
        let is_granted = {
            let mut state = semaphore.state();
            let share = state.clients.get_mut(&client);
            share.is_some_and(|share| share.pick_up(ticket, context.waker()))
        };
        if is_granted {
            return Poll::Ready(Slot { semaphore, client });
        }
        self.semaphore = Some(semaphore);
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(semaphore) = self.semaphore.take() else { return };
        semaphore.change(self.client, |share| {
            share.waiting.retain(|waiter| waiter.ticket != self.ticket);
            usize::from(share.granted.remove(&self.ticket))
        });
    }
}

/// A slot, free again once this is dropped.
#[derive(Debug)]
pub struct Slot {
    semaphore: Arc<FairSemaphore>,
    client: Client,
}

impl Drop for Slot {
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

    /// Who holds slots and who waits, in the order in which they asked.
    struct Asked {
        semaphore: Arc<FairSemaphore>,
        waiting: Vec<(Client, Acquire)>,
        held: Vec<(Client, Slot)>,
    }

    impl Asked {
        fn of(slots: usize) -> Self {
            let semaphore = Arc::new(FairSemaphore::new(slots));
            Self { semaphore, waiting: Vec::new(), held: Vec::new() }
        }

        /// Asks so many times, and picks up what is granted.
        fn ask(&mut self, client: Client, times: usize) {
            for _ in 0..times {
                self.waiting.push((client, self.semaphore.acquire(client)));
            }
            self.pick_up();
        }

        fn pick_up(&mut self) {
            for (client, mut waiting) in std::mem::take(&mut self.waiting) {
                match (&mut waiting).now_or_never() {
                    Some(slot) => self.held.push((client, slot)),
                    None => self.waiting.push((client, waiting)),
                }
            }
        }

        /// The client gives its oldest slot back.
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
    fn check_alone(slots: usize, expected: usize) {
        let mut asked = Asked::of(slots);
        asked.ask(ANN, 20);
        assert_eq!(asked.held_by(ANN), expected, "of {slots}");
    }

    #[test]
    fn a_client_alone_has_all_slots_but_one_for_the_next() {
        for (slots, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (8, 7)] {
            check_alone(slots, expected);
        }
    }

    #[test]
    fn the_next_client_is_served_at_once_and_gets_half() {
        let mut asked = Asked::of(8);
        asked.ask(ANN, 20);
        asked.ask(BOB, 20);
        assert_eq!((asked.held_by(ANN), asked.held_by(BOB)), (7, 1));
        for expected in [(6, 1), (5, 2), (4, 3), (4, 3)] {
            asked.release(ANN);
            assert_eq!((asked.held_by(ANN), asked.held_by(BOB)), expected);
        }
        // The last one is for who has none.
        assert_eq!(asked.semaphore.free(), 1);
        asked.ask(EVE, 5);
        assert_eq!(asked.held_by(EVE), 1);
    }

    #[test]
    fn slots_go_around_and_a_clients_own_work_keeps_its_order() {
        let mut asked = Asked::of(1);
        let mut order = Vec::new();
        asked.ask(ANN, 4);
        asked.ask(BOB, 2);
        asked.ask(EVE, 1);
        while let [(client, _)] = asked.held.as_slice() {
            let client = *client;
            order.push(client);
            asked.release(client);
        }
        assert_eq!(order, [ANN, BOB, EVE, ANN, BOB, ANN, ANN]);
    }

    #[test]
    fn half_is_the_most_of_each_while_two_ask() {
        let mut asked = Asked::of(2);
        asked.ask(ANN, 1);
        asked.ask(BOB, 1);
        asked.ask(ANN, 3);
        assert_eq!((asked.held_by(ANN), asked.held_by(BOB)), (1, 1));
        asked.release(BOB);
        // Nobody else asks any more.
        assert_eq!(asked.held_by(ANN), 2);
    }

    #[test]
    fn who_goes_away_leaves_the_queue_or_what_was_granted() {
        let mut asked = Asked::of(1);
        asked.ask(ANN, 1);
        let given_up = asked.semaphore.acquire(BOB);
        let granted = asked.semaphore.acquire(EVE);
        drop(given_up);
        asked.release(ANN);
        assert_eq!(asked.semaphore.free(), 0);
        drop(granted);
        assert_eq!(asked.semaphore.free(), 1);
        assert!(asked.semaphore.state().clients.is_empty());
    }

    #[test]
    fn a_client_with_many_waiting_is_refused_and_others_are_not() {
        let semaphore = Arc::new(FairSemaphore::new(1));
        let _held = semaphore.acquire(ANN).now_or_never().unwrap();
        let mut waiting: Vec<_> =
            (0..WAITING_MAX).map(|_| semaphore.enqueue(ANN).unwrap()).collect();
        assert!(semaphore.enqueue(ANN).is_err());
        assert!(semaphore.enqueue(BOB).is_ok());
        waiting.pop();
        assert!(semaphore.enqueue(ANN).is_ok());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let semaphore = Arc::new(FairSemaphore::new(1));
        let first = semaphore.acquire(ANN).await;
        let waits = tokio::spawn(semaphore.acquire(BOB));
        tokio::task::yield_now().await;
        drop(first);
        drop(waits.await.unwrap());
        assert_eq!(semaphore.free(), 1);
    }
}
