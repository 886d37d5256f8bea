//! Tracker of a connection's responses: the number in flight, and the client's progress.
//!
//! A response is in flight from its request until its last byte has left for the system's send
//! buffer. It stalls while the client takes nothing of it. Bodies are handed over in parts that
//! report when they are dropped, so that this works with any protocol and encryption in between.
//! Knows nothing of the content.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use warp::hyper::body::{Body, Frame, SizeHint};

use super::budget::Share;
use super::connection_permits::ConnectionPermit;

/// Among several responses, one may stall for so many times the limit for all.
const SINGLE_STALL_FACTOR: u32 = 10;
/// Size of the parts in which bodies are handed over.
const PART_BYTES: usize = 64 << 10;

/// Tracker of a connection's responses; a cheap handle.
#[derive(Clone)]
pub struct ResponseTracker(Arc<Shared>);

struct Shared {
    in_flight: watch::Sender<usize>,
    permit: Arc<ConnectionPermit>,
    pending: Mutex<PendingParts>,
}

#[derive(Default)]
struct PendingParts {
    next_number: u64,
    by_response: BTreeMap<u64, ResponseParts>,
}

/// Parts of a response that have not left.
#[derive(Clone, Copy)]
struct ResponseParts {
    count: usize,
    /// Instant at which the last part left, or the first one was handed over.
    since: Instant,
}

impl ResponseTracker {
    /// Tracker for the connection with this permit.
    pub fn new(permit: Arc<ConnectionPermit>) -> Self {
        let (in_flight, _) = watch::channel(0);
        Self(Arc::new(Shared { in_flight, permit, pending: Mutex::default() }))
    }

    /// Starts a response, on arrival of its request.
    pub fn begin(&self) -> TrackedResponse {
        let number = {
            let mut pending = self.pending();
            pending.next_number += 1;
            pending.next_number
        };
        self.0.in_flight.send_modify(|count| {
            *count += 1;
            self.0.permit.heard();
        });
        TrackedResponse(Arc::new(InFlight {
            tracker: self.clone(),
            number,
            share: OnceLock::new(),
        }))
    }

