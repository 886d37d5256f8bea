//! Request for a report: the options of `uptally report` under their JSON names.
//!
//! Knows neither jobs nor HTTP: it converts between JSON values and a [`ReportQuery`].

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::engine::{Engine, ReportQuery};
use crate::report::{Format, Layout};
use crate::rules::calendar::instant_text;
use crate::rules::instant::instant_us;
use crate::rules::keyword::{Keywords, keyword as word_of, parse_keyword};
use crate::rules::{Accepts, Options, ReportOption};

/// Most stores that a report may name.
pub const STORES_NAMED_MAX: usize = 10_000;

/// Flags of the command line that concern its machine, or loading.
const COMMAND_LINE_ONLY: [&str; 7] =
    ["data", "max_reject_rate", "output", "queries", "rejects", "threads", "zone_rules"];

/// Request for a report, before its version and *now* are fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReportRequest {
    /// Microseconds UTC; `None` for the latest poll of the data.
    pub now: Option<i64>,
    /// Version of the data; `None` for the newest.
    pub as_of: Option<u64>,
    pub engine: Engine,
    pub options: Options,
    /// Ascending and distinct; empty for all stores.
    pub stores: Vec<String>,
    pub layout: Layout,
    /// Format that the client means to download; it does not affect the figures.
    pub format: Format,
    /// Set if the plan is requested instead of the report.
    pub explain: bool,
}

impl ReportRequest {
    /// # Errors
    /// Names the unknown or malformed field, and states what is expected.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, String> {
        let mut request = Self::default();
        for (name, value) in fields {
            if !request.set(name, value).map_err(|wrong| format!("{name}: {wrong}"))? {
                return Err(unknown(name));
            }
        }
        Ok(request)
    }

    /// Sets an option; `false` if there is none of that name. `null` leaves the default.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<bool, String> {
        if value.is_null() {
            return Ok(is_option(name));
        }
        match name {
            "now" => self.now = Some(instant_us(&restore_plus(text(value)?))?),
            "as_of" => self.as_of = Some(version(value)?),
            "engine" => self.engine = keyword(Engine::KEYWORDS, value)?,
            "store" => self.stores = stores(value)?,
            "columns" => self.layout.extended = keyword(Layout::COLUMNS, value)?,
            "exact" => self.layout.exact = boolean(value)?,
            "format" => self.format = keyword(Format::KEYWORDS, value)?,
            "explain" => self.explain = boolean(value)?,
            _ => return set_option(&mut self.options, name, value),
        }
        Ok(true)
    }

    /// Options that affect the figures, except version and *now*, in the form of a request.
    pub fn to_json(&self) -> Value {
        let mut described = options_json(&self.options);
        described.insert("engine".into(), json!(self.engine.to_string()));
        described.insert("store".into(), json!(self.stores));
        let columns = word_of(Layout::COLUMNS, self.layout.extended);
        described.insert("columns".into(), json!(columns));
        described.insert("exact".into(), json!(self.layout.exact));
        Value::Object(described)
    }

    /// Query for an engine, looking back from `now`.
    pub fn report_query(&self, now: Option<i64>) -> ReportQuery {
        ReportQuery {
            now,
            options: self.options,
            stores: self.stores.clone(),
            extended: self.layout.extended,
            queries: None,
            threads: None,
        }
    }
}

/// Restores the plus of an offset that was decoded as a space, as in a query or form that does not
/// encode it; leaves other text as it is.
pub fn restore_plus(text: &str) -> Cow<'_, str> {
    let Some((time, offset)) = text.rsplit_once(' ') else { return text.into() };
    let is_offset = match offset.as_bytes() {
        [hours @ .., b':', _, _] if hours.len() == 2 => true,
        digits => matches!(digits.len(), 2 | 4),
    };
    let is_offset = is_offset && offset.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    // After a date alone it is a time of day.
    match is_offset && time.contains(['T', 't', ':']) {
        true => format!("{time}+{offset}").into(),
        false => text.into(),
    }
}

/// Sets an option of the rules; `false` if there is none of that name.
pub fn set_option(options: &mut Options, name: &str, value: &Value) -> Result<bool, String> {
    let Some(option) = ReportOption::named(name) else { return Ok(false) };
    match value {
        Value::Bool(truth) if option.accepts() == Accepts::Boolean => {
            options.set(option, &truth.to_string())?;
        }
        value => options.set(option, text(value)?)?,
    }
    Ok(true)
}

