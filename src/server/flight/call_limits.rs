//! Limits on calls: a request must arrive within a deadline and the memory budget of its client,
//! identified by key or address. The answer counts toward its connection's pace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::NamedService;
use warp::http::{Request, Response};
use warp::hyper::body::{Bytes, Frame, SizeHint};

use super::super::budget::{Budget, Share};
use super::super::connection_permits;
use super::super::keys::KeyId;
use super::connection::Peer;
use super::status;

/// From the request headers to the end of the request body.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Service wrapper that limits time and memory of request bodies.
#[derive(Clone)]
pub struct LimitedCalls<S> {
    pub calls: S,
    pub budget: Arc<Budget>,
}

impl<S: NamedService> NamedService for LimitedCalls<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for LimitedCalls<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + 'static,
    S::Error: 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.calls.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().cloned();
        let key = request.extensions().get::<KeyId>().copied();
        let client = connection_permits::client(key, peer.as_ref().map(|peer| peer.address));
        let answer = peer.map(|peer| peer.pace.begin());
        let ends_at = Instant::now() + REQUEST_TIME;
        let share = self.budget.take(client, 0).ok();
        let limited =
            |body| Body::new(RequestBody { body, deadline: Box::pin(sleep_until(ends_at)), share });
        let called = self.calls.call(request.map(limited));
        Box::pin(client.scope(async move {
            let reply = called.await?;
            Ok(match answer {
                Some(answer) => reply.map(|body| Body::new(answer.track_body(body))),
                None => reply,
            })
        }))
    }
}

/// Request body that fails after the deadline, or when the memory budget is exhausted.
struct RequestBody {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    share: Option<Share>,
}

impl warp::hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() && self.deadline.as_mut().poll(context).is_ready() {
            let late = Status::deadline_exceeded("the request did not arrive in time");
            return Poll::Ready(Some(Err(late)));
        }
        if let (Poll::Ready(Some(Ok(frame))), Some(share)) = (&polled, &mut self.share)
            && let Some(bytes) = frame.data_ref()
            && let Err(full) = share.grow(bytes.len())
        {
            return Poll::Ready(Some(Err(status::from_error(full))));
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

    use warp::hyper::body::Body as _;

    use super::*;

    /// Body that is pending forever.
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
        let deadline = Box::pin(sleep_until(Instant::now()));
        let mut body = RequestBody { body: Body::new(Silent), deadline, share: None };
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let late = frame.unwrap().map(drop).unwrap_err();
        assert_eq!(late.code(), tonic::Code::DeadlineExceeded);
    }
}
