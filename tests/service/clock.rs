//! A single store in a requested time zone, with dates, and as CSV.

use serde_json::Value;

use super::{Served, waiting};
use crate::harness::block_on;

/// In New York.
const STORE: &str = "/v1/stores/1177941416522642976";

#[test]
fn a_date_is_its_midnight_by_the_clock() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for last in ["uptime", "timeline", "incidents", "hours"] {
            for (query, from, to) in [
                (
                    "from=2023-01-20&to=2023-01-22",
                    "2023-01-20T00:00:00.000000Z",
                    "2023-01-22T00:00:00.000000Z",
                ),
                (
                    "from=2023-01-20&to=2023-01-22&clock=utc",
                    "2023-01-20T00:00:00.000000Z",
                    "2023-01-22T00:00:00.000000Z",
                ),
                (
                    "from=2023-01-20&to=2023-01-22T09:30&clock=store",
                    "2023-01-20T00:00:00.000000-05:00",
                    "2023-01-22T09:30:00.000000-05:00",
                ),
                (
                    "from=2023-01-20&to=2023-01-22T00:00:00Z&clock=Asia/Kolkata",
                    "2023-01-20T00:00:00.000000+05:30",
                    "2023-01-22T05:30:00.000000+05:30",
                ),
                (
                    "from=20230120T000000Z&to=2023-01-22%20UTC&clock=store",
                    "2023-01-19T19:00:00.000000-05:00",
                    "2023-01-21T19:00:00.000000-05:00",
                ),
            ] {
                let told = served.get(&format!("{STORE}/{last}?{query}")).await.json();
                let asked = (told["from"].as_str(), told["to"].as_str());
                assert_eq!(asked, (Some(from), Some(to)), "{last} {query}");
            }
        }
        let explained = "/v1/explain?store=1177941416522642976&from=2023-01-20&to=2023-01-21";
        for (clock, from) in [
            ("", "2023-01-20T00:00:00.000000Z"),
            ("&clock=store", "2023-01-20T00:00:00.000000-05:00"),
            ("&clock=Asia/Kolkata", "2023-01-20T00:00:00.000000+05:30"),
        ] {
            let told = served.get(&format!("{explained}{clock}")).await.json();
            assert_eq!(told["from"], from, "{clock}");
        }
    });
}

#[test]
fn a_plus_that_nobody_encoded_is_a_plus() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for from in [
            "2023-01-20T00:00:00+01:00",
            "2023-01-20T00:00:00%2B01:00",
            "2023-01-20+00:00:00+0100",
            "2023-01-20T00:00+01",
        ] {
            let told =
                served.get(&format!("{STORE}/uptime?from={from}&to=2023-01-22")).await.json();
            assert_eq!(told["from"], "2023-01-19T23:00:00.000000Z", "{from}");
        }
        let options = "now=2023-01-24T12:00:00+01:00";
        let form = ["content-type: application/x-www-form-urlencoded"];
        let report = served.ask("POST", "/v1/reports", &form, options).await.json();
        assert_eq!(report["now"], "2023-01-24T11:00:00.000000Z");
    });
}

/// The clock changes how instants are written, and nothing else.
#[test]
fn every_clock_tells_the_same_instants() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let at = |text: &Value| {
            chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap().timestamp_micros()
        };
        for (last, list) in
            [("timeline", "timeline"), ("incidents", "incidents"), ("hours", "open")]
        {
            let path = format!("{STORE}/{last}?from=2023-01-18T00:00:00Z&to=2023-01-25T00:00:00Z");
            let utc = served.get(&path).await.json();
            for clock in ["store", "Asia/Kolkata", "America/St_Johns"] {
                let told = served.get(&format!("{path}&clock={clock}")).await.json();
                let (found, expected) =
                    (told[list].as_array().unwrap(), utc[list].as_array().unwrap());
                assert!(!expected.is_empty() && found.len() == expected.len(), "{last}");
                for (found, expected) in found.iter().zip(expected) {
                    for end in ["starts_at", "ends_at"] {
                        assert_eq!(at(&found[end]), at(&expected[end]), "{last} {clock}");
                        assert!(!found[end].as_str().unwrap().ends_with('Z'), "{found}");
                    }
                }
            }
        }
    });
}

