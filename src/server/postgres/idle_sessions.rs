//! Idle sessions that hold memory, evicted longest-idle first when another client needs it.
//!
//! Does not know what a session holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::client::Client;

/// Idle time before a session may be evicted.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Registry of idle sessions; cheap to clone.
#[derive(Clone)]
pub struct IdleSessions(Arc<Inner>);

struct Inner {
    idle_time: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next_number: u64,
    /// By ascending number: the longest idle first.
    sessions: BTreeMap<u64, Session>,
}

struct Session {
    client: Client,
    since: Instant,
    evict: oneshot::Sender<Eviction>,
}

/// Request to end a session. The session drops it after freeing its memory.
pub struct Eviction {
    _freed: oneshot::Sender<()>,
}

impl IdleSessions {
    /// Creates a registry whose sessions may be evicted after `idle_time`.
    pub fn new(idle_time: Duration) -> Self {
        Self(Arc::new(Inner { idle_time, waiting: Mutex::default() }))
    }

    /// Registers a session as idle until the returned guard is dropped.
    pub fn enter(&self, client: Client) -> IdleSession {
        let (evict, evicted) = oneshot::channel();
        let mut waiting = self.waiting();
        let number = waiting.next_number;
        waiting.next_number += 1;
        waiting.sessions.insert(number, Session { client, since: Instant::now(), evict });
        IdleSession { sessions: self.clone(), number, evicted }
    }

    /// Evicts the longest idle session among the clients for which `may_go` holds, and waits until
    /// its memory is freed. Returns `false` if there is none.
    pub async fn evict(&self, may_go: impl Fn(Client) -> bool) -> bool {
        let freed = {
            let mut waiting = self.waiting();
            let found = waiting.sessions.iter().find(|(_, session)| {
                session.since.elapsed() >= self.0.idle_time && may_go(session.client)
            });
            let found = found.map(|(number, _)| *number);
            let session = found.and_then(|number| waiting.sessions.remove(&number));
            let Some(session) = session else { return false };
            let (sender, freed) = oneshot::channel();
            // A failed send means that the session just became active; the caller tries again.
            drop(session.evict.send(Eviction { _freed: sender }));
            freed
        };
        // The sender is dropped, never used.
        let _ = freed.await;
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guard of an idle session; dropping it makes the session active.
pub struct IdleSession {
    sessions: IdleSessions,
    number: u64,
    evicted: oneshot::Receiver<Eviction>,
}

impl IdleSession {
    /// Completes when the session has to end.
    pub async fn evicted(&mut self) -> Eviction {
        match (&mut self.evicted).await {
            Ok(eviction) => eviction,
            // The sender is gone only after an eviction was delivered.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for IdleSession {
    fn drop(&mut self) {
        self.sessions.waiting().sessions.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const ANN: Client = Client::Key([1; 4]);
    const BOB: Client = Client::Key([2; 4]);

    fn anybody(_: Client) -> bool {
        true
    }

    #[tokio::test]
    async fn the_session_that_is_idle_the_longest_ends_first() {
        let sessions = IdleSessions::new(Duration::ZERO);
        let [mut first, mut second] = [ANN, BOB].map(|client| sessions.enter(client));
        let mut evicting = Box::pin(sessions.evict(anybody));
        assert!(evicting.as_mut().now_or_never().is_none());
        let eviction = first.evicted().now_or_never().unwrap();
        assert!(second.evicted().now_or_never().is_none());
        // Nothing is freed yet.
        assert!(evicting.as_mut().now_or_never().is_none());
        drop(eviction);
        assert!(evicting.await);
    }

    #[tokio::test]
    async fn sessions_that_may_not_be_evicted_stay() {
        let sessions = IdleSessions::new(Duration::ZERO);
        let [_first, mut second] = [ANN, BOB].map(|client| sessions.enter(client));
        let mut evicting = Box::pin(sessions.evict(|client| client == BOB));
        assert!(evicting.as_mut().now_or_never().is_none());
        assert!(second.evicted().now_or_never().is_some());
        assert!(evicting.await);
        assert!(!sessions.evict(|client| client == BOB).await);
        let sessions = IdleSessions::new(IDLE_TIME);
        let _session = sessions.enter(ANN);
        assert!(!sessions.evict(anybody).await);
    }

    #[tokio::test]
    async fn an_active_session_is_not_waited_for() {
        let sessions = IdleSessions::new(Duration::ZERO);
        let session = sessions.enter(ANN);
        let mut evicting = Box::pin(sessions.evict(anybody));
        assert!(evicting.as_mut().now_or_never().is_none());
        drop(session);
        assert!(evicting.await);
        assert!(!sessions.evict(anybody).await);
    }
}
