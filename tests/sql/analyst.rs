//! Golden results of `queries/analyst` over the chain of the scripts, in
//! `tests/sql/analyst/NAME.txt`, which `BLESS=1` writes.

use std::path::{Path, PathBuf};

use datafusion::scalar::ScalarValue;
use uptally::{Database, Limits, Session};

use super::chain;
use super::value::Value;
use crate::golden_files::compare;
use crate::harness::block_on;

/// Values of the `$` parameters of each query.
fn parameters(query: &str) -> Vec<(&'static str, ScalarValue)> {
    match query {
        "long_outages" => vec![("store_id", ScalarValue::from("berlin"))],
        "month_against_target" => vec![("target_pct", ScalarValue::from(99.5))],
        _ => vec![],
    }
}

fn queries() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/analyst");
    let mut queries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    queries.sort();
    assert!(!queries.is_empty(), "there are no queries");
    queries
}

/// The names of the columns and the rows, with bars between.
async fn answered(session: &Session, query: &str, sql: &str) -> String {
    let plan = session.plan(sql).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let plan = Session::bind(plan, parameters(query)).unwrap();
    let rows = session.run(plan, session.limits()).await;
    let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
    let names = rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let (batches, _) = rows.collect().await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut text = names.join(" | ") + "\n";
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| Value::from_arrow(column, row));
            let values: Vec<_> = values.map(|value| value.to_string()).collect();
            text += &(values.join(" | ") + "\n");
        }
    }
    text
}

#[test]
fn each_query_of_analysts_answers_what_its_header_says() {
    block_on(async {
        let (_folder, dataset) = chain::load().await;
        let session = Database::new(Limits::default()).session(&dataset).unwrap();
        let mut wrong = Vec::new();
        for path in queries() {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let sql = std::fs::read_to_string(&path).unwrap();
            assert!(sql.starts_with("-- ") && sql.contains("\n-- args "), "{name} has no header");
            let found = answered(&session, name, &sql).await;
            let found = found.replace(env!("CARGO_MANIFEST_DIR"), "…");
            let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql/analyst");
            let expected = expected.join(format!("{name}.txt"));
            wrong.extend(compare(&expected, &found).err());
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
