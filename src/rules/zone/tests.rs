//! Local times by the bundled and the built-in edition.

use std::sync::Arc;

use chrono::NaiveDateTime;

use super::*;
use crate::rules::calendar::{HOUR_US, instant_text};

fn us(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp_micros()
}

/// Checks the local time at an instant by the zone and by its clock.
#[track_caller]
fn shows(rules: &ZoneRules, zone: &str, at: &str, expected: &str) {
    let (zone, at) = (rules.zone(zone).unwrap(), us(at));
    let clock = LocalClock::over(&zone, Span::new(at, at + HOUR_US).unwrap());
    let edition = rules.edition();
    for local in [at + zone.offset_us(at), clock.local_at(at)] {
        let (found, zone) = (&instant_text(local)[..16], zone.name());
        assert_eq!(found, expected.replace(' ', "T"), "{zone} by {edition}");
    }
}

#[test]
fn local_times_of_2026_follow_decisions_since_2025b() {
    let (new, old) = (ZoneRules::bundled(), ZoneRules::built_in());
    for (zone, at, by_new, by_old) in [
        // British Columbia, Alberta and Manitoba keep their summer time.
        ("America/Vancouver", "2026-12-01 12:00", "2026-12-01 05:00", "2026-12-01 04:00"),
        ("Canada/Pacific", "2027-01-15 12:00", "2027-01-15 05:00", "2027-01-15 04:00"),
        ("America/Edmonton", "2026-12-01 12:00", "2026-12-01 06:00", "2026-12-01 05:00"),
        ("America/Inuvik", "2026-12-01 12:00", "2026-12-01 06:00", "2026-12-01 05:00"),
        ("America/Yellowknife", "2026-12-01 12:00", "2026-12-01 06:00", "2026-12-01 05:00"),
        ("America/Winnipeg", "2026-12-01 12:00", "2026-12-01 07:00", "2026-12-01 06:00"),
        ("America/Rainy_River", "2026-12-01 12:00", "2026-12-01 07:00", "2026-12-01 06:00"),
        // Cuba keeps it over one winter.
        ("America/Havana", "2026-12-01 12:00", "2026-12-01 08:00", "2026-12-01 07:00"),
        ("America/Havana", "2027-12-01 12:00", "2027-12-01 07:00", "2027-12-01 07:00"),
        // Morocco and Western Sahara go back for good.
        ("Africa/Casablanca", "2026-10-01 12:00", "2026-10-01 12:00", "2026-10-01 13:00"),
        ("Africa/El_Aaiun", "2027-06-01 12:00", "2027-06-01 12:00", "2027-06-01 13:00"),
        // Moldova changes with the European Union since 2022.
        ("Europe/Chisinau", "2023-03-26 00:30", "2023-03-26 02:30", "2023-03-26 03:30"),
        ("Europe/Chisinau", "2021-03-28 00:30", "2021-03-28 03:30", "2021-03-28 03:30"),
        // Unchanged rules.
        ("America/Chicago", "2026-12-01 12:00", "2026-12-01 06:00", "2026-12-01 06:00"),
        ("America/Vancouver", "2026-02-01 12:00", "2026-02-01 04:00", "2026-02-01 04:00"),
    ] {
        shows(&new, zone, at, by_new);
        shows(&old, zone, at, by_old);
    }
}

#[test]
fn rules_hold_beyond_the_last_change_that_is_listed() {
    let rules = ZoneRules::bundled();
    for (zone, at, expected) in [
        ("America/Chicago", "2101-07-01 12:00", "2101-07-01 07:00"),
        ("America/Chicago", "2101-03-13 08:00", "2101-03-13 03:00"),
        ("America/Chicago", "2101-12-01 12:00", "2101-12-01 06:00"),
        ("Europe/London", "2101-07-01 12:00", "2101-07-01 13:00"),
        ("Australia/Lord_Howe", "2101-07-01 12:00", "2101-07-01 22:30"),
        ("America/Chicago", "9999-07-01 12:00", "9999-07-01 07:00"),
        ("America/Chicago", "9999-12-31 23:59", "9999-12-31 17:59"),
        ("America/Chicago", "1883-01-01 12:00", "1883-01-01 06:09"),
    ] {
        let (zone, at) = (rules.zone(zone).unwrap(), us(at));
        let local = instant_text(at + zone.offset_us(at));
        assert_eq!(local[..16], expected.replace(' ', "T"));
    }
    shows(&ZoneRules::built_in(), "America/Chicago", "2101-07-01 12:00", "2101-07-01 06:00");
}

