//! One field of a row: from its text to its value, or what was expected instead.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::rules::calendar::{DAY_S, DAY_US, SECOND_US};
use crate::rules::{DailyHours, Weekday, Zone, ZoneRules};

/// What is wrong with a field, worded to follow the column's name.
pub type Wrong = String;

pub const STORE_ID_BYTES_MAX: usize = 1024;

/// Opaque text, trimmed.
pub fn store_id(field: &[u8]) -> Result<&str, Wrong> {
    let text =
        std::str::from_utf8(field).map_err(|_| format!("{} is not UTF-8", quoted(field)))?.trim();
    if text.is_empty() {
        return Err("is blank; expected a store's id".into());
    }
    if text.len() > STORE_ID_BYTES_MAX {
        return Err(format!("has {} bytes; expected at most {STORE_ID_BYTES_MAX}", text.len()));
    }
    if text.contains('\0') {
        return Err(format!("{text:?} holds a NUL; expected text"));
    }
    Ok(text)
}

/// `active`, `inactive` and what is also accepted for them, in any case.
pub fn status(field: &[u8]) -> Result<bool, Wrong> {
    const ACTIVE: [&[u8]; 4] = [b"active", b"true", b"1", b"up"];
    const INACTIVE: [&[u8]; 4] = [b"inactive", b"false", b"0", b"down"];
    let field = field.trim_ascii();
    if ACTIVE.iter().any(|word| word.eq_ignore_ascii_case(field)) {
        Ok(true)
    } else if INACTIVE.iter().any(|word| word.eq_ignore_ascii_case(field)) {
        Ok(false)
    } else {
        Err(format!("{} is not one of active, inactive", quoted(field)))
    }
}

/// Microseconds UTC; digits beyond the microsecond are cut off.
///
/// Takes `2023-01-22 12:09:39.388884 UTC` with or without the fraction and the suffix, and
/// ISO 8601 / RFC 3339. No zone means UTC.
pub fn timestamp(field: &[u8]) -> Result<i64, Wrong> {
    let field = field.trim_ascii();
    plain_timestamp(field).or_else(|| any_timestamp(field)).ok_or_else(|| {
        format!(
            "{} is not an instant; expected one like 2023-01-22 12:09:39.388884 UTC",
            quoted(field)
        )
    })
}

/// As `timestamp`, for a text that is no field.
pub fn timestamp_of_text(text: &str) -> Result<i64, Wrong> {
    timestamp(text.as_bytes())
}

/// The usual form alone, as fast as the digits can be read.
fn plain_timestamp(field: &[u8]) -> Option<i64> {
    let field = field.strip_suffix(b" UTC").unwrap_or(field);
    let (seconds, fraction) = field.split_at_checked(19)?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b' ', h0, h1, b':', n0, n1, b':', s0, s1] =
        *seconds
    else {
        return None;
    };
    let year = digits(&[y0, y1, y2, y3])?;
    let (month, day) = (digits(&[m0, m1])?, digits(&[d0, d1])?);
    let (hour, minute, second) = (digits(&[h0, h1])?, digits(&[n0, n1])?, digits(&[s0, s1])?);
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

fn any_timestamp(field: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // Four digits of year: what a calendar on the wall can show.
    if !text.get(..4)?.bytes().all(|byte| byte.is_ascii_digit()) || !text[4..].starts_with('-') {
        return None;
    }
    // More than nine digits of a fraction are no instant that anybody meant.
    if text
        .split('.')
        .nth(1)
        .is_some_and(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() > 9)
    {
        return None;
    }
    let with_offset =
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    let without = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.fZ"];
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp_micros());
    zoned
        .or_else(|| {
            let parse = |form| DateTime::parse_from_str(text, form).ok();
            with_offset.into_iter().find_map(parse).map(|instant| instant.timestamp_micros())
        })
        .or_else(|| {
            let parse = |form| NaiveDateTime::parse_from_str(text, form).ok();
            without.into_iter().find_map(parse).map(|time| time.and_utc().timestamp_micros())
        })
        .filter(|instant| *instant >= YEAR_1_US)
}

/// 0001-01-01 00:00:00 UTC.
const YEAR_1_US: i64 = -719_162 * DAY_US;

fn fraction_us(digits_read: &[u8]) -> Option<u32> {
    if digits_read.is_empty() || digits_read.len() > 9 {
        return None;
    }
    let nanos = digits(digits_read)? * 10u32.pow(9 - digits_read.len() as u32);
    Some(nanos / 1000)
}

