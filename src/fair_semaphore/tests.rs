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
fn a_client_that_asks_one_by_one_gets_no_more_than_others() {
    let mut requests = Requests::new(1);
    requests.ask(ANN, 1);
    requests.ask(BOB, 10);
    requests.ask(EVE, 10);
    let mut order = Vec::new();
    for _ in 0..9 {
        let (client, _) = requests.held[0];
        order.push(client);
        requests.release(client);
        if client == ANN {
            requests.ask(ANN, 1);
        }
    }
    assert_eq!(order, [ANN, BOB, EVE].repeat(3));
}

#[test]
fn clients_are_forgotten_in_the_order_in_which_they_were_served() {
    let semaphore = Arc::new(FairSemaphore::new(1));
    let client = |number: usize| Client::Key((number as u32).to_le_bytes());
    for number in 0..=REMEMBERED_MAX {
        drop(semaphore.acquire(client(number)).now_or_never().unwrap());
    }
    let state = semaphore.state();
    assert_eq!(state.remembered.len(), REMEMBERED_MAX);
    assert!(!state.remembered.contains_key(&client(0)));
    assert!(state.remembered.contains_key(&client(1)));
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
