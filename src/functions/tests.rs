//! Tests of the SQL functions: results, accepted argument types, and errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::rules::{HoursRow, Weekday, WeeklyHours, ZoneRules};

/// `up` is up until noon and down afterwards; `gap` is known, and up, from 10 to 12; `never` has no
/// polls. `noon` is an instant of the `day` before `next`, `open` are spans from 9 to 17, and
/// `ages_ago` and `ages_on` are the extremes of representable time.
const LINES: &str = "CREATE VIEW lines AS
    SELECT
        timeline(at, active) FILTER (WHERE line = 'up') AS up,
        timeline(at, active, 'previous', INTERVAL '1 hour') FILTER (WHERE line = 'gap') AS gap,
        timeline(at, active) FILTER (WHERE line = 'never') AS never,
        state_agg(at, active) FILTER (WHERE line = 'up') AS seen,
        TIMESTAMP '2023-01-25 12:00:00' AS noon,
        '2023-01-25' AS day,
        DATE '2023-01-26' AS next,
        arrow_cast(-9223372036854775807, 'Timestamp(Microsecond, Some(\"UTC\"))') AS ages_ago,
        arrow_cast(9223372036854775807, 'Timestamp(Microsecond, Some(\"UTC\"))') AS ages_on,
        open_spans(
            (SELECT weekly_hours(2, 9 * 3600, 17 * 3600)), 'UTC', '2023-01-25', '2023-01-26'
        ) AS open
    FROM (VALUES
        ('up', '2023-01-25 10:00:00', true),
        ('up', '2023-01-25 12:00:00', false),
        ('gap', '2023-01-25 11:00:00', true)
    ) AS polls (line, at, active)";

/// Hours of a chain; counts how often they are read.
fn chain(read: &Arc<AtomicUsize>) -> Arc<ChainHours> {
    let read = Arc::clone(read);
    let opening = |day, start_h: u32, end_h: u32| {
        HoursRow::new(Weekday::from_monday_zero(day).unwrap(), start_h * 3600, end_h * 3600)
            .unwrap()
    };
    let weekdays = (0..5).map(|day| opening(day, 9, 17)).collect();
    let nights = vec![opening(4, 18, 2), opening(5, 18, 2)];
    let stores = [
        ("weekdays", WeeklyHours::Rows(weekdays), "America/New_York"),
        ("nights", WeeklyHours::Rows(nights), "America/Chicago"),
        ("always", WeeklyHours::Always, "America/Chicago"),
        ("never", WeeklyHours::Rows(Vec::new()), "America/Chicago"),
    ];
    let read = move || {
        read.fetch_add(1, Ordering::Relaxed);
        let zones = ZoneRules::bundled();
        let hours = |(id, week, name): &(&str, WeeklyHours, &str)| {
            let hours = StoreHours { week: Some(week.clone()), zone: zones.zone(name) };
            (id.to_string(), hours)
        };
        let mut stores: hashbrown::HashMap<_, _> = stores.iter().map(hours).collect();
        stores.insert("unlisted".to_owned(), StoreHours { week: None, zone: None });
        Ok(KnownHours { stores, zones })
    };
    Arc::new(ChainHours::new(read, crate::sql::hours_options))
}

/// Small batches and several partitions, so that partial states are merged.
async fn session() -> SessionContext {
    session_of_batches(2).await
}

async fn session_of_batches(rows: usize) -> SessionContext {
    let config = SessionConfig::new().with_batch_size(rows).with_target_partitions(3);
    let session = SessionContext::new_with_config(config);
    register(&session);
    register_for_stores(&session, &chain(&Arc::default()));
    session.sql(LINES).await.unwrap();
    session
}

