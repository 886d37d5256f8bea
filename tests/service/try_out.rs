//! "Try it out" in `/docs`: each operation as Swagger UI fills it in, sent as it stands.

use serde_json::Value;
use tempfile::TempDir;
use uptally::internals::server::{Keyring, Role, Settings, key_file};

use super::{Answer, Served};
use crate::harness::{block_on, ingest};

/// A request with nothing added by a person.
struct Prefilled {
    target: String,
    headers: Vec<String>,
    body: String,
}

/// The schema behind a reference, and of alternatives the first one.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = match schema["$ref"].as_str() {
        Some(pointer) => document.pointer(pointer.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let first =
        [&schema["oneOf"][0], &schema["anyOf"][0]].into_iter().find(|first| !first.is_null());
    first.map_or(schema, |first| resolved(document, first))
}

/// Value that Swagger UI 5 prefills for a parameter.
fn filled_in(document: &Value, parameter: &Value) -> Option<String> {
    let schema = resolved(document, &parameter["schema"]);
    let only = if parameter["required"] == true { &schema["enum"][0] } else { &Value::Null };
    let values = [&parameter["example"], &schema["example"], &schema["default"], only];
    let value = values.into_iter().find(|value| !value.is_null())?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn encoded(text: &str) -> String {
    let pairs = [("", text)];
    serde_urlencoded::to_string(pairs).unwrap()[1..].replace('+', "%20")
}

/// The operation's requests, one for each kind of body; `Err` names what a person has to fill in.
fn prefilled(document: &Value, path: &str, operation: &Value) -> Result<Vec<Prefilled>, String> {
    let mut target = path.to_owned();
    let mut query = Vec::new();
    let mut headers = Vec::new();
    for parameter in operation["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let Some(value) = filled_in(document, parameter) else {
            if parameter["required"] == true {
                let description = parameter["description"].as_str().unwrap();
                return Err(format!("{name}: {description}"));
            }
            continue;
        };
        match parameter["in"].as_str().unwrap() {
            "path" => target = target.replace(&format!("{{{name}}}"), &encoded(&value)),
            "query" => query.push(format!("{name}={}", encoded(&value))),
            _ => headers.push(format!("{name}: {value}")),
        }
    }
    // A browser takes such a segment for a step to another path.
    assert!(!target.split('/').any(|segment| [".", ".."].contains(&segment)), "{target}");
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let successes = operation["responses"].as_object().unwrap().iter();
    let success = successes.filter(|(status, _)| status.starts_with('2')).map(|(_, told)| told);
    let kinds = success.filter_map(|told| told["content"].as_object()?.keys().next()).next();
    headers.extend(kinds.map(|kind| format!("accept: {kind}")));
    let Some(bodies) = operation["requestBody"]["content"].as_object() else {
        return Ok(vec![Prefilled { target, headers, body: String::new() }]);
    };
    let of_kind = |(kind, told): (&String, &Value)| {
        let mut headers = headers.clone();
        headers.push(format!("content-type: {kind}"));
        let description = &operation["requestBody"]["description"];
        let body = body(document, kind, told).ok_or_else(|| format!("{kind}: {description}"))?;
        Ok(Prefilled { target: target.clone(), headers, body })
    };
    bodies.iter().filter(|(kind, _)| *kind != "multipart/form-data").map(of_kind).collect()
}

fn body(document: &Value, kind: &str, told: &Value) -> Option<String> {
    if kind != "application/x-www-form-urlencoded" {
        // Without an example Swagger UI makes one up of the schema, which nothing answers.
        return match &told["example"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            example => Some(example.to_string()),
        };
    }
    let fields = told["schema"]["properties"].as_object().unwrap();
    let pair = |(name, schema): (&String, &Value)| {
        let value = resolved(document, schema)["example"].as_str()?;
        Some(format!("{name}={}", encoded(value)))
    };
    Some(fields.iter().map(pair).collect::<Option<Vec<_>>>()?.join("&"))
}

/// Every operation with its answers, one for each kind of body, or what it needs a person for.
async fn tried_out(served: &Served) -> Vec<(String, Result<Vec<Answer>, String>)> {
    let document = served.get("/openapi.json").await.json();
    let mut tried = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            let requests = prefilled(&document, path, operation);
            let answers = match requests {
                Ok(requests) => {
                    let mut answers = Vec::new();
                    for request in requests {
                        let headers: Vec<_> = request.headers.iter().map(String::as_str).collect();
                        let method = method.to_uppercase();
                        answers.push(
                            served.ask(&method, &request.target, &headers, &request.body).await,
                        );
                    }
                    Ok(answers)
                }
                Err(needed) => Err(needed),
            };
            tried.push((name, answers));
        }
    }
    tried
}

