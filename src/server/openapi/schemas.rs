//! JSON schemas of requests and responses.

use serde_json::{Value, json};

use super::operation::named;
use crate::engine::Engine;
use crate::report::{Format, Layout};
use crate::rules::keyword::{Keywords, words};
use crate::rules::state::STATES;
use crate::rules::{Accepts, DefaultHours, ReportOption, Window, ZoneRules};

pub fn schemas() -> Value {
    json!({
        "Problem": object(json!({
            "type": text(), "title": text(), "status": number(), "detail": text(),
        })),
        "ReportId": object(json!({ "report_id": uuid() })),
        "Status": {
            "type": "object",
            "required": ["status"],
            "properties": {
                "status": { "type": "string", "enum": ["Running", "Complete", "Completed", "Failed"] },
                "message": text(), "data": text(), "filepath": text(),
            },
        },
        "Instant": {
            "anyOf": [
                { "type": "string", "format": "date-time" }, { "type": "string", "format": "date" },
            ],
            "description": "An instant like 2023-01-24T12:00:00Z, or a date, which is its midnight",
        },
        "Duration": {
            "type": "string", "pattern": "^[1-9][0-9]{0,3}[smh]$",
            "description": "Seconds, minutes or hours, like 90s, 30m or 2h",
        },
        "Clock": { "anyOf": [
            { "type": "string", "enum": ["utc", "store"] }, named("TimeZone"),
        ]},
        "DefaultHours": default_hours(),
        "TimeZone": {
            "type": "string",
            "enum": ZoneRules::bundled().names(),
            "description": "IANA name",
        },
        "ReportRequest": report_request(),
        "SqlRequest": {
            "type": "object",
            "required": ["sql"],
            "properties": {
                "sql": { "type": "string", "minLength": 1 },
                "params": {
                    "type": ["array", "object", "null"],
                    "description": "An array for $1 and on, an object for $name",
                },
                "format": one_of(Format::KEYWORDS),
                "timeout_ms": { "type": "integer", "minimum": 1, "description": "Milliseconds" },
                "max_rows": { "type": "integer", "minimum": 0 },
                "version": { "type": "integer", "minimum": 1 },
            },
        },
        "Report": report(),
        "ReportList": object(json!({
            "reports": list(named("Report")), "next_cursor": or_null("string"),
        })),
        "ReportRow": report_row(),
        "StoreList": object(json!({
            "stores": list(named("ListedStore")),
            "total": { "type": "integer", "description": "Stores on all pages" },
            "data_version": number(),
            "next_cursor": or_null("string"),
        })),
        "ListedStore": listed_store(),
        "Figures": object(figures()),
        "Uptime": of_store(figures()),
        "Timeline": of_store(json!({ "timeline": list(span(json!({ "state": state() }))) })),
        "Incidents": of_store(json!({
            "incidents": list(span(json!({
                "downtime_us": time_us("Scheduled open time within the incident"),
                "is_open": {
                    "type": "boolean", "description": "True if it was ongoing at the end of the range",
                },
            }))),
        })),
        "Hours": of_store(json!({
            "weekly_hours": list(named("Opening")), "open": list(span(json!({}))),
        })),
        "Opening": {
            "type": "object",
            "required": ["day_of_week", "start_time_local", "end_time_local"],
            "properties": {
                "day_of_week": {
                    "type": "integer", "minimum": 0, "maximum": 6,
                    "description": "0 is Monday, 6 Sunday",
                },
                "start_time_local": text(), "end_time_local": text(), "opens_on": text(),
            },
        },
        "Explanation": of_store(json!({
            "figures": named("Figures"), "stretches": list(stretch()),
        })),
        "Versions": object(json!({
            "newest": number(),
            "bundled_zone_rules": zone_rules(),
            "warning": or_null("string"),
            "versions": list(version()),
        })),
    })
}

/// Keyword, or daily hours.
fn default_hours() -> Value {
    let time = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?";
    let daily = format!("^{time}-({time}|24:00(:00)?)$");
    json!({
        "anyOf": [one_of(DefaultHours::KEYWORDS), { "type": "string", "pattern": daily }],
        "description": "always, closed, or daily hours like 09:00-17:00, in local time",
    })
}

/// Value of an option of the rules.
pub fn option_value(option: ReportOption) -> Value {
    match option.accepts() {
        Accepts::Keywords(words) => json!({ "type": "string", "enum": words }),
        Accepts::Duration => named("Duration"),
        Accepts::Boolean => boolean(),
        Accepts::Hours => named("DefaultHours"),
        Accepts::TimeZone => named("TimeZone"),
    }
}