/// Only value of a query; hours of 2023-01-25 as `12`, null as nothing.
async fn value(session: &SessionContext, sql: &str) -> Result<String, String> {
    let asked = async { session.sql(sql).await?.collect().await };
    let batches = asked.await.map_err(|error| error.strip_backtrace())?;
    let column = batches.iter().find(|batch| batch.num_rows() > 0).unwrap().column(0);
    let options = FormatOptions::default();
    let value = ArrayFormatter::try_new(column, &options).unwrap().value(0).to_string();
    Ok(value.replace("2023-01-25T", "").replace(":00:00Z", ""))
}

#[track_caller]
fn check(found: Result<String, String>, expected: &str, asked: &str) {
    assert_eq!(found.as_deref(), Ok(expected), "{asked}");
}

async fn check_all(asked: &[(&str, &str)]) {
    let session = session().await;
    for (expression, expected) in asked {
        let found = value(&session, &format!("SELECT {expression} FROM lines")).await;
        check(found, expected, expression);
    }
}

#[tokio::test]
async fn states_at_instants() {
    check_all(&[
        ("state_at(up, noon)", "down"),
        ("state_at(up, noon - INTERVAL '1 microsecond')", "up"),
        ("state_at(up, '1900-01-01')", "up"),
        ("state_at(gap, '2023-01-25 09:59:00')", "unknown"),
        ("state_at(gap, '2023-01-25 10:00:00')", "up"),
        ("state_at(never, noon)", "unknown"),
        ("state_at(NULL, noon)", "unknown"),
        ("state_at(up, NULL)", ""),
    ])
    .await;
}

#[tokio::test]
async fn ranges_of_states() {
    check_all(&[
        ("live_ranges(up)", "[{starts_at: , ends_at: 12}]"),
        ("dead_ranges(up)", "[{starts_at: 12, ends_at: }]"),
        ("live_ranges(gap)", "[{starts_at: 10, ends_at: 12}]"),
        ("dead_ranges(gap)", "[]"),
        (
            "live_ranges(up, '2023-01-25 09:00:00', '2023-01-25 11:00:00')",
            "[{starts_at: 09, ends_at: 11}]",
        ),
        (
            "dead_ranges(up, '2023-01-25 09:00:00', '2023-01-25 13:00:00')",
            "[{starts_at: 12, ends_at: 13}]",
        ),
        ("dead_ranges(up, '2023-01-25 13:00:00')", "[{starts_at: 13, ends_at: }]"),
        ("dead_ranges(up, noon, noon)", "[]"),
        ("live_ranges(never)", "[]"),
        ("live_ranges(up, NULL, noon)", ""),
        ("live_ranges(up, NULL)", ""),
        ("time_in(gap, live_ranges(up), 'up', day, next) / 3600000000", "2"),
        ("time_in(up, dead_ranges(up), 'down', day, next) / 3600000000", "12"),
    ])
    .await;
}

#[tokio::test]
async fn timelines_combined_and_cut() {
    check_all(&[
        (
            "timeline_and(up, gap)",
            "[{starts_at: , active: }, {starts_at: 10, active: true}, {starts_at: 12, active: false}]",
        ),
        ("timeline_and(up, never)", "[{starts_at: , active: }, {starts_at: 12, active: false}]"),
        ("timeline_or(never, up)", "[{starts_at: , active: true}, {starts_at: 12, active: }]"),
        ("timeline_or(never, NULL)", ""),
        ("timeline_not(up)", "[{starts_at: , active: false}, {starts_at: 12, active: true}]"),
        ("timeline_not(never)", ""),
        (
            "timeline_clip(up, '2023-01-25 11:00:00', '2023-01-25 13:00:00')",
            "[{starts_at: , active: }, {starts_at: 11, active: true}, {starts_at: 12, active: false}, \
             {starts_at: 13, active: }]",
        ),
        ("timeline_clip(up, noon, noon)", "[{starts_at: , active: }]"),
        ("timeline_clip(up, noon, NULL)", ""),
        ("timeline_clip(never, noon, noon)", ""),
    ])
    .await;
}

