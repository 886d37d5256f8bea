//! Openings around every offset change of every zone from 1970 to 2037, before, at, within and
//! after it, must equal the judge's.

use std::collections::HashSet;

use uptally::ZoneRules;
use uptally::internals::rules::{
    HoursRow, LocalClock, Span, Weekday, WeeklyHours, local_days, open_spans,
};

use crate::judge::Zone;
use crate::judge::hours::{is_open, midnights, openings};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// 2038-01-01.
const LAST: i64 = 2_145_916_800 * SECOND;

/// Instant of each change of the zone's offset, and the offsets before and after it in seconds.
fn changes(zone: Zone) -> Vec<(i64, i64, i64)> {
    let mut changes = Vec::new();
    for start in (0..LAST).step_by((6 * HOUR) as usize) {
        let (before, after) = (zone.offset_s(start), zone.offset_s(start + 6 * HOUR));
        if before != after {
            let (mut low, mut high) = (start / SECOND, start / SECOND + 6 * 3600);
            while high - low > 1 {
                let middle = (low + high) / 2;
                if zone.offset_s(middle * SECOND) == before { low = middle } else { high = middle }
            }
            changes.push((high * SECOND, before, after));
        }
    }
    changes
}

/// Rows that open around the change: two hours before it, at it, inside its gap or fold, at its
/// end, after it, over it, and over the whole of its day and the night before.
fn rows_around(at: i64, before: i64, after: i64) -> Vec<(u8, u32, u32)> {
    let local_s = at / SECOND + before.min(after);
    let length = (before - after).abs();
    let inside = length / 2;
    let borders = [
        (-7200, -3600),
        (-3600, 0),
        (0, 3600),
        (inside, inside + 3600),
        (inside - 60, inside),
        (length, length + 1800),
        (length + 3600, length + 7200),
        (-1800, length + 1800),
        (0, length),
    ];
    let weekday = |day: i64| (day + 3).rem_euclid(7) as u8;
    let mut rows: Vec<_> = borders
        .into_iter()
        .map(|(from, to)| {
            let (start, end) = (local_s + from, local_s + to);
            let day = start.div_euclid(86_400);
            (weekday(day), start.rem_euclid(86_400) as u32, end.rem_euclid(86_400) as u32)
        })
        .collect();
    let day = local_s.div_euclid(86_400);
    rows.extend([
        (weekday(day), 0, 86_400),
        (weekday(day - 1), 79_200, 7_200),
        (weekday(day), 0, 0),
    ]);
    rows
}

#[track_caller]
fn check(zone: Zone, rows: &[(u8, u32, u32)], range: (i64, i64)) {
    let span = Span::new(range.0, range.1).unwrap();
    let rules = ZoneRules::bundled().zone(zone.name()).unwrap();
    let clock = LocalClock::over(&rules, span);
    let week = rows.iter().map(|&(day, start_s, end_s)| {
        HoursRow::new(Weekday::from_monday_zero(day).unwrap(), start_s, end_s).unwrap()
    });
    let open = open_spans(&WeeklyHours::Rows(week.collect()), &clock, span, false);
    let judged = openings(rows, zone, range, false);
    let mut edges: Vec<i64> = judged.iter().flat_map(|&(from, to)| [from, to]).collect();
    edges.extend(open.iter().flat_map(|span| [span.starts_at(), span.ends_at()]));
    for edge in
        edges.into_iter().flat_map(|at| [at - 1, at]).filter(|at| (range.0..range.1).contains(at))
    {
        let says = open.iter().any(|span| (span.starts_at()..span.ends_at()).contains(&edge));
        assert_eq!(says, is_open(&judged, edge), "{zone:?} at {edge}, rows {rows:?}");
    }
    let mut borders: Vec<i64> =
        midnights(zone, range).into_iter().filter(|at| range.0 < *at && *at < range.1).collect();
    borders.sort_unstable();
    borders.dedup();
    let days = local_days(&clock, span);
    let starts: Vec<i64> = days.iter().skip(1).map(|day| day.starts_at()).collect();
    assert_eq!(starts, borders, "days of {zone:?}");
}

/// Offset changes of a zone within a fortnight of one of them, on which the spans around it depend.
/// Zones with equal changes are tested once.
fn distinct_changes() -> Vec<(Zone, (i64, i64, i64))> {
    let mut seen = HashSet::new();
    let mut distinct = Vec::new();
    for zone in Zone::all() {
        let changes = changes(zone);
        for &change in &changes {
            let near: Vec<_> = changes
                .iter()
                .filter(|near| (near.0 - change.0).abs() < 14 * DAY)
                .copied()
                .collect();
            if seen.insert((change, near)) {
                distinct.push((zone, change));
            }
        }
    }
    distinct
}

#[test]
fn stores_open_by_the_clocks_around_every_change() {
    let changes = distinct_changes();
    let gaps = changes.iter().filter(|(_, (_, before, after))| after > before).count();
    assert!(gaps > 2_000 && changes.len() - gaps > 2_000, "{gaps} gaps of {}", changes.len());
    let check_all = |changes: &[(Zone, (i64, i64, i64))]| {
        for &(zone, (at, before, after)) in changes {
            let rows = rows_around(at, before, after);
            let range = (at - 2 * DAY, at + 2 * DAY);
            // Rows apart from their neighbours, so that none hides another, then all together.
            for first in 0..4 {
                let apart: Vec<_> = rows.iter().skip(first).step_by(4).copied().collect();
                check(zone, &apart, range);
            }
            check(zone, &rows, range);
        }
    };
    let (first, second) = changes.split_at(changes.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| check_all(first));
        check_all(second);
    });
}