fn digits(field: &[u8]) -> Option<u32> {
    field.iter().try_fold(0u32, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}

/// 0 is Monday.
pub fn weekday(field: &[u8]) -> Result<Weekday, Wrong> {
    let day = match field.trim_ascii() {
        [digit @ b'0'..=b'6'] => Weekday::from_monday_zero(digit - b'0'),
        _ => None,
    };
    day.ok_or_else(|| format!("{} is not one of 0 (Monday) to 6 (Sunday)", quoted(field)))
}

/// Seconds after midnight: `H:MM`, `HH:MM` or `HH:MM:SS`; below 24:00.
pub fn start_time(field: &[u8]) -> Result<u32, Wrong> {
    time_of_day(field).filter(|time_s| *time_s < DAY_S).ok_or_else(|| {
        format!("{} is not a time of day; expected 00:00 to 23:59:59", quoted(field))
    })
}

/// As [`start_time`]; 24:00 is allowed.
pub fn end_time(field: &[u8]) -> Result<u32, Wrong> {
    time_of_day(field)
        .ok_or_else(|| format!("{} is not a time of day; expected 00:00 to 24:00", quoted(field)))
}

/// Both in one text, as `09:00-17:00`; `None` where either is no time.
pub fn daily_hours_of_text(text: &str) -> Option<DailyHours> {
    let (start, end) = text.split_once('-')?;
    DailyHours::new(start_time(start.as_bytes()).ok()?, end_time(end.as_bytes()).ok()?)
}

fn time_of_day(field: &[u8]) -> Option<u32> {
    let mut parts = field.trim_ascii().split(|byte| *byte == b':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or(b"00");
    if parts.next().is_some()
        || !(1..=2).contains(&hour.len())
        || minute.len() != 2
        || second.len() != 2
    {
        return None;
    }
    let (hour, minute, second) = (digits(hour)?, digits(minute)?, digits(second)?);
    let time_s = hour * 3600 + minute * 60 + second;
    (minute < 60 && second < 60 && time_s <= DAY_S).then_some(time_s)
}

/// An IANA name, whatever its case.
pub fn time_zone(field: &[u8], rules: &ZoneRules) -> Result<Zone, Wrong> {
    let known = std::str::from_utf8(field).ok().and_then(|name| rules.zone(name.trim()));
    known.ok_or_else(|| {
        format!("{} is not a time zone; expected an IANA name like America/Chicago", quoted(field))
    })
}

/// The field as a person sees it, cut where it is long.
fn quoted(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn instant(text: &str, expected: Option<&str>) {
        let expected =
            expected.map(|text| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros());
        assert_eq!(timestamp(text.as_bytes()).ok(), expected, "{text}");
    }

    #[test]
    fn an_instant_is_read_in_each_form() {
        for form in [
            "2023-01-22 12:09:39.388884 UTC",
            "2023-01-22 12:09:39.388884",
            "2023-01-22 12:09:39.388884999 UTC",
            "2023-01-22T12:09:39.388884Z",
            "2023-01-22t12:09:39.388884z",
            "2023-01-22T12:09:39.388884",
            "2023-01-22 12:09:39.388884Z",
            "2023-01-22T06:09:39.388884-06:00",
            "2023-01-22 17:39:39.388884+0530",
            "2023-01-22 13:09:39.388884+01",
            "2023-01-22 12:09:39.388884 +00:00",
            " 2023-01-22 12:09:39.388884 UTC ",
        ] {
            instant(form, Some("2023-01-22T12:09:39.388884Z"));
        }
        instant("2023-01-22 12:09:39 UTC", Some("2023-01-22T12:09:39Z"));
        instant("2023-01-22 12:09:39.5", Some("2023-01-22T12:09:39.5Z"));
        instant("2024-02-29 00:00:00", Some("2024-02-29T00:00:00Z"));
        instant("1677-09-21 00:12:43 UTC", Some("1677-09-21T00:12:43Z"));
        instant("2262-04-12 00:00:00 UTC", Some("2262-04-12T00:00:00Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2023-01-22",
            "2023-02-31 12:00:00 UTC",
            "2023-02-29 12:00:00 UTC",
            "2023-01-22 25:00:00 UTC",
            "2023-01-22 24:00:00 UTC",
            "2023-01-22 12:60:00 UTC",
            "2023-01-22 12:00:00. UTC",
            "2023-01-22 12:00:00.1234567890 UTC",
            "2023-01-22 12:00:00 PST",
            "2023-13-01 12:00:00 UTC",
            "0000-01-01 00:00:00 UTC",
            "-023-01-01 00:00:00 UTC",
            "12023-01-01 00:00:00 UTC",
            "1674389379",
            "2023-01-22 12:0",
        ] {
            instant(text, None);
        }
    }

    #[track_caller]
    fn times(text: &str, start: Option<u32>, end: Option<u32>) {
        assert_eq!(
            (start_time(text.as_bytes()).ok(), end_time(text.as_bytes()).ok()),
            (start, end),
            "{text}"
        );
    }

    #[test]
    fn a_time_of_day_is_read_to_the_second() {
        times("9:05", Some(32_700), Some(32_700));
        times(" 09:05:07 ", Some(32_707), Some(32_707));
        times("23:59:59", Some(86_399), Some(86_399));
        times("24:00", None, Some(86_400));
        times("24:00:00", None, Some(86_400));
        for wrong in [
            "24:00:01",
            "25:00",
            "12:60",
            "12",
            "12:5",
            "012:00",
            "12:00:00:00",
            "",
            "ab:cd",
            "-1:00",
        ] {
            times(wrong, None, None);
        }
    }

    #[test]
    fn a_wrong_field_is_named_with_what_was_expected() {
        let wrong = status(b"asleep").unwrap_err();
        assert_eq!(wrong, "\"asleep\" is not one of active, inactive");
        assert_eq!(weekday(b"7").unwrap_err(), "\"7\" is not one of 0 (Monday) to 6 (Sunday)");
        assert!(
            time_zone(b"America/Nowhere", &ZoneRules::bundled())
                .unwrap_err()
                .contains("America/Nowhere")
        );
        assert_eq!(store_id(b"  ").unwrap_err(), "is blank; expected a store's id");
        assert!(store_id(b"a\0b").is_err() && store_id(b"\xff\xfe").is_err());
        assert!(store_id("x".repeat(1025).as_bytes()).is_err());
    }

    #[test]
    fn a_store_id_is_text_never_a_number() {
        for id in ["007", "a,b", "a\"b", "a\nb", "🍕", &"9".repeat(300)] {
            assert_eq!(store_id(id.as_bytes()), Ok(id));
        }
        assert_eq!(store_id(b" 42 "), Ok("42"));
        assert!(
            [b"ACTIVE".as_slice(), b"Up", b"1", b" true "]
                .iter()
                .all(|word| status(word) == Ok(true))
        );
    }
}