#[tokio::test]
async fn durations_as_the_toolkit_counts_them() {
    check_all(&[
        ("duration_in(seen, 'up')", "PT7200S"),
        ("duration_in(seen, 'down')", "P0D"),
        ("extract(epoch FROM duration_in(seen, 'up'))", "7200.0"),
        ("duration_in(seen, 'up') = INTERVAL '2 hours'", "true"),
        ("sum(duration_in(seen, 'up'))", "PT7200S"),
        ("duration_in(seen, 'up', '2023-01-25 11:00:00', '10 minutes')", "PT600S"),
        ("duration_in(seen, 'up', '2023-01-25 11:00:00')", "PT3600S"),
        ("duration_in(seen, 'up', '2023-01-25 11:00:00', NULL)", "PT3600S"),
        ("duration_in(up, 'up')", ""),
        ("duration_in(up, 'down', noon, '1 month')", "PT2678400S"),
        ("duration_in(never, 'up')", "P0D"),
        ("duration_in(up, NULL)", ""),
        ("duration_in(up, 'up', NULL, INTERVAL '1 hour')", ""),
        // The last status continues to the end, and that of the bucket before to the first poll.
        ("interpolated_duration_in(seen, 'down', day, '1 day')", "PT43200S"),
        ("interpolated_duration_in(seen, 'unknown', day, '1 day')", "PT36000S"),
        ("interpolated_duration_in(seen, 'down', day, '1 day', seen)", "PT79200S"),
        ("interpolated_duration_in(never, 'down', day, '1 day', seen)", "PT86400S"),
        ("interpolated_duration_in(seen, 'up', day, '1 day', NULL)", "PT7200S"),
    ])
    .await;
}

#[tokio::test]
async fn instants_and_texts_of_any_type_are_accepted() {
    for instant in [
        "'2023-01-25 12:00:00'",
        "'2023-01-25T12:00:00Z'",
        "'2023-01-25 13:00:00+01:00'",
        "'2023-01-25 12:00:00.000000 UTC'",
        "arrow_cast('2023-01-25 12:00:00', 'Utf8View')",
        "arrow_cast('2023-01-25 12:00:00', 'LargeUtf8')",
        "TIMESTAMP '2023-01-25 12:00:00'",
        "arrow_cast('2023-01-25 12:00:00', 'Timestamp(Second, None)')",
        "arrow_cast('2023-01-25 12:00:00', 'Timestamp(Millisecond, Some(\"UTC\"))')",
        "arrow_cast('2023-01-25 13:00:00+01:00', 'Timestamp(Nanosecond, Some(\"Europe/Paris\"))')",
    ] {
        check_all(&[(format!("state_at(up, {instant})").as_str(), "down")]).await;
    }
    check_all(&[
        ("state_at(up, DATE '2023-01-26')", "down"),
        ("time_in(up, open, arrow_cast('up', 'Utf8View'), day, next) / 3600000000", "3"),
        (
            "time_in(up, open, arrow_cast('up', 'Dictionary(Int32, Utf8)'), day, next) / 3600000000",
            "3",
        ),
        ("state_at([{active: true, starts_at: day}], noon)", "up"),
        ("state_at([{starts_at: day, active: false}, NULL], noon)", "unknown"),
        ("time_in(up, [{starts_at: day, ends_at: noon}], 'up', day, next) / 3600000000", "12"),
        ("time_in(up, [], 'open', day, next)", "0"),
    ])
    .await;
}

