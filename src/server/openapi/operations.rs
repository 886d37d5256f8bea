//! Parameters and responses of each endpoint, beyond its line among the routes.
//!
//! Only required parameters have an example: Swagger UI fills examples in, and all of them together
//! must make a valid request.

use serde_json::json;

use super::super::routes::{Endpoint, Route};
use super::examples::Examples;
use super::operation::{
    Operation, answer, named, number, operation, parameter, query, required, text,
};
use super::{legacy_operations, report_operations, sql_operation, store_operations};

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
