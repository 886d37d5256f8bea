//! `/openapi.json`: the API as an OpenAPI 3.1 document.
//!
//! Paths, methods and roles come from [`ROUTES`], so that no route can be missing; [`operations`]
//! adds what its lines do not tell. Examples exist in the data: a request that Swagger UI fills in
//! has an answer.

mod examples;
mod legacy_operations;
mod operation;
mod operations;
mod report_operations;
mod schemas;
mod sql_operation;
mod store_operations;

use serde_json::{Map, Value, json};
use warp::http::StatusCode;
use warp::reply::Response as Reply;

use self::examples::Examples;
use super::keys::ROLES;
use super::request::Request;
use super::routes::{ROUTES, Route};
use super::service::{Service, content};
use crate::rules::keyword::keyword;

pub async fn reply(service: &Service, request: &Request) -> Reply {
    let examples = Examples::read(service, request).await;
    content(StatusCode::OK, "application/json", document(&examples).to_string() + "\n")
}

fn document(examples: &Examples) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let of_path = paths.entry(route.path).or_insert_with(|| json!({}));
        of_path[route.method.as_str().to_lowercase()] = operation(route, examples);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "uptally",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "How long was each store of the chain up, and how long down, while it should have been open?\n\nFields that end in `_us`, and the columns `open`, `up`, `down`, `unknown`, `longest` and `downtime` in SQL, are microseconds. Instants are UTC unless `clock` says otherwise.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "tags": [
            { "name": "reports", "description": "Native report API" },
            { "name": "stores", "description": "List of stores, and figures of each over any range" },
            { "name": "sql", "description": "SQL queries" },
            { "name": "service", "description": "Health, metrics and documents" },
            { "name": "older clients", "description": "Report APIs of five older services" },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas::schemas(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
            },
        },
    })
}

fn operation(route: &Route, examples: &Examples) -> Value {
    let told = operations::describe(route, examples);
    // An endpoint may have several methods, but not several paths with the same method.
    let name = format!("{}_{:?}", route.method.as_str().to_lowercase(), route.endpoint);
    let mut responses = told.responses;
    responses.insert("default".into(), problem("Sentence about the problem"));
    let mut operation = json!({
        "operationId": name,
        "tags": [told.tag],
        "summary": told.summary,
        "parameters": told.parameters,
        "responses": responses,
        "security": [],
    });
    let mut notes: Vec<_> = told.note.into_iter().collect();
    if let Some(role) = route.role {
        operation["security"] = json!([{ "bearer": [] }, { "key": [] }, {}]);
        notes
            .push(format!("If the server has keys, this needs the role {}.", keyword(ROLES, role)));
    }
    if !notes.is_empty() {
        operation["description"] = json!(notes.join(" "));
    }
    if let Some(body) = told.body.filter(|_| route.takes_body) {
        operation["requestBody"] = body;
    }
    operation
}

fn problem(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": schema } },
    })
}