/// Options of the rules in the form in which they can be sent.
pub fn options_json(options: &Options) -> Map<String, Value> {
    let described = ReportOption::ALL.into_iter().map(|option| {
        let text = options.text(option);
        let value = match option.accepts() {
            Accepts::Boolean => json!(text.as_deref() == Some("true")),
            _ => json!(text),
        };
        (option.name().to_owned(), value)
    });
    described.collect()
}

/// Instant in its JSON form.
pub fn instant_json(instant_us: i64) -> Value {
    Value::String(instant_text(instant_us))
}

fn is_option(name: &str) -> bool {
    const REPORT_FIELDS: [&str; 8] =
        ["now", "as_of", "engine", "store", "columns", "exact", "format", "explain"];
    REPORT_FIELDS.contains(&name) || ReportOption::named(name).is_some()
}

fn unknown(name: &str) -> String {
    if COMMAND_LINE_ONLY.contains(&name) {
        return format!(
            "{name}: is an option of the command line; set it when starting the server"
        );
    }
    format!(
        "{name}: is not an option of a report; expected those of `uptally report`, like max_gap"
    )
}

/// # Errors
/// The value is not a text.
pub fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is not a text"))
}

fn keyword<T: Copy>(words: Keywords<T>, value: &Value) -> Result<T, String> {
    parse_keyword(words, text(value)?)
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(word) if word == "true" => Ok(true),
        Value::String(word) if word == "false" => Ok(false),
        _ => Err(format!("{value} is not one of true, false")),
    }
}

fn version(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        _ => value.as_u64(),
    };
    number.ok_or_else(|| format!("{value} is not the number of a version"))
}

fn stores(value: &Value) -> Result<Vec<String>, String> {
    let mut stores = match value {
        Value::String(id) => vec![id.clone()],
        Value::Array(ids) if ids.len() > STORES_NAMED_MAX => {
            return Err(format!("names {} stores; the limit is {STORES_NAMED_MAX}", ids.len()));
        }
        Value::Array(ids) => {
            ids.iter().map(|id| text(id).map(str::to_owned)).collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(format!("{value} is not a list of store ids")),
    };
    stores.sort_unstable();
    stores.dedup();
    Ok(stores)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: Value) -> Result<ReportRequest, String> {
        ReportRequest::from_fields(fields.as_object().unwrap())
    }

    #[test]
    fn a_request_survives_its_json_form() {
        let asked = parse(json!({
            "engine": "polars", "interpolation": "nearest", "max_gap": "90m", "scope": "day",
            "no_data": "down", "snap_end_of_day": true, "default_hours": "18:00-02:00",
            "default_timezone": "Asia/Kolkata", "store": ["b", "a", "b"], "columns": "extended",
            "exact": true,
        }))
        .unwrap();
        assert_eq!(asked.stores, ["a", "b"]);
        assert_eq!(parse(asked.to_json()), Ok(asked));
        assert_eq!(parse(ReportRequest::default().to_json()), Ok(ReportRequest::default()));
    }

    #[track_caller]
    fn refused(fields: Value, sentence: &str) {
        let wrong = parse(fields).unwrap_err();
        assert!(wrong.contains(sentence), "{wrong}");
    }

    #[test]
    fn an_unknown_or_malformed_option_is_refused_with_a_sentence() {
        refused(json!({"max_gab": "2h"}), "max_gab: is not an option of a report");
        refused(json!({"output": "/etc/passwd"}), "output: is an option of the command line;");
        refused(json!({"scope": "week"}), "scope: \"week\" is not one of all, day, interval");
        refused(json!({"default_hours": "9-17"}), "default_hours: \"9-17\" is not one of always,");
        refused(json!({"max_gap": 7}), "max_gap: 7 is not a text");
        refused(json!({"now": "yesterday"}), "now: \"yesterday\" is not an instant");
        refused(json!({"exact": "yes"}), "exact: \"yes\" is not one of true, false");
        refused(json!({"as_of": -1}), "as_of: -1 is not the number of a version");
        refused(json!({"store": {"id": 1}}), "is not a list of store ids");
    }
}
