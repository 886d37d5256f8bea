//! What table functions cost, by their plans: no poll is sorted, or passed from one thread to
//! another, and no day is read that the range does not touch.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use tempfile::TempDir;
use tokio::runtime::Handle;
use uptally::generate::{DEFAULT_END_US, Spec, generate};
use uptally::sql::{Database, Limits, Session};
use uptally::tables::Dataset;

use crate::harness::{block_on, ingest};

async fn session() -> (TempDir, Session) {
    let folder = TempDir::new().unwrap();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    let spec = Spec { stores: 40, days: 20, seed: 3, ends_at_us: DEFAULT_END_US };
    generate(&spec, &files).unwrap();
    ingest(&data, &[&files]).await.unwrap();
    let dataset = Dataset::open(&data, None).await.unwrap().unwrap();
    let database = Database::new(Limits::default(), Handle::current());
    (folder, database.session(&dataset).unwrap())
}

async fn plan_of(session: &Session, sql: &str) -> String {
    let plan = session.plan(&format!("EXPLAIN {sql}")).await.unwrap();
    let (batches, _) = session.run(plan, session.limits()).await.unwrap().collect().await.unwrap();
    let lines = batches.iter().flat_map(|batch| {
        let plans = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8);
        let plans = plans.unwrap();
        plans.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.last().unwrap()
}

/// Dates of the files of polls in the plan.
fn days_read(plan: &str) -> usize {
    let dates = plan.split("/polls/polled_on=").skip(1).map(|rest| &rest[..10]);
    dates.collect::<BTreeSet<_>>().len()
}

#[test]
fn table_functions_neither_sort_nor_repartition_and_read_the_days_of_their_range() {
    block_on(async {
        let (_folder, session) = session().await;
        for (call, days) in [
            ("uptime()", 8),
            ("uptime(latest_poll() - INTERVAL '1 day', latest_poll())", 2),
            ("uptime(latest_poll() - INTERVAL '1 day', latest_poll(), 'scope=day')", 2),
            ("uptime_by('hour')", 8),
            ("states(latest_poll() - INTERVAL '30 hours', latest_poll(), scope => 'interval')", 3),
            ("incidents()", 8),
            ("openings()", 0),
        ] {
            let plan = plan_of(&session, &format!("SELECT * FROM {call}")).await;
            for dear in ["SortExec", "RepartitionExec", "CoalescePartitionsExec"] {
                assert!(!plan.contains(dear), "{call}:\n{plan}");
            }
            assert_eq!(days_read(&plan), days, "{call}:\n{plan}");
        }
    });
}

#[test]
fn what_is_not_asked_for_is_not_made() {
    block_on(async {
        let (_folder, session) = session().await;
        let plan = plan_of(&session, "SELECT store_id, up FROM uptime()").await;
        for made in ["poll_list", "incident_totals_in", "count("] {
            assert!(!plan.contains(made), "{plan}");
        }
    });
}
