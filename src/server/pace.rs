//! The answers of a connection: how many are under way, and whether the client takes them.
//!
//! An answer is under way from its request until its last byte has left for the system's buffers of
//! the connection. It stalls while the client takes nothing of it: that is seen by the parts that it
//! is handed over in, each of which tells when it has left, whatever protocol and encryption lie
//! between. Knows nothing of what is answered.

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
use super::places::Place;

/// Of several answers on a connection, one may be left alone for so many times as long as all.
const ONE_TIMES: u32 = 10;
/// Of the parts in which answers are handed over.
const PART_BYTES: usize = 64 << 10;

/// What is known of the answers of a connection; a cheap handle.
#[derive(Clone)]
pub struct Pace(Arc<Shared>);

struct Shared {
    under_way: watch::Sender<usize>,
    place: Arc<Place>,
    handed_over: Mutex<HandedOver>,
}

#[derive(Default)]
struct HandedOver {
    next_number: u64,
    by_answer: BTreeMap<u64, Parts>,
}

/// Parts of an answer that have not left.
#[derive(Clone, Copy)]
struct Parts {
    count: usize,
    /// When the last one left, or the first one was handed over.
    since: Instant,
}

impl Pace {
    /// Of the connection that has the place.
    pub fn new(place: Arc<Place>) -> Self {
        let (under_way, _) = watch::channel(0);
        Self(Arc::new(Shared { under_way, place, handed_over: Mutex::default() }))
    }

    /// A request has come.
    pub fn begin(&self) -> Answer {
        let number = {
            let mut handed_over = self.handed_over();
            handed_over.next_number += 1;
            handed_over.next_number
        };
        self.0.under_way.send_modify(|count| {
            *count += 1;
            self.0.place.heard();
        });
        Answer(Arc::new(UnderWay { pace: self.clone(), number, share: OnceLock::new() }))
    }