#[track_caller]
fn succeeded(chain: &str, name: &str, answers: &[Answer]) {
    for answer in answers {
        let status = answer.status();
        // The older services' clients have no way to say which instant they look back from.
        let is_without_now = chain == "never polled"
            && (name.ends_with("/trigger_report") || name.ends_with("/trigger-report"))
            && answer.detail().contains("no poll to look back from");
        let is_ok = (200..300).contains(&status) || is_without_now;
        assert!(is_ok, "{chain}: {name}: {status} {}", answer.text());
    }
}

async fn chain(files: &[(&str, &str)]) -> Served {
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    ingest(data.path(), &[folder.path()]).await.unwrap();
    Served::over(data, Settings::default())
}

const POLLS: &str = "store_id,timestamp_utc,status\n\
     a/b ?#%é,2024-02-29 10:00:00 UTC,active\n\
     ..,2024-02-29 11:00:00 UTC,inactive\n";
const HOURS: &str = "store_id,day_of_week,start_time_local,end_time_local\n\
     never,0,09:00,17:00\n";
const ZONES: &str = "store_id,timezone_str\nnever,Asia/Kolkata\n";

async fn chains() -> [(&'static str, Served); 4] {
    let plain = POLLS.replace("..", "plain7");
    [
        ("sample", Served::with(Settings::default()).await),
        ("odd ids", chain(&[("polls.csv", POLLS)]).await),
        (
            "other ids",
            chain(&[("polls.csv", &plain), ("hours.csv", HOURS), ("zones.csv", ZONES)]).await,
        ),
        ("never polled", chain(&[("hours.csv", HOURS), ("zones.csv", ZONES)]).await),
    ]
}

#[test]
fn prefilled_requests_of_the_docs_succeed_over_any_data() {
    block_on(async {
        for (chain, served) in chains().await {
            // Nobody asked for a report yet, so that there is none to name.
            for (name, tried) in tried_out(&served).await {
                match tried {
                    Ok(answers) => succeeded(chain, &name, &answers),
                    Err(needed) => {
                        let wheres = ["/trigger_report`", "/v1/reports`", "/get_report/{id}`"];
                        let says_where = wheres.iter().any(|place| needed.contains(place));
                        assert!(says_where, "{chain}: {name} needs {needed}");
                    }
                }
            }
            let now =
                if chain == "never polled" { r#"{"now": "2024-03-01T00:00:00Z"}"# } else { "" };
            served.finished(now).await;
            for (name, tried) in tried_out(&served).await {
                match tried {
                    Ok(answers) => succeeded(chain, &name, &answers),
                    // Nobody forgets a report by trying things out.
                    Err(needed) => {
                        assert_eq!(name, "DELETE /v1/reports/{id}", "{chain}: needs {needed}");
                        assert!(needed.contains("`GET /v1/reports` lists them"), "{needed}");
                    }
                }
            }
        }
    });
}

#[test]
fn the_main_call_is_prefilled_with_a_report_and_not_with_a_plan() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let tried = tried_out(&served).await;
        let of = |wanted: &str| {
            let found = tried.iter().find(|(name, _)| name == wanted).unwrap();
            &found.1.as_ref().unwrap()[0]
        };
        assert_eq!(of("POST /v1/reports").status(), 202);
        for asked in ["POST /v1/sql", "GET /v1/sql"] {
            assert_eq!(of(asked).json().as_array().unwrap().len(), 10, "{asked}");
        }
    });
}

/// The document contains no ids for clients without read access.
#[test]
fn examples_name_nothing_of_the_data_to_clients_without_a_key() {
    block_on(async {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("keys");
        let key = key_file::add(&file, Role::Read, None, "").unwrap().secret;
        let served = Served::with(Settings::default()).await;
        served.finished("").await;
        let settings =
            Settings { keys: Some(Keyring::open(&file).unwrap()), ..Settings::default() };
        let served = served.again(settings);
        let document = served.get("/openapi.json").await;
        assert_eq!(document.status(), 200);
        let first = "1177941416522642976";
        assert!(!document.text().contains(first));
        let header = format!("x-api-key: {key}");
        let document = served.ask("GET", "/openapi.json", &[&header], "").await.text();
        assert!(document.contains(first));
        let header = "x-api-key: made-up";
        assert!(!served.ask("GET", "/openapi.json", &[header], "").await.text().contains(first));
    });
}
