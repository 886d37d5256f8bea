//! Parts of an operation: parameters, responses and schemas.

use serde_json::{Map, Value, json};

use super::examples::Examples;

pub struct Operation {
    pub tag: &'static str,
    pub summary: &'static str,
    pub note: Option<String>,
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    pub responses: Map<String, Value>,
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