#[tokio::test]
async fn errors_name_the_function_and_the_argument() {
    let session = session().await;
    for (asked, expected) in [
        ("state_at(up)", "state_at(timeline, instant) takes 2 arguments, not 1"),
        (
            "duration_in(up)",
            "duration_in(timeline, state [, start [, interval]]) takes 2 to 4 arguments, not 1",
        ),
        ("state_at(up, 5)", "instant must be a timestamp"),
        (
            "state_at(noon, noon)",
            "timeline must be a timeline, as from timeline(polled_at, active)",
        ),
        ("state_at(open, noon)", "timeline must be a timeline"),
        (
            "timeline(noon, 'active')",
            "active must be true or false, like status = 'active', not of type Utf8",
        ),
        ("timeline(noon, true, up)", "interpolation must be a text"),
        ("timeline(noon, true, 'nearby')", "is not one of 'previous', 'nearest', 'next'"),
        ("timeline(noon, true, 'previous', INTERVAL '1 month')", "is not a positive interval"),
        (
            "timeline(noon, true, 'previous', INTERVAL '2000000000 days')",
            "is not a positive interval",
        ),
        ("timeline(noon, true, CAST(noon AS TEXT))", "interpolation must be a constant"),
        ("timeline(ages_on, true)", "too far from today"),
        ("weekly_hours(7, 0, 3600)", "is not an opening"),
        ("weekly_hours(0, 1048576, 3600)", "is not an opening"),
        ("weekly_hours(0, 0, -1)", "is not an opening"),
        ("time_in(up, open, 'ajar', noon, noon)", "is not one of 'up', 'down', 'unknown', 'open'"),
        ("duration_in(up, 'open')", "is not one of 'up', 'down', 'unknown'"),
        ("timeline_clip(up, ages_ago, ages_on)", "too long"),
        ("open_spans(NULL, 'Chicago', noon, noon + INTERVAL '1 day')", "is not an IANA name"),
        ("open_spans(NULL, 'UTC', '1000-01-01', '2000-01-01')", "longer than 100 years"),
        ("local_days('UTC', noon, ages_on)", "years 1 to 9999"),
        ("is_open('always', ages_on)", "years 1 to 9999"),
        ("business_time('nights', '1000-01-01', '2000-01-01')", "longer than 100 years"),
        ("is_open(5, noon)", "store_id must be a text"),
    ] {
        let found = value(&session, &format!("SELECT {asked} FROM lines")).await;
        let error = found.expect_err(asked);
        assert!(error.contains(expected), "{asked}: {error}");
    }
}

#[tokio::test]
async fn timelines_fold_any_table_in_any_order_and_as_a_window() {
    let session = session().await;
    let many = "FROM (
            SELECT to_timestamp_micros(n * 7919 % 1000) AS at, n % 3 = 0 AS active, n % 5 AS part
            FROM generate_series(0, 999) AS numbers (n)
        )";
    let (sorted, folded) = (
        value(
            &session,
            &format!("SELECT timeline(at, active) FROM (SELECT at, active {many} ORDER BY at)"),
        )
        .await,
        value(&session, &format!("SELECT timeline(at, active) {many}")).await,
    );
    assert_eq!(sorted, folded);
    let by_part = format!(
        "SELECT sum(array_length(line)) FROM (
            SELECT timeline(at, active) AS line {many} GROUP BY part
        )"
    );
    let lines = (0..5).map(|part| {
        format!("SELECT timeline(at, active) FILTER (WHERE part = {part}) AS line {many}")
    });
    let alone = format!(
        "SELECT sum(array_length(line)) FROM ({})",
        lines.collect::<Vec<_>>().join(" UNION ALL ")
    );
    assert_eq!(value(&session, &by_part).await, value(&session, &alone).await);
    let running = "SELECT string_agg(state_at(line, '2023-01-25 11:30:00'), ' ' ORDER BY at) FROM (
        SELECT at, timeline(at, active) OVER (ORDER BY at) AS line FROM (VALUES
            (TIMESTAMP '2023-01-25 10:00:00', true),
            (TIMESTAMP '2023-01-25 11:00:00', false),
            (TIMESTAMP '2023-01-25 12:00:00', true)
        ) AS polls (at, active))";
    check(value(&session, running).await, "up down down", running);
    let empty =
        "SELECT weekly_hours(day, 0, 3600) FROM (VALUES (CAST(NULL AS INT))) AS hours (day)";
    check(value(&session, empty).await, "", empty);
}