    /// Completes when no response was in flight for the time.
    pub async fn idle_for(&self, time: Duration) {
        let mut in_flight = self.0.in_flight.subscribe();
        while in_flight.wait_for(|count| *count == 0).await.is_ok() {
            if timeout(time, in_flight.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Completes when the client has taken nothing of any pending response for the time, or nothing
    /// of one for much longer: clients may read responses one after the other.
    pub async fn stalled(&self, time: Duration) {
        loop {
            let due_at = self.pending().due_at(time);
            if due_at.is_some_and(|due_at| due_at <= Instant::now()) {
                return;
            }
            sleep_until(due_at.unwrap_or_else(|| Instant::now() + time)).await;
        }
    }

    /// Completes when another client has taken the permit.
    #[cfg(feature = "flight")]
    pub async fn evicted(&self) {
        self.0.permit.evicted().await;
    }

    fn pending(&self) -> MutexGuard<'_, PendingParts> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingParts {
    /// Instant at which the connection counts as stalled; `None` if nothing is pending.
    fn due_at(&self, time: Duration) -> Option<Instant> {
        let left = || self.by_response.values().filter(|parts| parts.count > 0);
        let all_since = left().map(|parts| parts.since).max()?;
        let one_since = left().map(|parts| parts.since).min()?;
        Some((all_since + time).min(one_since + time.saturating_mul(SINGLE_STALL_FACTOR)))
    }
}

/// Response that is in flight until this, its body and all parts of that are dropped.
pub struct TrackedResponse(Arc<InFlight>);

struct InFlight {
    tracker: ResponseTracker,
    number: u64,
    /// Memory reserved for it.
    share: OnceLock<Arc<Share>>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.tracker.pending().by_response.remove(&self.number);
        self.tracker.0.in_flight.send_modify(|count| {
            *count -= 1;
            if *count == 0 {
                self.tracker.0.permit.idle();
            }
        });
    }
}

impl TrackedResponse {
    /// Holds reserved memory while the response is in flight; once only.
    pub fn hold(&self, share: Arc<Share>) {
        let _ = self.0.share.set(share);
    }

    /// Wraps the body, to hand it over in parts.
    pub fn track_body<B>(self, body: B) -> TrackedBody<B> {
        TrackedBody { body, rest: Bytes::new(), response: self }
    }

    fn part(&self, bytes: Bytes) -> Bytes {
        let InFlight { tracker, number, .. } = &*self.0;
        let mut pending = tracker.pending();
        let now = Instant::now();
        let none = ResponseParts { count: 0, since: now };
        let parts = pending.by_response.entry(*number).or_insert(none);
        if parts.count == 0 {
            parts.since = now;
        }
        parts.count += 1;
        Bytes::from_owner(Part { bytes, response: Arc::clone(&self.0) })
    }
}

/// Bytes that report when the last reference is dropped.
struct Part {
    bytes: Bytes,
    response: Arc<InFlight>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let InFlight { tracker, number, .. } = &*self.response;
        if let Some(parts) = tracker.pending().by_response.get_mut(number) {
            parts.count -= 1;
            parts.since = Instant::now();
        }
    }
}

/// Body that is handed over in parts.
pub struct TrackedBody<B> {
    body: B,
    /// Rest of the current frame.
    rest: Bytes,
    response: TrackedResponse,
}

impl<B: Body<Data = Bytes> + Unpin> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(bytes) => this.rest = bytes,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let part = this.rest.split_to(this.rest.len().min(PART_BYTES));
        Poll::Ready(Some(Ok(Frame::data(this.response.part(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        with_rest.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper + rest);
        }
        with_rest
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt;
    use warp::reply::Response as Reply;

    use super::super::connection_permits::ConnectionPermits;
    use super::*;

    fn tracker() -> ResponseTracker {
        let permits = Arc::new(ConnectionPermits::new(1));
        ResponseTracker::new(Arc::new(permits.take([127, 0, 0, 1].into()).ok().unwrap()))
    }

    async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut TrackedBody<B>) -> Option<Bytes> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        frame.ok()?.into_data().ok()
    }

    /// Returns true if it has completed by now.
    async fn has_ended(work: impl Future<Output = ()>) -> bool {
        // Long enough for a timer that is due.
        timeout(Duration::from_millis(5), work).await.is_ok()
    }

    #[tokio::test]
    async fn time_is_idle_only_without_an_answer() {
        let tracker = tracker();
        let (first, second) = (tracker.begin(), tracker.begin());
        let mut idle = std::pin::pin!(tracker.idle_for(Duration::ZERO));
        assert!(!has_ended(idle.as_mut()).await);
        drop(first);
        assert!(!has_ended(idle.as_mut()).await);
        drop(second);
        idle.await;
    }

    #[tokio::test]
    async fn a_body_is_whole_in_its_parts() {
        let bytes: Vec<u8> = (0..PART_BYTES * 2 + 7).map(|place| place as u8).collect();
        let mut body = tracker().begin().track_body(Reply::new(bytes.clone().into()).into_body());
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let (mut read, mut parts) = (Vec::new(), 0);
        while !body.is_end_stream() {
            read.extend(next(&mut body).await.unwrap());
            parts += 1;
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - read.len()) as u64));
        }
        assert_eq!((read == bytes, parts), (true, 3));
    }

    #[test]
    fn a_stalled_response_does_not_end_one_that_progresses() {
        let (start, time) = (Instant::now(), Duration::from_secs(60));
        let due_s = |parts: &[(usize, u64)]| {
            let parts = parts.iter().map(|&(count, since_s)| ResponseParts {
                count,
                since: start + Duration::from_secs(since_s),
            });
            let by_response = (1..).zip(parts).collect();
            let due_at = PendingParts { next_number: 0, by_response }.due_at(time);
            due_at.map(|due_at| (due_at - start).as_secs())
        };
        assert_eq!(due_s(&[]), None);
        assert_eq!(due_s(&[(0, 5)]), None);
        assert_eq!(due_s(&[(1, 5), (0, 7)]), Some(65));
        assert_eq!(due_s(&[(1, 0), (2, 50)]), Some(110));
        assert_eq!(due_s(&[(1, 0), (2, 590)]), Some(600));
    }

    #[tokio::test]
    async fn a_response_stalls_while_a_part_is_pending_and_is_in_flight_until_the_last_is_dropped()
    {
        let tracker = tracker();
        let mut body = tracker.begin().track_body(Reply::new("figures".into()).into_body());
        assert!(!has_ended(tracker.stalled(Duration::from_secs(60))).await);
        let part = next(&mut body).await.unwrap();
        tracker.stalled(Duration::ZERO).await;
        let copy = part.clone();
        drop((body, part));
        tracker.stalled(Duration::ZERO).await;
        assert!(tracker.idle_for(Duration::ZERO).now_or_never().is_none());
        drop(copy);
        assert!(tracker.pending().by_response.is_empty());
        tracker.idle_for(Duration::ZERO).await;
    }
}
