//! Clock of an answer about a store: parses dates and local times, and formats instants.

use serde_json::{Value, json};

use super::report_request;
use crate::rules::calendar::{instant_text, offset_text};
use crate::rules::instant::{instant_us, parse_instant};
use crate::rules::{LocalClock, Span, Zone, ZoneName};

/// Zone by whose clock a request wants its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockChoice {
    #[default]
    Utc,
    Store,
    Zone(ZoneName),
}

impl ClockChoice {
    /// # Errors
    /// States the expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            _ if text.eq_ignore_ascii_case("utc") => Ok(Self::Utc),
            "store" => Ok(Self::Store),
            zone => zone.parse::<ZoneName>().map(Self::Zone).map_err(|remedy| {
                format!("{text:?} is not one of store, utc, or a time zone; {remedy}")
            }),
        }
    }
}

/// Parses an instant of a query as microseconds UTC. Without an offset it is a local time in the
/// zone; a date alone is its midnight. An ambiguous local time is its earlier instant; a skipped
/// one moves forward by the length of the gap.
///
/// # Errors
/// States the expected form.
pub fn instant_in(zone: Option<&Zone>, text: &str) -> Result<i64, String> {
    let text = report_request::restore_plus(text.trim());
    // Text with an offset must not get a second one.
    let local = zone.and_then(|zone| {
        let clock = |name: &str, near| (name == zone.name()).then(|| LocalClock::over(zone, near));
        parse_instant(&format!("{text} {}", zone.name()), clock).ok()
    });
    local.map_or_else(|| instant_us(&text), Ok)
}

/// Formats instants, however far they are from the range of the request.
pub enum Clock {
    Utc,
    Local(Zone),
}

impl Clock {
    /// Clock of the zone; UTC without one.
    pub fn from_zone(zone: Option<&Zone>) -> Self {
        zone.map_or(Self::Utc, |zone| Self::Local(zone.clone()))
    }

    /// Formats as `2023-01-25T18:13:22.479220Z`, or as `2023-01-25T12:13:22.479220-06:00`.
    pub fn text(&self, at: i64) -> String {
        let Self::Local(zone) = self else { return instant_text(at) };
        let offset_us = zone.offset_us(at);
        let local = instant_text(at + offset_us);
        format!("{}{}", local.trim_end_matches('Z'), offset_text(offset_us))
    }

    pub fn bounds(&self, span: Span) -> Value {
        json!({ "starts_at": self.text(span.starts_at()), "ends_at": self.text(span.ends_at()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ZoneRules;

    #[track_caller]
    fn reads(clock: &str, text: &str, expected: &str) {
        let zone = match ClockChoice::parse(clock) {
            Ok(ClockChoice::Zone(name)) => ZoneRules::bundled().zone(name.as_str()),
            _ => None,
        };
        let found = instant_in(zone.as_ref(), text).map(instant_text);
        assert_eq!(found.as_deref(), Ok(expected), "{text} in {clock}");
    }

    #[test]
    fn a_date_or_local_time_is_by_the_clock_and_an_instant_is_what_it_says() {
        reads("utc", "2023-01-20", "2023-01-20T00:00:00.000000Z");
        reads("utc", "2023-01-20T10:00", "2023-01-20T10:00:00.000000Z");
        reads("America/Chicago", "2023-01-20", "2023-01-20T06:00:00.000000Z");
        reads("America/Chicago", "2023-07-20 10:00:00.5", "2023-07-20T15:00:00.500000Z");
        for instant in [
            "2023-01-20T10:00:00Z",
            "2023-01-20 10:00:00 UTC",
            "2023-01-20T11:00:00+01:00",
            "2023-01-20 11:00 Europe/Berlin",
        ] {
            reads("Asia/Tokyo", instant, "2023-01-20T10:00:00.000000Z");
        }
        // 02:30 is skipped and 01:30 ambiguous; a midnight is skipped as well.
        reads("America/Chicago", "2023-03-12 02:30", "2023-03-12T08:30:00.000000Z");
        reads("America/Chicago", "2023-11-05 01:30", "2023-11-05T06:30:00.000000Z");
        reads("Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00.000000Z");
    }

    #[test]
    fn a_plus_that_became_a_space_is_restored() {
        for text in [
            "2023-01-20T00:00:00 01:00",
            "2023-01-20 00:00:00 01:00",
            "2023-01-20T00:00 0100",
            "20230120T000000 01",
            "2023-01-20T00:00:00.0 01:00",
        ] {
            reads("utc", text, "2023-01-19T23:00:00.000000Z");
            reads("Asia/Tokyo", text, "2023-01-19T23:00:00.000000Z");
        }
        // This is a time of day.
        reads("utc", "2023-01-20 01:00", "2023-01-20T01:00:00.000000Z");
        reads("utc", "2023-01-20 01:00:00", "2023-01-20T01:00:00.000000Z");
        assert!(instant_in(None, "2023-01-20 00:00 1:00").is_err());
        assert!(instant_in(None, "2023-01-20T00:00:00Z 01:00").is_err());
    }

    #[test]
    fn an_instant_is_printed_with_the_offset_of_its_clock() {
        let at = |text: &str| instant_us(text).unwrap();
        for (zone, instant, expected) in [
            (None, "2023-01-20T10:00:00Z", "2023-01-20T10:00:00.000000Z"),
            (Some("America/Chicago"), "2023-01-20T10:00:00Z", "2023-01-20T04:00:00.000000-06:00"),
            (Some("America/Chicago"), "2023-07-20T10:00:00Z", "2023-07-20T05:00:00.000000-05:00"),
            (Some("Asia/Kolkata"), "2023-01-20T20:00:00Z", "2023-01-21T01:30:00.000000+05:30"),
            (Some("UTC"), "2023-01-20T10:00:00Z", "2023-01-20T10:00:00.000000+00:00"),
            (
                Some("America/New_York"),
                "1880-02-01T10:00:00Z",
                "1880-02-01T05:03:58.000000-04:56:02",
            ),
        ] {
            let zone = zone.map(|name| ZoneRules::bundled().zone(name).unwrap());
            assert_eq!(Clock::from_zone(zone.as_ref()).text(at(instant)), expected);
        }
    }

    #[test]
    fn a_clock_is_one_of_three_kinds() {
        assert_eq!(ClockChoice::parse("UTC"), Ok(ClockChoice::Utc));
        assert_eq!(ClockChoice::parse("store"), Ok(ClockChoice::Store));
        let zone = ClockChoice::Zone(ZoneName::parse("america/new_york").unwrap());
        assert_eq!(ClockChoice::parse("America/New_York"), Ok(zone));
        for wrong in ["", "local", "EST5EDT4", "-06:00"] {
            let sentence = ClockChoice::parse(wrong).unwrap_err();
            assert!(sentence.contains("is not one of store, utc, or a time zone"), "{sentence}");
        }
    }
}
