//! Parsing of instants, the same for files, flags, HTTP and SQL.
//!
//! An instant is a date, a time of day and a zone, in the extended or the basic form of ISO 8601:
//! `2023-01-22 12:09:39.388884 UTC`, `2023-01-22T12:09Z`, `20230122T130939+0100`. The zone defaults
//! to UTC. Knows no zone rules: the caller supplies the clock of a named zone.

use chrono::NaiveDate;

use super::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use super::span::Span;
use super::zone::{LocalClock, ZoneRules};

/// Parses a field of a file into microseconds UTC; further digits are truncated.
///
/// # Errors
/// The text has no time of day, names a zone, or is malformed. Worded to follow a column's name.
pub fn parse_instant_field(field: &[u8]) -> Result<i64, String> {
    let field = field.trim_ascii();
    if let Some(instant) = parse_plain(field) {
        return Ok(instant);
    }
    match parse(field) {
        Ok(Local { has_time: true, local_us, zone: Zone::Offset(offset_us) }) => {
            in_range(local_us - offset_us).ok_or(Fault::NotAnInstant)
        }
        Ok(Local { has_time: false, .. }) => Err(Fault::NoTime),
        Ok(Local { zone: Zone::Named(_), .. }) => Err(Fault::NamedZone),
        Err(fault) => Err(fault),
    }
    .map_err(|fault| fault.sentence(field))
}

/// Parses an instant into microseconds UTC as [`parse_instant`] does; named zones are read by the
/// bundled rules.
///
/// # Errors
/// As [`parse_instant`].
pub fn instant_us(text: &str) -> Result<i64, String> {
    let rules = ZoneRules::bundled();
    parse_instant(text, |zone, near| Some(LocalClock::over(&rules.zone(zone)?, near)))
}

/// Parses an instant from a person or a program. Like [`parse_instant_field`], but a date alone is
/// its midnight, and the name of a zone may follow a local time.
///
/// `clock` returns the clock of a zone over a span, or `None` for an unknown zone.
///
/// # Errors
/// The text is malformed or its zone unknown. Worded to follow a flag's or a parameter's name.
pub fn parse_instant(
    text: &str,
    clock: impl FnOnce(&str, Span) -> Option<LocalClock>,
) -> Result<i64, String> {
    let text = text.trim();
    let instant = parse(text.as_bytes()).and_then(|local| match local.zone {
        Zone::Offset(offset_us) => in_range(local.local_us - offset_us).ok_or(Fault::NotAnInstant),
        Zone::Named(name) => {
            let near = Span::new(local.local_us, local.local_us + 1).ok_or(Fault::NotAnInstant)?;
            let clock = clock(name, near).ok_or(Fault::UnknownZone)?;
            in_range(clock.instant_of(local.local_us)).ok_or(Fault::NotAnInstant)
        }
    });
    instant.map_err(|fault| fault.sentence(text.as_bytes()))
}

/// Parses a local time into microseconds of that clock. A zone behind it is validated, but ignored
/// as in PostgreSQL.
///
/// # Errors
/// Like [`parse_instant`].
pub fn parse_local_time(
    text: &str,
    clock: impl FnOnce(&str, Span) -> Option<LocalClock>,
) -> Result<i64, String> {
    let text = text.trim();
    let local = parse(text.as_bytes()).and_then(|local| match local.zone {
        Zone::Named(name) => {
            let near = Span::new(local.local_us, local.local_us + 1).ok_or(Fault::NotAnInstant)?;
            clock(name, near).map(|_| local.local_us).ok_or(Fault::UnknownZone)
        }
        Zone::Offset(_) => Ok(local.local_us),
    });
    local.map_err(|fault| fault.sentence(text.as_bytes()))
}

/// Quotes a text for an error message, shortened if long.
pub fn quoted(text: &[u8]) -> String {
    const CHARS_MAX: usize = 80;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[derive(Clone, Copy)]
enum Fault {
    NotAnInstant,
    NoTime,
    LeapSecond,
    NamedZone,
    UnknownZone,
}

impl Fault {
    fn sentence(self, text: &[u8]) -> String {
        const LIKE: &str = "expected one like 2023-01-22 12:09:39.388884 UTC";
        let text = quoted(text);
        match self {
            Fault::NotAnInstant => format!("{text} is not an instant; {LIKE}"),
            Fault::NoTime => format!("{text} has no time of day; {LIKE}"),
            Fault::LeapSecond => {
                format!("{text} is a leap second; write second 59 instead")
            }
            Fault::NamedZone => {
                format!("{text} names a zone; use UTC or an offset like +01:00 behind the time")
            }
            Fault::UnknownZone => {
                format!(
                    "{text} is not an instant: its zone is unknown; use UTC, an offset like +01:00 \
                     or an IANA name like America/Chicago"
                )
            }
        }
    }
}

/// Parsed text before its zone is applied.
struct Local<'a> {
    local_us: i64,
    has_time: bool,
    zone: Zone<'a>,
}

enum Zone<'a> {
    /// Local time minus UTC, in microseconds.
    Offset(i64),
    Named(&'a str),
}

