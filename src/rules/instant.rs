//! Reads instants: the one parser behind files, flags, HTTP and SQL.
//!
//! An instant is a date, a time of day and a zone, in the extended or the basic form of ISO 8601:
//! `2023-01-22 12:09:39.388884 UTC`, `2023-01-22T12:09Z`, `20230122T130939+0100`. Without a zone it
//! is UTC. Knows no zone rules: the caller brings the clock of a named zone.

use chrono::NaiveDate;

use super::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use super::span::Span;
use super::zone::LocalClock;

/// Reads a field of a file: microseconds UTC, digits beyond the microsecond truncated.
///
/// # Errors
/// A text without a time of day, or with the name of a zone. Worded to follow a column's name.
pub fn read_instant(field: &[u8]) -> Result<i64, String> {
    let field = field.trim_ascii();
    if let Some(instant) = read_plain(field) {
        return Ok(instant);
    }
    match read(field) {
        Ok(Local { has_time: true, local_us, zone: Zone::Offset(offset_us) }) => {
            in_range(local_us - offset_us).ok_or(Wrong::NotAnInstant)
        }
        Ok(Local { has_time: false, .. }) => Err(Wrong::NoTime),
        Ok(Local { zone: Zone::Named(_), .. }) => Err(Wrong::NamedZone),
        Err(wrong) => Err(wrong),
    }
    .map_err(|wrong| wrong.sentence(field))
}

/// Reads what a person asks for: as [`read_instant`], and a date alone is its midnight; the name of
/// a zone may follow a local time.
///
/// `clock` returns the clock of a zone over a span, `None` where no zone has the name.
///
/// # Errors
/// Worded to follow a flag's or a parameter's name.
pub fn read_asked_instant(
    text: &str,
    clock: impl FnOnce(&str, Span) -> Option<LocalClock>,
) -> Result<i64, String> {
    let text = text.trim();
    let instant = read(text.as_bytes()).and_then(|local| match local.zone {
        Zone::Offset(offset_us) => in_range(local.local_us - offset_us).ok_or(Wrong::NotAnInstant),
        Zone::Named(name) => {
            let near = Span::new(local.local_us, local.local_us + 1).ok_or(Wrong::NotAnInstant)?;
            let clock = clock(name, near).ok_or(Wrong::UnknownZone)?;
            in_range(clock.instant_of(local.local_us)).ok_or(Wrong::NotAnInstant)
        }
    });
    instant.map_err(|wrong| wrong.sentence(text.as_bytes()))
}

/// Reads a time on a local clock: microseconds as that clock counts them. A zone behind it says
/// nothing, as in PostgreSQL, but has to be one.
///
/// # Errors
/// As [`read_asked_instant`].
pub fn read_asked_local_time(
    text: &str,
    clock: impl FnOnce(&str, Span) -> Option<LocalClock>,
) -> Result<i64, String> {
    let text = text.trim();
    let local = read(text.as_bytes()).and_then(|local| match local.zone {
        Zone::Named(name) => {
            let near = Span::new(local.local_us, local.local_us + 1).ok_or(Wrong::NotAnInstant)?;
            clock(name, near).map(|_| local.local_us).ok_or(Wrong::UnknownZone)
        }
        Zone::Offset(_) => Ok(local.local_us),
    });
    local.map_err(|wrong| wrong.sentence(text.as_bytes()))
}

/// A text as a person sees it, cut where it is long.
pub fn quoted(text: &[u8]) -> String {
    const CHARS_MAX: usize = 80;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[derive(Clone, Copy)]
enum Wrong {
    NotAnInstant,
    NoTime,
    LeapSecond,
    NamedZone,
    UnknownZone,
}

impl Wrong {
    fn sentence(self, text: &[u8]) -> String {
        const LIKE: &str = "expected one like 2023-01-22 12:09:39.388884 UTC";
        let text = quoted(text);
        match self {
            Wrong::NotAnInstant => format!("{text} is not an instant; {LIKE}"),
            Wrong::NoTime => format!("{text} has no time of day; {LIKE}"),
            Wrong::LeapSecond => {
                format!("{text} is a leap second, which UTC here does not count; write second 59")
            }
            Wrong::NamedZone => {
                format!(
                    "{text} names a zone; expected UTC or an offset like +01:00 behind the time"
                )
            }
            Wrong::UnknownZone => {
                format!(
                    "{text} is not an instant: its zone is unknown; expected UTC, an offset like \
                     +01:00, or an IANA name like America/Chicago"
                )
            }
        }
    }
}

/// What a text says, before its zone is applied.
struct Local<'a> {
    local_us: i64,
    has_time: bool,
    zone: Zone<'a>,
}

enum Zone<'a> {
    /// Local time minus UTC, microseconds.
    Offset(i64),
    Named(&'a str),
}

/// The form of most exports alone, as fast as the digits can be read.
fn read_plain(field: &[u8]) -> Option<i64> {
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

/// Any form.
fn read(text: &[u8]) -> Result<Local<'_>, Wrong> {
    let mut rest = Rest(text);
    let (day_us, is_extended) = rest.date().ok_or(Wrong::NotAnInstant)?;
    let time_us = match rest.0 {
        [b'T' | b't' | b' ', b'0'..=b'9', ..] => {
            rest.0 = &rest.0[1..];
            Some(rest.time(is_extended)?)
        }
        _ => None,
    };
    let zone = rest.zone().ok_or(Wrong::NotAnInstant)?;
    Ok(Local { local_us: day_us + time_us.unwrap_or(0), has_time: time_us.is_some(), zone })
}

/// What is left of a text; each method takes one part off its front.
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

    /// Microseconds of its midnight, and whether it is in the extended form.
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

    /// Microseconds after midnight; seconds may be missing.
    fn time(&mut self, is_extended: bool) -> Result<i64, Wrong> {
        let (time_us, is_leap) = self.time_and_leap(is_extended).ok_or(Wrong::NotAnInstant)?;
        if is_leap { Err(Wrong::LeapSecond) } else { Ok(time_us) }
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

    /// The zone, which is all that is left.
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

/// `01`, `0100` or `01:00`, in microseconds.
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

/// More than nine digits are no fraction that anybody meant.
fn fraction_us(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let nanos = number(digits)? * 10u32.pow(9 - digits.len() as u32);
    Some(nanos / 1000)
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}

/// The instant, where its year in UTC has four digits.
fn in_range(instant_us: i64) -> Option<i64> {
    /// 0001-01-01 and 10000-01-01, midnight UTC.
    const YEARS_US: std::ops::Range<i64> = -719_162 * DAY_US..2_932_897 * DAY_US;
    YEARS_US.contains(&instant_us).then_some(instant_us)
}

#[cfg(test)]
mod tests;
