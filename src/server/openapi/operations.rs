//! What each endpoint takes and gives, beyond its line among the routes.

use serde_json::{Map, Value, json};

use super::super::jobs::KEYS_OF_REPORT_MAX;
use super::super::routes::Endpoint;
use super::problem;

pub struct Operation {
    pub tag: &'static str,
    pub summary: &'static str,
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    pub responses: Map<String, Value>,
}

pub fn of(endpoint: Endpoint) -> Operation {
    match endpoint {
        Endpoint::TriggerDashed
        | Endpoint::TriggerUnderscored
        | Endpoint::ReportDashed
        | Endpoint::ReportByName
        | Endpoint::ReportByPath
        | Endpoint::DownloadByPath => of_older_clients(endpoint),
        Endpoint::CreateReport
        | Endpoint::ListReports
        | Endpoint::ShowReport
        | Endpoint::DownloadReport
        | Endpoint::DeleteReport => of_reports(endpoint),
        Endpoint::Uptime
        | Endpoint::Timeline
        | Endpoint::Incidents
        | Endpoint::Hours
        | Endpoint::Explain => of_stores(endpoint),
        Endpoint::Sql => of_sql(),
        _ => of_service(endpoint),
    }
}

/// Whether asked by `GET` or by `POST`; the options of a body that is SQL stand in the query.
fn of_sql() -> Operation {
    let kinds = [
        ("text/csv", text()),
        ("application/json", json!({ "type": "array", "items": { "type": "object" } })),
        ("application/x-ndjson", text()),
        ("application/vnd.apache.parquet", text()),
        ("application/vnd.apache.arrow.file", text()),
        ("application/vnd.apache.arrow.stream", text()),
        ("text/markdown", text()),
        ("text/plain", text()),
    ];
    let mut rows = answer(
        "The rows. Where they are cut off, the header uptally-cut says so, or, where the first of them were sent before that was known, the last line, record or metadata uptally_cut.",
        &kinds,
    );
    rows["headers"] = json!({ "uptally-cut": { "schema": text() } });
    let formats: Vec<_> = crate::words::FORMATS.iter().map(|(word, _)| *word).collect();
    let known = json!({ "description": "The client has it already" });
    let asked = named("Question");
    Operation {
        body: Some(json!({ "required": true, "content": {
            "application/json": { "schema": asked },
            "application/sql": { "schema": text() },
            "text/plain": { "schema": text() },
        }})),
        ..operation(
            "sql",
            "Asks a question in SQL, read-only and within limits",
            vec![
                query("q", json!({ "type": "string", "examples": ["SELECT count(*) FROM polls"] })),
                query("params", json!({ "type": "string", "examples": ["[1, \"a\"]"] })),
                query("format", words(&formats)),
                query("timeout_ms", number(1, i64::MAX)),
                query("max_rows", number(0, i64::MAX)),
                query("version", number(1, i64::MAX)),
                parameter("header", "If-None-Match", text()),
            ],
            [
                ("200", rows),
                ("304", known),
                ("422", problem("The limit of time or of memory was met; the sentence names it")),
            ],
        )
    }
}

fn of_older_clients(endpoint: Endpoint) -> Operation {
    let told = |summary, parameters, answer: Value| {
        let missing = [("404", problem("No such report")), ("410", problem("It has expired"))];
        operation(
            "older clients",
            summary,
            parameters,
            [("200", answer)].into_iter().chain(missing),
        )
    };
    let status_or_csv = || {
        answer(
            "How far it is, or the report",
            &[("application/json", named("Status")), ("text/csv", text()), ("text/plain", text())],
        )
    };
    match endpoint {
        Endpoint::ReportDashed => told(
            "How far a report is, or the report",
            vec![id(), query("format", words(&["csv", "json"]))],
            status_or_csv(),
        ),
        Endpoint::ReportByName => Operation {
            body: Some(json!({ "content": {
                "application/x-www-form-urlencoded": { "schema": named("ReportId") },
                "multipart/form-data": { "schema": named("ReportId") },
                "application/json": { "schema": named("ReportId") },
            }})),
            ..told(
                "How far a report is, or the report; the id in the query, a form or JSON",
                vec![query("report_id", uuid())],
                status_or_csv(),
            )
        },
        Endpoint::ReportByPath => told(
            "How far a report is, or the report",
            vec![id(), query("format", words(&["csv", "json"]))],
            status_or_csv(),
        ),
        Endpoint::DownloadByPath => {
            let name = json!({ "type": "string", "examples": ["reports/store_report_….csv"] });
            let mut path = query("file_path", name);
            path["required"] = json!(true);
            let mut told = told(
                "The report whose name was given out",
                vec![path],
                answer("The report", &[("text/csv", text())]),
            );
            told.responses.insert("409".into(), problem("It is not complete"));
            told
        }
        _ => {
            let mut answer =
                answer("The id to ask with", &[("application/json", named("ReportId"))]);
            answer["links"] = json!({
                "get_report/{id}": link("get_ReportByPath", "path.id"),
                "get-report/{id}": link("get_ReportDashed", "path.id"),
                "get_report": link("get_ReportByName", "query.report_id"),
            });
            operation(
                "older clients",
                "Asks for the report without options",
                vec![],
                [("200", answer)],
            )
        }
    }
}

