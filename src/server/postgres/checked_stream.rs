//! Stream adapter that forwards one validated message at a time to pgwire.
//!
//! The phase decides which messages are valid, and the answer to a message decides the phase; so
//! bytes after a message stay buffered here until pgwire reads again.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use datafusion_postgres::pgwire::error::PgWireError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::deadline::Deadline;
use super::frames::{Phase, first_message};

/// Read size; memory grows with received bytes, not with announced lengths.
const CHUNK_BYTES: usize = 8 << 10;
/// Bytes, and time, to drain from a rejected client: closing a socket with unread bytes resets the
/// connection, and the client may lose the error.
const LINGER_BYTES_MAX: usize = 8 << 20;
pub const LINGER_TIME: Duration = Duration::from_secs(2);
/// From the first byte of a message to its last.
const MESSAGE_TIME: Duration = Duration::from_secs(60);

pub struct CheckedStream<S> {
    stream: S,
    phase: Phase,
    body_bytes_max: usize,
    read: BytesMut,
    /// Bytes at the front of `read` that belong to a checked message.
    checked: usize,
    /// Until a message that has begun is complete.
    message_deadline: Deadline,
    /// Until the client reads what was sent.
    write_deadline: Deadline,
}

impl<S> CheckedStream<S> {
    /// Wraps a stream; `read` holds bytes already taken from it.
    pub fn new(stream: S, read: &[u8], body_bytes_max: usize, stall_time: Duration) -> Self {
        Self {
            stream,
            phase: Phase::Startup,
            body_bytes_max,
            read: BytesMut::from(read),
            checked: 0,
            message_deadline: Deadline::new(MESSAGE_TIME),
            write_deadline: Deadline::new(stall_time),
        }
    }

    /// Sets the phase against which the next message is validated.
    pub fn expect(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Frees the buffer unless it holds part of the next message.
    pub fn shrink(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

/// Yields bytes of validated messages. An invalid message is an I/O error that wraps a
/// [`PgWireError`]; end of stream within a message is end of stream.
impl<S: AsyncRead + Unpin> AsyncRead for CheckedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        while this.checked == 0 {
            let found = first_message(this.phase, &this.read, this.body_bytes_max);
            let found = found.map_err(|wrong| std::io::Error::other(PgWireError::from(wrong)))?;
            this.checked = found.unwrap_or(0);
            if this.checked == 0 && ready!(this.poll_more(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        this.message_deadline.stop();
        let given = this.checked.min(buffer.remaining());
        buffer.put_slice(&this.read[..given]);
        this.read.advance(given);
        this.checked -= given;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> CheckedStream<S> {
    /// Reads more, within the message deadline if a message has begun.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let polled = self.poll_chunk(context);
        match polled {
            Poll::Pending if !self.read.is_empty() => self.message_deadline.hold(context, polled),
            polled => polled,
        }
    }

    /// Reads one chunk; returns its size in bytes, 0 at end of stream.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut chunk = [MaybeUninit::uninit(); CHUNK_BYTES];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut chunk))?;
        self.read.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CheckedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.write_deadline.hold(context, polled)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.write_deadline.hold(context, polled)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Shuts down the write side, then drains input until the client closes or [`LINGER_TIME`] passes.
pub async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let mut left = LINGER_BYTES_MAX;
    let gone = async {
        let closed =
            std::future::poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await;
        if closed.is_err() {
            return;
        }
        loop {
            let mut chunk = [MaybeUninit::uninit(); CHUNK_BYTES];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            let read = std::future::poll_fn(|context| {
                Pin::new(&mut *stream).poll_read(context, &mut chunk)
            });
            let is_read = read.await.is_ok();
            let bytes = chunk.filled().len();
            if !is_read || bytes == 0 || bytes > left {
                return;
            }
            left -= bytes;
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, gone).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields three bytes per read, then end of stream.
    struct Slow<'a>(&'a [u8]);

    impl AsyncRead for Slow<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let (some, rest) = self.0.split_at(self.0.len().min(3));
            buffer.put_slice(some);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// Reads at most `bytes_max` forwarded bytes.
    async fn read(
        stream: &mut CheckedStream<Slow<'_>>,
        bytes_max: usize,
    ) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; bytes_max];
        let mut buffer = ReadBuf::new(&mut bytes);
        std::future::poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer))
            .await?;
        Ok(buffer.filled().to_vec())
    }

    #[tokio::test]
    async fn messages_are_forwarded_one_by_one() {
        let client = Slow(b"\0\0\0Q\0\0\0\x0dSELECT 1\0S\0\0\0\x04Z");
        let mut stream = CheckedStream::new(client, b"\0\0\0\x09\0\x03", 100, MESSAGE_TIME);
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"\0\0\0\x09\0\x03\0\0\0");
        stream.expect(Phase::Session);
        // A small buffer splits the message, not the check.
        assert_eq!(read(&mut stream, 10).await.unwrap(), b"Q\0\0\0\x0dSELEC");
        assert_eq!(read(&mut stream, 10).await.unwrap(), b"T 1\0");
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"S\0\0\0\x04");
        let refused = read(&mut stream, 100).await.unwrap_err().downcast::<PgWireError>();
        assert!(refused.unwrap().to_string().contains("unknown message type 'Z'"));
    }

    #[tokio::test]
    async fn a_long_message_leaves_no_memory_behind() {
        let long = [b"Q\0\x01\0\x04".as_slice(), &[b' '; (64 << 10) - 1], b"\0S"].concat();
        // The last chunk also holds the first byte of the next message.
        let mut stream = CheckedStream::new(Slow(&long[1..]), &long[..1], 1 << 20, MESSAGE_TIME);
        stream.expect(Phase::Session);
        assert_eq!(read(&mut stream, 1 << 20).await.unwrap().len(), long.len() - 1);
        stream.shrink();
        assert_eq!(&stream.read[..], b"S");
        stream.read.clear();
        stream.shrink();
        assert_eq!(stream.read.capacity(), 0);
    }

    #[tokio::test]
    async fn an_incomplete_message_at_the_end_is_not_forwarded() {
        let mut stream = CheckedStream::new(Slow(b"Q\0\0\0\x0dSELECT"), b"", 100, MESSAGE_TIME);
        stream.expect(Phase::Session);
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"");
    }
}
