//! Request with an SQL query: its statement, parameter values, and the format of the rows.

use std::time::Duration;

use serde_json::{Map, Value};
use warp::http::Method;
use warp::http::header::ACCEPT;

use super::super::negotiate;
use super::super::problem::{Answer, Refusal};
use super::super::queries::SqlQuery;
use super::super::report_request::text;
use super::super::request::Request;
use crate::limits::Limits;
use crate::report::Format;

#[derive(Clone, Debug, PartialEq)]
pub struct SqlRequest {
    pub sql: String,
    /// An array for `$1`, an object for `$name`.
    pub params: Option<Value>,
    pub format: Format,
    pub time: Option<Duration>,
    pub rows: Option<usize>,
    pub version: Option<u64>,
}

impl SqlRequest {
    /// Reads the query of a `GET`; a body of SQL, with options in the query; or a body that is a
    /// JSON object.
    ///
    /// # Errors
    /// Names the unknown or malformed option.
    pub fn read(request: &Request) -> Answer<Self> {
        let mut fields = Map::new();
        for (name, value) in request.query.each()? {
            let name = if name == "q" { "sql" } else { name };
            fields.insert(name.to_owned(), value.into());
        }
        if request.method == Method::POST {
            let body = str::from_utf8(&request.body)
                .map_err(|_| Refusal::wrong("the body is not UTF-8"))?
                .trim();
            // No SQL statement begins like this.
            if body.starts_with('{') {
                match serde_json::from_str(body) {
                    Ok(Value::Object(given)) => fields.extend(given),
                    Ok(_) => return Err(Refusal::wrong("the body is JSON, but not an object")),
                    Err(error) => {
                        return Err(Refusal::wrong(format!("the body is not JSON: {error}")));
                    }
                }
            } else if !body.is_empty() {
                fields.insert("sql".to_owned(), body.into());
            }
        }
        let default_format = accepted_format(request);
        Self::from_fields(fields, default_format).map_err(Refusal::wrong)
    }

    fn from_fields(
        fields: Map<String, Value>,
        default_format: Format,
    ) -> std::result::Result<Self, String> {
        let (sql, params) = (String::new(), None);
        let mut request =
            Self { sql, params, format: default_format, time: None, rows: None, version: None };
        for (name, value) in fields {
            let placed = |wrong: String| format!("{name}: {wrong}");
            match name.as_str() {
                "sql" => request.sql = text(&value).map_err(placed)?.to_owned(),
                "params" => request.params = values(value).map_err(placed)?,
                "format" => {
                    let format = text(&value).and_then(str::parse::<Format>);
                    request.format = format.map_err(placed)?;
                }
                "timeout_ms" => {
                    request.time = Some(Duration::from_millis(integer(&value, 1).map_err(placed)?));
                }
                "max_rows" => {
                    let rows = integer(&value, 0).map_err(placed)?;
                    request.rows = Some(usize::try_from(rows).unwrap_or(usize::MAX));
                }
                "version" => request.version = Some(integer(&value, 1).map_err(placed)?),
                _ => {
                    return Err(format!(
                        "{name}: is not one of sql (q in a path), params, format, timeout_ms, max_rows, version"
                    ));
                }
            }
        }
        match request.sql.trim().is_empty() {
            true => {
                Err("expected a statement, as the body, as its field sql, or as ?q=".to_owned())
            }
            false => Ok(request),
        }
    }

    /// Query at a version of the data, within the limits.
    pub fn query(&self, version: u64, limits: Limits) -> SqlQuery {
        let query = SqlQuery::new(version, self.sql.as_str(), limits);
        match &self.params {
            Some(params) => query.with_json(params.clone()),
            None => query,
        }
    }
}

/// Format that `Accept` prefers; CSV if the client accepts anything.
fn accepted_format(request: &Request) -> Format {
    let offered: Vec<_> =
        Format::ALL.into_iter().filter(|format| *format != Format::Table).collect();
    let types: Vec<_> = offered.iter().map(|format| format.media_type()).collect();
    let accepted = request.header_list(ACCEPT);
    let preferred = negotiate::preferred(accepted.as_deref(), &types);
    let found = offered.into_iter().find(|format| Some(format.media_type()) == preferred);
    found.unwrap_or(Format::Csv)
}

/// Parses an integer, also from text, as a query string has it.
fn integer(value: &Value, least: u64) -> std::result::Result<u64, String> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let number = number.filter(|number| (least..=i64::MAX as u64).contains(number));
    number.ok_or_else(|| format!("expected a whole number from {least} on"))
}

/// Parses parameter values, also from JSON text, as a query string has it.
fn values(value: Value) -> std::result::Result<Option<Value>, String> {
    let value = match value {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| format!("is not JSON: {error}"))?
        }
        value => value,
    };
    let each: Vec<_> = match &value {
        Value::Null => return Ok(None),
        Value::Array(listed) => listed.iter().collect(),
        Value::Object(named) => named.values().collect(),
        _ => return Err("expected an array for $1 and on, or an object for $name".to_owned()),
    };
    match each.iter().find(|value| value.is_array() || value.is_object()) {
        Some(nested) => Err(format!("{nested} is not a text, a number, true, false or null")),
        None => Ok(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(fields: Value, expected: std::result::Result<SqlRequest, &str>) {
        let Value::Object(fields) = fields else { panic!("are fields") };
        assert_eq!(SqlRequest::from_fields(fields, Format::Csv), expected.map_err(str::to_owned));
    }

    fn asked(sql: &str) -> SqlRequest {
        let (sql, params) = (sql.to_owned(), None);
        SqlRequest { sql, params, format: Format::Csv, time: None, rows: None, version: None }
    }

    #[test]
    fn every_option_is_taken_as_json_and_as_text() {
        let whole = SqlRequest {
            params: Some(json!([1, "a", null])),
            format: Format::Markdown,
            time: Some(Duration::from_millis(500)),
            rows: Some(0),
            version: Some(3),
            ..asked("SELECT $1")
        };
        check(
            json!({ "sql": "SELECT $1", "params": [1, "a", null], "format": "markdown",
                "timeout_ms": 500, "max_rows": 0, "version": 3 }),
            Ok(whole.clone()),
        );
        check(
            json!({ "sql": "SELECT $1", "params": "[1, \"a\", null]", "format": "markdown",
                "timeout_ms": "500", "max_rows": "0", "version": "3" }),
            Ok(whole),
        );
        check(json!({ "sql": "SELECT 1" }), Ok(asked("SELECT 1")));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        check(json!({}), Err("expected a statement, as the body, as its field sql, or as ?q="));
        check(json!({ "sql": 5 }), Err("sql: 5 is not a text"));
        check(
            json!({ "sql": "SELECT 1", "timeout": 5 }),
            Err(
                "timeout: is not one of sql (q in a path), params, format, timeout_ms, max_rows, version",
            ),
        );
        check(
            json!({ "sql": "SELECT 1", "timeout_ms": 0 }),
            Err("timeout_ms: expected a whole number from 1 on"),
        );
        check(
            json!({ "sql": "SELECT 1", "max_rows": -1 }),
            Err("max_rows: expected a whole number from 0 on"),
        );
        check(
            json!({ "sql": "SELECT 1", "params": 5 }),
            Err("params: expected an array for $1 and on, or an object for $name"),
        );
        check(
            json!({ "sql": "SELECT 1", "params": [[1]] }),
            Err("params: [1] is not a text, a number, true, false or null"),
        );
    }
}
