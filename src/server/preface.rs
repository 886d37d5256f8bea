//! First bytes of a connection, and the time limit for them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Connection preface of HTTP/2 clients (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Stream whose first bytes must arrive in time: hyper sets no timer before it knows the version.
pub struct PrefaceTimeout<S> {
    stream: S,
    /// `None` once they have arrived.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface read so far.
    read: usize,
}

impl<S> PrefaceTimeout<S> {
    pub fn new(time: Duration, stream: S) -> Self {
        Self { stream, deadline: Some(Box::pin(tokio::time::sleep(time))), read: 0 }
    }

    fn match_preface(&mut self, bytes: &[u8]) {
        let expected = &PREFACE[self.read..];
        let is_preface = expected.iter().zip(bytes).all(|(expected, byte)| expected == byte);
        self.read += bytes.len().min(expected.len());
        if !is_preface || self.read == PREFACE.len() {
            self.deadline = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefaceTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(deadline) = &mut self.deadline else { return read };
        if read.is_pending() {
            let late = || Err(std::io::ErrorKind::TimedOut.into());
            return deadline.as_mut().poll(context).map(|()| late());
        }
        self.match_preface(&buffer.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefaceTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client that sends something, then nothing, and stays connected.
    struct Silent<'a>(&'a [u8]);

    impl AsyncRead for Silent<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            // In two parts, split anywhere.
            let (part, rest) = self.0.split_at(self.0.len().div_ceil(2));
            buffer.put_slice(part);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// Reads what the client sent, and again; returns true if that times out with no time left.
    async fn is_cut_off(said: &[u8]) -> bool {
        let mut stream = PrefaceTimeout::new(Duration::ZERO, Silent(said));
        std::future::poll_fn(|context| {
            let mut bytes = [0; 64];
            loop {
                let mut buffer = ReadBuf::new(&mut bytes);
                match Pin::new(&mut stream).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                        return Poll::Ready(true);
                    }
                    Poll::Pending if stream.deadline.is_none() => return Poll::Ready(false),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn a_client_that_sends_no_preface_times_out() {
        assert!(is_cut_off(b"").await);
        assert!(is_cut_off(&PREFACE[..1]).await);
        assert!(is_cut_off(&PREFACE[..PREFACE.len() - 1]).await);
        assert!(!is_cut_off(PREFACE).await);
        assert!(!is_cut_off(&[PREFACE, b"more"].concat()).await);
        assert!(!is_cut_off(b"G").await);
        assert!(!is_cut_off(b"PRINT / HTTP/1.1").await);
    }
}
