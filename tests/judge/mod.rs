//! Brute-force reference for uptime: applies the rules of docs/semantics.md one instant at a time.
//!
//! Every instant at which an answer could change is an edge. Between two neighbouring edges nothing
//! changes, so the first instant of a segment decides the whole of it, and the sums are exact.
//! There are deliberately no timelines, merged spans or running state: for each segment the judge
//! determines anew if the store is open, its piece of the scope, and the poll that decides it.

mod drawn;
pub mod hours;
pub mod records;
mod self_tests;
mod state;
pub mod zone;

use std::collections::{BTreeMap, BTreeSet};

use self::hours::{Opening, is_open};
use self::state::State;
pub use self::zone::Zone;

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;

/// Last hour, last day, last week; the last is the asked range.
const WINDOWS_US: [i64; 3] = [HOUR_US, 24 * HOUR_US, 168 * HOUR_US];

/// The three inputs, as loaded.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Store, instant in microseconds UTC, active; in any order, duplicates allowed.
    pub polls: Vec<(String, i64, bool)>,
    /// Store, weekday (0 = Monday), start and end in seconds of the local day; an end may be 86400.
    pub hours: Vec<(String, u8, u32, u32)>,
    /// Store, IANA name; the last row of a store wins.
    pub zones: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    Previous,
    Nearest,
    Next,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scope {
    All,
    Day,
    Interval,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoData {
    Unknown,
    Down,
    Up,
}

/// Hours of a store without business hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultHours {
    Always,
    Closed,
    /// Start and end in seconds of each local day; an end may be 86400.
    Daily(u32, u32),
}

/// Options; `now` is the latest poll when `None`, `max_gap` is in microseconds.
#[derive(Clone, Debug)]
pub struct Question {
    pub now: Option<i64>,
    pub interpolation: Interpolation,
    pub max_gap: Option<i64>,
    pub scope: Scope,
    pub no_data: NoData,
    pub snap_end_of_day: bool,
    pub default_hours: DefaultHours,
    pub default_zone: Zone,
}

/// Microseconds within scheduled open time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    pub up: i64,
    pub down: i64,
    pub unknown: i64,
}

impl Tally {
    fn book(&mut self, state: State, no_data: NoData, length_us: i64) {
        match (state, no_data) {
            (State::Up, _) | (State::Unknown, NoData::Up) => self.up += length_us,
            (State::Down, _) | (State::Unknown, NoData::Down) => self.down += length_us,
            (State::Unknown, NoData::Unknown) => self.unknown += length_us,
        }
    }
}

/// Tallies of last hour, day and week for each store, in ascending byte order of id.
///
/// # Panics
/// If there is neither a `now` nor a poll, or if a zone is not an IANA name.
pub fn judge(chain: &Chain, question: &Question) -> Vec<(String, [Tally; 3])> {
    let latest_poll_at = chain.polls.iter().map(|&(_, polled_at, _)| polled_at).max();
    let now = question.now.or(latest_poll_at).expect("a question without now needs a poll");
    stores(chain, now)
        .into_iter()
        .map(|(id, store)| (id.to_owned(), store.tallies(question, now)))
        .collect()
}

/// Inputs of a single store.
#[derive(Default)]
struct Store<'a> {
    /// Instant to active, none after now.
    polls: BTreeMap<i64, bool>,
    /// Weekday, start and end in seconds of the local day.
    hours: Vec<(u8, u32, u32)>,
    zone: Option<&'a str>,
}

/// Every store seen in any input; the map's order is the byte order of ids.
fn stores(chain: &Chain, now: i64) -> BTreeMap<&str, Store<'_>> {
    let mut stores: BTreeMap<&str, Store> = BTreeMap::new();
    for (id, polled_at, active) in &chain.polls {
        let store = stores.entry(id).or_default();
        if *polled_at <= now {
            let all_active = store.polls.entry(*polled_at).or_insert(true);
            *all_active = *all_active && *active;
        }
    }
    for (id, weekday, start_s, end_s) in &chain.hours {
        stores.entry(id).or_default().hours.push((*weekday, *start_s, *end_s));
    }
    for (id, zone) in &chain.zones {
        stores.entry(id).or_default().zone = Some(zone);
    }
    stores
}