    /// Ends when for so long a time no answer was under way.
    pub async fn idle_for(&self, time: Duration) {
        let mut under_way = self.0.under_way.subscribe();
        while under_way.wait_for(|count| *count == 0).await.is_ok() {
            if timeout(time, under_way.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Ends when the client has taken nothing of any answer that is there for it for so long a time, or
    /// nothing of one of them for much longer: who reads two answers one after the other reads both.
    pub async fn stalled(&self, time: Duration) {
        loop {
            let due_at = self.handed_over().due_at(time);
            if due_at.is_some_and(|due_at| due_at <= Instant::now()) {
                return;
            }
            sleep_until(due_at.unwrap_or_else(|| Instant::now() + time)).await;
        }
    }

    /// Ends when another client has taken the connection's place.
    #[cfg(feature = "flight")]
    pub async fn evicted(&self) {
        self.0.place.evicted().await;
    }

    fn handed_over(&self) -> MutexGuard<'_, HandedOver> {
        self.0.handed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandedOver {
    /// When the client has taken nothing for too long, unless it takes something before; `None` where
    /// there is nothing for it.
    fn due_at(&self, time: Duration) -> Option<Instant> {
        let left = || self.by_answer.values().filter(|parts| parts.count > 0);
        let all_since = left().map(|parts| parts.since).max()?;
        let one_since = left().map(|parts| parts.since).min()?;
        Some((all_since + time).min(one_since + time.saturating_mul(ONE_TIMES)))
    }
}

/// An answer that is under way until this, its body and all parts of that are dropped.
pub struct Answer(Arc<UnderWay>);

struct UnderWay {
    pace: Pace,
    number: u64,
    /// The room that it has in memory.
    share: OnceLock<Arc<Share>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.pace.handed_over().by_answer.remove(&self.number);
        self.pace.0.under_way.send_modify(|count| {
            *count -= 1;
            if *count == 0 {
                self.pace.0.place.idle();
            }
        });
    }
}

impl Answer {
    /// Keeps room in memory for as long as the answer is under way; once alone.
    pub fn keep(&self, share: Arc<Share>) {
        let _ = self.0.share.set(share);
    }

    /// The answer's body, handed over in parts.
    pub fn of_body<B>(self, body: B) -> Paced<B> {
        Paced { body, rest: Bytes::new(), answer: self }
    }

    fn part(&self, bytes: Bytes) -> Bytes {
        let UnderWay { pace, number, .. } = &*self.0;
        let mut handed_over = pace.handed_over();
        let now = Instant::now();
        let none = Parts { count: 0, since: now };
        let parts = handed_over.by_answer.entry(*number).or_insert(none);
        if parts.count == 0 {
            parts.since = now;
        }
        parts.count += 1;
        Bytes::from_owner(Part { bytes, answer: Arc::clone(&self.0) })
    }
}

/// Bytes that tell when nobody has them any more.
struct Part {
    bytes: Bytes,
    answer: Arc<UnderWay>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let UnderWay { pace, number, .. } = &*self.answer;
        if let Some(parts) = pace.handed_over().by_answer.get_mut(number) {
            parts.count -= 1;
            parts.since = Instant::now();
        }
    }
}

/// A body in parts.
pub struct Paced<B> {
    body: B,
    /// Of the frame that is handed over.
    rest: Bytes,
    answer: Answer,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B> {
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
        Poll::Ready(Some(Ok(Frame::data(this.answer.part(part)))))
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

    use super::super::places::Places;
    use super::*;

    fn pace() -> Pace {
        let places = Arc::new(Places::new(1));
        Pace::new(Arc::new(places.take([127, 0, 0, 1].into()).ok().unwrap()))
    }

    async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut Paced<B>) -> Option<Bytes> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        frame.ok()?.into_data().ok()
    }

    /// Whether it has ended by now.
    async fn has_ended(work: impl Future<Output = ()>) -> bool {
        // As long as it takes a timer that is due.
        timeout(Duration::from_millis(5), work).await.is_ok()
    }

    #[tokio::test]
    async fn time_is_idle_only_without_an_answer() {
        let pace = pace();
        let (first, second) = (pace.begin(), pace.begin());
        let mut idle = std::pin::pin!(pace.idle_for(Duration::ZERO));
        assert!(!has_ended(idle.as_mut()).await);
        drop(first);
        assert!(!has_ended(idle.as_mut()).await);
        drop(second);
        idle.await;
    }

    #[tokio::test]
    async fn a_body_is_whole_in_its_parts() {
        let bytes: Vec<u8> = (0..PART_BYTES * 2 + 7).map(|place| place as u8).collect();
        let mut body = pace().begin().of_body(Reply::new(bytes.clone().into()).into_body());
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
    fn an_answer_that_is_left_alone_does_not_end_one_that_is_taken() {
        let (start, time) = (Instant::now(), Duration::from_secs(60));
        let due_s = |parts: &[(usize, u64)]| {
            let parts = parts.iter().map(|&(count, since_s)| Parts {
                count,
                since: start + Duration::from_secs(since_s),
            });
            let by_answer = (1..).zip(parts).collect();
            let due_at = HandedOver { next_number: 0, by_answer }.due_at(time);
            due_at.map(|due_at| (due_at - start).as_secs())
        };
        assert_eq!(due_s(&[]), None);
        assert_eq!(due_s(&[(0, 5)]), None);
        assert_eq!(due_s(&[(1, 5), (0, 7)]), Some(65));
        assert_eq!(due_s(&[(1, 0), (2, 50)]), Some(110));
        assert_eq!(due_s(&[(1, 0), (2, 590)]), Some(600));
    }

    #[tokio::test]
    async fn an_answer_stalls_while_a_part_is_left_and_is_under_way_until_the_last_has_gone() {
        let pace = pace();
        let mut body = pace.begin().of_body(Reply::new("figures".into()).into_body());
        assert!(!has_ended(pace.stalled(Duration::from_secs(60))).await);
        let part = next(&mut body).await.unwrap();
        pace.stalled(Duration::ZERO).await;
        let copy = part.clone();
        drop((body, part));
        pace.stalled(Duration::ZERO).await;
        assert!(pace.idle_for(Duration::ZERO).now_or_never().is_none());
        drop(copy);
        assert!(pace.handed_over().by_answer.is_empty());
        pace.idle_for(Duration::ZERO).await;
    }
}