/// Of stretches their polls too, which lie before the range; and what is said of them.
#[test]
fn an_explanation_tells_the_same_instants_by_every_clock() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let path = "/v1/explain?store=1177941416522642976&from=2023-01-24T03:00:00Z&to=2023-01-24T20:00:00Z";
        let at = |text: &Value| {
            let text = text.as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
        };
        let instants = |stretch: &Value| {
            [&stretch["starts_at"], &stretch["ends_at"], &stretch["poll"]["polled_at"]]
                .map(Value::clone)
        };
        let utc = served.get(path).await.json();
        let utc = utc["stretches"].as_array().unwrap();
        assert!(utc.len() > 2);
        for (clock, offset) in [("store", "-05:00"), ("Asia/Kolkata", "+05:30")] {
            let told = served.get(&format!("{path}&clock={clock}")).await.json();
            let told = told["stretches"].as_array().unwrap();
            assert_eq!(told.len(), utc.len());
            for (found, expected) in told.iter().zip(utc) {
                for (found, expected) in instants(found).iter().zip(&instants(expected)) {
                    assert_eq!(at(found), at(expected), "{clock}");
                    assert!(found.as_str().unwrap().ends_with(offset), "{found}");
                }
                let polled_at = found["poll"]["polled_at"].as_str().unwrap();
                assert!(found["option"].as_str().unwrap().contains(polled_at), "{found}");
                assert_eq!(found["zone_rule"], expected["zone_rule"]);
                assert_eq!(found["business_hours"], expected["business_hours"]);
            }
        }
    });
}

#[test]
fn an_answer_about_a_store_is_csv_for_clients_that_want_it() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let range = "from=2023-01-20&to=2023-01-25";
        for (last, header, list) in [
            (
                "uptime",
                "store_id,from,to,uptime_us,downtime_us,unknown_us,scheduled_us,uptime_pct,coverage_pct",
                "",
            ),
            ("timeline", "store_id,starts_at,ends_at,state", "timeline"),
            ("incidents", "store_id,starts_at,ends_at,downtime_us,is_open", "incidents"),
            ("hours", "store_id,starts_at,ends_at", "open"),
        ] {
            let path = format!("{STORE}/{last}?{range}&clock=store");
            let csv = served.ask("GET", &path, &["accept: text/csv"], "").await;
            assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
            assert_eq!(csv.header("vary"), "Accept");
            assert_eq!(served.get(&format!("{path}&format=csv")).await.text(), csv.text());
            let told = served.get(&path).await.json();
            let rows = match told[list].as_array() {
                Some(listed) => listed.clone(),
                None => vec![told.clone()],
            };
            let (text, names) = (csv.text(), header.split(',').skip(1).collect::<Vec<_>>());
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some(header));
            let expected: Vec<String> = rows
                .iter()
                .map(|row| {
                    let fields = names.iter().map(|name| match &row[name] {
                        Value::String(text) => text.clone(),
                        Value::Null => String::new(),
                        Value::Number(share) if name.ends_with("_pct") => {
                            format!("{:.2}", share.as_f64().unwrap())
                        }
                        other => other.to_string(),
                    });
                    let fields: Vec<_> = fields.collect();
                    format!("1177941416522642976,{}", fields.join(","))
                })
                .collect();
            assert!(!expected.is_empty(), "{last}");
            assert_eq!(lines.collect::<Vec<_>>(), expected, "{last}");
        }
    });
}

#[test]
fn an_invalid_time_zone_or_instant_is_named() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (query, sentence) in [
            ("clock=local", "clock: \"local\" is not one of store, utc, or a time zone"),
            ("from=2023-02-30&clock=store", "from: \"2023-02-30\" is not an instant"),
            (
                "to=2023-01-20T24:30&clock=Asia/Kolkata",
                "to: \"2023-01-20T24:30\" is not an instant",
            ),
            ("format=xml", "format: \"xml\" is not one of csv, json"),
            (
                "zone=utc",
                "zone: is not an option here; expected from, to, as_of, clock, format, or",
            ),
        ] {
            let answer = served.get(&format!("{STORE}/uptime?{query}")).await;
            assert_eq!(answer.status(), 400, "{query}");
            assert!(answer.detail().starts_with(sentence), "{}", answer.detail());
        }
        let explained = "/v1/explain?store=1177941416522642976";
        for (query, sentence) in [
            ("clock=local", "clock: \"local\" is not one of store, utc, or a time zone"),
            ("zone=utc", "zone: is not an option here; expected from, to, as_of, store, clock, or"),
        ] {
            let detail = served.get(&format!("{explained}&{query}")).await.detail();
            assert!(detail.starts_with(sentence), "{detail}");
        }
        let unknown = served.get("/v1/stores/nobody/uptime?clock=store").await;
        assert_eq!(unknown.status(), 404);
        assert!(unknown.detail().contains("; /v1/stores lists them"), "{}", unknown.detail());
    });
}
