//! Deadline for a client's next step on its connection.

use std::io::{ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Time limit that runs while something is pending.
pub struct Deadline {
    time: Duration,
    /// `None` while nothing is pending.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    pub fn new(time: Duration) -> Self {
        Self { time, sleep: None }
    }

    /// Passes a poll through; an error once it has been pending for longer than the limit.
    pub fn hold<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if polled.is_ready() {
            self.stop();
            return polled;
        }
        let time = self.time;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(time)));
        sleep.as_mut().poll(context).map(|()| Err(ErrorKind::TimedOut.into()))
    }

    /// Stops the time: nothing is pending.
    pub fn stop(&mut self) {
        self.sleep = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_poll_that_is_pending_too_long_is_an_error() {
        let mut deadline = Deadline::new(Duration::ZERO);
        let late = poll_fn(|context| deadline.hold::<()>(context, Poll::Pending)).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
        let ready = poll_fn(|context| deadline.hold(context, Poll::Ready(Ok(7)))).await;
        assert_eq!(ready.unwrap(), 7);
        assert!(deadline.sleep.is_none());
    }
}
