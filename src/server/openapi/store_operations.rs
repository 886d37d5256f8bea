//! The store endpoints in the document.

use serde_json::{Value, json};

use super::super::response_format::ResponseFormat;
use super::super::store_csv;
use super::super::store_list::{self, PAGE_STORES, PAGE_STORES_MAX};
use super::examples::Examples;
use super::operation::{
    Operation, answer, described, named, number, one_of, operation, parameter, query, required,
    text,
};
use super::problem;
use super::schemas::option_value;
use crate::report::Format;
use crate::rules::ReportOption;
use crate::rules::keyword::words;

const ID_DESCRIPTION: &str = "Id of a store; `GET /v1/stores` lists them";

pub fn uptime(examples: &Examples) -> Operation {
    let summary = "Time for which a store was up and down while it should have been open";
    single_store(summary, "Uptime", &store_csv::UPTIME, examples)
}

pub fn timeline(examples: &Examples) -> Operation {
    let summary = "State of a store at every instant";
    single_store(summary, "Timeline", &store_csv::TIMELINE, examples)
}

pub fn incidents(examples: &Examples) -> Operation {
    let summary = "Spans in which a store was down";
    single_store(summary, "Incidents", &store_csv::INCIDENTS, examples)
}

pub fn hours(examples: &Examples) -> Operation {
    let summary = "Business hours and openings of a store";
    single_store(summary, "Hours", &store_csv::HOURS, examples)
}

pub fn explain(examples: &Examples) -> Operation {
    let summary = "Poll, hours, zone rule and option behind each segment of a figure";
    let store = required(query("store", id()), ID_DESCRIPTION, examples.store.as_deref());
    let mut parameters = vec![store];
    parameters.extend(range_and_options(examples));
    let told = answer(summary, &[("application/json", named("Explanation"))]);
    operation("stores", summary, parameters, [("200", told), missing()])
}

fn single_store(
    summary: &'static str,
    schema: &str,
    columns: &[&str],
    examples: &Examples,
) -> Operation {
    let store = parameter("path", "id", id());
    let mut parameters = vec![required(store, ID_DESCRIPTION, examples.store.as_deref())];
    parameters.extend(range_and_options(examples));
    parameters.push(format());
    let kinds =
        [(Format::Json.media_type(), named(schema)), (Format::Csv.media_type(), csv(columns))];
    operation("stores", summary, parameters, [("200", answer(summary, &kinds)), missing()])
}

pub fn list() -> Operation {
    let boolean = || json!({ "type": "boolean" });
    let of_list = |name, schema, description: &str| described(query(name, schema), description);
    let limit = format!("Stores on a page; {PAGE_STORES} by default");
    let parameters = vec![
        of_list("limit", number(1, PAGE_STORES_MAX as i64), &limit),
        of_list(
            "cursor",
            json!({ "type": "string", "pattern": "^([0-9a-f]{2})+[0-9a-f]{6}$" }),
            "`next_cursor` of the previous page",
        ),
        of_list("prefix", text(), "Stores whose id starts with it"),
        of_list("q", text(), "Stores whose id contains it, ignoring the case of ASCII letters"),
        of_list("time_zone", named("TimeZone"), "Stores in this time zone, also by default"),
        of_list("uses_default_time_zone", boolean(), "Stores without, or with, their own zone"),
        of_list("uses_default_hours", boolean(), "Stores without, or with, their own hours"),
        of_list("never_polled", boolean(), "Stores without, or with, polls"),
        of_list("as_of", number(1, i64::MAX), "Version of the data; the newest by default"),
        format(),
        parameter("header", "If-None-Match", text()),
    ];
    let kinds = [
        (Format::Json.media_type(), named("StoreList")),
        (Format::Csv.media_type(), csv(&store_list::COLUMNS)),
    ];
    let mut page = answer("A page", &kinds);
    let link = "The next page, if there is one, as rel=\"next\"";
    page["headers"] = json!({
        "Link": { "description": link, "schema": text() },
        "ETag": { "schema": text() },
    });
    let known = json!({ "description": "Not modified" });
    let summary = "Stores of the data, in byte order of their ids";
    operation("stores", summary, parameters, [("200", page), ("304", known)])
}

fn range_and_options(examples: &Examples) -> Vec<Value> {
    let from = "Start of the range: an instant like 2023-01-24T12:00:00Z, a local time, or a date, which is its midnight; by default a week before the end";
    let to = "End of the range, likewise; by default the latest poll of all stores";
    let clock = "Clock by which dates and local times are read and instants printed: utc (the default), store, or a time zone";
    let mut to = described(query("to", named("Instant")), to);
    if let Some(now) = &examples.now {
        to["example"] = json!(now);
    }
    let mut parameters = vec![
        described(query("from", named("Instant")), from),
        to,
        query("as_of", number(1, i64::MAX)),
    ];
    let options = ReportOption::ALL.map(|option| query(option.name(), option_value(option)));
    parameters.extend(options);
    parameters.push(described(query("clock", named("Clock")), clock));
    parameters
}

fn format() -> Value {
    let description = "Response format; by default as `Accept` prefers, or else JSON";
    described(
        query("format", one_of(&words(ResponseFormat::KEYWORDS).collect::<Vec<_>>())),
        description,
    )
}

fn csv(columns: &[&str]) -> Value {
    let columns = columns.join(", ");
    let description = format!("Columns: {columns}. Those that end in _us are microseconds.");
    json!({ "type": "string", "description": description })
}

fn missing() -> (&'static str, Value) {
    ("404", problem("No such store"))
}

fn id() -> Value {
    json!({ "type": "string", "minLength": 1 })
}
