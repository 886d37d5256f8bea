//! The native report API in the document.

use serde_json::{Value, json};

use super::super::jobs::KEYS_OF_REPORT_MAX;
use super::super::routes::Endpoint;
use super::examples::Examples;
use super::operations::{
    Operation, answer, described, named, number, one_of, operation, parameter, query, report_id,
    required, text, uuid,
};
use super::problem;

pub fn describe(endpoint: Endpoint, examples: &Examples) -> Operation {
    let told = |summary, parameters, answers: Vec<(&'static str, Value)>| {
        operation("reports", summary, parameters, answers)
    };
    let report = |description| answer(description, &[("application/json", named("Report"))]);
    let missing = || [("404", problem("No such report")), ("410", problem("It has expired"))];
    match endpoint {
        Endpoint::CreateReport => created(examples, report("The report that answers")),
        Endpoint::ListReports => told(
            "Reports, newest first",
            vec![
                query("limit", number(1, 200)),
                described(
                    query("cursor", json!({ "type": "string", "pattern": "^[0-9a-f]{7,22}$" })),
                    "The `next_cursor` of the page before",
                ),
            ],
            vec![("200", answer("A page", &[("application/json", named("ReportList"))]))],
        ),
        Endpoint::ShowReport => {
            let wait = "How long to hold the answer while the report runs, like 30s; at most 60s";
            let prefer = "As `wait`, like wait=30";
            let answers = [("200", report("The report"))].into_iter().chain(missing());
            told(
                "How far a report is; held until it ends where the client would rather wait",
                vec![
                    report_id(examples),
                    described(query("wait", text()), wait),
                    described(parameter("header", "Prefer", text()), prefer),
                ],
                answers.collect(),
            )
        }
        Endpoint::DownloadReport => downloaded(examples, missing()),
        _ => {
            let gone = json!({ "description": "Cancelled, or forgotten where it had ended" });
            let answers = [("204", gone)].into_iter().chain(missing());
            // No example, so that nobody forgets a report by trying things out.
            let id = required(
                parameter("path", "id", uuid()),
                "Id of the report that is to go; `GET /v1/reports` lists them",
                None,
            );
            told("Cancels a report, or forgets one that ended", vec![id], answers.collect())
        }
    }
}

fn created(examples: &Examples, report: Value) -> Operation {
    let mut example = json!({ "columns": "extended", "max_gap": "2h" });
    if let Some(now) = &examples.now {
        example["now"] = json!(now);
    }
    let content =
        json!({ "application/json": { "schema": named("ReportRequest"), "example": example } });
    let plan = answer("The plan, where that was asked for", &[("text/plain", text())]);
    let key = json!({
        "type": "string", "minLength": 1, "maxLength": 255,
        "description": format!(
            "Sent again with the same request, has the same report. Of each report the newest {KEYS_OF_REPORT_MAX} keys are remembered, for as long as it is kept."
        ),
    });
    Operation {
        body: Some(json!({ "content": content })),
        ..operation(
            "reports",
            "Asks for a report; the same question has the same id",
            vec![parameter("header", "Idempotency-Key", key)],
            [
                ("200", plan),
                ("202", report),
                ("422", problem("The key was given for something else")),
                ("429", problem("Too many reports wait")),
            ],
        )
    }
}

fn downloaded(examples: &Examples, missing: [(&'static str, Value); 2]) -> Operation {
    let lines = || json!({ "type": "string", "description": UNITS });
    let kinds = [
        ("text/csv", lines()),
        ("application/json", json!({ "type": "array", "items": named("ReportRow") })),
        ("application/x-ndjson", lines()),
        ("application/vnd.apache.parquet", text()),
        ("application/vnd.apache.arrow.file", text()),
        ("application/vnd.apache.arrow.stream", text()),
        ("text/plain", lines()),
        ("text/markdown", lines()),
    ];
    let format = one_of(&["csv", "json", "ndjson", "parquet", "arrow", "arrows", "txt", "md"]);
    let format = required(parameter("path", "format", format), "Kind of file", Some("csv"));
    let header = |name| parameter("header", name, text());
    let known = json!({ "description": "The client has it already" });
    let mut file = answer("The report", &kinds);
    let name = "A name to save it under: uptally_CHAIN_NOW.csv, where NOW is like 20230125T180900Z";
    file["headers"] = json!({ "Content-Disposition": { "description": name, "schema": text() } });
    let answers = [
        ("200", file),
        ("206", answer("A part of it", &kinds)),
        ("304", known),
        ("409", problem("It is not complete")),
        ("416", problem("The part lies outside of it")),
    ];
    let headers = vec![header("If-None-Match"), header("Range"), header("If-Range")];
    Operation {
        note: Some(UNITS.to_owned()),
        ..operation(
            "reports",
            "The report as a file, also in part, packed with gzip or zstd where the client takes it",
            [report_id(examples), format].into_iter().chain(headers).collect(),
            answers.into_iter().chain(missing),
        )
    }
}

const UNITS: &str = "Times of the last hour are minutes, those of the last day and week hours, with two decimals; of a report that was asked for as `exact` all are whole microseconds.";
