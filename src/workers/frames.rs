//! Frames on the socket between the server and a worker: length of the payload, kind, and payload.
//!
//! The payload of a message is a JSON header, and binary data behind it.

use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const LENGTH_BYTES: usize = size_of::<u32>();
const START_BYTES: usize = LENGTH_BYTES + 1;
/// Largest frame for which a copy costs less than another system call.
const COPIED_BYTES_MAX: usize = 64 << 10;

/// Unit of communication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// # Errors
    /// If it is of another kind.
    pub fn expect_kind(self, kind: u8) -> Result<Self> {
        if self.kind == kind {
            return Ok(self);
        }
        let wrong = format!("a frame of kind {}; expected one of kind {kind}", self.kind);
        Err(Error::new(ErrorKind::InvalidData, wrong))
    }
}

type Start = [u8; START_BYTES];

fn start(kind: u8, length: usize) -> Result<Start> {
    let length = u32::try_from(length)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "a frame of more than 4 GiB"))?;
    let [a, b, c, d] = length.to_le_bytes();
    Ok([a, b, c, d, kind])
}

/// Kind and length of the payload.
fn started([a, b, c, d, kind]: Start, bytes_max: usize) -> Result<(u8, usize)> {
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match length <= bytes_max {
        true => Ok((kind, length)),
        false => Err(Error::new(ErrorKind::InvalidData, "a frame is longer than it may be")),
    }
}

/// Writes the parts as one frame, with one system call if that takes all.
///
/// # Errors
/// If the other end is gone.
pub fn write(stream: &mut impl Write, kind: u8, parts: &[&[u8]]) -> Result<()> {
    let start = start(kind, parts.iter().map(|part| part.len()).sum())?;
    let mut slices: Vec<_> = std::iter::once(start.as_slice())
        .chain(parts.iter().copied().filter(|part| !part.is_empty()))
        .map(IoSlice::new)
        .collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match stream.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a frame of at most `bytes_max` bytes. Blocks.
///
/// # Errors
/// If the other end is gone, or announces a longer one.
pub fn read(stream: &mut impl Read, bytes_max: usize) -> Result<Frame> {
    let mut start = Start::default();
    stream.read_exact(&mut start)?;
    let (kind, length) = started(start, bytes_max)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok(Frame { kind, payload })
}

/// Like [`write()`], asynchronously.
///
/// # Errors
/// For the same reasons.
pub async fn send(stream: &mut (impl AsyncWrite + Unpin), kind: u8, parts: &[&[u8]]) -> Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut whole = start(kind, length)?.to_vec();
    if length <= COPIED_BYTES_MAX {
        parts.iter().for_each(|part| whole.extend_from_slice(part));
        return stream.write_all(&whole).await;
    }
    stream.write_all(&whole).await?;
    for part in parts {
        stream.write_all(part).await?;
    }
    Ok(())
}

/// Like [`read()`], asynchronously.
///
/// # Errors
/// For the same reasons.
pub async fn receive(stream: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> Result<Frame> {
    let mut start = Start::default();
    stream.read_exact(&mut start).await?;
    let (kind, length) = started(start, bytes_max)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok(Frame { kind, payload })
}

/// Encodes a header as the beginning of a message.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn header(header: &impl Serialize) -> Result<Vec<u8>> {
    let mut message = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut message, header)?;
    let length = u32::try_from(message.len() - LENGTH_BYTES)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "a header of more than 4 GiB"))?;
    message[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(message)
}

/// Decodes a message into its header and the bytes behind it.
///
/// # Errors
/// If it is malformed, or has another header.
pub fn message<T: DeserializeOwned>(payload: Vec<u8>) -> Result<(T, Bytes)> {
    let broken = || Error::new(ErrorKind::InvalidData, "a message without a header");
    let payload = Bytes::from(payload);
    let (length, rest) = payload.split_first_chunk::<LENGTH_BYTES>().ok_or_else(broken)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| broken())?;
    let header = serde_json::from_slice(rest.get(..length).ok_or_else(broken)?)?;
    Ok((header, payload.slice(LENGTH_BYTES + length..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written() {
        let large = vec![b'l'; COPIED_BYTES_MAX];
        let all: [&[&[u8]]; 4] =
            [&[], &[b"a"], &[b"", b"bc", b"", b"d"], &[b"a", b"", large.as_slice()]];
        for parts in all {
            let (mut written, mut sent) = (Vec::new(), Vec::new());
            write(&mut written, 7, parts).unwrap();
            send(&mut sent, 7, parts).await.unwrap();
            assert_eq!(written, sent);
            let frame = Frame { kind: 7, payload: parts.concat() };
            let bytes = frame.payload.len();
            assert_eq!(read(&mut written.as_slice(), bytes).unwrap(), frame);
            assert_eq!(receive(&mut sent.as_slice(), bytes).await.unwrap(), frame);
        }
    }

    #[test]
    fn a_frame_that_announces_too_much_is_not_read() {
        let claims = [0xff, 0xff, 0xff, 0xff, 1];
        let error = read(&mut claims.as_slice(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let cut_off = [2, 0, 0, 0, 1, 5];
        let error = read(&mut cut_off.as_slice(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_message_is_its_header_and_the_bytes_behind() {
        let mut payload = header(&("é", 5)).unwrap();
        payload.extend(b"behind");
        let (header, behind) = message::<(String, u8)>(payload).unwrap();
        assert_eq!((header.0.as_str(), header.1, &behind[..]), ("é", 5, &b"behind"[..]));
        for broken in [&b""[..], b"123", &[9, 0, 0, 0, b'1'], &[1, 0, 0, 0, b'x']] {
            assert!(message::<u8>(broken.to_vec()).is_err(), "{broken:?}");
        }
    }
}
