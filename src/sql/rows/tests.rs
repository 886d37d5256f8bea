use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;
use crate::error::Limit;
use crate::sql::tests::{asked, exceeds, session};

const ENDLESS_JOIN: &str = "SELECT count(*) FROM polls a, polls b, polls c, polls d, polls e, \
    polls f, polls g WHERE a.polled_at + (g.polled_at - f.polled_at) <> b.polled_at";

#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_limit_are_cut_off_and_it_shows() {
    let limits = Limits { rows: 7, ..Limits::default() };
    assert_eq!(asked(limits, "SELECT * FROM polls").await.unwrap(), (7, true));
    assert_eq!(asked(limits, "SELECT * FROM polls LIMIT 7").await.unwrap(), (7, false));
    assert_eq!(asked(limits, "SELECT * FROM polls LIMIT 0").await.unwrap(), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_ends_and_names_the_limit() {
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let error = asked(limits, ENDLESS_JOIN).await.unwrap_err();
    assert!(exceeds(&error, Limit::Time, "200ms"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_needs_too_much_memory_fails_and_names_the_limit() {
    let limits = Limits { memory_bytes: 1 << 10, ..Limits::default() };
    let sql = "SELECT a.store_id, count(DISTINCT b.polled_at) FROM polls a JOIN polls b USING (store_id) GROUP BY 1";
    let error = asked(limits, sql).await.unwrap_err();
    assert!(exceeds(&error, Limit::Memory, "more than 0 MiB of memory, the limit"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_query_releases_its_permit() {
    let limits = Limits { at_once: 1, ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT a.store_id FROM polls a, polls b";
    let mut rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    drop(rows);
    let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
    assert_eq!(next.collect().await.unwrap().0.len(), 1);
}

const MANY: &str = "SELECT a.store_id, b.polled_at FROM polls a, polls b";

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_keep_nobody_from_an_answer() {
    for at_once in [1, 2] {
        let limits = Limits { at_once, time: Duration::from_secs(60), ..Limits::default() };
        let (_folder, session) = session(limits).await;
        let mut unread = Vec::new();
        for _ in 0..8 {
            let plan = session.plan(MANY).await.unwrap();
            unread.push(session.run(plan, limits).await.unwrap());
        }
        let ninth = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
        assert_eq!(ninth.collect().await.unwrap().0.len(), 1);
        // A late reader still gets all rows up to the limit.
        let (batches, is_cut) = unread.swap_remove(3).collect().await.unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!((rows, is_cut), (limits.rows, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_has_ended_lets_its_plan_go() {
    let limits = Limits { at_once: 1, ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT store_id, count(*) FROM polls WHERE active GROUP BY store_id";
    let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
    // Needs the only permit, which is free once the previous query has ended.
    let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
    let progress = format!("{:?}", rows.progress());
    assert!(progress.contains("Ended"), "{progress}");
    assert!(rows.running.threads.lock().unwrap().is_none());
    assert!(!rows.collect().await.unwrap().0.is_empty());
    assert_eq!(next.collect().await.unwrap().0.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_memory_has_no_room_for_come_back_from_disk() {
    let limits = Limits { at_once: 1, time: Duration::from_secs(60), ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT value, repeat('x', 1000) AS text FROM range(0, 40000) ORDER BY 1";
    let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
    let next = session.run(session.plan("SELECT 1").await.unwrap(), limits).await.unwrap();
    assert_eq!(next.collect().await.unwrap().0.len(), 1);
    let (batches, is_cut) = rows.collect().await.unwrap();
    let values =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
    assert!(values.copied().eq(0..40_000) && !is_cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_loses_its_answer() {
    let limits = Limits { idle_time: Duration::ZERO, at_once: 1, ..Limits::default() };
    let (_folder, session) = session(limits).await;
    let plan = session.plan("SELECT * FROM polls").await.unwrap();
    let mut rows = session.run(plan, limits).await.unwrap();
    // The watch ends after discarding the rows.
    assert!(rows._watch.join_next().await.unwrap().is_ok());
    let error = rows.next().await.unwrap().unwrap_err();
    assert!(exceeds(&error, Limit::IdleTime, "no rows were taken for 0s, the limit"), "{error:?}");
    assert!(rows.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_its_rows_a_query_meets_the_limit_of_time() {
    let usual = Limits { rows: usize::MAX, ..Limits::default() };
    let limits = Limits { spool_bytes: 0, time: Duration::from_secs(2), at_once: 1, ..usual };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT a.store_id FROM polls a, polls b, polls c";
    let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
    let patient = Limits { time: Duration::from_secs(60), ..limits };
    let next = session.run(session.plan("SELECT 1").await.unwrap(), patient).await.unwrap();
    assert_eq!(next.collect().await.unwrap().0.len(), 1);
    let error = rows.collect().await.unwrap_err();
    assert!(exceeds(&error, Limit::Time, "limit of time"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_waits_for_room_at_its_deadline_names_the_limit_of_the_room() {
    let usual = Limits { rows: usize::MAX, ..Limits::default() };
    let limits = Limits {
        spool_bytes: 1 << 20,
        spool_memory_bytes: 1 << 20,
        time: Duration::from_secs(2),
        at_once: 1,
        ..usual
    };
    let (_folder, session) = session(limits).await;
    let sql = "SELECT a.store_id FROM polls a, polls b, polls c";
    let rows = session.run(session.plan(sql).await.unwrap(), limits).await.unwrap();
    let patient = Limits { time: Duration::from_secs(60), ..limits };
    let next = session.run(session.plan("SELECT 1").await.unwrap(), patient).await.unwrap();
    assert_eq!(next.collect().await.unwrap().0.len(), 1);
    let error = rows.collect().await.unwrap_err();
    assert!(exceeds(&error, Limit::Spool, "1 MiB on disk, the limit;"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_reading_is_planned() {
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO polls SELECT * FROM polls",
        "COPY polls TO '/tmp/polls.csv'",
        "DROP TABLE polls",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "EXPLAIN ANALYZE INSERT INTO polls SELECT * FROM polls",
    ] {
        let error = asked(Limits::default(), sql).await.unwrap_err();
        assert!(matches!(error, Error::Query(_)), "{sql}: {error}");
    }
}
