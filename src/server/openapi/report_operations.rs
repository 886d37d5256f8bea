//! The native report API in the document.

use serde_json::{Value, json};

use super::super::jobs::KEYS_OF_REPORT_MAX;
use super::examples::Examples;
use super::operation::{
    Operation, answer, described, named, number, one_of, operation, parameter, query, report_id,
    required, text, uuid,
};
use super::problem;
use crate::report::Format;

pub fn list() -> Operation {
    let cursor = query("cursor", json!({ "type": "string", "pattern": "^[0-9a-f]{7,22}$" }));
    let parameters = vec![
        query("limit", number(1, 200)),
        described(cursor, "`next_cursor` of the previous page"),
    ];
    let page = answer("A page", &[("application/json", named("ReportList"))]);
    operation("reports", "Reports, newest first", parameters, [("200", page)])
}

pub fn show(examples: &Examples) -> Operation {
    let wait = "Time to hold the response while the report runs, like 30s; at most 60s";
    let prefer = "Like `wait`: wait=30";
    operation(
        "reports",
        "Progress of a report; with `wait`, the response is held until it ends",
        vec![
            report_id(examples),
            described(query("wait", text()), wait),
            described(parameter("header", "Prefer", text()), prefer),
        ],
        [("200", report())].into_iter().chain(missing()),
    )
}

pub fn delete() -> Operation {
    let gone = json!({ "description": "Cancelled, or forgotten if it had ended" });
    // No example, so that nobody forgets a report by trying things out.
    let id = required(
        parameter("path", "id", uuid()),
        "Id of the report to remove; `GET /v1/reports` lists them",
        None,
    );
    let answers = [("204", gone)].into_iter().chain(missing());
    operation("reports", "Cancel a report, or forget a finished one", vec![id], answers)
}

fn report() -> Value {
    answer("The report", &[("application/json", named("Report"))])
}

fn missing() -> [(&'static str, Value); 2] {
    [("404", problem("No such report")), ("410", problem("The report has expired"))]
}

pub fn create(examples: &Examples) -> Operation {
    let mut example = json!({ "columns": "extended", "max_gap": "2h" });
    if let Some(now) = &examples.now {
        example["now"] = json!(now);
    }
    let content =
        json!({ "application/json": { "schema": named("ReportRequest"), "example": example } });
    let plan = answer("The plan, if `explain` is set", &[("text/plain", text())]);
    let key = json!({
        "type": "string", "minLength": 1, "maxLength": 255,
        "description": format!(
            "Repeating a request with this key returns the same report. The newest {KEYS_OF_REPORT_MAX} keys of each report are remembered for as long as it is kept."
        ),
    });
    Operation {
        body: Some(json!({ "content": content })),
        ..operation(
            "reports",
            "Trigger a report; equal requests share a report",
            vec![parameter("header", "Idempotency-Key", key)],
            [
                ("200", plan),
                ("202", report()),
                ("422", problem("The key came with a different request")),
                ("429", problem("Too many reports are queued")),
            ],
        )
    }
}

pub fn download(examples: &Examples) -> Operation {
    let lines = || json!({ "type": "string", "description": UNITS });
    let kinds = Format::ALL.map(|format| {
        let schema = match format {
            Format::Json => json!({ "type": "array", "items": named("ReportRow") }),
            format if format.is_binary() => text(),
            _ => lines(),
        };
        (format.media_type(), schema)
    });
    let format = one_of(&Format::ALL.map(Format::ending));
    let format =
        required(parameter("path", "format", format), "File format", Some(Format::Csv.ending()));
    let header = |name| parameter("header", name, text());
    let known = json!({ "description": "Not modified" });
    let mut file = answer("The report", &kinds);
    let name = "File name: uptally_CHAIN_NOW.csv, where NOW is like 20230125T180900Z";
    file["headers"] = json!({ "Content-Disposition": { "description": name, "schema": text() } });
    let answers = [
        ("200", file),
        ("206", answer("The requested range", &kinds)),
        ("304", known),
        ("409", problem("The report is not complete yet")),
        ("416", problem("The range lies outside the file")),
    ];
    let headers = vec![header("If-None-Match"), header("Range"), header("If-Range")];
    Operation {
        note: Some(UNITS.to_owned()),
        ..operation(
            "reports",
            "Download a report or a range of it, compressed with gzip or zstd if the client accepts that",
            [report_id(examples), format].into_iter().chain(headers).collect(),
            answers.into_iter().chain(missing()),
        )
    }
}

const UNITS: &str = "Times of the last hour are in minutes, those of the last day and week in hours, with two decimals; with `exact` all are whole microseconds.";
