//! Plans of table functions: polls are not sorted or repartitioned, and only days that the range
//! touches are read.

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use tempfile::TempDir;
use uptally::internals::generate::{DEFAULT_END_US, Spec, generate};
use uptally::{Database, Dataset, Limits, Session};

use crate::harness::{block_on, ingest};

async fn session() -> (TempDir, Session) {
    session_over(20).await
}

/// Of 40 stores over so many days, the last of which is 2023-01-25.
pub async fn session_over(days: u32) -> (TempDir, Session) {
    let folder = TempDir::new().unwrap();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    let spec = Spec { stores: 40, days, seed: 3, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).unwrap();
    ingest(&data, &[&files]).await.unwrap();
    let dataset = Dataset::open(&data, None).await.unwrap().unwrap();
    let database = Database::new(Limits::default());
    (folder, database.session(&dataset).unwrap())
}

pub async fn plan_of(session: &Session, sql: &str) -> String {
    explained(session, session.plan(&format!("EXPLAIN {sql}")).await.unwrap()).await
}

pub async fn explained(session: &Session, plan: LogicalPlan) -> String {
    let (batches, _) = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap();
    let lines = batches.iter().flat_map(|batch| {
        let plans = arrow::compute::cast(batch.column(1), &DataType::Utf8).unwrap();
        plans.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.last().unwrap()
}

/// First date of the poll files in the plan; empty without any.
fn first_day_read(plan: &str) -> &str {
    let dates = plan.split("/polls/polled_on=").skip(1).map(|rest| &rest[..10]);
    dates.min().unwrap_or_default()
}

#[track_caller]
fn moves_no_row(plan: &str) {
    for dear in ["SortExec", "RepartitionExec", "CoalescePartitionsExec"] {
        assert!(!plan.contains(dear), "{plan}");
    }
}

#[test]
fn table_functions_neither_sort_nor_repartition_and_read_the_days_of_their_range() {
    block_on(async {
        let (_folder, session) = session().await;
        // The latest poll is of the 25th in the evening.
        for (call, first_day) in [
            ("uptime()", "2023-01-18"),
            ("uptime(latest_poll() - INTERVAL '1 day', latest_poll())", "2023-01-24"),
            ("uptime(latest_poll() - INTERVAL '1 day', latest_poll(), 'scope=day')", "2023-01-24"),
            ("uptime_by('hour')", "2023-01-18"),
            (
                "states(latest_poll() - INTERVAL '45 hours', latest_poll(), scope => 'interval')",
                "2023-01-23",
            ),
            ("incidents()", "2023-01-18"),
            ("openings()", ""),
        ] {
            let plan = plan_of(&session, &format!("SELECT * FROM {call}")).await;
            moves_no_row(&plan);
            assert_eq!(first_day_read(&plan), first_day, "{call}:\n{plan}");
        }
    });
}

#[test]
fn a_range_may_be_a_parameter_and_still_leaves_other_days_unread() {
    block_on(async {
        let (_folder, session) = session().await;
        let sql = "EXPLAIN SELECT * FROM uptime($1, $2)";
        let range = ["2023-01-22", "2023-01-24"].map(ScalarValue::from);
        let plan = Session::bind(session.plan(sql).await.unwrap(), range.to_vec()).unwrap();
        let plan = explained(&session, plan).await;
        moves_no_row(&plan);
        assert_eq!(first_day_read(&plan), "2023-01-22", "{plan}");
        assert!(!plan.contains("polled_on=2023-01-25"), "{plan}");
    });
}

#[test]
fn a_time_in_a_filter_leaves_other_days_unread() {
    block_on(async {
        let (_folder, session) = session().await;
        for (filter, first_day) in [
            ("polled_at >= '2023-01-23'", "2023-01-23"),
            ("polled_at >= '2023-01-23 20:10 America/Chicago'", "2023-01-24"),
            ("polled_at BETWEEN '2023-01-23T20:10Z' AND '2023-01-24'", "2023-01-23"),
            ("polled_at IN ('2023-01-23 20:10')", "2023-01-23"),
            ("polled_at >= '2023-01-23'::timestamptz", "2023-01-23"),
            ("polled_at >= DATE '2023-01-23'", "2023-01-23"),
            ("polled_at >= TIMESTAMP '2023-01-23' AT TIME ZONE 'America/Chicago'", "2023-01-23"),
            ("polled_at >= to_timestamp(1674432000)", "2023-01-23"),
            ("polled_at >= date_trunc('day', TIMESTAMPTZ '2023-01-23 20:10')", "2023-01-23"),
            ("polled_at > now() - INTERVAL '1 day'", ""),
            ("date_trunc('day', polled_at) = '2023-01-23'", "2023-01-23"),
            ("date_trunc('week', polled_at) = TIMESTAMPTZ '2023-01-23'", "2023-01-23"),
            ("date_trunc('day', polled_at) > '2023-01-23'", "2023-01-24"),
        ] {
            let plan = plan_of(&session, &format!("SELECT * FROM polls WHERE {filter}")).await;
            assert_eq!(first_day_read(&plan), first_day, "{filter}:\n{plan}");
        }
        // A time within a unit is the start of none.
        let none = "SELECT * FROM polls WHERE date_trunc('day', polled_at) = '2023-01-23 20:10'";
        let plan = session.plan(none).await.unwrap();
        let rows = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap().0;
        assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 0);
    });
}

#[test]
fn a_bound_time_leaves_other_days_unread() {
    block_on(async {
        let (_folder, session) = session().await;
        let sql =
            "EXPLAIN SELECT * FROM polls WHERE polled_at >= $1 AND polled_at < $2::timestamptz";
        let range = ["2023-01-22", "2023-01-23 18:00 America/Chicago"].map(ScalarValue::from);
        let plan = Session::bind(session.plan(sql).await.unwrap(), range.to_vec()).unwrap();
        let plan = explained(&session, plan).await;
        assert_eq!(first_day_read(&plan), "2023-01-22", "{plan}");
        assert!(!plan.contains("polled_on=2023-01-24"), "{plan}");
    });
}

#[test]
fn unused_columns_are_not_computed() {
    block_on(async {
        let (_folder, session) = session().await;
        let plan = plan_of(&session, "SELECT store_id, up FROM uptime()").await;
        for made in ["poll_list", "incident_totals_in", "count("] {
            assert!(!plan.contains(made), "{plan}");
        }
    });
}
