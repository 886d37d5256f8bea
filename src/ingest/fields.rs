//! Parsers of single fields.

use crate::rules::calendar::DAY_S;
pub use crate::rules::instant::parse_instant_field as timestamp;
use crate::rules::instant::quoted;
use crate::rules::time_of_day::parse_time_of_day;
use crate::rules::{Weekday, Zone, ZoneRules};

/// Reason why a field is invalid, worded to follow the column's name.
pub type FieldError = String;

pub const STORE_ID_BYTES_MAX: usize = 1024;

/// Parses a store id: opaque text, trimmed.
pub fn store_id(field: &[u8]) -> Result<&str, FieldError> {
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

/// Parses `active`, `inactive` or a synonym, in any case; true if active.
pub fn status(field: &[u8]) -> Result<bool, FieldError> {
    const ACTIVE: [&[u8]; 5] = [b"active", b"true", b"1", b"up", b"online"];
    const INACTIVE: [&[u8]; 5] = [b"inactive", b"false", b"0", b"down", b"offline"];
    let field = field.trim_ascii();
    if ACTIVE.iter().any(|word| word.eq_ignore_ascii_case(field)) {
        Ok(true)
    } else if INACTIVE.iter().any(|word| word.eq_ignore_ascii_case(field)) {
        Ok(false)
    } else {
        Err(format!("{} is not one of active, inactive", quoted(field)))
    }
}

/// Parses 0 (Monday) to 6 or the English name of a day, in full or abbreviated, in any case.
pub fn weekday(field: &[u8]) -> Result<Weekday, FieldError> {
    const NAMES: [&[&str]; 7] = [
        &["0", "monday", "mon"],
        &["1", "tuesday", "tue", "tues"],
        &["2", "wednesday", "wed"],
        &["3", "thursday", "thu", "thur", "thurs"],
        &["4", "friday", "fri"],
        &["5", "saturday", "sat"],
        &["6", "sunday", "sun"],
    ];
    let day = field.trim_ascii();
    let is_day = |name: &&str| name.as_bytes().eq_ignore_ascii_case(day);
    let found = NAMES.iter().position(|names| names.iter().any(is_day));
    found.and_then(|day| Weekday::from_monday_zero(day as u8)).ok_or_else(|| {
        format!(
            "{} is not one of 0 (Monday) to 6 (Sunday), or the English name of a day",
            quoted(field)
        )
    })
}

/// Parses `H:MM`, `HH:MM`, `HH:MM:SS` or `h:MM[:SS] AM|PM` below 24:00 into seconds after midnight.
pub fn start_time(field: &[u8]) -> Result<u32, FieldError> {
    time_of_day(field).filter(|time_s| *time_s < DAY_S).ok_or_else(|| {
        format!("{} is not a time of day; expected 00:00 to 23:59:59", quoted(field))
    })
}

/// Like [`start_time`]; 24:00 is allowed.
pub fn end_time(field: &[u8]) -> Result<u32, FieldError> {
    time_of_day(field)
        .ok_or_else(|| format!("{} is not a time of day; expected 00:00 to 24:00", quoted(field)))
}

fn time_of_day(field: &[u8]) -> Option<u32> {
    parse_time_of_day(std::str::from_utf8(field).ok()?)
}

/// Parses an IANA name in any case.
pub fn time_zone(field: &[u8], rules: &ZoneRules) -> Result<Zone, FieldError> {
    let name = std::str::from_utf8(field).unwrap_or_default().trim();
    rules.zone(name).ok_or_else(|| {
        // Any number of rows may have it.
        let remedy = match rules.same_but_for_signs(name) {
            Some(same) => format!("did you mean {same}?"),
            None => "expected an IANA name like America/Chicago".to_owned(),
        };
        format!("{} is not a time zone; {remedy}", quoted(field))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "9:00 XM",
            "9:00\0",
        ] {
            times(wrong, None, None);
        }
    }

    #[test]
    fn a_time_may_be_of_a_twelve_hour_clock() {
        for (text, hour, minute) in [
            ("9:00 AM", 9, 0),
            ("09:30am", 9, 30),
            (" 5:30 Pm ", 17, 30),
            ("5:30\u{202f}PM", 17, 30),
            ("12:00 AM", 0, 0),
            ("12:59 am", 0, 59),
            ("12:00 PM", 12, 0),
            ("12:01:00 pm", 12, 1),
            ("11:59:00 PM", 23, 59),
        ] {
            let time_s = Some(hour * 3600 + minute * 60);
            times(text, time_s, time_s);
        }
        times("5:30:07 PM", Some(63_007), Some(63_007));
        for wrong in ["13:00 PM", "0:30 AM", "00:30 PM", "24:00 PM", "9 AM", "9:60 AM", "AM", "PM"]
        {
            times(wrong, None, None);
        }
    }

    #[test]
    fn a_day_is_a_number_or_an_english_name() {
        for (day, names) in [
            (0, &["0", "Monday", "mon", "MON"][..]),
            (1, &["1", " Tuesday ", "tue", "Tues"]),
            (2, &["2", "wednesday", "Wed"]),
            (3, &["3", "THURSDAY", "thu", "thur", "Thurs"]),
            (4, &["4", "friday", "fri"]),
            (5, &["5", "Saturday", "sat"]),
            (6, &["6", "sunday", "SUN"]),
        ] {
            for name in names {
                assert_eq!(
                    weekday(name.as_bytes()).map(Weekday::to_monday_zero),
                    Ok(day),
                    "{name}"
                );
            }
        }
        for wrong in ["", "7", "-1", "00", "m", "mo", "mond", "Montag", "mon\0"] {
            assert!(weekday(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_invalid_field_is_quoted_with_what_was_expected() {
        let wrong = status(b"asleep").unwrap_err();
        assert_eq!(wrong, "\"asleep\" is not one of active, inactive");
        assert!(
            weekday(b"7").unwrap_err().starts_with("\"7\" is not one of 0 (Monday) to 6 (Sunday)")
        );
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
            [b"ACTIVE".as_slice(), b"Up", b"1", b" true ", b"Online"].iter().all(|word| status(
                word
            ) == Ok(
                true
            ))
        );
        assert_eq!(status(b"OFFLINE"), Ok(false));
    }
}
