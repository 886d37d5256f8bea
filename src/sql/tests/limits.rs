//! Tests: no query crashes the process, exceeds its deadline or starves another.

use std::time::Duration;

use super::super::Session;
use super::{asked, exceeds, session};
use crate::error::{Error, Limit, Result};
use crate::limits::{DEPTH_MAX, Limits};

async fn ask(session: &Session, sql: &str, limits: Limits) -> Result<usize> {
    let rows = session.run(session.plan_within(sql, limits).await?, limits).await?;
    let (batches, _) = rows.collect().await?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

#[tokio::test]
async fn the_time_is_over_within_one_batch_as_well() {
    let limits = Limits { at_once: 1, ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let short = Limits { time: Duration::from_millis(300), ..limits };
    for sql in [
        "SELECT sum(business_time(store_id, '1950-01-01', '2049-01-01')) FROM polls",
        "SELECT count(*) FROM uptime_by('hour', '2014-01-01', '2023-12-31')",
        "SELECT count(*) FROM range(0, 3000000) a, range(0, 3000000) b \
         WHERE a.value + (b.value - a.value) <> b.value",
        "SELECT count(next_open(store_id, polled_at)) FROM polls, range(0, 1000000)",
        "SELECT count(open_spans(weekly_hours, 'UTC', '1950-01-01'::timestamp, '2049-01-01'::timestamp)) \
         FROM (SELECT weekly_hours(1::tinyint, 0, value) FROM range(1, 8000) GROUP BY value) AS a(weekly_hours)",
    ] {
        let error = ask(&session, sql, short).await.expect_err(sql);
        assert!(exceeds(&error, Limit::Time, "300ms"), "{sql}: {error}");
        // The only permit is released as soon as the query is cancelled.
        assert_eq!(ask(&session, "SELECT 1", limits).await.unwrap(), 1, "{sql}");
    }
}

#[tokio::test]
async fn what_would_take_the_memory_of_the_process_names_the_limit() {
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT count(*) FROM polls WHERE length(repeat(store_id, 500000)) > 1",
        "SELECT cardinality(range(1, 1000000000))",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT repeat('x', 1000000), store_id FROM polls",
        "SELECT concat(repeat('x', 1000000), store_id) FROM polls",
    ] {
        let error = asked(Limits::default(), sql).await.expect_err(sql);
        assert!(exceeds(&error, Limit::Memory, "of memory, the limit: "), "{sql}: {error}");
    }
}

/// A statement of one kind with the given depth.
type Deep = (&'static str, fn(usize) -> String);

const CHAINS: [Deep; 4] = [
    ("numbers", |deep| format!("SELECT 1{}", " + 1".repeat(deep))),
    ("columns", |deep| format!("SELECT store_no{} FROM polls", " + 1".repeat(deep))),
    ("or", |deep| {
        format!("SELECT 1 FROM polls WHERE store_no = 0{}", " OR store_no = 1".repeat(deep - 1))
    }),
    ("union", |deep| format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(deep))),
];

#[tokio::test]
async fn a_chain_is_answered_up_to_the_limit_and_refused_beyond() {
    let limits = Limits { time: Duration::from_secs(120), ..Limits::default() };
    let (_folder, session) = session(limits).await;
    for (kind, statement) in CHAINS {
        let answered = ask(&session, &statement(DEPTH_MAX), limits).await;
        assert!(answered.is_ok(), "{kind}: {:?}", answered.err());
        for deep in [DEPTH_MAX + 1, 500_000] {
            let error = session.plan(&statement(deep)).await.expect_err(kind);
            let is_told =
                matches!(&error, Error::Query(limit) if limit.to_string().contains("the limit"));
            assert!(is_told, "{kind} {deep}: {error}");
        }
    }
}

#[tokio::test]
async fn what_nests_is_refused_where_it_is_too_deep() {
    let nested: [Deep; 6] = [
        ("parentheses", |deep| format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep))),
        ("queries", |deep| {
            format!("{}SELECT 1 AS a{}", "SELECT a FROM (".repeat(deep), ")".repeat(deep))
        }),
        ("arrays", |deep| format!("SELECT {}1{}", "[".repeat(deep), "]".repeat(deep))),
        ("cases", |deep| {
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(deep), " END".repeat(deep))
        }),
        ("not", |deep| format!("SELECT {}true", "NOT ".repeat(deep))),
        ("casts", |deep| format!("SELECT 1{}", "::int".repeat(deep))),
    ];
    let (_folder, session) = session(Limits::default()).await;
    for (kind, statement) in nested {
        let answered = ask(&session, &statement(8), Limits::default()).await;
        assert!(answered.is_ok(), "{kind}: {:?}", answered.err());
        for deep in [DEPTH_MAX + 1, 100_000] {
            let error = session.plan(&statement(deep)).await.expect_err(kind);
            assert!(matches!(error, Error::Query(_)), "{kind} {deep}: {error}");
        }
    }
}

#[tokio::test]
async fn names_that_stand_for_queries_do_not_make_a_plan_without_end() {
    let (_folder, session) = session(Limits::default()).await;
    let doubled = |names: usize| {
        let more = (1..names).map(|at| {
            let before = at - 1;
            format!(", n{at} AS (SELECT a FROM n{before} UNION ALL SELECT a FROM n{before})")
        });
        let more: String = more.collect();
        format!("WITH n0 AS (SELECT 1 AS a){more} SELECT count(*) FROM n{}", names - 1)
    };
    assert_eq!(ask(&session, &doubled(6), Limits::default()).await.unwrap(), 1);
    for names in [14, 200] {
        let error = session.plan(&doubled(names)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Query(limit) if limit.to_string().contains("steps")),
            "{names} names: {error}"
        );
    }
}

#[tokio::test]
async fn long_lists_are_no_depth() {
    let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let ids: Vec<_> = (0..10_000).map(|id| format!("'{id}'")).collect();
    let sql = format!("SELECT count(*) FROM polls WHERE store_id IN ({})", ids.join(", "));
    assert_eq!(ask(&session, &sql, limits).await.unwrap(), 1);
    let rows: Vec<_> = (0..2_000).map(|id| format!("({id}, -{id})")).collect();
    let sql = format!("SELECT * FROM (VALUES {}) AS t(a, b)", rows.join(", "));
    assert_eq!(ask(&session, &sql, limits).await.unwrap(), 2_000);
}

#[tokio::test]
async fn a_distinct_that_does_not_fit_ends() {
    let limits =
        Limits { memory_bytes: 3 << 20, time: Duration::from_secs(60), ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT count(*) FROM (SELECT DISTINCT value * 7 FROM range(0, 1000000))";
    let ended = ask(&session, sql, limits).await;
    let is_told = |error: &Error| exceeds(error, Limit::Memory, "memory");
    assert!(ended.as_ref().err().is_none_or(is_told), "{ended:?}");
}
