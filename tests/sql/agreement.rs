//! Table functions against the judge and each other, over random chains and options.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uptally::{Database, Limits, Session};

use super::value::Value;
use crate::harness::{block_on, drawn, instant_text, tables_of};
use crate::judge::{DefaultHours, Interpolation, NoData, Question, Scope, Tally, judge};
use crate::properties::{chains, questions};

const HOUR_US: i64 = 3_600_000_000;

/// The judge's options, as a table function takes them.
fn options(asked: &Question) -> String {
    let interpolation = match asked.interpolation {
        Interpolation::Previous => "previous",
        Interpolation::Nearest => "nearest",
        Interpolation::Next => "next",
    };
    let scope = match asked.scope {
        Scope::All => "all",
        Scope::Day => "day",
        Scope::Interval => "interval",
    };
    let no_data = match asked.no_data {
        NoData::Unknown => "unknown",
        NoData::Down => "down",
        NoData::Up => "up",
    };
    let gap = asked.max_gap.map(|gap| format!(",max_gap={gap}us")).unwrap_or_default();
    let hours = match asked.default_hours {
        DefaultHours::Always => "always".to_owned(),
        DefaultHours::Closed => "closed".to_owned(),
        DefaultHours::Daily(start_s, end_s) => format!("{}-{}", clock(start_s), clock(end_s)),
    };
    let (snap, zone) = (asked.snap_end_of_day, asked.default_zone.name());
    format!(
        "interpolation={interpolation},scope={scope},no_data={no_data},snap_end_of_day={snap},default_hours={hours},default_timezone={zone}{gap}"
    )
}

pub fn clock(time_s: u32) -> String {
    format!("{:02}:{:02}:{:02}", time_s / 3600, time_s / 60 % 60, time_s % 60)
}

pub async fn rows(session: &Session, sql: &str) -> Vec<Vec<Value>> {
    let plan = session.plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let (batches, _) = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap();
    let of_batch = |batch: &arrow::array::RecordBatch| {
        let columns = batch.columns();
        let of_row = |row| columns.iter().map(|column| Value::from_arrow(column, row)).collect();
        (0..batch.num_rows()).map(of_row).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Pairs of expressions that must agree: a column of `uptime`, and a sum over another function.
const ALIKE: [(&str, &str); 12] = [
    ("whole.open", "by_bucket.open"),
    ("whole.up", "by_bucket.up"),
    ("whole.down", "by_bucket.down"),
    ("whole.unknown", "by_bucket.unknown"),
    ("whole.polls", "by_bucket.polls"),
    ("whole.open", "coalesce(opened.open, 0)"),
    ("whole.up", "by_state.up"),
    ("whole.down", "by_state.down"),
    ("whole.unknown", "by_state.unknown"),
    ("plain.down", "coalesce(outages.down, 0)"),
    ("plain.incidents", "coalesce(outages.incidents, 0)"),
    ("plain.longest", "outages.longest"),
];

/// Stores for which two functions disagree.
fn differing(bucket: &str, range: &str, options: &str) -> String {
    let pairs = ALIKE.map(|(one, other)| format!("({one} IS DISTINCT FROM {other})")).join(" OR ");
    let values = ALIKE.map(|(one, other)| format!("[{one}, {other}]")).join(", ");
    let only = |names: &[&str]| {
        let is_of = |option: &&str| names.iter().any(|name| option.starts_with(name));
        options.split(',').filter(is_of).collect::<Vec<_>>().join(",")
    };
    // What incidents and openings have no use for, they do not take.
    let of_hours = only(&["snap", "default"]);
    let of_polls = only(&["snap", "default", "interpolation=", "scope=", "max_gap="]);
    format!(
        "WITH whole AS (SELECT * FROM uptime({range}, '{options}')),
        plain AS (SELECT * FROM uptime({range}, '{of_polls}')),
        by_bucket AS (
            SELECT store_id, sum(open) AS open, sum(up) AS up, sum(down) AS down,
                sum(unknown) AS unknown, sum(polls) AS polls
            FROM uptime_by('{bucket}', {range}, '{options}') GROUP BY store_id
        ),
        lasting AS (
            SELECT store_id, state, CAST(ends_at AS BIGINT) - CAST(starts_at AS BIGINT) AS us
            FROM states({range}, '{options}')
        ),
        by_state AS (
            SELECT store_id,
                coalesce(sum(us) FILTER (WHERE state = 'up'), 0) AS up,
                coalesce(sum(us) FILTER (WHERE state = 'down'), 0) AS down,
                coalesce(sum(us) FILTER (WHERE state = 'unknown'), 0) AS unknown
            FROM lasting GROUP BY store_id
        ),
        outages AS (
            SELECT store_id, count(*) AS incidents, sum(downtime) AS down, max(downtime) AS longest
            FROM incidents({range}, '{of_polls}') GROUP BY store_id
        ),
        opened AS (
            SELECT store_id, sum(CAST(ends_at AS BIGINT) - CAST(starts_at AS BIGINT)) AS open
            FROM openings({range}, '{of_hours}') GROUP BY store_id
        )
        SELECT whole.store_id, {values}
        FROM whole
        JOIN plain ON plain.store_id = whole.store_id
        LEFT JOIN by_bucket ON by_bucket.store_id = whole.store_id
        LEFT JOIN by_state ON by_state.store_id = whole.store_id
        LEFT JOIN outages ON outages.store_id = whole.store_id
        LEFT JOIN opened ON opened.store_id = whole.store_id
        WHERE {pairs}"
    )
}

proptest! {
    #![proptest_config(drawn(2, 8))]

    #[test]
    fn table_functions_say_what_the_judge_says(
        (chain, now) in chains(),
        asked in vec(questions(), 2),
        bucket in select(vec!["hour", "day", "week", "month", "25 minutes", "90m", "3 days", "1 quarter"]),
    ) {
        block_on(async {
            let (_folder, dataset) = tables_of(&chain).await;
            let limits = Limits { time: std::time::Duration::from_secs(120), ..Limits::default() };
            let session = Database::new(limits).session(&dataset).unwrap();
            for asked in asked {
                let expected = judge(&chain, &Question { now: Some(now), ..asked.clone() });
                let options = options(&asked);
                let at = |us: i64| format!("TIMESTAMPTZ '{}'", instant_text(us));
                for (window, hours) in [1, 24, 168].into_iter().enumerate() {
                    // Days and intervals are cut from the range, which for the judge is a week.
                    if hours < 168 && asked.scope != Scope::All {
                        continue;
                    }
                    let range = format!("{}, {}", at(now - hours * HOUR_US), at(now));
                    let sql = format!(
                        "SELECT store_id, up, down, unknown, open FROM uptime({range}, '{options}') ORDER BY 1"
                    );
                    let found = rows(&session, &sql).await;
                    let expected = expected.iter().map(|(store, tallies)| {
                        let Tally { up, down, unknown } = tallies[window];
                        let times = [up, down, unknown, up + down + unknown].map(Value::Integer);
                        [vec![Value::Text(store.clone())], times.to_vec()].concat()
                    });
                    prop_assert_eq!(&expected.collect::<Vec<_>>(), &found, "{}", sql);
                }
                let range = format!("{}, {}", at(now - 168 * HOUR_US), at(now));
                let differing = rows(&session, &differing(bucket, &range, &options)).await;
                prop_assert!(differing.is_empty(), "{} {}: {:?}", bucket, options, differing);
            }
            Ok(())
        })?;
    }
}
