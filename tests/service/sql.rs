//! `/v1/sql`: statements, formats and limits.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use uptally::internals::server::Settings;
use uptally::{Format, Limits};

use super::{Answer, Served, csv_of_sample, waiting};
use crate::harness::{block_on, ingest, uptally};

/// More pairs than can be computed, without being held in memory.
pub const ENDLESS_JOIN: &str = "SELECT count(*) FROM range(0, 10000) a \
    JOIN range(0, 10000000000) b ON a.value + b.value <> 7";

/// Statements that would change something, or read other files.
pub fn attempts(file: &Path) -> Vec<String> {
    let file = file.to_str().unwrap();
    let mut attempts: Vec<_> = [
        "DROP TABLE polls",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "INSERT INTO polls SELECT * FROM polls",
        "UPDATE polls SET active = true",
        "DELETE FROM polls",
        "TRUNCATE TABLE polls",
        "EXPLAIN ANALYZE INSERT INTO polls SELECT * FROM polls",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "SELECT * INTO t FROM polls",
    ]
    .map(str::to_owned)
    .to_vec();
    attempts.extend([
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{file}'"),
        format!("COPY polls TO '{file}' STORED AS CSV"),
        format!("COPY (SELECT 1) TO '{file}'"),
        format!("SELECT * FROM '{file}'"),
        format!("SELECT * FROM \"{file}\""),
        format!("SELECT * FROM 'file://{file}'"),
        format!("SELECT * FROM 'http://127.0.0.1{file}'"),
        format!("SELECT * FROM read_csv('{file}')"),
        format!("SELECT * FROM read_parquet('{file}')"),
        format!("SELECT * FROM parquet_metadata('{file}')"),
        format!("SELECT read_text('{file}')"),
        format!("SELECT pg_read_file('{file}')"),
        format!("DESCRIBE '{file}'"),
    ]);
    attempts
}

pub fn path_of(sql: &str) -> String {
    format!("/v1/sql?{}", encoded(&[("q", sql)]))
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap()
}

impl Served {
    async fn sql(&self, sql: &str) -> Answer {
        self.ask("POST", "/v1/sql", &[], sql).await
    }
}

fn settings(sql: Limits) -> Settings {
    Settings { sql, ..waiting() }
}

#[test]
fn a_query_is_accepted_as_text_json_and_url_parameter() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let count = "SELECT count(*) AS stores FROM stores";
        for (kind, body) in [
            ("text/plain", count.to_owned()),
            ("application/sql", format!("{count};\n")),
            ("application/x-www-form-urlencoded", count.to_owned()),
            ("application/json", json!({ "sql": count }).to_string()),
        ] {
            let header = format!("content-type: {kind}");
            let answer = served.ask("POST", "/v1/sql", &[&header], &body).await;
            assert_eq!((answer.status(), answer.text().as_str()), (200, "stores\n40\n"), "{kind}");
        }
        assert_eq!(served.get(&path_of(count)).await.text(), "stores\n40\n");
        let of_store = "SELECT count(*) AS polls FROM polls WHERE store_id = $1 AND polled_at < $2";
        for (params, expected) in [
            (json!(["1177941416522642976", "2023-01-18T19:10:00Z"]), "polls\n1\n"),
            (json!(["1177941416522642976", "2000-01-01T00:00:00Z"]), "polls\n0\n"),
        ] {
            let body = json!({ "sql": of_store, "params": params }).to_string();
            assert_eq!(served.sql(&body).await.text(), expected, "{params}");
        }
        let named = json!({ "sql": "SELECT $a + 1 AS b", "params": { "a": 1 } }).to_string();
        assert_eq!(served.sql(&named).await.text(), "b\n2\n");
        let options = encoded(&[("q", "SELECT $1 AS a"), ("params", "[5]"), ("format", "ndjson")]);
        assert_eq!(served.get(&format!("/v1/sql?{options}")).await.text(), "{\"a\":5}\n");
    });
}

#[test]
fn rows_come_in_the_format_that_is_asked_for() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (accept, format, kind, start) in [
            ("*/*", None, "text/csv; charset=utf-8", "a\n1\n"),
            ("application/json", None, "application/json", "[{\"a\":1}]\n"),
            ("application/x-ndjson", None, "application/x-ndjson", "{\"a\":1}\n"),
            ("text/markdown", None, "text/markdown; charset=utf-8", "| a |\n|---:|\n| 1 |\n"),
            ("application/vnd.apache.parquet", None, "application/vnd.apache.parquet", "PAR1"),
            (
                "application/vnd.apache.arrow.file",
                None,
                "application/vnd.apache.arrow.file",
                "ARROW1",
            ),
            (
                "application/vnd.apache.arrow.stream",
                None,
                "application/vnd.apache.arrow.stream",
                "",
            ),
            ("application/json", Some("csv"), "text/csv; charset=utf-8", "a\n1\n"),
            ("text/html", Some("table"), "text/plain; charset=utf-8", "+---+\n| a |\n"),
        ] {
            let mut path = path_of("SELECT 1 AS a");
            path.extend(format.map(|format| format!("&format={format}")));
            let answer = served.ask("GET", &path, &[&format!("accept: {accept}")], "").await;
            assert_eq!((answer.status(), answer.header("content-type")), (200, kind));
            assert!(answer.bytes().starts_with(start.as_bytes()), "{accept}: {}", answer.text());
        }
    });
}

