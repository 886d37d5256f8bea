//! Parameters of table functions give the same results as equal constants.

use datafusion::scalar::ScalarValue;
use uptally::{Database, Limits, Session};

use super::chain;
use super::value::Value;
use crate::harness::block_on;

/// The rows, or what is wrong.
async fn answered(
    session: &Session,
    sql: &str,
    values: Vec<ScalarValue>,
) -> Result<Vec<String>, String> {
    let asked = async {
        let plan = Session::bind(session.plan(sql).await?, values)?;
        session.run(plan, session.limits()).await?.collect().await
    };
    let (batches, _) = asked.await.map_err(|error| error.sentence())?;
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| Value::from_arrow(column, row));
            rows.push(values.map(|value| value.to_string() + " ").collect::<String>());
        }
    }
    rows.sort();
    Ok(rows)
}

#[test]
fn a_parameter_is_accepted_and_rejected_like_a_constant() {
    let text = |text: &str| ScalarValue::from(text);
    let instant = |us| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
    let null = ScalarValue::Null;
    let cases: Vec<(&str, Vec<ScalarValue>, &str)> = vec![
        (
            "uptime($1, $2)",
            vec![text("2023-01-24"), text("2023-01-25")],
            "'2023-01-24', '2023-01-25'",
        ),
        (
            "uptime($1, $2)",
            vec![instant(1_674_518_400_000_000), text("2023-01-25 00:00")],
            "'2023-01-24', '2023-01-25'",
        ),
        ("uptime($1, $2)", vec![null.clone(), text("2023-01-25")], "NULL, '2023-01-25'"),
        ("uptime($1, $2)", vec![5i64.into(), text("2023-01-25")], "5, '2023-01-25'"),
        (
            "uptime($1, $2)",
            vec![text("2023-01-25"), text("2023-01-25")],
            "'2023-01-25', '2023-01-25'",
        ),
        (
            "uptime($1, $2)",
            vec![text("2023-01-25"), text("2023-01-24")],
            "'2023-01-25', '2023-01-24'",
        ),
        (
            "uptime($1, $2)",
            vec![text("1970-01-01"), text("2023-01-24")],
            "'1970-01-01', '2023-01-24'",
        ),
        ("states($1, $2)", vec![null.clone(), text("2023-01-25")], "NULL, '2023-01-25'"),
        ("openings($1, $2)", vec![null.clone(), text("2023-01-25")], "NULL, '2023-01-25'"),
        ("incidents($1, $2)", vec![null.clone(), text("2023-01-25")], "NULL, '2023-01-25'"),
        (
            "uptime_by($1, $2, $3)",
            vec![text("day"), text("2023-01-24"), text("2023-01-25")],
            "'day', '2023-01-24', '2023-01-25'",
        ),
        (
            "uptime($1, $2, scope => $3)",
            vec![text("2023-01-24"), text("2023-01-25"), text("day")],
            "'2023-01-24', '2023-01-25', scope => 'day'",
        ),
        (
            "uptime($1, $2, $3)",
            vec![text("2023-01-24"), text("2023-01-25"), text("scope=week")],
            "'2023-01-24', '2023-01-25', 'scope=week'",
        ),
        (
            "incidents($1, $2, $3)",
            vec![text("2023-01-22"), text("2023-01-26"), text("3h")],
            "'2023-01-22', '2023-01-26', '3h'",
        ),
        (
            "uptime($1::timestamptz, $2)",
            vec![text("2023-01-24 00:00 Asia/Tokyo"), text("2023-01-25 00:00 Asia/Tokyo")],
            "'2023-01-23 15:00', '2023-01-24T15:00Z'",
        ),
        (
            "uptime($1::timestamp AT TIME ZONE $3, $2)",
            vec![text("2023-01-24"), text("2023-01-25"), text("asia/tokyo")],
            "'2023-01-23 15:00', '2023-01-25'",
        ),
        ("as_of('polls', $1)", vec![2i64.into()], "'polls', 2"),
        ("as_of('stores', $1)", vec![text("2023-01-26")], "'stores', '2023-01-26'"),
        ("as_of('polls', $1)", vec![null], "'polls', NULL"),
    ];
    block_on(async {
        let (_folder, dataset) = chain::load().await;
        let session = Database::new(Limits::default()).session(&dataset).unwrap();
        for (call, values, constants) in cases {
            let (function, _) = call.split_once('(').unwrap();
            let asked = format!("SELECT * FROM {call}");
            let constant = format!("SELECT * FROM {function}({constants})");
            let expected = answered(&session, &constant, vec![]).await;
            let found = answered(&session, &asked, values).await;
            assert_eq!(found, expected, "{call} {constants}");
        }
    });
}

#[test]
fn a_text_that_is_bound_is_read_as_one_that_is_written() {
    let text = |text: &str| ScalarValue::from(text);
    let cases: Vec<(&str, Vec<ScalarValue>, &str)> = vec![
        ("polled_at > $1", vec![text("2023-01-24 10:15")], "polled_at > '2023-01-24T10:15:00Z'"),
        (
            "polled_at BETWEEN $1 AND $2",
            vec![text("2023-01-24"), text("2023-01-24 12:00 Europe/Berlin")],
            "polled_at BETWEEN '2023-01-24 00:00:00' AND '2023-01-24 11:00:00'",
        ),
        (
            "polled_at >= $1::timestamptz AND polled_at AT TIME ZONE $2 < $3",
            vec![text("20230124"), text("Asia/Tokyo"), text("2023-01-25 12:00")],
            "polled_at >= '2023-01-24' AND polled_at < '2023-01-25 03:00'",
        ),
        ("store_id = ANY($1)", vec![text("{\"bar\", \"diner\"}")], "store_id IN ('bar', 'diner')"),
        ("store_id = ANY($1::text[])", vec![text("{bar, diner}")], "store_id IN ('bar', 'diner')"),
        ("store_id = ANY(($1))", vec![text("{}")], "false"),
    ];
    block_on(async {
        let (_folder, dataset) = chain::load().await;
        let session = Database::new(Limits::default()).session(&dataset).unwrap();
        for (filter, values, constant) in cases {
            let asked = format!("SELECT * FROM polls WHERE {filter}");
            let constant = format!("SELECT * FROM polls WHERE {constant}");
            let expected = answered(&session, &constant, vec![]).await;
            let found = answered(&session, &asked, values).await;
            assert_eq!(found, expected, "{filter}");
        }
        for (filter, value, wrong) in [
            ("polled_at > $1", "noon", "\"noon\" is not an instant; expected one like"),
            ("polled_at > $1::timestamp", "noon", "\"noon\" is not an instant; expected one like"),
            ("store_id = ANY($1)", "bar", "\"bar\" is not an array like '{a,b}'"),
        ] {
            let asked = format!("SELECT * FROM polls WHERE {filter}");
            let found = answered(&session, &asked, vec![text(value)]).await.unwrap_err();
            assert!(found.starts_with(wrong), "{filter}: {found}");
        }
    });
}

#[test]
fn a_null_for_an_instant_is_refused() {
    block_on(async {
        let (_folder, dataset) = chain::load().await;
        let session = Database::new(Limits::default()).session(&dataset).unwrap();
        let values = vec![ScalarValue::Null, ScalarValue::from("2023-01-25")];
        let found = answered(&session, "SELECT * FROM uptime($1, $2)", values).await;
        assert!(found.unwrap_err().starts_with("uptime: from: NULL is not an instant"));
    });
}