/// Body of a trigger: every option of `uptally report` that names no file.
fn report_request() -> Value {
    let mut properties = json!({ "now": named("Instant"), "engine": one_of(Engine::KEYWORDS) });
    for option in ReportOption::ALL {
        properties[option.name()] = option_value(option);
    }
    let others = json!({
        "store": {
            "type": "array", "items": text(),
            "description": "Ids of the stores to report on; all by default",
        },
        "as_of": { "type": "integer", "minimum": 1 },
        "columns": one_of(Layout::COLUMNS),
        "exact": {
            "type": "boolean",
            "description": "Times as whole microseconds instead of minutes and hours",
        },
        "format": one_of(Format::KEYWORDS),
        "explain": boolean(),
    });
    extend(&mut properties, others);
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn report() -> Value {
    object(json!({
        "id": uuid(),
        "state": {
            "type": "string", "enum": ["queued", "running", "complete", "failed", "cancelled"],
        },
        "progress": { "type": "number", "minimum": 0, "maximum": 1 },
        "data_version": number(),
        "zone_rules": zone_rules(),
        "now": text(),
        "options": {
            "type": "object", "description": "Without the ids of stores in a list",
        },
        "stores_named": {
            "type": "integer", "description": "Number of requested stores; 0 for all",
        },
        "created_at": text(),
        "started_at": or_null("string"),
        "finished_at": or_null("string"),
        "stores": or_null("object"),
        "detail": or_null("string"),
        "links": { "type": "object", "additionalProperties": text() },
    }))
}

fn figures() -> Value {
    json!({
        "uptime_us": time_us("Scheduled open time in which the store was up"),
        "downtime_us": time_us("Scheduled open time in which it was down"),
        "unknown_us": time_us("Scheduled open time without a known state"),
        "scheduled_us": time_us("Time in which it should have been open, the sum of the others"),
        "uptime_pct": percent(),
        "coverage_pct": percent(),
    })
}

/// Row of a report in JSON; the columns besides uptime and downtime are the extended ones.
fn report_row() -> Value {
    let mut properties = json!({ "store_id": text() });
    for window in Window::ALL {
        let unit = match window {
            Window::Hour => "minutes",
            _ => "hours",
        };
        for kind in ["uptime", "downtime", "unknown", "scheduled"] {
            properties[format!("{kind}_{}", window.name())] = json!({
                "type": "number",
                "description": format!("In {unit}, or, of an exact report, in microseconds"),
            });
        }
        for kind in ["uptime_pct", "coverage_pct"] {
            properties[format!("{kind}_{}", window.name())] = percent();
        }
    }
    json!({ "type": "object", "required": ["store_id"], "properties": properties })
}

fn listed_store() -> Value {
    let instant = |description: &str| json!({ "type": ["string", "null"], "format": "date-time", "description": description });
    object(json!({
        "store_id": text(),
        "time_zone": { "type": "string", "description": "Effective time zone, IANA name" },
        "uses_default_time_zone": boolean(),
        "uses_default_hours": boolean(),
        "first_polled_at": instant("Earliest poll, UTC; null if it was never polled"),
        "last_polled_at": instant("Latest poll, UTC; null if it was never polled"),
        "polls": { "type": "integer", "description": "Number of its polls" },
    }))
}

fn time_us(description: &str) -> Value {
    json!({ "type": "integer", "description": format!("{description}, in microseconds") })
}

fn percent() -> Value {
    json!({
        "type": ["number", "null"],
        "description": "Percent with two decimals; null if the time is zero",
    })
}

/// Properties common to all answers about a store, and those of this one.
fn of_store(added: Value) -> Value {
    let mut told = json!({
        "store_id": text(), "from": text(), "to": text(), "data_version": number(),
        "options": { "type": "object" }, "zone_rules": zone_rules(), "time_zone": text(), "time_zone_is_default": boolean(),
        "hours_are_default": boolean(), "always_open": boolean(),
    });
    extend(&mut told, added);
    object(told)
}

fn span(added: Value) -> Value {
    let mut told = json!({ "starts_at": text(), "ends_at": text() });
    extend(&mut told, added);
    object(told)
}

fn stretch() -> Value {
    span(json!({
        "length_us": time_us("Length of the segment"), "state": state(), "is_open": boolean(),
        "counts_as": or_null("string"), "poll": or_null("object"), "option": text(),
        "business_hours": list(named("Opening")),
        "zone_rule": object(json!({
            "time_zone": text(), "is_default": boolean(), "utc_offset": text(),
        })),
    }))
}

fn version() -> Value {
    let file = object(json!({
        "name": text(), "kind": text(), "rows": number(), "rejected": number(),
        "content_hash": text(),
    }));
    object(json!({
        "version": number(), "loaded_at": text(), "zone_rules": zone_rules(), "files": list(file),
    }))
}

/// Edition of the time-zone rules.
fn zone_rules() -> Value {
    json!({ "type": "string", "examples": [ZoneRules::bundled().edition()] })
}

fn extend(told: &mut Value, added: Value) {
    if let (Value::Object(told), Value::Object(added)) = (told, added) {
        told.extend(added);
    }
}

/// Object with all properties required.
fn object(properties: Value) -> Value {
    let required: Vec<_> =
        properties.as_object().into_iter().flat_map(|named| named.keys().cloned()).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn one_of<T>(keywords: Keywords<T>) -> Value {
    json!({ "type": "string", "enum": words(keywords).collect::<Vec<_>>() })
}

fn state() -> Value {
    one_of(STATES)
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "integer" })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}