#[test]
fn an_invalid_query_is_explained() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (body, status, sentence) in [
            ("", 400, "expected a statement"),
            ("SELEC 1", 400, "SELEC"),
            ("SELECT * FROM nowhere", 400, "nowhere"),
            ("SELECT 1; SELECT 2", 400, "single SQL statement"),
            ("SELECT 1 / 0", 400, "division by zero"),
            ("SELECT $1 AS a", 400, "no value is given for $1"),
            (
                r#"{"sql": "SELECT $1 AS a", "params": [1, 2]}"#,
                400,
                "a value is given for $2, which the statement has not",
            ),
            (r#"{"sql": "SELECT 1", "version": 7}"#, 400, "there is no version 7"),
            (r#"{"sql": "SELECT 1", "formt": "csv"}"#, 400, "formt: is not one of"),
            (r#"{"sql": "#, 400, "the body is not JSON"),
            (
                r#"{"sql": "SELECT INTERVAL '1 month' AS a", "format": "parquet"}"#,
                400,
                "the format cannot hold these columns",
            ),
        ] {
            let answer = served.sql(body).await;
            assert_eq!(answer.status(), status, "{body}: {}", answer.text());
            assert!(answer.detail().contains(sentence), "{body}: {}", answer.text());
        }
        let plan = served.sql("EXPLAIN SELECT * FROM polls").await.text();
        assert!(plan.contains("DATA/polls/"), "{plan}");
        let folder = served.data.path().to_str().unwrap().trim_start_matches('/');
        assert!(!plan.contains(folder), "{plan}");
    });
}

#[test]
fn nothing_is_changed_and_nothing_beside_the_data_is_read() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let folder = TempDir::new().unwrap();
        let secret = folder.path().join("secret.csv");
        std::fs::write(&secret, "a\nhidden\n").unwrap();
        for attempt in attempts(&secret) {
            let answer = served.sql(&attempt).await;
            assert_eq!(answer.status(), 400, "{attempt}: {}", answer.text());
            assert!(!answer.text().contains("hidden"), "{attempt}: {}", answer.text());
        }
        assert_eq!(std::fs::read(&secret).unwrap(), b"a\nhidden\n");
        assert_eq!(served.sql("SELECT max(version) AS v FROM loads").await.text(), "v\n1\n");
    });
}

#[test]
fn every_limit_of_a_query_is_named_where_it_is_met() {
    block_on(async {
        let time = Duration::from_millis(200);
        let served = Served::with(settings(Limits { time, ..Limits::default() })).await;
        let slow = served.sql(ENDLESS_JOIN).await;
        assert_eq!(slow.status(), 422, "{}", slow.text());
        assert!(slow.detail().contains("200ms, the limit of time (--sql-time)"), "{}", slow.text());
        let limits = Limits { memory_bytes: 1 << 10, ..Limits::default() };
        let served = served.again(settings(limits));
        let hungry = "SELECT a.store_id, count(DISTINCT b.polled_at) FROM polls a JOIN polls b USING (store_id) GROUP BY 1";
        let hungry = served.sql(hungry).await;
        assert_eq!(hungry.status(), 422, "{}", hungry.text());
        assert!(hungry.detail().contains("the limit (--sql-memory)"), "{}", hungry.text());
        let hungry = served.sql("SELECT repeat('x', 2000000000)").await;
        assert_eq!(hungry.status(), 422, "{}", hungry.text());
        assert!(hungry.detail().contains("the limit (--sql-memory)"), "{}", hungry.text());
        let served = served.again(settings(Limits::default()));
        for operators in [257, 200_000] {
            let deep = served.sql(&format!("SELECT 1{}", " + 1".repeat(operators))).await;
            assert_eq!(deep.status(), 400, "{}", deep.text());
            assert!(deep.detail().contains("256 operators"), "{}", deep.text());
        }
        let served = served.again(settings(Limits { rows: 3, ..Limits::default() }));
        let cut = served.sql("SELECT 1 AS a FROM polls").await;
        assert_eq!((cut.status(), cut.text().as_str()), (200, "a\n1\n1\n1\n"));
        let sentence = "cut off after 3 rows, the limit (--sql-rows, max_rows)";
        assert_eq!(cut.header("uptally-cut"), sentence);
        assert_eq!(served.sql("SELECT 1 AS a FROM polls LIMIT 3").await.header("uptally-cut"), "");
        // A client may ask for less, and for no more.
        for (wish, rows) in [(2, 2), (9, 3)] {
            let body = json!({ "sql": "SELECT 1 AS a FROM polls", "max_rows": wish }).to_string();
            assert_eq!(served.sql(&body).await.text().lines().count(), 1 + rows, "{wish}");
        }
        let served = served.again(settings(Limits::default()));
        let body = json!({ "sql": ENDLESS_JOIN, "timeout_ms": 50 }).to_string();
        let slow = served.sql(&body).await;
        assert!(slow.detail().contains("50ms, the limit of time"), "{}", slow.text());
    });
}

