//! Scalar functions of business hours against their definitions, evaluated on the judge's openings,
//! over random chains, options and instants.

use proptest::collection::vec;
use proptest::prelude::*;
use uptally::{Database, Limits, Session};

use super::agreement::{clock, rows};
use super::value::Value;
use crate::harness::{block_on, drawn, instant_text, tables_of};
use crate::judge::hours::{Opening, is_open, openings};
use crate::judge::{Chain, DefaultHours, Question, Zone};
use crate::properties::{chains, questions};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// The openings of a store around an instant, by the options.
fn openings_of(chain: &Chain, store: &str, asked: &Question, range: (i64, i64)) -> Vec<Opening> {
    let of_store = chain.hours.iter().filter(|(id, ..)| id == store);
    let rows: Vec<_> = of_store.map(|(_, day, from, to)| (*day, *from, *to)).collect();
    let zone = chain.zones.iter().rev().find(|(id, _)| id == store);
    let zone = zone.map_or(asked.default_zone, |(_, name)| Zone::named(name).unwrap());
    let laid = |rows: &[_]| openings(rows, zone, range, asked.snap_end_of_day);
    match asked.default_hours {
        _ if !rows.is_empty() => laid(&rows),
        DefaultHours::Always => vec![(i64::MIN, i64::MAX)],
        DefaultHours::Closed => vec![],
        DefaultHours::Daily(from, to) => laid(&[0, 1, 2, 3, 4, 5, 6].map(|day| (day, from, to))),
    }
}

/// Results of all functions for a store at an instant.
struct Asked {
    at: i64,
    length_us: i64,
}

/// Distance up to which the judge looks.
const AROUND_US: (i64, i64) = (30 * DAY_US, 60 * DAY_US);

/// Evaluates the definitions: open now, next opening and closing, previous ones, open time within a
/// length, and the instant when it has passed, which is unknown if far away.
fn judged(openings: &[Opening], asked: &Asked) -> (Vec<Value>, Option<Value>) {
    let Asked { at, length_us } = *asked;
    let range = (at - AROUND_US.0, at + AROUND_US.1);
    let ends = openings.iter().flat_map(|&(starts_at, ends_at)| [starts_at, ends_at]);
    let mut edges: Vec<_> = ends.chain([at, at + length_us, range.1]).collect();
    edges.retain(|edge| (range.0..=range.1).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    let turns = |edge: i64, opens: bool| {
        is_open(openings, edge) == opens && is_open(openings, edge - 1) != opens
    };
    let next = |opens| edges.iter().copied().find(|&edge| edge > at && turns(edge, opens));
    let last = |opens| edges.iter().rev().copied().find(|&edge| edge <= at && turns(edge, opens));
    let instant = |at: Option<i64>| at.map_or(Value::Null, Value::Instant);
    let (mut open_us, mut left_us, mut deadline) = (0, length_us, None);
    for stretch in edges.windows(2).filter(|stretch| stretch[0] >= at) {
        if !is_open(openings, stretch[0]) {
            continue;
        }
        let passed_us = stretch[1] - stretch[0];
        if stretch[1] <= at + length_us {
            open_us += passed_us;
        }
        if deadline.is_none() && left_us <= passed_us {
            deadline = Some(stretch[0] + left_us);
        }
        left_us -= passed_us;
    }
    let answers = vec![
        Value::Boolean(is_open(openings, at)),
        instant(next(true)),
        instant(next(false)),
        instant(last(true)),
        instant(last(false)),
        Value::Integer(open_us),
    ];
    (answers, deadline.map(Value::Instant))
}

async fn check(session: &Session, chain: &Chain, options: &Question, asked: &Asked) {
    let hours = match options.default_hours {
        DefaultHours::Always => "always".to_owned(),
        DefaultHours::Closed => "closed".to_owned(),
        DefaultHours::Daily(from, to) => format!("{}-{}", clock(from), clock(to)),
    };
    let (snap, zone) = (options.snap_end_of_day, options.default_zone.name());
    let named = format!(
        "snap_end_of_day => {snap}, default_hours => '{hours}', default_timezone => '{zone}'"
    );
    let at = format!("TIMESTAMPTZ '{}'", instant_text(asked.at));
    let later = format!("TIMESTAMPTZ '{}'", instant_text(asked.at + asked.length_us));
    let length_us = asked.length_us;
    let sql = format!(
        "SELECT store_id, is_open(store_id, {at}, {named}), next_open(store_id, {at}, {named}),
            next_close(store_id, {at}, {named}), previous_open(store_id, {at}, {named}),
            previous_close(store_id, {at}, {named}), business_time(store_id, {at}, {later}, {named}),
            business_deadline(store_id, {at}, {length_us}, {named})
        FROM stores"
    );
    for row in rows(session, &sql).await {
        let Value::Text(store) = &row[0] else { panic!("{:?} is no store", row[0]) };
        let range = (asked.at - AROUND_US.0, asked.at + AROUND_US.1);
        let openings = openings_of(chain, store, options, range);
        let (answers, deadline) = judged(&openings, asked);
        assert_eq!(row[1..7], answers, "{store} {sql}");
        match (&row[7], deadline) {
            (found, Some(deadline)) => assert_eq!(*found, deadline, "{store} {sql}"),
            (Value::Instant(found), None) => assert!(*found > range.1, "{store} {sql}"),
            (found, None) => assert_eq!(*found, Value::Null, "{store} {sql}"),
        }
    }
}

proptest! {
    #![proptest_config(drawn(2, 8))]

    #[test]
    fn hours_mean_what_their_definitions_say(
        (chain, now) in chains(),
        options in vec(questions(), 2),
        asked in vec((-4 * DAY_US..4 * DAY_US, 1..6 * DAY_US), 2),
    ) {
        block_on(async {
            let (_folder, dataset) = tables_of(&chain).await;
            let limits = Limits { time: std::time::Duration::from_secs(120), ..Limits::default() };
            let session = Database::new(limits).session(&dataset).unwrap();
            for options in &options {
                for (ago, length_us) in &asked {
                    // Whole seconds, so that instants are at edges now and then.
                    let at = (now - ago).div_euclid(1_000_000) * 1_000_000;
                    check(&session, &chain, options, &Asked { at, length_us: *length_us }).await;
                }
            }
        });
    }
}