#[test]
fn extreme_instants_are_accepted() {
    let chicago = ZoneRules::bundled().zone("America/Chicago").unwrap();
    for (from, to) in [(i64::MIN, i64::MIN + 1), (i64::MAX - 1, i64::MAX)] {
        let clock = LocalClock::over(&chicago, Span::new(from, to).unwrap());
        assert!(clock.changes().is_empty());
    }
}

#[test]
fn names_are_found_in_any_case_and_kept_in_their_proper_spelling() {
    let copied = ZoneRules::bundled();
    let tzif = |name: &str| (name.to_owned(), Arc::from(copied.tzif(name).unwrap()));
    let given = ZoneRules::new("2027a".into(), ["America/Chicago", "UTC"].map(tzif));
    for rules in [&ZoneRules::bundled(), &ZoneRules::built_in(), &given] {
        for name in ["america/chicago", "AMERICA/CHICAGO", "America/Chicago"] {
            assert_eq!(rules.zone(name).unwrap().name(), "America/Chicago");
        }
        for name in ["", "Chicago", "America/Chicago ", "Mars/Olympus", "America/Chicágo"] {
            assert!(rules.zone(name).is_none(), "{name}");
        }
        assert!(rules.names().is_sorted() && rules.names().contains(&"UTC"));
    }
    assert_eq!(ZoneName::parse("asia/kolkata").unwrap().as_str(), "Asia/Kolkata");
    assert!(given.is_newer_than(&copied) && copied.is_newer_than(&ZoneRules::built_in()));
    assert_eq!((copied.edition(), ZoneRules::built_in().edition()), ("2026f", "2025b"));
}

#[test]
fn zones_are_equal_where_names_and_rules_are() {
    let (new, old) = (ZoneRules::bundled(), ZoneRules::built_in());
    let copied = ZoneRules::new(
        "2026f".into(),
        [("Europe/Paris".to_owned(), Arc::from(new.tzif("Europe/Paris").unwrap()))],
    );
    let paris = |rules: &ZoneRules| rules.zone("Europe/Paris").unwrap();
    assert_eq!(paris(&new), paris(&copied));
    assert_ne!(paris(&new), paris(&old));
    let years = (us("1970-01-01 00:00"), us("2037-01-01 00:00"));
    assert!(paris(&new).agrees_with(&paris(&old), years.0, years.1));
    let vancouver = |rules: &ZoneRules| rules.zone("America/Vancouver").unwrap();
    assert!(!vancouver(&new).agrees_with(&vancouver(&old), years.0, years.1));
    assert!(vancouver(&new).agrees_with(&vancouver(&old), years.0, us("2026-11-01 08:59")));
}

#[test]
fn an_edition_is_a_release() {
    for (text, edition) in [
        ("2026f", Some("2026f")),
        (" 2026f\n", Some("2026f")),
        ("2026f-rearguard", Some("2026f")),
        ("2024za", Some("2024za")),
        ("", None),
        ("2026", None),
        ("2026f-3-g0123abc", None),
        ("2026F", None),
        ("unknown", None),
        ("202éa", None),
    ] {
        assert_eq!(parse_edition(text), edition, "{text:?}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_zone_that_it_means() {
    let rules = ZoneRules::bundled();
    for (name, remedy, same) in [
        ("America/NewYork", "did you mean America/New_York?", Some("America/New_York")),
        ("berlin", "did you mean Europe/Berlin?", Some("Europe/Berlin")),
        ("US/Pacfic", "did you mean US/Pacific?", None),
        ("UT C", "did you mean UTC?", Some("UTC")),
        ("Mars/Olympus", "expected an IANA name like America/Chicago", None),
    ] {
        assert_eq!(rules.remedy(name), remedy, "{name}");
        assert_eq!(rules.same_but_for_signs(name), same, "{name}");
        assert_eq!(name.parse::<ZoneName>().unwrap_err(), remedy);
    }
}

#[test]
fn malformed_tzif_is_refused() {
    let whole = ZoneRules::bundled().tzif("America/Chicago").unwrap().to_vec();
    for length in [0, 4, 43, whole.len() / 2] {
        assert!(Zone::from_tzif("X", whole[..length].into()).is_none(), "{length} bytes");
    }
    assert!(Zone::from_tzif("X", whole.into()).is_some());
}
