//! Parameters and responses of each endpoint, beyond its line among the routes.
//!
//! Only required parameters have an example: Swagger UI fills examples in, and all of them together
//! must make a valid request.

use serde_json::{Value, json};

use super::super::routes::{Endpoint, Route};
use super::examples::Examples;
use super::operation::{
    Operation, answer, named, number, operation, parameter, query, required, text,
};
use super::{legacy_operations, report_operations, sql_operation, store_operations};

/// Describes the endpoint of a route. No arm is `_`: the compiler asks for each new endpoint.
pub fn describe(route: &Route, examples: &Examples) -> Operation {
    match route.endpoint {
        Endpoint::TriggerDashed | Endpoint::TriggerUnderscored => legacy_operations::trigger(),
        Endpoint::ReportDashed | Endpoint::ReportByPath => legacy_operations::by_path(examples),
        Endpoint::ReportByName => legacy_operations::by_name(&route.method, examples),
        Endpoint::DownloadByPath => legacy_operations::download_by_path(examples),
        Endpoint::CreateReport => report_operations::create(examples),
        Endpoint::ListReports => report_operations::list(),
        Endpoint::ShowReport => report_operations::show(examples),
        Endpoint::DownloadReport => report_operations::download(examples),
        Endpoint::DeleteReport => report_operations::delete(),
        Endpoint::ListStores => store_operations::list(),
        Endpoint::Uptime => store_operations::uptime(examples),
        Endpoint::Timeline => store_operations::timeline(examples),
        Endpoint::Incidents => store_operations::incidents(examples),
        Endpoint::Hours => store_operations::hours(examples),
        Endpoint::Explain => store_operations::explain(examples),
        Endpoint::Sql => sql_operation::describe(route),
        Endpoint::Versions => versions(),
        Endpoint::Livez => json_object("Liveness: the process responds"),
        Endpoint::Readyz => json_object("Readiness: data can be read, and triggers recorded"),
        Endpoint::Metrics => {
            let summary = "Prometheus metrics: counts and durations";
            service_operation(summary, vec![], "application/openmetrics-text", text())
        }
        Endpoint::OpenApi => json_object(
            "This document; its examples name a store and a report of the data, if the client may read it",
        ),
        Endpoint::Docs => service_operation("Interactive docs", vec![], "text/html", text()),
        Endpoint::DocsAsset => docs_asset(),
    }
}

fn service_operation(
    summary: &'static str,
    parameters: Vec<Value>,
    media_type: &str,
    schema: Value,
) -> Operation {
    let answer = answer("As asked", &[(media_type, schema)]);
    operation("service", summary, parameters, [("200", answer)])
}

fn json_object(summary: &'static str) -> Operation {
    service_operation(summary, vec![], "application/json", json!({ "type": "object" }))
}

fn versions() -> Operation {
    let limit = query("limit", number(1, 1000));
    service_operation("Loads, newest first", vec![limit], "application/json", named("Versions"))
}

fn docs_asset() -> Operation {
    let file = parameter("path", "file", json!({ "type": "string", "minLength": 1 }));
    let file = required(file, "Name of a file that `/docs` refers to", Some("swagger-ui.css"));
    let any = answer("A file of the docs", &[("*/*", text())]);
    operation("service", "File of the docs page", vec![file], [("200", any)])
}
