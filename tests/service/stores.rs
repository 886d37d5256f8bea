//! A single store over any range: its figures and their explanation.

use serde_json::{Value, json};
use uptally::internals::server::Settings;

use super::{Served, waiting};
use crate::harness::block_on;

/// Options as JSON, and the same as a query.
const OPTIONS: &[(&str, &str)] = &[
    ("", ""),
    (r#""interpolation": "nearest", "max_gap": "40m""#, "&interpolation=nearest&max_gap=40m"),
    (r#""interpolation": "next", "no_data": "down""#, "&interpolation=next&no_data=down"),
    (r#""scope": "day", "snap_end_of_day": true"#, "&scope=day&snap_end_of_day=true"),
    (
        r#""scope": "interval", "no_data": "up", "default_timezone": "Asia/Kolkata""#,
        "&scope=interval&no_data=up&default_timezone=Asia/Kolkata",
    ),
    (r#""default_hours": "18:00-02:00""#, "&default_hours=18:00-02:00"),
    (r#""default_hours": "closed", "scope": "interval""#, "&default_hours=closed&scope=interval"),
];

fn number(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("{name} of {value}"))
}

#[test]
fn a_week_of_a_store_is_its_row_of_the_report_and_its_stretches_add_up() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        for (options, query) in OPTIONS {
            for now in ["2023-01-25T18:13:22.47922Z", "2023-01-23T07:00:00Z"] {
                let comma = if options.is_empty() { "" } else { ", " };
                let ask = format!(
                    r#"{{"exact": true, "columns": "extended", "now": "{now}"{comma}{options}}}"#
                );
                let id = served.finished(&ask).await;
                let rows = served.get(&format!("/v1/reports/{id}.json")).await.json();
                for row in rows.as_array().unwrap() {
                    agrees(&served, row, now, query).await;
                }
            }
        }
    });
}

async fn agrees(served: &Served, row: &Value, now: &str, query: &str) {
    let id = row["store_id"].as_str().unwrap();
    let uptime = served.get(&format!("/v1/stores/{id}/uptime?to={now}{query}")).await.json();
    for kind in ["uptime", "downtime", "unknown", "scheduled"] {
        let expected = number(row, &format!("{kind}_last_week"));
        assert_eq!(number(&uptime, &format!("{kind}_us")), expected, "{id} {kind} {query}");
    }
    let told = served.get(&format!("/v1/explain?store={id}&to={now}{query}")).await.json();
    for kind in ["uptime", "downtime", "unknown"] {
        let stretches = told["stretches"].as_array().unwrap().iter();
        let counted = stretches.filter(|stretch| stretch["counts_as"] == kind);
        let total_us: i64 = counted.map(|stretch| number(stretch, "length_us")).sum();
        assert_eq!(total_us, number(&uptime, &format!("{kind}_us")), "{id} {kind} {query}");
    }
    let incidents = served.get(&format!("/v1/stores/{id}/incidents?to={now}{query}")).await.json();
    let incidents = incidents["incidents"].as_array().unwrap().iter();
    let downtime_us: i64 = incidents.map(|incident| number(incident, "downtime_us")).sum();
    let booked_us = if query.contains("no_data=down") {
        number(row, "downtime_last_week") - downtime_us
    } else {
        0
    };
    assert_eq!(downtime_us + booked_us, number(row, "downtime_last_week"), "{id} {query}");
}

#[test]
fn a_stretch_names_poll_hours_zone_and_option() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let path = "/v1/explain?store=1177941416522642976&from=2023-01-25T15:00:00Z&to=2023-01-25T16:00:00Z";
        let told = served.get(path).await.json();
        let stretches = told["stretches"].as_array().unwrap();
        let first = &stretches[0];
        assert_eq!(first["starts_at"], "2023-01-25T15:00:00.000000Z");
        assert_eq!((&first["is_open"], &first["counts_as"]), (&Value::Bool(false), &Value::Null));
        assert_eq!(first["business_hours"], Value::Array(vec![]));
        let open = stretches.iter().find(|stretch| stretch["is_open"] == true).unwrap();
        // 10:30 in New York.
        assert_eq!(open["starts_at"], "2023-01-25T15:30:00.000000Z");
        assert_eq!(open["business_hours"][0]["start_time_local"], "10:30:00");
        assert_eq!(open["business_hours"][0]["opens_on"], "2023-01-25");
        assert_eq!(open["zone_rule"]["time_zone"], "America/New_York");
        assert_eq!(open["zone_rule"]["utc_offset"], "-05:00");
        let polled_at = open["poll"]["polled_at"].as_str().unwrap();
        let option = open["option"].as_str().unwrap();
        assert!(
            option.starts_with("interpolation = previous") && option.contains(polled_at),
            "{option}"
        );
    });
}

