//! Queries about few stores read only those stores' polls, by their plans, and have the same
//! results as queries that filter all stores afterwards.

use arrow::array::{AsArray, RecordBatch};
use arrow::util::pretty::pretty_format_batches;
use uptally::Session;

use super::plans::{plan_of, session_over};
use crate::harness::block_on;

const RANGE: &str = "'2023-01-10', '2023-01-24'";

async fn rows(session: &Session, sql: &str) -> Vec<RecordBatch> {
    let plan = session.plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = session.run(plan, session.limits()).await.unwrap().collect().await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}")).0
}

/// The lines of the answer, in order.
async fn answer(session: &Session, sql: &str) -> Vec<String> {
    let rows = rows(session, sql).await;
    let shown = pretty_format_batches(&rows).unwrap().to_string();
    let mut lines: Vec<_> = shown.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Ids of the stores, ascending.
pub async fn ids(session: &Session) -> Vec<String> {
    let rows = rows(session, "SELECT store_id FROM stores ORDER BY store_id").await;
    let of_batch = |batch: &RecordBatch| {
        let ids = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        ids.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_batch).collect()
}

/// The query with instants for `RANGE` and ids for `A` to `D`.
pub fn filled(query: &str, ids: &[String]) -> String {
    let mut query = query.replace("RANGE", RANGE);
    for (name, place) in [("'A'", 3), ("'B'", 17), ("'C'", 18), ("'D'", 39)] {
        query = query.replace(name, &format!("'{}'", ids[place]));
    }
    query
}

/// Relations of stores by their ids, `ID`; `A`, `B` and `C` stand for ids, `RANGE` for instants.
const RELATIONS: [&str; 9] = [
    "(SELECT *, ID AS id FROM uptime(RANGE))",
    "(SELECT *, ID AS id FROM uptime(RANGE, 'scope=day,no_data=down'))",
    "(SELECT *, ID AS id FROM uptime(RANGE, 'scope=interval,interpolation=next'))",
    "(SELECT *, ID AS id FROM uptime(RANGE, 'max_gap=40m,interpolation=nearest,no_data=up'))",
    "(SELECT *, ID AS id FROM uptime_by('week', RANGE))",
    "(SELECT *, ID AS id FROM states(RANGE))",
    "(SELECT *, ID AS id FROM incidents(RANGE))",
    "(SELECT *, ID AS id FROM openings(RANGE))",
    "(SELECT *, ID AS id FROM polls WHERE polled_on > '2023-01-20')",
];

/// Questions about a relation `R`.
const QUESTIONS: [&str; 18] = [
    "SELECT * FROM R WHERE id = 'A'",
    "SELECT * FROM R WHERE 'A' = id",
    "SELECT * FROM R WHERE id IN ('A', 'B')",
    "SELECT * FROM R WHERE id IN ('A', 'none', NULL, 'B', 'C', 'D')",
    "SELECT * FROM R WHERE id = 'A' OR id = 'B'",
    "SELECT * FROM R WHERE id IN ('A', 'B', 'C', 'D') AND id <> 'B'",
    "SELECT * FROM R WHERE id = 'A' AND id = 'B'",
    "SELECT * FROM R WHERE id = 'none'",
    "SELECT * FROM R WHERE id = NULL",
    "SELECT * FROM R WHERE id = 'A' OR id IS NULL",
    "SELECT * FROM R WHERE id = 'A' UNION ALL SELECT * FROM R WHERE id IN ('B', 'A')",
    "SELECT id, count(*) FROM R GROUP BY id HAVING id IN ('A', 'none', 'C')",
    "SELECT count(*), max(id) FROM R WHERE id = 'none'",
    "WITH some AS (SELECT * FROM R WHERE id IN ('B', 'C')) \
     SELECT s.id, count(*) FROM some s JOIN some t ON s.id = t.id GROUP BY s.id",
    "SELECT * FROM (SELECT id, count(*) OVER (PARTITION BY id) AS n FROM R) AS r WHERE id = 'A'",
    "SELECT * FROM (SELECT id, count(*) OVER () AS n FROM R) AS r WHERE id = 'A'",
    "SELECT * FROM (SELECT id FROM R ORDER BY id LIMIT 3) AS r WHERE id = 'A'",
    "SELECT DISTINCT id FROM R WHERE id IN ('A', 'B') ORDER BY id DESC LIMIT 1",
];

/// Joins of a relation `R` with few stores.
const JOINS: [&str; 17] = [
    "SELECT r.* FROM R AS r JOIN (VALUES ('A'), ('none'), ('B')) AS few (id) ON few.id = r.id",
    "SELECT r.* FROM (VALUES ('A'), ('B')) AS few (id) JOIN R AS r ON few.id = r.id",
    "SELECT few.id, r.* FROM (VALUES ('A'), ('none')) AS few (id) LEFT JOIN R AS r ON few.id = r.id",
    "SELECT r.* FROM R AS r LEFT JOIN (VALUES ('A')) AS few (id) ON few.id = r.id",
    "SELECT r.* FROM R AS r FULL JOIN (VALUES ('A'), ('none')) AS few (id) ON few.id = r.id",
    "SELECT * FROM R AS r WHERE id IN (SELECT ID FROM stores ORDER BY ID LIMIT 2)",
    "SELECT * FROM R AS r WHERE id IN (SELECT ID FROM stores WHERE time_zone = 'America/Denver')",
    "SELECT * FROM R AS r WHERE id NOT IN (SELECT ID FROM stores WHERE store_no > 2)",
    "SELECT * FROM R AS r WHERE id IN (SELECT ID FROM stores WHERE false)",
    "SELECT * FROM R AS r WHERE id IN (SELECT ID FROM polls \
     WHERE polled_on = '2023-01-20' AND store_no IN (3, 5))",
    "SELECT * FROM R AS r WHERE EXISTS (SELECT 1 FROM stores s WHERE s.store_no = 7 AND ID = r.id)",
    "SELECT r.*, s.time_zone FROM R AS r JOIN (SELECT *, ID AS id FROM stores) s ON s.id = r.id \
     WHERE s.store_no BETWEEN 4 AND 6",
    "SELECT r.*, s.polls AS n FROM (SELECT *, ID AS id FROM stores) s JOIN R AS r ON s.id = r.id \
     AND s.store_no < 3",
    "SELECT r.id, count(*) FROM R AS r JOIN (SELECT *, ID AS id FROM stores) s ON s.id = r.id \
     WHERE s.store_no = 2 GROUP BY r.id",
    "SELECT r.id, count(*) FROM R AS r JOIN R AS o ON o.id = r.id JOIN \
     (VALUES ('A'), ('C')) AS few (id) ON few.id = o.id GROUP BY r.id",
    "SELECT r.* FROM R AS r WHERE id IN (SELECT ID FROM uptime() ORDER BY up, ID LIMIT 2)",
    "WITH recursive n AS (SELECT 1 AS no UNION ALL SELECT no + 1 FROM n WHERE no < 3) \
     SELECT r.id, count(*) FROM n JOIN (SELECT *, ID AS id FROM stores) s ON s.store_no = n.no \
     JOIN R AS r ON r.id = s.id GROUP BY r.id",
];

/// Each query with a filter on ids, and on expressions of ids, which a plan cannot use.
async fn agree(days: u32, relations: &[&str], questions: &[&str]) {
    let (_folder, session) = session_over(days).await;
    let ids = ids(&session).await;
    for relation in relations {
        for question in questions {
            let asked = filled(&question.replace(" R", &format!(" {relation}")), &ids);
            let [by_id, by_text] = ["store_id", "store_id || ''"].map(|id| asked.replace("ID", id));
            let found = answer(&session, &by_id).await;
            assert_eq!(found, answer(&session, &by_text).await, "{by_id}");
        }
    }
}

#[test]
fn filters_by_ids_answer_as_filters_over_the_whole() {
    block_on(agree(20, &RELATIONS, &QUESTIONS));
}

#[test]
fn joins_with_few_stores_answer_as_joins_with_the_whole() {
    block_on(agree(20, &RELATIONS, &JOINS));
}

#[test]
fn so_do_those_of_more_days_than_are_read_at_once() {
    let ranges = ["(SELECT *, ID AS id FROM uptime('2022-11-01', '2023-01-24'))"];
    block_on(agree(90, &ranges, &QUESTIONS[..5]));
    block_on(agree(90, &ranges, &JOINS));
}

/// Names of the operators of a plan.
fn operators(plan: &str) -> Vec<&str> {
    plan.lines().filter_map(|line| line.trim_start().split([':', ' ']).next()).collect()
}

#[test]
fn a_filter_by_ids_reaches_every_table_below_a_function() {
    block_on(async {
        let (_folder, session) = session_over(20).await;
        let ids = ids(&session).await;
        for function in ["uptime(", "uptime_by('day', ", "states(", "incidents("] {
            for filter in [
                format!("store_id = '{}'", ids[3]),
                format!("store_id IN ('{}', '{}', 'none')", ids[3], ids[9]),
                format!("store_id IN ('{}')", ids[..7].join("', '")),
                "store_id = 'none'".to_owned(),
            ] {
                for scope in ["all", "day", "interval"] {
                    let call = format!("{function}{RANGE}, 'scope={scope}')");
                    let sql = format!("SELECT * FROM {call} WHERE {filter}");
                    let plan = plan_of(&session, &sql, &[]).await;
                    let operators = operators(&plan);
                    for of_all_stores in ["PartitionedScanExec", "RepartitionExec"] {
                        assert!(!operators.contains(&of_all_stores), "{sql}\n{plan}");
                    }
                    assert!(operators.contains(&"FewStoresExec"), "{sql}\n{plan}");
                }
            }
        }
    });
}