/// Rows that are more than the first part of an answer.
pub const LONG: &str = "SELECT repeat('x', 1000) AS a, value AS b FROM range(0, 1000000)";

#[test]
fn a_cut_that_comes_late_is_noted_behind_the_last_row() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for format in Format::ALL.into_iter().filter(|format| !format.is_binary()) {
            let name = format.name();
            let body = json!({ "sql": LONG, "max_rows": 9000, "format": name }).to_string();
            let answer = served.sql(&body).await;
            let text = answer.text();
            assert_eq!(
                (answer.status(), answer.header("uptally-cut").is_empty()),
                (200, format != Format::Table)
            );
            let end = &text[text.len() - 120..];
            let is_noted = end.contains("cut off after 9000 rows");
            assert_eq!(is_noted, format != Format::Table, "{format}: {end}");
        }
        let body = json!({ "sql": LONG, "max_rows": 9000, "format": "parquet" }).to_string();
        let answer = served.sql(&body).await;
        assert!(answer.bytes().ends_with(b"PAR1"));
    });
}

#[test]
fn the_same_question_of_the_same_data_is_not_answered_twice() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let count = path_of("SELECT count(*) AS stores FROM stores");
        let first = served.get(&count).await;
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with("W/\"") && first.header("vary") == "Accept", "{etag}");
        let known = format!("if-none-match: {etag}");
        let again = served.ask("GET", &count, &[&known], "").await;
        assert_eq!(
            (again.status(), again.text().as_str(), again.header("etag")),
            (304, "", etag.as_str())
        );
        for other in [
            path_of("SELECT count(*) AS others FROM stores"),
            format!("{count}&format=json"),
            format!("{count}&max_rows=5"),
        ] {
            let answer = served.ask("GET", &other, &[&known], "").await;
            assert_eq!(answer.status(), 200, "{other}");
            assert_ne!(answer.header("etag"), etag, "{other}");
        }
        // What may differ each time, and what is asked by POST, is always answered.
        for open in ["SELECT now() AS a", "SELECT random() AS a", "SELECT count(*) FROM reports"] {
            assert_eq!(served.get(&path_of(open)).await.header("etag"), "", "{open}");
        }
        assert_eq!(served.sql("SELECT 1 AS a").await.header("etag"), "");
        let file = served.data.path().join("more.csv");
        std::fs::write(
            &file,
            "store_id,status,timestamp_utc\nnew,active,2023-01-25 00:00:00 UTC\n",
        )
        .unwrap();
        ingest(served.data.path(), &[&file]).await.unwrap();
        let after = served.ask("GET", &count, &[&known], "").await;
        assert_eq!((after.status(), after.text().as_str()), (200, "stores\n41\n"));
        let before = served.ask("GET", &format!("{count}&version=1"), &[&known], "").await;
        assert_eq!(before.status(), 304);
    });
}

#[test]
fn reports_are_tables_here_and_without_a_server() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let rows = "SELECT * FROM report_rows";
        assert_eq!(served.sql("SELECT count(*) AS a FROM reports").await.text(), "a\n0\n");
        assert_eq!(served.sql(rows).await.text().lines().count(), 1);
        let (printed, exact) =
            (served.finished("").await, served.finished(r#"{"exact": true}"#).await);
        let states =
            "SELECT report_id, state, stores, data_version FROM reports ORDER BY created_at";
        let expected = format!(
            "report_id,state,stores,data_version\n{printed},complete,40,1\n{exact},complete,40,1\n"
        );
        assert_eq!(served.sql(states).await.text(), expected);
        let figures = "store_id, uptime_last_hour, uptime_last_day, uptime_last_week, downtime_last_hour, downtime_last_day, downtime_last_week";
        let of = |id: &str| {
            format!("SELECT {figures} FROM report_rows WHERE report_id = '{id}' ORDER BY store_id")
        };
        for id in [&printed, &exact] {
            assert_eq!(served.sql(&of(id)).await.text(), csv_of_sample());
        }
        let data = served.data.path().to_str().unwrap();
        let here = || uptally(["sql", "--data", data, states]).output().unwrap();
        let held = here();
        let said = String::from_utf8(held.stderr).unwrap();
        assert!(!held.status.success() && said.contains("a server has them open"), "{said}");
        served.service.close();
        assert_eq!(String::from_utf8(here().stdout).unwrap(), expected);
        let figures = uptally(["sql", "--data", data, &of(&exact)]).output().unwrap();
        assert_eq!(String::from_utf8(figures.stdout).unwrap(), csv_of_sample());
    });
}
