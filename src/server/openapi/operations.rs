//! Parameters and responses of each endpoint, beyond its line among the routes.
//!
//! Only required parameters have an example: Swagger UI fills examples in, and all of them together
//! must make a valid request.

use serde_json::{Map, Value, json};

use super::super::routes::{Endpoint, Route};
use super::examples::Examples;
use super::{legacy_operations, report_operations, sql_operation, store_operations};

pub struct Operation {
    pub tag: &'static str,
    pub summary: &'static str,
    pub note: Option<String>,
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    pub responses: Map<String, Value>,
}

pub fn describe(route: &Route, examples: &Examples) -> Operation {
    match route.endpoint {
        Endpoint::TriggerDashed
        | Endpoint::TriggerUnderscored
        | Endpoint::ReportDashed
        | Endpoint::ReportByName
        | Endpoint::ReportByPath
        | Endpoint::DownloadByPath => legacy_operations::describe(route, examples),
        Endpoint::CreateReport
        | Endpoint::ListReports
        | Endpoint::ShowReport
        | Endpoint::DownloadReport
        | Endpoint::DeleteReport => report_operations::describe(route.endpoint, examples),
        Endpoint::ListStores
        | Endpoint::Uptime
        | Endpoint::Timeline
        | Endpoint::Incidents
        | Endpoint::Hours
        | Endpoint::Explain => store_operations::describe(route.endpoint, examples),
        Endpoint::Sql => sql_operation::describe(route),
        _ => service_operation(route.endpoint),
    }
}

fn service_operation(endpoint: Endpoint) -> Operation {
    let told =
        |summary, parameters, answer| operation("service", summary, parameters, [("200", answer)]);
    let kind = |media_type, schema| answer("As asked", &[(media_type, schema)]);
    let object = || json!({ "type": "object" });
    match endpoint {
        Endpoint::Versions => told(
            "Loads, newest first",
            vec![query("limit", number(1, 1000))],
            kind("application/json", named("Versions")),
        ),
        Endpoint::Livez => {
            told("Liveness: the process responds", vec![], kind("application/json", object()))
        }
        Endpoint::Readyz => told(
            "Readiness: data can be read, and triggers recorded",
            vec![],
            kind("application/json", object()),
        ),
        Endpoint::Metrics => told(
            "Prometheus metrics: counts and durations",
            vec![],
            kind("application/openmetrics-text", text()),
        ),
        Endpoint::OpenApi => told(
            "This document; its examples name a store and a report of the data, if the client may read it",
            vec![],
            kind("application/json", object()),
        ),
        Endpoint::DocsAsset => {
            let file = parameter("path", "file", json!({ "type": "string", "minLength": 1 }));
            let file =
                required(file, "Name of a file that `/docs` refers to", Some("swagger-ui.css"));
            let any = answer("A file of the docs", &[("*/*", text())]);
            told("File of the docs page", vec![file], any)
        }
        _ => told("Interactive docs", vec![], kind("text/html", text())),
    }
}

pub fn operation(
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    answers: impl IntoIterator<Item = (&'static str, Value)>,
) -> Operation {
    let responses = answers.into_iter().map(|(status, answer)| (status.to_owned(), answer));
    let responses = responses.collect();
    Operation { tag, summary, note: None, parameters, body: None, responses }
}

pub fn answer(description: &str, kinds: &[(&str, Value)]) -> Value {
    let content: Map<_, _> = kinds
        .iter()
        .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
        .collect();
    json!({ "description": description, "content": content })
}

pub fn parameter(place: &str, name: &str, schema: Value) -> Value {
    json!({ "in": place, "name": name, "schema": schema })
}

pub fn query(name: &str, schema: Value) -> Value {
    parameter("query", name, schema)
}

/// Adds a sentence about the parameter's meaning or form.
pub fn described(mut parameter: Value, description: &str) -> Value {
    parameter["description"] = json!(description);
    parameter
}

/// Required parameter; the description says where to get a value, should there be no example.
pub fn required(parameter: Value, description: &str, example: Option<&str>) -> Value {
    let mut required = described(parameter, description);
    required["required"] = json!(true);
    if let Some(example) = example {
        required["example"] = json!(example);
    }
    required
}

/// Id of a report, in the path.
pub fn report_id(examples: &Examples) -> Value {
    let id = examples.report.map(|id| id.to_string());
    required(
        parameter("path", "id", uuid()),
        "Id of a report: `POST /v1/reports` returns one, `GET /v1/reports` lists them",
        id.as_deref(),
    )
}

pub fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub fn text() -> Value {
    json!({ "type": "string" })
}

pub fn number(least: i64, greatest: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": greatest })
}

pub fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// Reference to a schema of [`super::schemas`].
pub fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
