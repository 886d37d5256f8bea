//! Instants as files, flags and requests spell them.

use chrono::DateTime;

use super::*;
use crate::rules::ZoneRules;

fn clock(name: &str, near: Span) -> Option<LocalClock> {
    Some(LocalClock::over(&ZoneRules::bundled().zone(name)?, near))
}

fn expected_us(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

/// Checks that both parsers accept the text.
#[track_caller]
fn instant(text: &str, expected: &str) {
    assert_eq!(parse_instant_field(text.as_bytes()), Ok(expected_us(expected)), "{text}");
    assert_eq!(parse_instant(text, clock), Ok(expected_us(expected)), "{text}");
}

#[track_caller]
fn refused(text: &str, reason: &str) {
    for fault in [parse_instant_field(text.as_bytes()), parse_instant(text, clock)] {
        let fault = fault.unwrap_err();
        assert!(fault.contains(reason), "{fault}");
    }
}

/// Checks that a file's field is refused, and anything else accepted.
#[track_caller]
fn asked(text: &str, expected: &str) {
    assert!(parse_instant_field(text.as_bytes()).is_err(), "{text}");
    assert_eq!(parse_instant(text, clock), Ok(expected_us(expected)), "{text}");
}

#[test]
fn an_instant_is_read_in_each_form() {
    for form in [
        "2023-01-22 12:09:39.388884 UTC",
        "2023-01-22 12:09:39.388884",
        "2023-01-22 12:09:39.388884999 UTC",
        "2023-01-22 12:09:39.388884UTC",
        "2023-01-22 12:09:39.388884 utc",
        "2023-01-22 12:09:39,388884 UTC",
        "2023-01-22T12:09:39.388884Z",
        "2023-01-22t12:09:39.388884z",
        "2023-01-22T12:09:39.388884",
        "2023-01-22T12:09:39.388884 Z",
        "2023-01-22T12:09:39.388884 UTC",
        "2023-01-22 12:09:39.388884Z",
        "2023-01-22T06:09:39.388884-06:00",
        "2023-01-22 17:39:39.388884+0530",
        "2023-01-22 17:39:39.388884 +05:30",
        "2023-01-22 13:09:39.388884+01",
        "2023-01-22T13:09:39,388884 +01",
        "2023-01-22 12:09:39.388884 +00:00",
        "2023-01-21T13:09:39.388884-23",
        " 2023-01-22 12:09:39.388884 UTC ",
        "20230122T120939.388884Z",
        "20230122T120939,388884",
        "20230122 120939.388884 UTC",
        "20230122T130939.388884+0100",
        "20230122t070939.388884-05",
    ] {
        instant(form, "2023-01-22T12:09:39.388884Z");
    }
    instant("2023-01-22 12:09:39 UTC", "2023-01-22T12:09:39Z");
    instant("2023-01-22 12:09:39.5", "2023-01-22T12:09:39.5Z");
    instant("2023-01-22 12:09:39,5 UTC", "2023-01-22T12:09:39.5Z");
    instant("2024-02-29 00:00:00", "2024-02-29T00:00:00Z");
    instant("1677-09-21 00:12:43 UTC", "1677-09-21T00:12:43Z");
    instant("2262-04-12 00:00:00 UTC", "2262-04-12T00:00:00Z");
    instant("0001-01-01T00:00Z", "0001-01-01T00:00:00Z");
    instant("9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z");
}

#[test]
fn seconds_may_be_missing() {
    for form in [
        "2023-01-22 12:09",
        "2023-01-22 12:09 UTC",
        "2023-01-22T12:09Z",
        "2023-01-22T12:09",
        "2023-01-22T13:09+01:00",
        "2023-01-22 13:09 +01",
        "20230122T1209",
        "20230122T1209Z",
        "20230122T1309+0100",
    ] {
        instant(form, "2023-01-22T12:09:00Z");
    }
}

#[test]
fn malformed_instants_are_refused() {
    for text in [
        "",
        "2023-02-31 12:00:00 UTC",
        "2023-02-29 12:00:00 UTC",
        "2023-01-22 25:00:00 UTC",
        "2023-01-22 24:00:00 UTC",
        "2023-01-22 24:00",
        "2023-01-22 12:60:00 UTC",
        "2023-01-22 12:00:61 UTC",
        "2023-01-22 12:00:00. UTC",
        "2023-01-22 12:00:00.1234567890 UTC",
        "2023-01-22 12:09.5 UTC",
        "2023-01-22 12:00:00 +24:00",
        "2023-01-22 12:00:00 +01:60",
        "2023-01-22 12:00:00 +1",
        "2023-01-22 12:00:00 +01:00:00",
        "2023-01-22 12:00:00Europe/Brussels",
        "2023-01-22 12:00:00 UTC\0",
        "2023-01-22 12",
        "2023-01-22T12Z",
        "2023-01-22T1209Z",
        "20230122T12:09Z",
        "2023-13-01 12:00:00 UTC",
        "2023-1-22 12:00:00",
        "22.01.2023 12:00",
        "0000-01-01 00:00:00 UTC",
        "0001-01-01 00:00:00 +01:00",
        "9999-12-31 23:59:59 -01:00",
        "-023-01-01 00:00:00 UTC",
        "12023-01-01 00:00:00 UTC",
        "1674389379",
        "2023-01-22 12:0",
        "2023-01-22T",
        "yesterday",
    ] {
        refused(text, "is not an instant");
    }
    assert!(parse_instant_field(b"2023-01-22 12:00:00 \xff").is_err());
    refused("2016-12-31 23:59:60 UTC", "is a leap second");
    refused("20161231T235960Z", "is a leap second");
    refused("2023-01-22 12:00:00 Mars/Olympus", "zone");
}

#[test]
fn a_request_may_give_a_date_alone_or_name_a_zone() {
    for (text, expected) in [
        ("2023-01-22", "2023-01-22T00:00:00Z"),
        ("20230122", "2023-01-22T00:00:00Z"),
        ("2023-01-22 UTC", "2023-01-22T00:00:00Z"),
        ("2023-01-22 Asia/Tokyo", "2023-01-21T15:00:00Z"),
        ("2023-01-22 12:09 America/Chicago", "2023-01-22T18:09:00Z"),
        ("2023-07-22T12:09:39.5 America/Chicago", "2023-07-22T17:09:39.5Z"),
        // Gaps move forward by their length; folds mean the earlier instant.
        ("2021-03-28 02:30 Europe/Brussels", "2021-03-28T01:30:00Z"),
        ("2021-10-31 02:30 Europe/Brussels", "2021-10-31T00:30:00Z"),
    ] {
        asked(text, expected);
    }
    let fault = parse_instant_field(b"2023-01-22").unwrap_err();
    assert!(fault.contains("has no time of day"), "{fault}");
    let fault = parse_instant_field(b"2023-01-22 12:00 Asia/Tokyo").unwrap_err();
    assert!(fault.contains("names a zone"), "{fault}");
}

#[test]
fn the_plain_form_reads_as_any_other() {
    for text in
        ["2023-01-22 12:09:39.388884 UTC", "2023-01-22 12:09:39", "2024-02-29 23:59:59.1 UTC"]
    {
        let any = parse_instant(text, clock);
        assert_eq!(parse_plain(text.as_bytes()), any.ok(), "{text}");
    }
}

#[test]
fn a_local_time_is_read_without_its_zone() {
    for (text, expected) in [
        ("2023-01-22 12:09", "2023-01-22T12:09:00Z"),
        ("2023-01-22", "2023-01-22T00:00:00Z"),
        ("2023-01-22T12:09:39.5Z", "2023-01-22T12:09:39.5Z"),
        ("2023-01-22 12:09+02", "2023-01-22T12:09:00Z"),
        ("2021-03-28 02:30 Europe/Brussels", "2021-03-28T02:30:00Z"),
        ("0001-01-01 00:00 +01", "0001-01-01T00:00:00Z"),
    ] {
        assert_eq!(parse_local_time(text, clock), Ok(expected_us(expected)), "{text}");
    }
    for text in ["", "noon", "2023-02-30", "2023-01-22 12:00 Mars/Olympus"] {
        assert!(parse_local_time(text, clock).is_err(), "{text}");
    }
}
