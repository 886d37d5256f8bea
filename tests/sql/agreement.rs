//! Table functions against the judge and each other, over random chains and options.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Handle;
use uptally::sql::{Database, Limits, Session};
use uptally::words::instant_text;

use super::value::Value;
use crate::harness::{block_on, tables_of};
use crate::judge::{Interpolation, NoData, Question, Scope, Tally, judge};
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
    let (snap, zone) = (asked.snap_end_of_day, asked.default_zone.name());
    format!(
        "interpolation={interpolation},scope={scope},no_data={no_data},snap_end_of_day={snap},default_timezone={zone}{gap}"
    )
}

async fn rows(session: &Session, sql: &str) -> Vec<Vec<Value>> {
    let plan = session.plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let (batches, _) = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap();
    let of_batch = |batch: &arrow::array::RecordBatch| {
        let columns = batch.columns();
        let of_row = |row| columns.iter().map(|column| Value::of_arrow(column, row)).collect();
        (0..batch.num_rows()).map(of_row).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Stores of which another function says something else than `uptime`.
fn differing(bucket: &str, range: &str, options: &str) -> String {
    let unbooked = format!("{options},no_data=unknown");
    format!(
        "WITH whole AS (SELECT * FROM uptime({range}, '{options}')),
        plain AS (SELECT * FROM uptime({range}, '{unbooked}')),
        by_bucket AS (
            SELECT store_id, sum(open) AS open, sum(up) AS up, sum(down) AS down, sum(unknown) AS unknown,
                sum(polls) AS polls
            FROM uptime_by('{bucket}', {range}, '{options}') GROUP BY store_id
        ),
        lasting AS (
            SELECT store_id, state, CAST(ends_at AS BIGINT) - CAST(starts_at AS BIGINT) AS us
            FROM states({range}, '{options}')
        ),
        by_state AS (
            SELECT store_id, sum(us) AS all_us,
                coalesce(sum(us) FILTER (WHERE state = 'up'), 0) AS up,
                coalesce(sum(us) FILTER (WHERE state = 'down'), 0) AS down,
                coalesce(sum(us) FILTER (WHERE state = 'unknown'), 0) AS unknown
            FROM lasting GROUP BY store_id
        ),
        outages AS (
            SELECT store_id, count(*) AS incidents, sum(downtime) AS down, max(downtime) AS longest
            FROM incidents({range}, '{options}') GROUP BY store_id
        ),
        opened AS (
            SELECT store_id, sum(CAST(ends_at AS BIGINT) - CAST(starts_at AS BIGINT)) AS open
            FROM openings({range}, '{options}') GROUP BY store_id
        )
        SELECT whole.store_id, whole.up, by_bucket.up, by_state.up, plain.down, outages.down, by_state.down
        FROM whole
        JOIN plain ON plain.store_id = whole.store_id
        LEFT JOIN by_bucket ON by_bucket.store_id = whole.store_id
        LEFT JOIN by_state ON by_state.store_id = whole.store_id
        LEFT JOIN outages ON outages.store_id = whole.store_id
        LEFT JOIN opened ON opened.store_id = whole.store_id
        WHERE (whole.open, whole.up, whole.down, whole.unknown, whole.polls)
            IS DISTINCT FROM (by_bucket.open, by_bucket.up, by_bucket.down, by_bucket.unknown, by_bucket.polls)
            OR (plain.up, plain.down, plain.unknown)
            IS DISTINCT FROM (by_state.up, by_state.down, by_state.unknown)
            OR (plain.incidents, plain.down, plain.longest)
            IS DISTINCT FROM (coalesce(outages.incidents, 0), coalesce(outages.down, 0), coalesce(outages.longest, 0))
            OR whole.open IS DISTINCT FROM coalesce(opened.open, 0)
            OR by_state.all_us IS DISTINCT FROM CAST({end} AS BIGINT) - CAST({start} AS BIGINT)",
        start = range.split(", ").next().unwrap(),
        end = range.split(", ").nth(1).unwrap(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn table_functions_say_what_the_judge_says(
        (chain, now) in chains(),
        asked in vec(questions(), 2),
        bucket in select(vec!["hour", "day", "week", "month"]),
    ) {
        block_on(async {
            let (_folder, dataset) = tables_of(&chain).await;
            let limits = Limits { time: std::time::Duration::from_secs(120), ..Limits::default() };
            let session = Database::new(limits, Handle::current()).session(&dataset).unwrap();
            for asked in asked {
                let expected = judge(&chain, &Question { now: Some(now), ..asked.clone() });
                let options = options(&asked);
                for (window, hours) in [1, 24, 168].into_iter().enumerate() {
                    // Days and intervals are cut from the range, which for the judge is a week.
                    if hours < 168 && asked.scope != Scope::All {
                        continue;
                    }
                    let at = |us: i64| format!("TIMESTAMPTZ '{}'", instant_text(us));
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
                    let differing = rows(&session, &differing(bucket, &range, &options)).await;
                    prop_assert!(differing.is_empty(), "{} {}: {:?}", bucket, sql, differing);
                }
            }
            Ok(())
        })?;
    }
}