fn of_reports(endpoint: Endpoint) -> Operation {
    let told = |summary, parameters, answers: Vec<(&'static str, Value)>| {
        operation("reports", summary, parameters, answers)
    };
    let report = |description| answer(description, &[("application/json", named("Report"))]);
    let missing = || [("404", problem("No such report")), ("410", problem("It has expired"))];
    match endpoint {
        Endpoint::CreateReport => {
            let content = json!({ "application/json": { "schema": named("Ask") } });
            let plan = answer("The plan, where that was asked for", &[("text/plain", text())]);
            let key = json!({
                "type": "string", "minLength": 1, "maxLength": 255,
                "description": format!(
                    "Sent again with the same request, has the same report. Of each report the newest {KEYS_OF_REPORT_MAX} keys are remembered, for as long as it is kept."
                ),
            });
            Operation {
                body: Some(json!({ "content": content })),
                ..told(
                    "Asks for a report; the same question has the same id",
                    vec![parameter("header", "Idempotency-Key", key)],
                    vec![
                        ("200", plan),
                        ("202", report("The report that answers")),
                        ("422", problem("The key was given for something else")),
                        ("429", problem("Too many reports wait")),
                    ],
                )
            }
        }
        Endpoint::ListReports => told(
            "Reports, newest first",
            vec![
                query("limit", number(1, 200)),
                query("cursor", json!({ "type": "string", "pattern": "^[0-9a-f]{7,22}$" })),
            ],
            vec![("200", answer("A page", &[("application/json", named("ReportList"))]))],
        ),
        Endpoint::ShowReport => {
            let wait = json!({ "type": "string", "examples": ["30s"] });
            let prefer = json!({ "type": "string", "examples": ["wait=30"] });
            let answers = [("200", report("The report"))].into_iter().chain(missing());
            told(
                "How far a report is; held until it ends where the client would rather wait",
                vec![id(), query("wait", wait), parameter("header", "Prefer", prefer)],
                answers.collect(),
            )
        }
        Endpoint::DownloadReport => told_download(missing()),
        _ => {
            let gone = json!({ "description": "Cancelled, or forgotten where it had ended" });
            let answers = [("204", gone)].into_iter().chain(missing());
            told("Cancels a report, or forgets one that ended", vec![id()], answers.collect())
        }
    }
}

