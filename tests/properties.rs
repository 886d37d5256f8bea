//! Random chains and options: both engines against the judge, to the microsecond.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::harness::{ENGINES, block_on, drawn, ingest, question, tables_of, tallies, write_chain};
use crate::judge::{Chain, DefaultHours, Interpolation, NoData, Question, Scope, Zone, judge};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Zones with unusual rules: half hours, changes at midnight, skipped days, Ramadan.
const ODD_ZONES: [&str; 12] = [
    "America/Chicago",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Europe/London",
    "Antarctica/Troll",
    "America/Havana",
    "Africa/Cairo",
];

fn zones() -> impl Strategy<Value = Zone> {
    let odd = ODD_ZONES.map(|name| Zone::named(name).unwrap());
    prop_oneof![3 => select(odd.to_vec()), 1 => select(Zone::all())]
}

/// First offset change of the zone within a year of an instant, else the instant.
fn change_after(zone: Zone, at: i64) -> i64 {
    let changed = (0..365)
        .map(|day| at + day * DAY)
        .find(|&day| zone.offset_s(day) != zone.offset_s(day + DAY));
    changed.map_or(at, |day| {
        let (before, mut low, mut high) = (zone.offset_s(day), day, day + DAY);
        while high - low > SECOND {
            let middle = low + (high - low) / 2;
            if zone.offset_s(middle) == before { low = middle } else { high = middle }
        }
        high
    })
}

/// An instant from 1970 to 2037, mostly within days after a change of clocks.
fn nows() -> impl Strategy<Value = i64> {
    let any = 10 * DAY..68 * 365 * DAY;
    (zones(), any, 0..9 * DAY, 0..8u8).prop_map(|(zone, at, after, plain)| {
        if plain == 0 { at } else { change_after(zone, at) + after }
    })
}

/// Age of a poll at *now*: mostly within the week, also at its borders, long ago, or negative.
fn polls() -> impl Strategy<Value = Vec<(i64, bool)>> {
    let ago = prop_oneof![
        12 => 0..8 * DAY,
        3 => (0..8 * 24i64).prop_map(|hours| hours * HOUR),
        2 => (0..3i64).prop_map(|at| [0, HOUR, 168 * HOUR][at as usize]),
        1 => 8 * DAY..3000 * DAY,
        1 => -2 * DAY..0,
    ];
    vec((ago, any::<bool>()), 0..14)
}

fn times() -> impl Strategy<Value = u32> {
    let usual = vec![0, 1, 3600, 7200, 9000, 10_800, 43_200, 64_800, 79_200, 86_340, 86_399];
    prop_oneof![3 => select(usual), 1 => 0..86_400u32]
}

fn ends() -> impl Strategy<Value = u32> {
    prop_oneof![4 => times(), 1 => Just(86_400)]
}

fn hours() -> impl Strategy<Value = Vec<(u8, u32, u32)>> {
    prop_oneof![1 => Just(vec![]), 5 => vec((0..7u8, times(), ends()), 1..9)]
}

fn default_hours() -> impl Strategy<Value = DefaultHours> {
    let daily = (times(), ends()).prop_map(|(start_s, end_s)| DefaultHours::Daily(start_s, end_s));
    prop_oneof![1 => Just(DefaultHours::Always), 1 => Just(DefaultHours::Closed), 3 => daily]
}

type Store = (Vec<(i64, bool)>, Vec<(u8, u32, u32)>, Option<Zone>);

pub fn chains() -> impl Strategy<Value = (Chain, i64)> {
    let store = (polls(), hours(), option::weighted(0.8, zones()));
    (nows(), vec(store, 150..250)).prop_map(|(now, stores): (i64, Vec<Store>)| {
        let mut chain = Chain { polls: vec![], hours: vec![], zones: vec![] };
        for (number, (polls, hours, zone)) in stores.into_iter().enumerate() {
            let id = format!("s{number}");
            chain
                .polls
                .extend(polls.into_iter().map(|(ago, active)| (id.clone(), now - ago, active)));
            chain
                .hours
                .extend(hours.into_iter().map(|(day, from, to)| (id.clone(), day, from, to)));
            chain.zones.extend(zone.map(|zone| (id, zone.name().to_owned())));
        }
        (chain, now)
    })
}

pub fn questions() -> impl Strategy<Value = Question> {
    let gap = prop_oneof![Just(1), Just(HOUR), 1..3 * DAY, Just(36_525 * DAY)];
    (
        select(vec![Interpolation::Previous, Interpolation::Nearest, Interpolation::Next]),
        option::of(gap),
        select(vec![Scope::All, Scope::Day, Scope::Interval]),
        select(vec![NoData::Unknown, NoData::Down, NoData::Up]),
        any::<bool>(),
        (default_hours(), zones()),
    )
        .prop_map(|(interpolation, max_gap, scope, no_data, snap_end_of_day, defaults)| {
            let (default_hours, default_zone) = defaults;
            Question {
                now: None,
                interpolation,
                max_gap,
                scope,
                no_data,
                snap_end_of_day,
                default_hours,
                default_zone,
            }
        })
}

proptest! {
    #![proptest_config(drawn(6, 40))]

    #[test]
    fn both_engines_say_what_the_judge_says(
        (chain, now) in chains(),
        questions in vec(questions(), 4),
    ) {
        block_on(async {
            let (_folder, dataset) = tables_of(&chain).await;
            for (number, asked) in questions.into_iter().enumerate() {
                // Looking back from the latest poll, and from an instant before and after it.
                let asked = Question { now: [None, Some(now), Some(now - 3 * DAY), Some(now + 1)][number], ..asked };
                let expected = judge(&chain, &asked);
                for engine in ENGINES {
                    let found = tallies(&dataset, &question(&asked), engine).await;
                    for (expected, found) in expected.iter().zip(&found) {
                        prop_assert_eq!(expected, found, "{:?} {:?}", engine, &asked);
                    }
                    prop_assert_eq!(expected.len(), found.len());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn shuffling_repeating_or_splitting_rows_changes_nothing(
        (chain, _) in chains(),
        asked in questions(),
        turned in any::<proptest::sample::Index>(),
    ) {
        block_on(async {
            let (_folder, dataset) = tables_of(&chain).await;
            let before = tallies(&dataset, &question(&asked), ENGINES[0]).await;
            let mut other = chain.clone();
            let at = turned.index(other.polls.len().max(1)).min(other.polls.len());
            other.polls.rotate_left(at);
            other.polls.reverse();
            let (mut first, mut second) = (other.clone(), other.clone());
            first.polls.truncate(at + 7);
            second.polls.drain(..at);
            let [one, two, data] = [(); 3].map(|()| tempfile::TempDir::new().unwrap());
            write_chain(&first, one.path());
            write_chain(&second, two.path());
            ingest(data.path(), &[one.path(), &two.path().join("polls.csv")]).await.unwrap();
            // The rest as a later load, of which some rows are loaded already.
            write_chain(&other, two.path());
            ingest(data.path(), &[&two.path().join("polls.csv")]).await.unwrap();
            let dataset = uptally::Dataset::open(data.path(), None).await.unwrap().unwrap();
            prop_assert_eq!(&before, &tallies(&dataset, &question(&asked), ENGINES[0]).await);
            Ok(())
        })?;
    }
}
