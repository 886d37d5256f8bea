//! Calls of clients in time: each is sent whole within one, for the client that its key or its
//! address tells, and counts among the answers of its connection.
//!
//! Knows nothing of what is asked.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::NamedService;
use warp::http::{Request, Response};
use warp::hyper::body::{Body as _, Bytes, Frame, SizeHint};

use super::super::keys::KeyId;
use super::super::places;
use super::connection::Peer;

/// From the head of a call to the end of what its client sends.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// A service whose calls must arrive in time.
#[derive(Clone)]
pub struct Timed<S>(pub S);

impl<S: NamedService> NamedService for Timed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Timed<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + 'static,
    S::Error: 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().cloned();
        let key = request.extensions().get::<KeyId>().copied();
        let client = places::client(key, peer.as_ref().map(|peer| peer.address));
        let answer = peer.map(|peer| peer.pace.begin());
        let ends_at = Instant::now() + REQUEST_TIME;
        let called = self.0.call(request.map(|body| Body::new(Sent::by(ends_at, body))));
        Box::pin(client.asks(async move {
            let reply = called.await?;
            Ok(match answer {
                Some(answer) => reply.map(|body| Body::new(answer.of_body(body))),
                None => reply,
            })
        }))
    }
}

/// What a client sends; an error once its time is over.
struct Sent {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

impl Sent {
    fn by(ends_at: Instant, body: Body) -> Self {
        Self { body, deadline: Box::pin(sleep_until(ends_at)) }
    }
}

impl warp::hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() && self.deadline.as_mut().poll(context).is_ready() {
            let late = Status::deadline_exceeded("the request was not sent whole in time");
            return Poll::Ready(Some(Err(late)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A body of which nothing ever comes.
    struct Silent;

    impl warp::hyper::body::Body for Silent {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_request_that_is_never_sent_ends() {
        let mut sent = Sent::by(Instant::now(), Body::new(Silent));
        let frame = poll_fn(|context| Pin::new(&mut sent).poll_frame(context)).await;
        let late = frame.unwrap().map(drop).unwrap_err();
        assert_eq!(late.code(), tonic::Code::DeadlineExceeded);
    }
}