impl Store<'_> {
    fn tallies(&self, question: &Question, now: i64) -> [Tally; 3] {
        let range = (now - WINDOWS_US[2], now);
        let zone = match self.zone {
            Some(name) => Zone::named(name).expect("a zone is an IANA name"),
            None => question.default_zone,
        };
        let openings = self.openings(question, zone, range);
        let midnights = hours::midnights(zone, range);
        let edges = self.edges(question, range, &openings, &midnights);
        let borders = borders(question.scope, range, &edges, &openings, &midnights);

        let mut tallies = [Tally::default(); 3];
        for stretch in edges.windows(2) {
            let (starts_at, ends_at) = (stretch[0], stretch[1]);
            if !is_open(&openings, starts_at) {
                continue;
            }
            let piece = piece(&borders, starts_at);
            let state = state::at(starts_at, &self.polls, piece, question);
            for (tally, window_us) in tallies.iter_mut().zip(WINDOWS_US) {
                if now - window_us <= starts_at {
                    tally.book(state, question.no_data, ends_at - starts_at);
                }
            }
        }
        tallies
    }

    fn openings(&self, question: &Question, zone: Zone, range: (i64, i64)) -> Vec<Opening> {
        let laid = |rows: &[_]| hours::openings(rows, zone, range, question.snap_end_of_day);
        match question.default_hours {
            _ if !self.hours.is_empty() => laid(&self.hours),
            DefaultHours::Always => vec![(i64::MIN, i64::MAX)],
            DefaultHours::Closed => vec![],
            DefaultHours::Daily(start_s, end_s) => {
                laid(&[0, 1, 2, 3, 4, 5, 6].map(|day| (day, start_s, end_s)))
            }
        }
    }

    /// Every instant of the range at which an answer could change, and the range's own ends;
    /// an edge too many does no harm.
    fn edges(
        &self,
        question: &Question,
        range: (i64, i64),
        openings: &[Opening],
        midnights: &[i64],
    ) -> Vec<i64> {
        let mut edges: BTreeSet<i64> = midnights.iter().copied().collect();
        edges.insert(range.1);
        edges.extend(WINDOWS_US.map(|window_us| range.1 - window_us));
        edges.extend(openings.iter().flat_map(|&(starts_at, ends_at)| [starts_at, ends_at]));
        edges.extend(self.polls.keys());
        if let Some(gap_us) = question.max_gap {
            edges.extend(self.polls.keys().map(|polled_at| polled_at.saturating_sub(gap_us)));
            edges.extend(self.polls.keys().map(|polled_at| polled_at.saturating_add(gap_us)));
        }
        let later_polls = self.polls.keys().skip(1);
        edges.extend(self.polls.keys().zip(later_polls).map(|(&a, &b)| state::midpoint(a, b)));
        edges.into_iter().filter(|&edge| range.0 <= edge && edge <= range.1).collect()
    }
}

/// Borders between pieces of the scope; for `All`, all time is one piece.
/// The ends of the range are borders too, which clips the first piece and the last.
fn borders(
    scope: Scope,
    range: (i64, i64),
    edges: &[i64],
    openings: &[Opening],
    midnights: &[i64],
) -> BTreeSet<i64> {
    let inner: Vec<i64> = match scope {
        Scope::All => return BTreeSet::from([i64::MIN, i64::MAX]),
        Scope::Day => midnights.to_vec(),
        Scope::Interval => edges
            .windows(2)
            .filter(|pair| is_open(openings, pair[0]) != is_open(openings, pair[1]))
            .map(|pair| pair[1])
            .collect(),
    };
    inner.into_iter().chain([range.0, range.1]).collect()
}

/// The half-open piece that contains the instant.
fn piece(borders: &BTreeSet<i64>, instant: i64) -> (i64, i64) {
    let starts_at = borders.range(..=instant).next_back();
    let ends_at = borders.range(instant + 1..).next();
    (*starts_at.expect("a border before"), *ends_at.expect("a border after"))
}
