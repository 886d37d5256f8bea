//! Draws one store and one question as text.

use chrono::NaiveDateTime;

use super::{Chain, DefaultHours, Interpolation, NoData, Question, Scope, Zone};

/// `2023-01-22 10:14`, with or without seconds and their fraction.
pub fn utc(text: &str) -> i64 {
    let seconds = if text.matches(':').count() == 1 { ":00" } else { "" };
    NaiveDateTime::parse_from_str(&format!("{text}{seconds}"), "%Y-%m-%d %H:%M:%S%.f")
        .unwrap_or_else(|_| panic!("{text:?} is an instant"))
        .and_utc()
        .timestamp_micros()
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.split(", ").filter(|row| !row.is_empty())
}

/// `2023-01-22 10:14 up`
fn poll(text: &str) -> (String, i64, bool) {
    let (instant, status) = text.rsplit_once(' ').unwrap();
    assert!(["up", "down"].contains(&status));
    ("store".into(), utc(instant), status == "up")
}

/// `Mon 18:00-02:00`
fn row(text: &str) -> (String, u8, u32, u32) {
    let (day, times) = text.split_once(' ').unwrap();
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().position(|d| *d == day);
    let (start, end) = times.split_once('-').unwrap();
    ("store".into(), weekday.unwrap() as u8, seconds(start), seconds(end))
}

/// `9:00` and `9:00:00` are both 32400.
fn seconds(text: &str) -> u32 {
    text.split(':').zip([3_600, 60, 1]).map(|(n, unit)| n.parse::<u32>().unwrap() * unit).sum()
}

/// The rows of one store, separated by commas; any of the three may be empty.
pub fn store(hours: &str, zone: &str, polls: &str) -> Chain {
    Chain {
        polls: rows(polls).map(poll).collect(),
        hours: rows(hours).map(row).collect(),
        zones: rows(zone).map(|zone| ("store".into(), zone.into())).collect(),
    }
}

/// All options at their defaults.
pub fn ask(now: &str) -> Question {
    Question {
        now: Some(utc(now)),
        interpolation: Interpolation::Previous,
        max_gap: None,
        scope: Scope::All,
        no_data: NoData::Unknown,
        snap_end_of_day: false,
        default_hours: DefaultHours::Always,
        default_zone: Zone::named("America/Chicago").unwrap(),
    }
}
