//! Validation of client messages before pgwire decodes them.
//!
//! pgwire 0.41 trusts the lengths and counts in a message, so that it can panic, allocate too much
//! or lose synchronization:
//!
//! | message | pgwire | here |
//! |---|---|---|
//! | any | waits for up to 1 GiB, also before the password | a limit by phase and type |
//! | any | skips its head, and subtracts 4 from a length below 4 (`d`, `p`) | refused |
//! | startup | reads strings until an empty one, anywhere | which must be the last byte |
//! | cancel | takes the secret's size from the length | 4 to 256 bytes |
//! | `P` `B` `E` | reads missing counts, codes, oids and limits | must be present |
//! | `P` `B` | allocates by a count before it reads the elements | must be present |
//! | `B` | splits values by their lengths | must be present, only -1 is null |
//! | `B` | takes unknown formats for text | 0 or 1 |
//! | `D` `C` | reads a missing type | must be present, `S` or `P` |
//! | with strings | searches for their ends beyond the message | must be in the message |
//! | any | takes leftover bytes for the next message | none may be left over |
//!
//! `rows` checks the number of column formats; `parameters` that of value formats, and the values.
//! This module does no I/O.

use datafusion_postgres::pgwire::error::PgWireError;

use super::failure::fatal;
use crate::error::counted;

/// Limit for messages before authentication, and for those without SQL text or values.
pub const SMALL_BYTES_MAX: usize = 10_000;
/// Size of a message's length field, which counts itself.
pub const LENGTH_BYTES: usize = 4;
/// Size of the shortest untyped message: length and code.
pub const CODE_BYTES: usize = 8;
/// Size of a message's type and length.
const HEAD_BYTES: usize = 1 + LENGTH_BYTES;

const CANCEL_CODE: i32 = 80_877_102;
const PROTOCOL_MAJOR: i32 = 3;
/// Size of the process id in a cancel request.
const PROCESS_BYTES: usize = 4;
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 4..=256;

/// Stage of the connection, which decides what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Startup,
    Password,
    Session,
}

/// Protocol violation; it closes the connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl From<Malformed> for PgWireError {
    fn from(malformed: Malformed) -> Self {
        fatal("08P01", malformed.0)
    }
}

type Checked<T> = Result<T, Malformed>;

fn malformed<T>(sentence: impl Into<String>) -> Checked<T> {
    Err(Malformed(sentence.into()))
}

/// Length in bytes of the first message, once complete; `None` while bytes are missing.
///
/// `body_bytes_max` is the limit of messages with SQL text or values.
///
/// # Errors
/// As soon as the type or length is invalid in this phase, or when the body does not match the
/// type.
pub fn first_message(phase: Phase, bytes: &[u8], body_bytes_max: usize) -> Checked<Option<usize>> {
    match phase {
        Phase::Startup => first_untyped(bytes),
        Phase::Password | Phase::Session => first_typed(phase, bytes, body_bytes_max),
    }
}

fn first_untyped(bytes: &[u8]) -> Checked<Option<usize>> {
    let Some(length) = bytes.first_chunk().copied() else { return Ok(None) };
    let length = untyped_length(length)?;
    let Some(message) = bytes.get(..length) else { return Ok(None) };
    let mut body = Body(&message[LENGTH_BYTES..]);
    let is_well_formed = match body.i32() {
        Some(CANCEL_CODE) => {
            body.skip(PROCESS_BYTES).is_some() && SECRET_BYTES.contains(&body.0.len())
        }
        Some(version) if version >> 16 == PROTOCOL_MAJOR => body.settings().is_some(),
        Some(version) => {
            let version = version.cast_unsigned();
            let (major, minor) = (version >> 16, version & 0xffff);
            return malformed(format!("protocol {major}.{minor} is not supported; use 3.0 or 3.2"));
        }
        None => false,
    };
    match is_well_formed {
        true => Ok(Some(length)),
        false => malformed("the startup message is malformed"),
    }
}

/// Length of an untyped message, from its first bytes.
///
/// # Errors
/// When it is too short for a code, or above the limit.
pub fn untyped_length(bytes: [u8; LENGTH_BYTES]) -> Checked<usize> {
    let length = usize::try_from(i32::from_be_bytes(bytes)).unwrap_or(0);
    match (CODE_BYTES..=SMALL_BYTES_MAX).contains(&length) {
        true => Ok(length),
        false => malformed(format!(
            "the startup message has an invalid length; expected {CODE_BYTES} to {SMALL_BYTES_MAX} bytes"
        )),
    }
}

