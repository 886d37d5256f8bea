//! The legacy API in the document.

use serde_json::{Value, json};

use super::examples::Examples;
use super::operation::{
    Operation, answer, described, named, one_of, operation, query, report_id, required, text, uuid,
};
use super::problem;
use crate::report::Format;
use warp::http::Method;

const ID_DESCRIPTION: &str = "Id of a report, from `/trigger_report`";

pub fn trigger() -> Operation {
    let mut answer = answer("Id of the report", &[("application/json", named("ReportId"))]);
    answer["links"] = json!({
        "get_report/{id}": link("get_ReportByPath", "path.id"),
        "get-report/{id}": link("get_ReportDashed", "path.id"),
        "get_report": link("get_ReportByName", "query.report_id"),
    });
    let summary = "Trigger a report without options";
    operation("older clients", summary, vec![], [("200", answer)])
}

pub fn by_path(examples: &Examples) -> Operation {
    let format = query("format", one_of(&[Format::Csv.name(), Format::Json.name()]));
    let summary = "Progress of a report, or the report";
    of_report(summary, vec![report_id(examples), format], status_or_csv())
}

pub fn by_name(method: &Method, examples: &Examples) -> Operation {
    let id = examples.report.map(|id| id.to_string());
    let in_query = query("report_id", uuid());
    let in_query = match *method == Method::GET {
        true => required(in_query, ID_DESCRIPTION, id.as_deref()),
        false => described(in_query, "Instead of the body"),
    };
    let summary = "Progress of a report, or the report; the id in the query, a form or JSON";
    Operation {
        body: Some(body(id.as_deref())),
        ..of_report(summary, vec![in_query], status_or_csv())
    }
}

pub fn download_by_path(examples: &Examples) -> Operation {
    let name = examples.report.map(|id| format!("reports/store_report_{id}.csv"));
    let path = required(
        query("file_path", text()),
        "The `filepath` that `GET /get_report/{id}` returns to clients that want JSON",
        name.as_deref(),
    );
    let csv = answer("The report", &[("text/csv", text())]);
    let mut told = of_report("Report by the file name of an earlier response", vec![path], csv);
    told.responses.insert("409".into(), problem("The report is not complete yet"));
    told
}

/// Operation on a report, which may be missing.
fn of_report(summary: &'static str, parameters: Vec<Value>, answer: Value) -> Operation {
    let missing = [("404", problem("No such report")), ("410", problem("The report has expired"))];
    operation("older clients", summary, parameters, [("200", answer)].into_iter().chain(missing))
}

fn status_or_csv() -> Value {
    answer(
        "Progress, or the report",
        &[
            (Format::Json.media_type(), named("Status")),
            (Format::Csv.media_type(), text()),
            ("text/plain", text()),
        ],
    )
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
