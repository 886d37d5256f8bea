//! A client's stream, of which the protocol crate is given one checked message at a time.
//!
//! What may come next depends on how the message before it was answered: bytes behind a message
//! wait here, unread, until the protocol crate asks for more.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use datafusion_postgres::pgwire::error::PgWireError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::deadline::Deadline;
use super::frames::{Phase, first_message};

/// Taken from the stream at once; memory grows with what has come, not with what was announced.
const CHUNK_BYTES: usize = 8 << 10;
/// What is read of a client whose message was refused, and how long: a connection that is closed
/// over bytes that nobody has read is reset, and the client may lose the answer.
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
    /// For the rest of a message that has begun.
    message_deadline: Deadline,
    /// For the client to take what it is sent.
    write_deadline: Deadline,
}

impl<S> CheckedStream<S> {
    /// A stream of which some bytes were read already.
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

    /// Says what the next message may be.
    pub fn expect(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Gives the memory of earlier messages back, as far as nothing of the next one is there.
    pub fn shrink(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

/// The message's bytes, or what is wrong with it as an error that holds a [`PgWireError`].
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
    /// Reads on, within the time for a message where one has begun.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let polled = self.poll_chunk(context);
        match polled {
            Poll::Pending if !self.read.is_empty() => self.message_deadline.hold(context, polled),
            polled => polled,
        }
    }

    /// Reads on, and says how many bytes came; none at the end.
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

/// Closes this end, and discards what the client still sends until it has gone, or for a while.
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

    /// A client whose bytes come a few at a time, and then nothing more.
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

    /// The next bytes that are let through, at most so many.
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
    async fn messages_are_let_through_one_by_one() {
        let client = Slow(b"\0\0\0Q\0\0\0\x0dSELECT 1\0S\0\0\0\x04Z");
        let mut stream = CheckedStream::new(client, b"\0\0\0\x09\0\x03", 100, MESSAGE_TIME);
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"\0\0\0\x09\0\x03\0\0\0");
        stream.expect(Phase::Session);
        // However small the parts are that they are taken in.
        assert_eq!(read(&mut stream, 10).await.unwrap(), b"Q\0\0\0\x0dSELEC");
        assert_eq!(read(&mut stream, 10).await.unwrap(), b"T 1\0");
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"S\0\0\0\x04");
        let refused = read(&mut stream, 100).await.unwrap_err().downcast::<PgWireError>();
        assert!(refused.unwrap().to_string().contains("no messages of type 'Z'"));
    }

    #[tokio::test]
    async fn a_long_message_leaves_no_memory_behind() {
        let long = [b"Q\0\x01\0\x04".as_slice(), &[b' '; (64 << 10) - 1], b"\0S"].concat();
        // Its last bytes come with the first one of the next.
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
    async fn what_is_not_whole_at_the_end_is_not_let_through() {
        let mut stream = CheckedStream::new(Slow(b"Q\0\0\0\x0dSELECT"), b"", 100, MESSAGE_TIME);
        stream.expect(Phase::Session);
        assert_eq!(read(&mut stream, 100).await.unwrap(), b"");
    }
}
