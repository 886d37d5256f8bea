//! Parses a drawn chain, and draws its report as lines.

use std::fmt;
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;
use polars::prelude::*;

use super::super::{ReportFiles, tallies};
use crate::rules::calendar::{DAY_US, day_of};
use crate::rules::{Options, Window, ZoneRules};

/// Tally of one store and window, in microseconds.
#[derive(Debug, PartialEq)]
pub struct Line {
    pub store_id: String,
    window: &'static str,
    uptime: i64,
    downtime: i64,
    unknown: i64,
    scheduled: i64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store_id, window, uptime, downtime, unknown, scheduled } = self;
        write!(f, "{store_id} {window} {uptime} {downtime} {unknown} of {scheduled}")
    }
}

/// Checks some lines of the report, written as `A last_day 135 45 0`: up, down and unknown in
/// minutes, or in microseconds with the suffix `us`. In every line they must add up to the
/// scheduled time.
#[track_caller]
pub fn check(chain: &str, options: Options, expected: &str) {
    let lines = report(chain, options, None);
    for line in &lines {
        assert_eq!(line.uptime + line.downtime + line.unknown, line.scheduled, "{line}");
    }
    for expected in expected.split(';').map(str::trim) {
        let words: Vec<&str> = expected.split_whitespace().collect();
        let [store_id, window, up, down, unknown] = words[..] else { panic!("{expected:?}") };
        let line = lines.iter().find(|line| line.store_id == store_id && line.window == window);
        let line = line.unwrap_or_else(|| panic!("no line of {store_id} {window}"));
        let wanted = (amount_us(up), amount_us(down), amount_us(unknown));
        assert_eq!((line.uptime, line.downtime, line.unknown), wanted, "{expected:?}, not {line}");
    }
}

fn amount_us(text: &str) -> i64 {
    match text.strip_suffix("us") {
        Some(us) => us.parse().unwrap(),
        None => (text.parse::<f64>().unwrap() * 60e6).round() as i64,
    }
}

/// Report of a drawn chain, three lines per store.
///
/// `now 2023-01-25 12:00` is the instant of the query; for a store A, `A poll 2023-01-25 10:14 up`,
/// `A open Wed 9:00-12:00`, `A zone UTC` and `A seen` are rows.
pub fn report(drawn: &str, options: Options, only: Option<&[&str]>) -> Vec<Line> {
    lines(&answer(drawn, options, only).unwrap())
}

/// Error of a report that fails.
pub fn refusal(drawn: &str) -> String {
    answer(drawn, Options::default(), None).unwrap_err().to_string()
}

fn answer(drawn: &str, options: Options, only: Option<&[&str]>) -> PolarsResult<DataFrame> {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::read(drawn);
    let only: Option<Vec<String>> = only.map(|ids| ids.iter().map(|id| id.to_string()).collect());
    tallies(&chain.write(folder.path()), chain.now, &options, only.as_deref())
}

fn lines(report: &DataFrame) -> Vec<Line> {
    let at = |state: &str, window: Window, row: usize| {
        let column = report.column(&format!("{state}_{}", window.name())).unwrap();
        column.i64().unwrap().get(row).unwrap()
    };
    let ids = report.column("store_id").unwrap().str().unwrap();
    let lines_of = |(row, id): (usize, Option<&str>)| {
        Window::ALL.map(|window| Line {
            store_id: id.unwrap().to_owned(),
            window: window.name(),
            uptime: at("uptime", window, row),
            downtime: at("downtime", window, row),
            unknown: at("unknown", window, row),
            scheduled: at("scheduled", window, row),
        })
    };
    ids.iter().enumerate().flat_map(lines_of).collect()
}

#[derive(Default)]
struct Chain {
    now: i64,
    stores: Vec<String>,
    /// Store, instant, active.
    polls: Vec<(String, i64, bool)>,
    /// Store, weekday from Monday, start and end in seconds.
    hours: Vec<(String, i8, i32, i32)>,
    zones: Vec<(String, String)>,
}

