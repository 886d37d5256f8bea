//! Reads a drawn chain, and checks lines of its report on both engines.

use chrono::NaiveDateTime;
use uptally::{Options, ReportQuery};

use crate::harness::{ENGINES, block_on, tables_of, tallies};
use crate::judge::{Chain, Tally};

const WINDOWS: [&str; 3] = ["last_hour", "last_day", "last_week"];

/// Checks some lines of the report, written as `A last_day 135 45 0`: up, down and unknown in
/// minutes, or in microseconds with the suffix `us`.
///
/// `now 2023-01-25 12:00` is the instant of the query; for a store A, `A poll 2023-01-25 10:14 up`,
/// `A open Wed 9:00-12:00` and `A zone UTC` are rows.
#[track_caller]
pub fn check(drawn: &str, options: Options, expected: &str) {
    for found in reports(drawn, options, &[]) {
        for expected in expected.split(';').map(str::trim) {
            let words: Vec<&str> = expected.split_whitespace().collect();
            let [store, window, up, down, unknown] = words[..] else { panic!("{expected:?}") };
            let window = WINDOWS.iter().position(|name| *name == window).unwrap();
            let line = found.iter().find(|(id, _)| id == store).expect(store);
            let [up, down, unknown] = [up, down, unknown].map(amount_us);
            assert_eq!(line.1[window], Tally { up, down, unknown }, "{expected:?}");
        }
    }
}

fn amount_us(text: &str) -> i64 {
    match text.strip_suffix("us") {
        Some(us) => us.parse().unwrap(),
        None => (text.parse::<f64>().unwrap() * 60e6).round() as i64,
    }
}

/// Report of a drawn chain on each engine: the windows of all stores, or of those named.
pub fn reports(drawn: &str, options: Options, stores: &[&str]) -> Vec<Vec<(String, [Tally; 3])>> {
    let (chain, now) = read(drawn);
    let stores = stores.iter().map(|id| id.to_string()).collect();
    let query = ReportQuery { now, options, stores, extended: true, ..ReportQuery::default() };
    block_on(async {
        let (_folder, dataset) = tables_of(&chain).await;
        let mut reports = Vec::new();
        for engine in ENGINES {
            reports.push(tallies(&dataset, &query, engine).await);
        }
        reports
    })
}

fn read(drawn: &str) -> (Chain, Option<i64>) {
    let mut now = None;
    let mut chain = Chain { polls: Vec::new(), hours: Vec::new(), zones: Vec::new() };
    for line in drawn.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = words[0].to_owned();
        match words[1..] {
            [date, time] if id == "now" => now = Some(utc(date, time)),
            ["poll", date, time, status] => chain.polls.push((id, utc(date, time), status == "up")),
            ["open", day, times] => {
                let week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
                let weekday = week.iter().position(|name| *name == day).unwrap();
                let (start, end) = times.split_once('-').unwrap();
                chain.hours.push((id, weekday as u8, seconds(start), seconds(end)));
            }
            ["zone", name] => chain.zones.push((id, name.to_owned())),
            _ => panic!("{line:?}"),
        }
    }
    (chain, now)
}

fn utc(date: &str, time: &str) -> i64 {
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    NaiveDateTime::parse_from_str(&format!("{date} {time}{seconds}"), "%Y-%m-%d %H:%M:%S%.f")
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

/// `9:00` and `9:00:00` are both 32400.
fn seconds(text: &str) -> u32 {
    text.split(':').zip([3600, 60, 1]).map(|(n, unit)| n.parse::<u32>().unwrap() * unit).sum()
}