#[tokio::test]
async fn hours_of_stores() {
    check_all(&[
        // 2023-01-25 is a Wednesday; New York is five hours behind UTC.
        ("is_open('weekdays', '2023-01-25 14:00:00')", "true"),
        ("is_open('weekdays', '2023-01-25 13:59:59.999999')", "false"),
        ("is_open('weekdays', '2023-01-25 22:00:00')", "false"),
        ("is_open('always', noon)", "true"),
        ("is_open('never', noon)", "false"),
        ("is_open('nobody', noon)", ""),
        ("is_open(NULL, noon)", ""),
        ("is_open('always', NULL)", ""),
        ("next_open('weekdays', noon)", "14"),
        ("next_open('weekdays', '2023-01-27 14:00:00')", "2023-01-30T14"),
        ("next_close('weekdays', noon)", "22"),
        ("next_close('weekdays', '2023-01-27 22:00:00')", "2023-01-30T22"),
        ("next_open('always', noon)", ""),
        ("next_close('always', noon)", ""),
        ("next_open('never', noon)", ""),
        ("next_open('nobody', noon)", ""),
        ("business_time('weekdays', '2023-01-25', '2023-02-01') / 3600000000", "40"),
        ("business_time('always', noon, '2023-01-26') / 3600000000", "12"),
        ("business_time('never', noon, '2023-01-26')", "0"),
        ("business_time('weekdays', noon, noon)", "0"),
        ("business_time('nobody', noon, '2023-01-26')", ""),
        ("business_time('always', NULL, noon)", ""),
        ("to_store_time('weekdays', noon)", "07:00:00"),
        ("to_store_time('weekdays', '2023-07-01 12:00:00')", "2023-07-01T08:00:00"),
        ("to_store_time('nobody', noon)", ""),
    ])
    .await;
}

#[tokio::test]
async fn store_scalars_agree_with_open_spans() {
    let session = session_of_batches(512).await;
    // Ranges of up to five months over two years, including changes of offset.
    let disagreeing = "
        SELECT count(*) FROM (
            SELECT
                'nights' AS store,
                to_timestamp_micros(1640995200000000 + n * 47220000000) AS at,
                to_timestamp_micros(1640995200000000 + n * 47220000000 + n % 97 * 111600000000)
                    AS later
            FROM generate_series(0, 1300) AS numbers (n)
        )
        CROSS JOIN (
            SELECT open_spans(week, 'America/Chicago', '2021-01-01', '2025-01-01') AS open
            FROM (
                SELECT weekly_hours(day, 18 * 3600, 2 * 3600) AS week
                FROM (VALUES (4), (5)) AS hours (day)
            )
        )
        WHERE business_time(store, at, later) <> time_in(NULL, open, 'open', at, later)
            OR is_open(store, at) <> (time_in(NULL, open, 'open', at, at + INTERVAL '1 s') > 0)
            OR is_open(store, next_open(store, at)) IS NOT TRUE
            OR is_open(store, next_close(store, at)) IS NOT FALSE
            OR next_open(store, at) <= at
            OR next_close(store, at) <= at
            OR business_time(store, at, next_close(store, at))
                <> time_in(NULL, open, 'open', at, next_close(store, at))";
    check(value(&session, disagreeing).await, "0", disagreeing);
}

#[tokio::test]
async fn hours_are_read_once_on_first_use() {
    let read = Arc::new(AtomicUsize::new(0));
    let chain = chain(&read);
    for (asked, expected) in
        [("1", 0), ("is_open('always', '2023-01-25')", 1), ("is_open('never', '2023-01-25')", 1)]
    {
        let session = SessionContext::new();
        register_for_stores(&session, &chain);
        value(&session, &format!("SELECT {asked}")).await.unwrap();
        assert_eq!(read.load(Ordering::Relaxed), expected, "after {asked}");
    }
}