fn first_typed(phase: Phase, bytes: &[u8], body_bytes_max: usize) -> Checked<Option<usize>> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if phase == Phase::Password && !matches!(kind, b'p' | b'X') {
        return malformed("expected a password before any other message");
    }
    let bytes_max = match kind {
        b'Q' | b'P' | b'B' => body_bytes_max,
        b'E' | b'D' | b'C' | b'H' | b'S' | b'X' | b'p' | b'd' | b'c' | b'f' => SMALL_BYTES_MAX,
        _ => return malformed(format!("unknown message type {}", quoted(kind))),
    };
    let Some(length) = bytes[1..].first_chunk().copied() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(length)).ok();
    let Some(body_bytes) = length.and_then(|length| length.checked_sub(LENGTH_BYTES)) else {
        let kind = quoted(kind);
        return malformed(format!("a message of type {kind} is shorter than its length field"));
    };
    if body_bytes > bytes_max {
        return malformed(too_long(kind, body_bytes, bytes_max));
    }
    let end = HEAD_BYTES + body_bytes;
    let Some(body) = bytes.get(HEAD_BYTES..end) else { return Ok(None) };
    match is_well_formed(kind, Body(body)) {
        true => Ok(Some(end)),
        false => {
            let kind = quoted(kind);
            malformed(format!("a message of type {kind} is malformed"))
        }
    }
}

fn too_long(kind: u8, bytes: usize, bytes_max: usize) -> String {
    let limit = if matches!(kind, b'Q' | b'P' | b'B') { "--max-body" } else { "the limit" };
    let bytes = counted(bytes, "byte", "bytes");
    format!("a message of type {} has {bytes}, and {limit} is {bytes_max}", quoted(kind))
}

fn quoted(kind: u8) -> String {
    format!("'{}'", kind.escape_ascii())
}

/// Returns true if the body matches the message type, with nothing left over.
fn is_well_formed(kind: u8, mut body: Body<'_>) -> bool {
    let read = match kind {
        b'Q' | b'f' | b'p' => body.string(),
        b'P' => body.parse(),
        b'B' => body.bind(),
        b'E' => body.string().and_then(|()| body.i32()).map(drop),
        b'D' | b'C' => body.target(),
        b'd' => return true,
        _ => Some(()),
    };
    read.is_some() && body.0.is_empty()
}

/// Rest of a message body. Its readers return `None` if bytes are missing.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    /// Skips a string, including its NUL.
    fn string(&mut self) -> Option<()> {
        let end = memchr::memchr(0, self.0)?;
        self.skip(end + 1)
    }

    fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// Reads an unsigned two-byte number, as all counts are.
    fn count(&mut self) -> Option<usize> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(usize::from(u16::from_be_bytes(*bytes)))
    }

    fn i32(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*bytes))
    }

    /// Skips name and value pairs up to an empty name.
    fn settings(&mut self) -> Option<()> {
        while *self.0.first()? != 0 {
            self.string()?;
            self.string()?;
        }
        self.skip(1)?;
        self.0.is_empty().then_some(())
    }

    /// Skips name, text, parameter types.
    fn parse(&mut self) -> Option<()> {
        self.string()?;
        self.string()?;
        let types = self.count()?;
        self.skip(types * size_of::<u32>())
    }

    /// Skips portal, statement, value formats, values, column formats.
    fn bind(&mut self) -> Option<()> {
        self.string()?;
        self.string()?;
        self.formats()?;
        for _ in 0..self.count()? {
            match self.i32()? {
                -1 => {}
                bytes => self.skip(usize::try_from(bytes).ok()?)?,
            }
        }
        self.formats()
    }

    fn formats(&mut self) -> Option<()> {
        for _ in 0..self.count()? {
            let is_known = self.count()? <= 1;
            is_known.then_some(())?;
        }
        Some(())
    }

    /// Skips the kind and name of a statement or portal.
    fn target(&mut self) -> Option<()> {
        let is_known = matches!(self.u8()?, b'S' | b'P');
        is_known.then_some(())?;
        self.string()
    }
}

#[cfg(test)]
mod tests;