/// Sentences about segments in unknown state, separately while open and closed.
async fn why_unknown(served: &Served, query: &str, is_open: bool) -> Vec<String> {
    let path = format!("/v1/explain?store=1177941416522642976&{query}");
    let told = served.get(&path).await.json();
    let stretches = told["stretches"].as_array().unwrap_or_else(|| panic!("{told}")).iter();
    let unknown = stretches
        .filter(|stretch| stretch["state"] == "unknown" && stretch["is_open"] == is_open)
        .map(|stretch| stretch["option"].as_str().unwrap().to_owned());
    let mut unknown: Vec<_> = unknown.collect();
    unknown.sort();
    unknown.dedup();
    unknown
}

#[test]
fn a_stretch_in_unknown_state_has_its_true_reason() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let never = "the store was not polled up to the end of the range; no_data = unknown";
        let early = "from=2022-12-20T00:00:00Z&to=2022-12-22T00:00:00Z";
        for options in ["", "&max_gap=1h", "&scope=day", "&scope=interval&max_gap=1h"] {
            for is_open in [false, true] {
                let query = format!("{early}{options}");
                assert_eq!(why_unknown(&served, &query, is_open).await, [never], "{query}");
            }
        }
        let week = "from=2023-01-20T00:00:00Z&to=2023-01-22T00:00:00Z";
        let far = "max_gap = 1m: no poll is that near; no_data = unknown";
        let closed = "scope = interval: outside business hours, so no poll counts";
        let closed = format!("{closed}; no_data = unknown");
        for is_open in [false, true] {
            let query = format!("{week}&max_gap=1m");
            assert_eq!(why_unknown(&served, &query, is_open).await, [far]);
        }
        let query = format!("{week}&scope=interval&max_gap=1m");
        assert_eq!(why_unknown(&served, &query, false).await, [closed]);
        assert_eq!(why_unknown(&served, &query, true).await, [far]);
        // The day after the last poll.
        let late = "from=2023-01-28T00:00:00Z&to=2023-01-30T00:00:00Z&scope=day&max_gap=1m";
        let day = "scope = day: no poll on this local day; no_data = unknown";
        assert_eq!(why_unknown(&served, late, true).await, [day]);
        let interval = "scope = interval: no poll within this business interval";
        let interval = format!("{interval}; no_data = unknown");
        for options in ["", "&max_gap=1m"] {
            let query = late.replace("scope=day&max_gap=1m", "scope=interval") + options;
            assert_eq!(why_unknown(&served, &query, true).await, [interval.as_str()], "{query}");
        }
    });
}

#[test]
fn a_timeline_covers_the_range_without_a_gap() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (_, query) in OPTIONS {
            let path = format!(
                "/v1/stores/1177941416522642976/timeline?from=2023-01-20T00:00:00Z&to=2023-01-22T00:00:00Z{query}"
            );
            let told = served.get(&path).await.json();
            let steps = told["timeline"].as_array().unwrap();
            let mut at = told["from"].clone();
            for step in steps {
                assert_eq!(step["starts_at"], at, "{query}");
                at = step["ends_at"].clone();
            }
            assert_eq!(at, told["to"]);
            assert!(steps.len() > 1, "{told}");
        }
    });
}