fn told_download(missing: [(&'static str, Value); 2]) -> Operation {
    let kinds = [
        ("text/csv", text()),
        ("application/json", json!({ "type": "array", "items": { "type": "object" } })),
        ("application/x-ndjson", text()),
        ("application/vnd.apache.parquet", text()),
        ("application/vnd.apache.arrow.file", text()),
        ("application/vnd.apache.arrow.stream", text()),
        ("text/plain", text()),
        ("text/markdown", text()),
    ];
    let format = words(&["csv", "json", "ndjson", "parquet", "arrow", "arrows", "txt", "md"]);
    let mut format = parameter("path", "format", format);
    format["required"] = json!(true);
    let header = |name| parameter("header", name, json!({ "type": "string" }));
    let known = json!({ "description": "The client has it already" });
    let answers = [
        ("200", answer("The report", &kinds)),
        ("206", answer("A part of it", &kinds)),
        ("304", known),
        ("409", problem("It is not complete")),
        ("416", problem("The part lies outside of it")),
    ];
    let headers = vec![header("If-None-Match"), header("Range"), header("If-Range")];
    operation(
        "reports",
        "The report as a file, also in part, packed with gzip or zstd where the client takes it",
        [id(), format].into_iter().chain(headers).collect(),
        answers.into_iter().chain(missing),
    )
}

fn of_stores(endpoint: Endpoint) -> Operation {
    let instant = || named("Instant");
    let mut parameters = vec![query("from", instant()), query("to", instant())];
    parameters.push(query("as_of", number(1, i64::MAX)));
    parameters.push(query("interpolation", words(&["previous", "nearest", "next"])));
    parameters.push(query("max_gap", named("Duration")));
    parameters.push(query("scope", words(&["all", "day", "interval"])));
    parameters.push(query("no_data", words(&["unknown", "down", "up"])));
    parameters.push(query("snap_end_of_day", json!({ "type": "boolean" })));
    parameters.push(query("default_hours", named("DefaultHours")));
    parameters.push(query("default_timezone", named("TimeZone")));
    let (summary, schema) = match endpoint {
        Endpoint::Uptime => {
            ("How long a store was up and down while it should have been open", "Uptime")
        }
        Endpoint::Timeline => ("A store's state at every instant", "Timeline"),
        Endpoint::Incidents => ("When a store was down", "Incidents"),
        Endpoint::Hours => ("When a store should have been open", "Hours"),
        _ => {
            ("Which poll, hours, zone rule and option made each stretch of a figure", "Explanation")
        }
    };
    let mut store = match endpoint {
        Endpoint::Explain => query("store", store_id()),
        _ => parameter("path", "id", store_id()),
    };
    store["required"] = json!(true);
    parameters.push(store);
    let answers = [
        ("200", answer(summary, &[("application/json", named(schema))])),
        ("404", problem("No such store")),
    ];
    operation("stores", summary, parameters, answers)
}

fn of_service(endpoint: Endpoint) -> Operation {
    let told =
        |summary, parameters, answer| operation("service", summary, parameters, [("200", answer)]);
    let kind = |media_type, schema| answer("As asked", &[(media_type, schema)]);
    let object = || json!({ "type": "object" });
    match endpoint {
        Endpoint::Versions => told(
            "What was loaded, newest first",
            vec![query("limit", number(1, 1000))],
            kind("application/json", named("Versions")),
        ),
        Endpoint::Livez => {
            told("Whether the process answers", vec![], kind("application/json", object()))
        }
        Endpoint::Readyz => {
            told("Whether there is data to report on", vec![], kind("application/json", object()))
        }
        Endpoint::Metrics => {
            told("Counts and times", vec![], kind("application/openmetrics-text", text()))
        }
        Endpoint::OpenApi => told("This document", vec![], kind("application/json", object())),
        Endpoint::DocsAsset => {
            let mut file = parameter("path", "file", json!({ "type": "string", "minLength": 1 }));
            file["required"] = json!(true);
            let any = answer("A file of the docs", &[("*/*", text())]);
            told("A file that the docs need", vec![file], any)
        }
        _ => told("These docs, to try out", vec![], kind("text/html", text())),
    }
}

fn operation(
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    answers: impl IntoIterator<Item = (&'static str, Value)>,
) -> Operation {
    let responses = answers.into_iter().map(|(status, answer)| (status.to_owned(), answer));
    Operation { tag, summary, parameters, body: None, responses: responses.collect() }
}

fn answer(description: &str, kinds: &[(&str, Value)]) -> Value {
    let content: Map<_, _> = kinds
        .iter()
        .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
        .collect();
    json!({ "description": description, "content": content })
}

/// Where the id that was answered leads to.
fn link(operation: &str, parameter: &str) -> Value {
    json!({ "operationId": operation, "parameters": { parameter: "$response.body#/report_id" } })
}

fn parameter(place: &str, name: &str, schema: Value) -> Value {
    json!({ "in": place, "name": name, "schema": schema })
}

fn query(name: &str, schema: Value) -> Value {
    parameter("query", name, schema)
}

/// The id of a report, in the path.
fn id() -> Value {
    let mut id = parameter("path", "id", uuid());
    id["required"] = json!(true);
    id
}

/// One of the sample's, so that the docs can be tried out on it.
fn store_id() -> Value {
    json!({ "type": "string", "minLength": 1, "examples": ["1177941416522642976"] })
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number(least: i64, greatest: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": greatest })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A schema of [`super::schemas`].
fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