/// Fast path for the form of most exports.
fn parse_plain(field: &[u8]) -> Option<i64> {
    let field = field.strip_suffix(b" UTC").unwrap_or(field);
    let (seconds, fraction) = field.split_at_checked(19)?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b' ', h0, h1, b':', n0, n1, b':', s0, s1] =
        *seconds
    else {
        return None;
    };
    let year = number(&[y0, y1, y2, y3])?;
    let (month, day) = (number(&[m0, m1])?, number(&[d0, d1])?);
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?);
    if year == 0 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    let micros = match fraction {
        [] => 0,
        [b'.', fraction @ ..] => fraction_us(fraction)?,
        _ => return None,
    };
    let time_s = i64::from(hour * 3600 + minute * 60 + second);
    Some(i64::from(date.to_epoch_days()) * DAY_US + time_s * SECOND_US + i64::from(micros))
}

/// Parses any form.
fn parse(text: &[u8]) -> Result<Local<'_>, Fault> {
    let mut rest = Rest(text);
    let (day_us, is_extended) = rest.date().ok_or(Fault::NotAnInstant)?;
    let time_us = match rest.0 {
        [b'T' | b't' | b' ', b'0'..=b'9', ..] => {
            rest.0 = &rest.0[1..];
            Some(rest.time(is_extended)?)
        }
        _ => None,
    };
    let zone = rest.zone().ok_or(Fault::NotAnInstant)?;
    Ok(Local { local_us: day_us + time_us.unwrap_or(0), has_time: time_us.is_some(), zone })
}

/// Remainder of a text; each method consumes a part from the front.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[wanted])?;
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        number(digits)
    }

    /// Midnight of the date in microseconds, and true if it is in the extended form.
    fn date(&mut self) -> Option<(i64, bool)> {
        let year = self.digits(4).filter(|year| *year > 0)?;
        let is_extended = self.byte(b'-').is_some();
        let month = self.digits(2)?;
        if is_extended {
            self.byte(b'-')?;
        }
        let date = NaiveDate::from_ymd_opt(year as i32, month, self.digits(2)?)?;
        Some((i64::from(date.to_epoch_days()) * DAY_US, is_extended))
    }

    /// Microseconds after midnight; seconds are optional.
    fn time(&mut self, is_extended: bool) -> Result<i64, Fault> {
        let (time_us, is_leap) = self.time_and_leap(is_extended).ok_or(Fault::NotAnInstant)?;
        if is_leap { Err(Fault::LeapSecond) } else { Ok(time_us) }
    }

    fn time_and_leap(&mut self, is_extended: bool) -> Option<(i64, bool)> {
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        if is_extended {
            self.byte(b':')?;
        }
        let minute = self.digits(2).filter(|minute| *minute < 60)?;
        let has_seconds = match is_extended {
            true => self.byte(b':').is_some(),
            false => self.0.first().is_some_and(u8::is_ascii_digit),
        };
        let second = if has_seconds { self.digits(2).filter(|second| *second <= 60)? } else { 0 };
        let micros = if has_seconds { self.fraction()? } else { 0 };
        let time_s = i64::from(hour * 3600 + minute * 60 + second);
        Some((time_s * SECOND_US + i64::from(micros), second == 60))
    }

    /// Microseconds; 0 without a fraction.
    fn fraction(&mut self) -> Option<u32> {
        let [b'.' | b',', fraction @ ..] = self.0 else { return Some(0) };
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, rest) = fraction.split_at(digits);
        self.0 = rest;
        fraction_us(fraction)
    }

    /// Parses the rest as a zone.
    fn zone(&mut self) -> Option<Zone<'a>> {
        let zone = self.0.trim_ascii_start();
        let is_apart = zone.len() < self.0.len();
        match zone {
            [] => Some(Zone::Offset(0)),
            [sign @ (b'+' | b'-'), offset @ ..] => {
                let offset_us = offset_us(offset)?;
                Some(Zone::Offset(if *sign == b'-' { -offset_us } else { offset_us }))
            }
            utc if [b"z".as_slice(), b"utc"].iter().any(|word| word.eq_ignore_ascii_case(utc)) => {
                Some(Zone::Offset(0))
            }
            [first, ..] if is_apart && first.is_ascii_alphabetic() && !zone.contains(&0) => {
                Some(Zone::Named(std::str::from_utf8(zone).ok()?))
            }
            _ => None,
        }
    }
}

/// Parses `01`, `0100` or `01:00` into microseconds.
fn offset_us(text: &[u8]) -> Option<i64> {
    let mut rest = Rest(text);
    let hours = rest.digits(2).filter(|hours| *hours < 24)?;
    let minutes = match rest.0 {
        [] => 0,
        _ => {
            rest.byte(b':');
            rest.digits(2).filter(|minutes| *minutes < 60)?
        }
    };
    rest.0.is_empty().then(|| i64::from(hours) * HOUR_US + i64::from(minutes) * MINUTE_US)
}

/// Microseconds of a fraction of one to nine digits.
fn fraction_us(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let nanos = number(digits)? * 10u32.pow(9 - digits.len() as u32);
    Some(nanos / 1000)
}

/// Parses at most nine digits.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}

/// Returns the instant if its year in UTC has four digits.
fn in_range(instant_us: i64) -> Option<i64> {
    /// 0001-01-01 and 10000-01-01, midnight UTC.
    const YEARS_US: std::ops::Range<i64> = -719_162 * DAY_US..2_932_897 * DAY_US;
    YEARS_US.contains(&instant_us).then_some(instant_us)
}

#[cfg(test)]
mod tests;
