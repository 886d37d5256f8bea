//! The legacy API in the document.

use serde_json::{Value, json};

use super::super::routes::{Endpoint, Route};
use super::examples::Examples;
use super::operation::{
    Operation, answer, described, named, one_of, operation, query, report_id, required, text, uuid,
};
use super::problem;
use crate::report::Format;
use warp::http::Method;

const ID_DESCRIPTION: &str = "Id of a report, from `/trigger_report`";

pub fn describe(route: &Route, examples: &Examples) -> Operation {
    let told = |summary, parameters, answer: Value| {
        let missing =
            [("404", problem("No such report")), ("410", problem("The report has expired"))];
        operation(
            "older clients",
            summary,
            parameters,
            [("200", answer)].into_iter().chain(missing),
        )
    };
    let status_or_csv = || {
        answer(
            "Progress, or the report",
            &[
                (Format::Json.media_type(), named("Status")),
                (Format::Csv.media_type(), text()),
                ("text/plain", text()),
            ],
        )
    };
    match route.endpoint {
        Endpoint::ReportDashed | Endpoint::ReportByPath => told(
            "Progress of a report, or the report",
            vec![
                report_id(examples),
                query("format", one_of(&[Format::Csv.name(), Format::Json.name()])),
            ],
            status_or_csv(),
        ),
        Endpoint::ReportByName => {
            let id = examples.report.map(|id| id.to_string());
            let in_query = query("report_id", uuid());
            let in_query = match route.method == Method::GET {
                true => required(in_query, ID_DESCRIPTION, id.as_deref()),
                false => described(in_query, "Instead of the body"),
            };
            Operation {
                body: Some(body(id.as_deref())),
                ..told(
                    "Progress of a report, or the report; the id in the query, a form or JSON",
                    vec![in_query],
                    status_or_csv(),
                )
            }
        }
        Endpoint::DownloadByPath => {
            let name = examples.report.map(|id| format!("reports/store_report_{id}.csv"));
            let path = required(
                query("file_path", text()),
                "The `filepath` that `GET /get_report/{id}` returns to clients that want JSON",
                name.as_deref(),
            );
            let mut told = told(
                "Report by the file name of an earlier response",
                vec![path],
                answer("The report", &[("text/csv", text())]),
            );
            told.responses.insert("409".into(), problem("The report is not complete yet"));
            told
        }
        _ => {
            let mut answer = answer("Id of the report", &[("application/json", named("ReportId"))]);
            answer["links"] = json!({
                "get_report/{id}": link("get_ReportByPath", "path.id"),
                "get-report/{id}": link("get_ReportDashed", "path.id"),
                "get_report": link("get_ReportByName", "query.report_id"),
            });
            let summary = "Trigger a report without options";
            operation("older clients", summary, vec![], [("200", answer)])
        }
    }
}

/// Swagger UI fills forms in field by field, so that each field has an example.
fn body(id: Option<&str>) -> Value {
    let mut field = uuid();
    field["description"] = json!(ID_DESCRIPTION);
    let mut json = json!({ "schema": named("ReportId") });
    if let Some(id) = id {
        field["example"] = json!(id);
        json["example"] = json!({ "report_id": id });
    }
    let form = json!({ "schema": {
        "type": "object", "required": ["report_id"], "properties": { "report_id": field },
    }});
    json!({
        "description": ID_DESCRIPTION,
        "content": {
            "application/x-www-form-urlencoded": form,
            "multipart/form-data": form,
            "application/json": json,
        },
    })
}

/// Link from the id in a response to the operation that takes it.
fn link(operation: &str, parameter: &str) -> Value {
    json!({ "operationId": operation, "parameters": { parameter: "$response.body#/report_id" } })
}
