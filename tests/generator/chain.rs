//! A generated chain, read back from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chrono::NaiveDateTime;
use uptally::internals::generate::{DEFAULT_END_US, RowCounts, Spec, generate};

use crate::harness::DAY_US;

const HOUR_US: i64 = DAY_US / 24;

type Rows = Vec<Vec<String>>;
/// Openings of each day, in order.
type Week = BTreeMap<String, Vec<(String, String)>>;

/// Files as text, with their content by store.
pub struct Chain {
    pub spec: Spec,
    pub texts: [String; 3],
    pub written: RowCounts,
    pub polls: Rows,
    /// Polls of each store in order of time: the instant, and true if active.
    pub polled: BTreeMap<String, Vec<(i64, bool)>>,
    pub weeks: BTreeMap<String, Week>,
    pub zones: BTreeMap<String, String>,
}

pub fn spec(stores: u32, days: u32, seed: u64) -> Spec {
    Spec { stores, days, seed, ends_at_us: DEFAULT_END_US }
}

pub fn chain(stores: u32, days: u32, seed: u64) -> Chain {
    chain_of(spec(stores, days, seed))
}

pub fn chain_of(spec: Spec) -> Chain {
    let folder = tempfile::tempdir().unwrap();
    let written = generate(&spec, folder.path()).unwrap();
    let texts = ["store_status.csv", "menu_hours.csv", "timezones.csv"]
        .map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    let [polls, hours, zones] = texts.each_ref().map(|text| rows(text));
    Chain {
        spec,
        written,
        polled: polls_by_store(&polls),
        polls,
        weeks: weeks_by_store(hours),
        zones: zones.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect(),
        texts,
    }
}

fn polls_by_store(rows: &Rows) -> BTreeMap<String, Vec<(i64, bool)>> {
    let mut polled: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let poll = (instant_us(&row[2]), row[1] == "active");
        polled.entry(row[0].clone()).or_default().push(poll);
    }
    polled.values_mut().for_each(|polls| polls.sort_unstable());
    polled
}

fn weeks_by_store(rows: Rows) -> BTreeMap<String, Week> {
    let mut weeks: BTreeMap<_, Week> = BTreeMap::new();
    for row in rows {
        let [store, day, start, end] = row.try_into().unwrap();
        let week = weeks.entry(store).or_default();
        week.entry(day).or_default().push((start, end));
    }
    let days = weeks.values_mut().flat_map(BTreeMap::values_mut);
    days.for_each(|openings| openings.sort_unstable());
    weeks
}

pub fn rows(text: &str) -> Rows {
    let fields = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(fields).collect()
}

pub fn instant_us(stamp: &str) -> i64 {
    let at = NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.f UTC").unwrap();
    at.and_utc().timestamp_micros()
}

impl Chain {
    pub fn ids(&self) -> BTreeSet<&String> {
        let hours_or_zone = self.weeks.keys().chain(self.zones.keys());
        self.polled.keys().chain(hours_or_zone).collect()
    }

    pub fn polled_twice_an_hour(&self) -> usize {
        let is_twice = |polls: &&Vec<(i64, bool)>| {
            polls.windows(2).any(|two| two[0].0.div_euclid(HOUR_US) == two[1].0.div_euclid(HOUR_US))
        };
        self.polled.values().filter(is_twice).count()
    }

    /// Number of stores that fall silent within `days` of the start.
    pub fn silent_within(&self, days: i64) -> usize {
        let until_us = self.spec.ends_at_us - (i64::from(self.spec.days) - days) * DAY_US;
        let is_silent = |polls: &&Vec<(i64, bool)>| polls.last().unwrap().0 < until_us;
        self.polled.values().filter(is_silent).count()
    }

    pub fn hours_without_polls(&self) -> usize {
        let is_unpolled = |store: &&String| !self.polled.contains_key(*store);
        self.weeks.keys().filter(is_unpolled).count()
    }

    pub fn days_missing(&self) -> usize {
        self.weeks.values().filter(|week| week.len() < 7).count()
    }

    pub fn openings(&self) -> impl Iterator<Item = &(String, String)> {
        self.weeks.values().flat_map(BTreeMap::values).flatten()
    }

    pub fn openings_a_day(&self) -> BTreeSet<usize> {
        let days = self.weeks.values().flat_map(BTreeMap::values);
        days.map(Vec::len).collect()
    }

    pub fn inactive_percent(&self) -> usize {
        let inactive = self.polls.iter().filter(|row| row[1] == "inactive");
        inactive.count() * 100 / self.polls.len()
    }

    /// Percentage of inactive polls that follow an inactive one.
    pub fn inactive_in_runs_percent(&self) -> usize {
        let pairs = self.polled.values().flat_map(|polls| polls.windows(2));
        let (after_inactive, all) =
            pairs.filter(|two| !two[1].1).fold((0, 0), |(after_inactive, all), two| {
                (after_inactive + usize::from(!two[0].1), all + 1)
            });
        after_inactive * 100 / all
    }

    pub fn longest_outage_hours(&self) -> i64 {
        let runs = self.polled.values().flat_map(|polls| {
            polls
                .chunk_by(|a, b| a.1 == b.1)
                .filter(|run| !run[0].1)
                .map(|run| run[run.len() - 1].0 - run[0].0)
        });
        runs.max().unwrap() / HOUR_US
    }

    /// Lengths, in clock hours, of the times without any poll.
    pub fn blackout_hours(&self) -> Vec<i64> {
        let instants = self.polled.values().flatten();
        let hours: BTreeSet<i64> = instants.map(|poll| poll.0.div_euclid(HOUR_US)).collect();
        let hours: Vec<i64> = hours.into_iter().collect();
        let gaps = hours.windows(2).map(|two| two[1] - two[0] - 1);
        gaps.filter(|&gap| gap > 0).collect()
    }
}
