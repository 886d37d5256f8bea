//! `/v1/sql` in the document.

use serde_json::json;
use warp::http::Method;

use super::super::routes::Route;
use super::operation::{
    Operation, answer, described, named, number, one_of, operation, parameter, query, required,
    text,
};
use super::problem;
use crate::report::Format;

/// Query that any data answers.
const EXAMPLE: &str = "SELECT store_id, polls FROM stores ORDER BY store_id LIMIT 10";
const EXAMPLE_WITH_PARAMETER: &str =
    "SELECT store_id, polls FROM stores WHERE polls >= $1 ORDER BY store_id LIMIT 10";

/// Describes `/v1/sql`. A `GET` has the statement and options in its query. A `POST` has them in a
/// JSON body, or the statement as its body and the options in the query.
pub fn describe(route: &Route) -> Operation {
    let kinds = Format::ALL.map(|format| {
        let schema = match format {
            Format::Json => json!({ "type": "array", "items": { "type": "object" } }),
            _ => text(),
        };
        (format.media_type(), schema)
    });
    let mut rows = answer(
        "The rows. If they are truncated, the header uptally-cut says so; if the first rows were sent before that was known, the last line, record or metadata uptally_cut does.",
        &kinds,
    );
    rows["headers"] = json!({ "uptally-cut": { "schema": text() } });
    let params = described(
        query("params", text()),
        "Values of the parameters as JSON: an array for $1 and on, an object for $name",
    );
    let mut parameters = vec![
        params,
        query("format", one_of(&Format::ALL.map(Format::name))),
        described(query("timeout_ms", number(1, i64::MAX)), "Milliseconds"),
        query("max_rows", number(0, i64::MAX)),
        query("version", number(1, i64::MAX)),
        parameter("header", "If-None-Match", text()),
    ];
    if route.method == Method::GET {
        let q = query("q", json!({ "type": "string", "minLength": 1 }));
        parameters.insert(0, required(q, "SQL statement", Some(EXAMPLE)));
    }
    let body = json!({ "required": true, "content": {
        "application/json": {
            "schema": named("SqlRequest"),
            "example": { "sql": EXAMPLE_WITH_PARAMETER, "params": [0], "format": "json" },
        },
        "application/sql": { "schema": text(), "example": EXAMPLE },
        "text/plain": { "schema": text(), "example": EXAMPLE },
    }});
    let known = json!({ "description": "Not modified" });
    let answers = [
        ("200", rows),
        ("304", known),
        ("422", problem("The query exceeded its time or memory; the sentence names the limit")),
    ];
    let summary = "Run an SQL query, read-only and within limits";
    Operation {
        body: Some(body),
        note: Some(
            "Durations in columns of table functions, `open`, `up`, `down`, `unknown`, `longest` and `downtime`, are whole microseconds: `up / 60000000` is minutes."
                .to_owned(),
        ),
        ..operation("sql", summary, parameters, answers)
    }
}