#[test]
fn the_hours_of_a_store_are_its_week_and_when_that_is() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let path = "/v1/stores/1177941416522642976/hours?from=2023-01-23T00:00:00Z&to=2023-01-24T12:00:00Z";
        let told = served.get(path).await.json();
        assert_eq!(
            (&told["always_open"], &told["time_zone"]),
            (&Value::Bool(false), &Value::from("America/New_York"))
        );
        assert_eq!(told["hours_are_default"], false);
        assert_eq!(told["weekly_hours"][0]["end_time_local"], "19:00:00");
        assert_eq!(told["open"][0]["starts_at"], "2023-01-23T15:30:00.000000Z");
        assert_eq!(told["open"][0]["ends_at"], "2023-01-24T00:00:00.000000Z");
    });
}

/// A store of the sample that has a time zone and no business hours.
const WITHOUT_HOURS: &str = "7731381152990287852";

#[test]
fn a_store_without_hours_tells_the_default_ones() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let range = "from=2023-01-23T12:00:00Z&to=2023-01-24T12:00:00Z";
        for (hours, rows, always) in
            [("always", 0, true), ("closed", 0, false), ("18:00-02:00", 7, false)]
        {
            let query = format!("{range}&default_hours={hours}");
            let path = format!("/v1/stores/{WITHOUT_HOURS}/hours?{query}");
            let told = served.get(&path).await.json();
            assert_eq!(told["options"]["default_hours"], hours);
            assert_eq!(
                (&told["hours_are_default"], &told["always_open"]),
                (&json!(true), &json!(always))
            );
            assert_eq!(told["weekly_hours"].as_array().unwrap().len(), rows, "{hours}");
            let path = format!("/v1/explain?store={WITHOUT_HOURS}&{query}");
            let told = served.get(&path).await.json();
            for stretch in told["stretches"].as_array().unwrap() {
                let rows = stretch["business_hours"].as_array().unwrap().len();
                let is_open = stretch["is_open"] == true;
                assert_eq!(is_open, always || rows == 1, "{hours} {stretch}");
                let is_counted = stretch["counts_as"] != Value::Null;
                assert_eq!(is_counted, is_open, "{hours} {stretch}");
            }
        }
    });
}

#[test]
fn invalid_parameters_of_a_store_are_named() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let store = "/v1/stores/1177941416522642976";
        for (path, status, sentence) in [
            ("/v1/stores/nobody/uptime".to_owned(), 404, "there is no store \"nobody\""),
            (
                format!("{store}/uptime?from=2023-01-25T00:00:00Z&to=2023-01-25T00:00:00Z"),
                400,
                "from: is not before to",
            ),
            (
                format!("{store}/uptime?from=2020-01-01T00:00:00Z"),
                400,
                "more than 366 days before to, the limit",
            ),
            (
                format!("{store}/uptime?from=yesterday"),
                400,
                "from: \"yesterday\" is not an instant",
            ),
            (format!("{store}/uptime?columns=extended"), 400, "columns: is not an option here"),
            (format!("{store}/uptime?as_of=9"), 400, "there is no version 9"),
            (format!("{store}/hours?default_hours=9-17"), 400, "daily hours like 09:00-17:00"),
            (format!("{store}/hours?scope=week"), 400, "scope: \"week\" is not one of"),
            ("/v1/explain".to_owned(), 400, "store: is missing"),
            (
                "/v1/explain?store=1177941416522642976&from=2022-12-01T00:00:00Z".to_owned(),
                400,
                "more than 31 days",
            ),
        ] {
            let answer = served.get(&path).await;
            assert_eq!(answer.status(), status, "{path} {}", answer.text());
            assert!(answer.detail().contains(sentence), "{}", answer.text());
        }
    });
}

#[test]
fn versions_say_what_was_loaded() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let told = served.get("/v1/versions").await.json();
        assert_eq!(
            (&told["newest"], &told["versions"][0]["version"]),
            (&Value::from(1), &Value::from(1))
        );
        let files = told["versions"][0]["files"].as_array().unwrap();
        let polls = files.iter().find(|file| file["kind"] == "polls").unwrap();
        assert_eq!(
            (&polls["name"], &polls["rows"]),
            (&Value::from("store_status.csv"), &Value::from(6341))
        );
    });
}
