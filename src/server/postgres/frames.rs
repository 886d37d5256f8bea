//! Messages of clients, held against the protocol before the protocol crate decodes them.
//!
//! pgwire 0.41 believes what a message says of itself. These are its ways to panic, to keep what it
//! need not keep, and to read on at the wrong place:
//!
//! | message | pgwire | here |
//! |---|---|---|
//! | any | waits for up to 1 GiB, also before the password | a limit by phase and type |
//! | any | skips its head, and subtracts 4 from a length below 4 (`d`, `p`) | refused |
//! | startup | takes strings until an empty one, wherever it is | which is the last byte |
//! | cancel | cuts the secret off by the length | 4 to 256 bytes |
//! | `P` `B` `E` | reads counts, codes, oids and limits that are not there | must be there |
//! | `P` `B` | allocates by a count before it looks for the elements | must be there |
//! | `B` | cuts values off by their lengths | must be there, -1 alone is null |
//! | `B` | takes formats that it does not know for text | 0 or 1 |
//! | `D` `C` | reads a type that is not there | must be there, `S` or `P` |
//! | with strings | looks for their ends behind the message | must be in the message |
//! | any | takes what is left of a message for the next one | nothing may be left |
//!
//! Formats of single columns are counted by `rows`, those of values by `parameters`, which check
//! the values as well. Knows nothing of sockets.

use datafusion_postgres::pgwire::error::PgWireError;

use super::failure::fatal;

/// Limit of a message before the password, and of those that hold no question and no values.
pub const SMALL_BYTES_MAX: usize = 10_000;
/// Of a message's length, which counts itself.
pub const LENGTH_BYTES: usize = 4;
/// Of the shortest message without a type: its length and a code.
pub const CODE_BYTES: usize = 8;
/// Of a message's type and length.
const HEAD_BYTES: usize = 1 + LENGTH_BYTES;

const CANCEL_CODE: i32 = 80_877_102;
const PROTOCOL_MAJOR: i32 = 3;
/// Of the number of the process to cancel.
const PROCESS_BYTES: usize = 4;
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 4..=256;

/// What a client may send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Startup,
    Password,
    Session,
}

/// Why a message is refused, and its connection closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl From<Malformed> for PgWireError {
    fn from(malformed: Malformed) -> Self {
        fatal("08P01", malformed.0)
    }
}

type Verdict<T> = Result<T, Malformed>;

fn malformed<T>(sentence: impl Into<String>) -> Verdict<T> {
    Err(Malformed(sentence.into()))
}

/// Bytes of the first message, once it is there whole; `None` while some are missing.
///
/// `body_bytes_max` is the limit of messages with questions or values.
///
/// # Errors
/// As soon as the message has a type or a length that it may not have in this phase, and where its
/// body is not what its type says.
pub fn first_message(phase: Phase, bytes: &[u8], body_bytes_max: usize) -> Verdict<Option<usize>> {
    match phase {
        Phase::Startup => first_untyped(bytes),
        Phase::Password | Phase::Session => first_typed(phase, bytes, body_bytes_max),
    }
}

fn first_untyped(bytes: &[u8]) -> Verdict<Option<usize>> {
    let Some(length) = bytes.first_chunk().copied() else { return Ok(None) };
    let length = untyped_length(length)?;
    let Some(message) = bytes.get(..length) else { return Ok(None) };
    let mut body = Body(&message[LENGTH_BYTES..]);
    let is_whole = match body.i32() {
        Some(CANCEL_CODE) => {
            body.skip(PROCESS_BYTES).is_some() && SECRET_BYTES.contains(&body.0.len())
        }
        Some(version) if version >> 16 == PROTOCOL_MAJOR => body.settings().is_some(),
        Some(version) => {
            let version = version.cast_unsigned();
            let (major, minor) = (version >> 16, version & 0xffff);
            return malformed(format!(
                "this server does not speak protocol {major}.{minor}; expected 3.0 or 3.2"
            ));
        }
        None => false,
    };
    match is_whole {
        true => Ok(Some(length)),
        false => malformed("the startup message does not end where it says"),
    }
}

/// The length of a message without a type, from its first bytes.
///
/// # Errors
/// Where it is too short for a code, or beyond the limit.
pub fn untyped_length(bytes: [u8; LENGTH_BYTES]) -> Verdict<usize> {
    let length = usize::try_from(i32::from_be_bytes(bytes)).unwrap_or(0);
    match (CODE_BYTES..=SMALL_BYTES_MAX).contains(&length) {
        true => Ok(length),
        false => malformed(format!(
            "the startup message has an impossible length; expected {CODE_BYTES} to {SMALL_BYTES_MAX} bytes"
        )),
    }
}

fn first_typed(phase: Phase, bytes: &[u8], body_bytes_max: usize) -> Verdict<Option<usize>> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if phase == Phase::Password && !matches!(kind, b'p' | b'X') {
        return malformed("expected a password before any other message");
    }
    let bytes_max = match kind {
        b'Q' | b'P' | b'B' => body_bytes_max,
        b'E' | b'D' | b'C' | b'H' | b'S' | b'X' | b'p' | b'd' | b'c' | b'f' => SMALL_BYTES_MAX,
        _ => return malformed(format!("there are no messages of type {}", shown(kind))),
    };
    let Some(length) = bytes[1..].first_chunk().copied() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(length)).ok();
    let Some(body_bytes) = length.and_then(|length| length.checked_sub(LENGTH_BYTES)) else {
        let kind = shown(kind);
        return malformed(format!("a message of type {kind} is shorter than its own head"));
    };
    if body_bytes > bytes_max {
        return malformed(too_long(kind, body_bytes, bytes_max));
    }
    let end = HEAD_BYTES + body_bytes;
    let Some(body) = bytes.get(HEAD_BYTES..end) else { return Ok(None) };
    match is_whole(kind, Body(body)) {
        true => Ok(Some(end)),
        false => {
            let kind = shown(kind);
            malformed(format!("a message of type {kind} does not hold what its type asks for"))
        }
    }
}

fn too_long(kind: u8, bytes: usize, bytes_max: usize) -> String {
    let limit = if matches!(kind, b'Q' | b'P' | b'B') { "--max-body" } else { "the limit" };
    format!("a message of type {} has {bytes} bytes, and {limit} is {bytes_max}", shown(kind))
}

fn shown(kind: u8) -> String {
    format!("'{}'", kind.escape_ascii())
}

/// Whether a body holds what the type of its message asks for, and nothing more.
fn is_whole(kind: u8, mut body: Body<'_>) -> bool {
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

/// What is left of a message's body. Its readers return `None` where the bytes are not there.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    /// Up to and with its NUL.
    fn string(&mut self) -> Option<()> {
        let end = memchr::memchr(0, self.0)?;
        self.skip(end + 1)
    }

    fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// An unsigned number of two bytes, as all counts are.
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

    /// Names and values in turn, up to an empty name.
    fn settings(&mut self) -> Option<()> {
        while *self.0.first()? != 0 {
            self.string()?;
            self.string()?;
        }
        self.skip(1)?;
        self.0.is_empty().then_some(())
    }

    /// Name, text, types of parameters.
    fn parse(&mut self) -> Option<()> {
        self.string()?;
        self.string()?;
        let types = self.count()?;
        self.skip(types * size_of::<u32>())
    }

    /// Portal, statement, formats of values, values, formats of columns.
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

    /// A statement or a portal, with its name.
    fn target(&mut self) -> Option<()> {
        let is_known = matches!(self.u8()?, b'S' | b'P');
        is_known.then_some(())?;
        self.string()
    }
}

#[cfg(test)]
mod tests;