impl Chain {
    fn read(drawn: &str) -> Self {
        let mut chain = Self::default();
        for line in drawn.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let id = words[0].to_owned();
            match words[1..] {
                [date, time] if id == "now" => chain.now = utc(date, time),
                ["poll", date, time, status] => {
                    chain.polls.push((id, utc(date, time), status == "up"));
                }
                ["open", day, times] => {
                    let week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
                    let weekday = week.iter().position(|name| *name == day).unwrap();
                    let (start, end) = times.split_once('-').unwrap();
                    chain.hours.push((id, weekday as i8, seconds(start), seconds(end)));
                }
                ["zone", name] => chain.zones.push((id, name.to_owned())),
                ["seen"] => {}
                _ => panic!("{line:?}"),
            }
            if words[0] != "now" && !chain.stores.iter().any(|seen| seen == words[0]) {
                chain.stores.push(words[0].to_owned());
            }
        }
        chain.polls.sort();
        chain
    }

    fn write(&self, folder: &Path) -> ReportFiles {
        let ids =
            |rows: &mut dyn Iterator<Item = &String>| -> Vec<String> { rows.cloned().collect() };
        let mut stores =
            df!("store_id" => &self.stores, "ignored" => vec![1i64; self.stores.len()]);
        let mut hours = df!(
            "store_id" => ids(&mut self.hours.iter().map(|row| &row.0)),
            "day_of_week" => self.hours.iter().map(|row| row.1).collect::<Vec<_>>(),
            "start_local_s" => self.hours.iter().map(|row| row.2).collect::<Vec<_>>(),
            "end_local_s" => self.hours.iter().map(|row| row.3).collect::<Vec<_>>(),
        );
        let mut zones = df!(
            "store_id" => ids(&mut self.zones.iter().map(|row| &row.0)),
            "time_zone" => ids(&mut self.zones.iter().map(|row| &row.1)),
        );
        let (carried, polls) = self.poll_files(folder);
        ReportFiles {
            polls,
            carried,
            stores: file(folder.join("stores"), stores.as_mut().unwrap()),
            business_hours: file(folder.join("[hours]"), hours.as_mut().unwrap()),
            time_zones: file(folder.join("zones"), zones.as_mut().unwrap()),
            zone_rules: ZoneRules::bundled(),
        }
    }

    /// Writes the carried polls, and a file for each day from the first day of the range on.
    fn poll_files(&self, folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let first_day = day_of(Window::LONGEST.before(self.now).starts_at());
        let is_carried = |row: &&(String, i64, bool)| day_of(row.1) < first_day;
        let mut carried: Vec<_> = self.polls.iter().filter(is_carried).collect();
        carried.reverse();
        carried.dedup_by(|earlier, kept| earlier.0 == kept.0);
        carried.reverse();
        let carried = file(folder.join("carried"), &mut poll_rows(&carried));
        let day_file = |day: i64| {
            let rows: Vec<_> = self.polls.iter().filter(|row| day_of(row.1) == day).collect();
            file(folder.join(format!("polled_on={day}")), &mut poll_rows(&rows))
        };
        (carried, (first_day..=day_of(self.now + DAY_US)).flat_map(day_file).collect())
    }
}

fn poll_rows(rows: &[&(String, i64, bool)]) -> DataFrame {
    let instants =
        Int64Chunked::from_vec("polled_at".into(), rows.iter().map(|row| row.1).collect());
    let polled_at = instants.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let mut frame = df!(
        "store_id" => rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(),
        "active" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    )
    .unwrap();
    frame.insert_column(1, polled_at.into_series().into()).unwrap();
    frame
}

/// Without rows, there is no file.
fn file(path: PathBuf, frame: &mut DataFrame) -> Vec<PathBuf> {
    if frame.height() == 0 {
        return Vec::new();
    }
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(frame).unwrap();
    vec![path]
}

fn utc(date: &str, time: &str) -> i64 {
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    NaiveDateTime::parse_from_str(&format!("{date} {time}{seconds}"), "%Y-%m-%d %H:%M:%S%.f")
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

/// `9:00` and `9:00:00` are both 32400.
fn seconds(text: &str) -> i32 {
    text.split(':').zip([3600, 60, 1]).map(|(n, unit)| n.parse::<i32>().unwrap() * unit).sum()
}
