//! `/openapi.json` and `/docs` must match the routes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uptally::internals::rules::ReportOption;
use uptally::internals::server::ROUTES;

use super::{Served, waiting};
use crate::harness::block_on;

#[test]
fn the_document_has_every_route_and_every_route_is_in_the_document() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let document = served.get("/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let (mut described, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                described.insert((method.to_uppercase(), path.clone()));
                check_operation(path, operation, &document);
                let name = operation["operationId"].as_str().unwrap().to_owned();
                assert!(names.insert(name), "{path}: {} is there twice", operation["operationId"]);
            }
        }
        for linked in document.to_string().split("\"operationId\":\"").skip(1) {
            let name = linked.split('"').next().unwrap();
            assert!(names.contains(name), "{name} is linked to and not there");
        }
        let routes: BTreeSet<_> = ROUTES
            .iter()
            .map(|route| (route.method.as_str().to_owned(), route.path.to_owned()))
            .collect();
        assert_eq!(described, routes);
        assert_eq!(routes.len(), ROUTES.len(), "a route is there twice");
        // And each of them really answers: whatever it says, it is not that nothing is there.
        for (method, path) in &described {
            let path = path.replace("{id}", "x").replace("{format}", "csv").replace("{file}", "x");
            let answer = served.ask(method, &path, &[], "").await;
            let is_there = answer.status() != 405 && !answer.text().contains("there is nothing at");
            assert!(is_there, "{method} {path}: {}", answer.text());
        }
    });
}

#[test]
fn the_document_has_every_option_where_it_can_be_given() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let document = served.get("/openapi.json").await.json();
        let asked = &document["components"]["schemas"]["ReportRequest"]["properties"];
        let stores = ["uptime", "timeline", "incidents", "hours"];
        let paths = stores.map(|last| format!("/v1/stores/{{id}}/{last}"));
        for name in ReportOption::ALL.map(ReportOption::name) {
            assert!(asked[name].is_object(), "{name}");
            for path in paths.iter().map(String::as_str).chain(["/v1/explain"]) {
                let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
                let is_there = parameters.iter().any(|parameter| parameter["name"] == name);
                assert!(is_there, "{path}: {name}");
            }
        }
    });
}

fn check_operation(path: &str, operation: &Value, document: &Value) {
    let in_path: BTreeSet<_> =
        path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
    let parameters = operation["parameters"].as_array().unwrap();
    let told: BTreeSet<_> = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "path")
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, in_path, "{path}");
    let mut names = BTreeMap::new();
    for parameter in parameters {
        *names.entry(parameter["name"].as_str().unwrap()).or_insert(0) += 1;
    }
    assert!(names.values().all(|count| *count == 1), "{path}: {names:?}");
    let text = operation.to_string();
    for part in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", part.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some(), "{path}: {pointer} leads nowhere");
    }
}

#[test]
fn every_length_of_time_tells_its_unit() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let document = served.get("/openapi.json").await.json();
        let mut told = 0;
        for (schema, described) in document["components"]["schemas"].as_object().unwrap() {
            each_property(described, &mut |name, property| {
                let description = property["description"].as_str().unwrap_or_default();
                let units: &[&str] = match name {
                    name if name.ends_with("_us") => &["microseconds"],
                    name if name.ends_with("_ms") => &["Milliseconds"],
                    name if name.ends_with("time_last_hour") => &["minutes", "microseconds"],
                    name if name.ends_with("time_last_day") || name.ends_with("time_last_week") => {
                        &["hours", "microseconds"]
                    }
                    _ => return,
                };
                told += 1;
                for unit in units {
                    assert!(description.contains(unit), "{schema}.{name}: {description}");
                }
            });
        }
        assert!(told >= 16, "{told}");
        let sql = document["paths"]["/v1/sql"]["get"]["description"].as_str().unwrap();
        assert!(sql.contains("`up`") && sql.contains("microseconds"), "{sql}");
    });
}

fn each_property(schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        look(name, property);
        each_property(property, look);
        each_property(&property["items"], look);
    }
}

#[test]
fn a_slash_too_many_leads_to_the_path_without_it() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (method, path, to) in [
            ("GET", "/docs/", "/docs"),
            ("HEAD", "/docs/", "/docs"),
            ("GET", "/docs//", "/docs"),
            ("GET", "/v1/stores/?limit=1&q=a%20b", "/v1/stores?limit=1&q=a%20b"),
            ("POST", "/v1/reports/", "/v1/reports"),
            ("GET", "/v1/stores/a%2Fb%0D%0A/hours/", "/v1/stores/a%2Fb%0D%0A/hours"),
            ("GET", "/livez/", "/livez"),
        ] {
            let answer = served.ask(method, path, &[], "").await;
            assert_eq!((answer.status(), answer.header("location")), (308, to), "{method} {path}");
        }
        for path in ["/", "//docs/", "//example.org/", "/v1/", "/docs/x/y/"] {
            let answer = served.get(path).await;
            assert_eq!((answer.status(), answer.header("location")), (404, ""), "{path}");
            assert!(answer.detail().ends_with("; /docs lists every path"), "{}", answer.detail());
        }
    });
}

#[test]
fn the_docs_need_nothing_from_outside() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let page = served.get("/docs").await;
        assert_eq!((page.status(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let text = page.text();
        let files: Vec<_> = text
            .split(['"'])
            .filter(|part| part.starts_with('/') || part.starts_with("http"))
            .collect();
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            let asset = served.get(file).await;
            assert_eq!(asset.status(), 200, "{file}");
            assert!(!asset.bytes().is_empty());
        }
        assert!(served.get("/docs/swagger-initializer.js").await.text().contains("/openapi.json"));
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self'"), "{policy}");
        assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
        for nothing in ["/docs/x.js", "/docs/..%2Fkeys"] {
            assert_eq!(served.get(nothing).await.status(), 404, "{nothing}");
        }
    });
}
