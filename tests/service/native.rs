//! The native API of reports.

use std::io::Read;

use serde_json::{Value, json};
use uptally::Format;
use uptally::internals::server::Settings;

use super::{Served, csv_of_sample, waiting};
use crate::harness::{block_on, uptally};

#[test]
fn a_trigger_is_accepted_and_says_where_to_look() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let answer = served.ask("POST", "/v1/reports", &[], r#"{"format": "parquet"}"#).await;
        let report = answer.json();
        let id = report["id"].as_str().unwrap();
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.header("location"), format!("/v1/reports/{id}"));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(report["links"]["download"], format!("/v1/reports/{id}.parquet"));
        assert_eq!((&report["state"], &report["progress"]), (&json!("queued"), &json!(0.0)));
        assert_eq!(report["now"], "2023-01-25T18:13:22.479220Z");
        assert_eq!((&report["data_version"], &report["stores"]), (&json!(1), &Value::Null));
        assert_eq!(report["options"]["default_hours"], "always");
        assert_eq!(report["options"]["default_timezone"], "America/Chicago");
        let early = served.get(&format!("/v1/reports/{id}.csv")).await;
        assert_eq!((early.status(), early.header("retry-after")), (409, "1"));
        assert_eq!(early.detail(), "the report is not complete yet");
    });
}

/// Options as JSON, and the same as flags.
const SAME: &[(&str, &str)] = &[
    ("{}", ""),
    (r#"{"engine": "polars", "exact": true}"#, "--engine polars --exact"),
    (
        r#"{"interpolation": "nearest", "max_gap": "2h", "no_data": "down", "columns": "extended"}"#,
        "--interpolation nearest --max-gap 2h --no-data down --columns extended",
    ),
    (
        r#"{"scope": "interval", "snap_end_of_day": true, "default_timezone": "Asia/Tokyo"}"#,
        "--scope interval --snap-end-of-day --default-timezone Asia/Tokyo",
    ),
    (
        r#"{"default_hours": "18:00-02:00", "columns": "extended"}"#,
        "--default-hours 18:00-02:00 --columns extended",
    ),
    (
        r#"{"now": "2023-01-24T12:00:00Z", "store": ["1177941416522642976"], "as_of": 1}"#,
        "--now 2023-01-24T12:00:00Z --store 1177941416522642976 --as-of 1",
    ),
];

#[test]
fn a_report_is_what_the_command_prints_in_every_format() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let data = served.data.path().to_str().unwrap().to_owned();
        for (at, (options, flags)) in SAME.iter().enumerate() {
            let id = served.finished(options).await;
            // Every format of the first, one of each other.
            let count = if at == 0 { Format::ALL.len() } else { 1 };
            for format in Format::ALL.into_iter().skip(at).take(count) {
                let found = served.get(&format!("/v1/reports/{id}.{}", format.ending())).await;
                let given = ["--data", data.as_str(), "--format", format.name()];
                let flags = flags.split_whitespace().chain(given);
                let printed = uptally(["report"].into_iter().chain(flags)).output().unwrap();
                assert!(printed.status.success(), "{options}");
                assert!(found.bytes() == printed.stdout, "{options} {format}");
            }
        }
    });
}

#[test]
fn a_complete_report_tells_what_it_is_about() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        let report = served.get(&format!("/v1/reports/{id}")).await.json();
        let stores =
            json!({ "stores": 40, "without_hours": 8, "without_time_zone": 2, "without_polls": 1 });
        assert_eq!((&report["stores"], &report["progress"]), (&stores, &json!(1.0)));
        for (ending, link) in report["links"].as_object().unwrap() {
            let answer = served.get(link.as_str().unwrap()).await;
            assert_eq!(answer.status(), 200, "{ending}");
        }
    });
}

#[test]
fn downloads_support_etags_and_ranges() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let (id, csv) = (served.finished("").await, csv_of_sample());
        let path = format!("/v1/reports/{id}.csv");
        let etag = served.get(&path).await.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
        let last = csv.len() - 1;
        let total = csv.len();
        let other = "if-range: \"0\"".to_owned();
        for (headers, status, range, body) in [
            (vec![format!("if-none-match: {etag}")], 304, String::new(), ""),
            (vec![format!("if-none-match: \"0\", W/{etag}")], 304, String::new(), ""),
            (vec!["if-none-match: *".to_owned()], 304, String::new(), ""),
            (vec!["if-none-match: \"0\"".to_owned()], 200, String::new(), csv.as_str()),
            (vec!["range: bytes=0-7".to_owned()], 206, format!("bytes 0-7/{total}"), &csv[..8]),
            (
                vec!["range: bytes=-5".to_owned()],
                206,
                format!("bytes {}-{last}/{total}", total - 5),
                &csv[total - 5..],
            ),
            (
                vec!["range: bytes=9-".to_owned(), format!("if-range: {etag}")],
                206,
                format!("bytes 9-{last}/{total}"),
                &csv[9..],
            ),
            (vec!["range: bytes=9-".to_owned(), other], 200, String::new(), csv.as_str()),
            (vec!["range: lines=1-2".to_owned()], 200, String::new(), csv.as_str()),
        ] {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let answer = served.ask("GET", &path, &headers, "").await;
            assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{headers:?}");
            assert_eq!(answer.header("content-range"), range, "{headers:?}");
            assert_eq!(answer.header("etag"), etag);
        }
        let beyond = served.ask("GET", &path, &[&format!("range: bytes={total}-")], "").await;
        assert_eq!(
            (beyond.status(), beyond.header("content-range")),
            (416, format!("bytes */{total}").as_str())
        );
        assert!(beyond.detail().contains("outside of the file"));
        let head = served.ask("HEAD", &path, &[], "").await;
        assert_eq!((head.status(), head.header("etag")), (200, etag.as_str()));
    });
}

#[test]
fn downloads_are_compressed_if_the_client_accepts_it() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let (id, csv) = (served.finished("").await, csv_of_sample());
        let path = format!("/v1/reports/{id}.csv");
        let plain = served.get(&path).await.header("etag").to_owned();
        let gzip = served.ask("GET", &path, &["accept-encoding: gzip, br"], "").await;
        assert_eq!(gzip.header("content-encoding"), "gzip");
        let mut text = String::new();
        flate2::read::GzDecoder::new(gzip.bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text, csv);
        let zstd = served.ask("GET", &path, &["accept-encoding: gzip, zstd"], "").await;
        assert_eq!(zstd.header("content-encoding"), "zstd");
        assert_eq!(zstd::decode_all(zstd.bytes()).unwrap(), csv.as_bytes());
        assert_eq!(zstd.header("vary"), "Accept, Accept-Encoding");
        let etags = [plain.as_str(), gzip.header("etag"), zstd.header("etag")];
        assert!(etags[0] != etags[1] && etags[1] != etags[2] && etags[0] != etags[2]);
        // A part of a packed file could not be unpacked by itself.
        let part = ["accept-encoding: gzip, zstd", "range: bytes=9-20"];
        let part = served.ask("GET", &path, &part, "").await;
        assert_eq!((part.status(), part.header("content-encoding")), (206, ""));
        assert_eq!(part.text(), csv[9..=20]);
        // Parquet is packed inside.
        let path = format!("/v1/reports/{id}.parquet");
        let parquet = served.ask("GET", &path, &["accept-encoding: gzip, zstd"], "").await;
        assert_eq!(parquet.header("content-encoding"), "");
    });
}

#[test]
fn a_download_is_called_after_its_chain_and_instant() {
    block_on(async {
        let named = |chain: &str| Settings { chain: Some(chain.to_owned()), ..Settings::default() };
        let mut served = Served::with(named("Döner König")).await;
        let id = served.finished(r#"{"now": "2023-01-25T18:09:00.999999Z"}"#).await;
        for (settings, ending, expected) in [
            (
                named("Döner König"),
                "csv",
                "attachment; filename=\"uptally_D_ner_K_nig_20230125T180900Z.csv\"; \
                 filename*=UTF-8''uptally_D%C3%B6ner%20K%C3%B6nig_20230125T180900Z.csv",
            ),
            (
                named("north-west"),
                "parquet",
                "attachment; filename=\"uptally_north-west_20230125T180900Z.parquet\"",
            ),
            (named("/"), "md", "attachment; filename=\"uptally_20230125T180900Z.md\""),
        ] {
            served = served.again(settings);
            let answer = served.get(&format!("/v1/reports/{id}.{ending}")).await;
            assert_eq!(answer.header("content-disposition"), expected);
        }
        served = served.again(Settings::default());
        let folder = served.data.path().file_name().unwrap().to_str().unwrap().to_owned();
        let name = format!("uptally_{}_20230125T180900Z.csv", folder.trim_matches('.'));
        let answer = served.get(&format!("/v1/reports/{id}.csv")).await;
        assert_eq!(
            answer.header("content-disposition"),
            format!("attachment; filename=\"{name}\"")
        );
    });
}

#[test]
fn the_list_goes_on_where_its_page_ended() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let mut ids = Vec::new();
        for minute in 0..5 {
            let now = format!("2023-01-24T12:0{minute}:00Z");
            ids.push(served.trigger(&json!({ "now": now }).to_string()).await);
        }
        ids.reverse();
        let (mut found, mut path) = (Vec::new(), "/v1/reports?limit=2".to_owned());
        loop {
            let page = served.get(&path).await.json();
            let reports = page["reports"].as_array().unwrap();
            found.extend(reports.iter().map(|report| report["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/reports?limit=2&cursor={cursor}");
        }
        assert_eq!(found, ids);
        let real = served.get("/v1/reports?limit=2").await.json()["next_cursor"].clone();
        let real = real.as_str().unwrap();
        let garbled = ["!", "", "4", "zz", "%C3%A9%C3%A9%C3%A9%C3%A9", "zzzzzzzzzzzzzzzzzzzz"]
            .map(str::to_owned);
        let near =
            [format!("%2B{real}"), format!("0{real}"), real.to_uppercase(), format!("{real}0")];
        let wrong = garbled.into_iter().chain(near).filter(|cursor| cursor != real);
        let wrong = wrong.map(|cursor| format!("cursor={cursor}"));
        for wrong in ["limit=0", "limit=201", "limit=x"].map(str::to_owned).into_iter().chain(wrong)
        {
            let answer = served.get(&format!("/v1/reports?{wrong}")).await;
            assert_eq!(answer.status(), 400, "{wrong}");
            let name = wrong.split('=').next().unwrap();
            assert!(answer.detail().starts_with(&format!("{name}: ")), "{}", answer.text());
        }
    });
}

#[test]
fn a_list_counts_the_stores_that_a_report_names() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let stores = json!(["1177941416522642976", "1566613282095105181"]);
        let id = served.trigger(&json!({ "store": stores }).to_string()).await;
        let shown = served.get(&format!("/v1/reports/{id}")).await.json();
        assert_eq!((&shown["options"]["store"], &shown["stores_named"]), (&stores, &json!(2)));
        let mut listed = served.get("/v1/reports").await.json()["reports"][0].take();
        assert_eq!(listed["options"]["store"], json!(null));
        listed["options"]["store"] = stores;
        assert_eq!(listed, shown);
    });
}

#[test]
fn a_question_is_held_while_the_report_runs_and_no_longer() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.trigger("").await;
        let path = format!("/v1/reports/{id}");
        let held = served.ask("GET", &path, &["prefer: respond-async, wait=60"], "").await.json();
        assert_eq!(held["state"], "complete");
        let served = served.again(waiting());
        let id = served.trigger(r#"{"exact": true}"#).await;
        let held = served.get(&format!("/v1/reports/{id}?wait=1ms")).await.json();
        assert_eq!(held["state"], "queued");
        for (wait, sentence) in
            [("61s", "more than 60s, the limit"), ("soon", "expected a duration")]
        {
            let answer = served.get(&format!("/v1/reports/{id}?wait={wait}")).await;
            assert_eq!(answer.status(), 400);
            assert!(answer.detail().contains(sentence), "{}", answer.text());
        }
        // Who waits when the server stops is answered at once.
        let path = format!("/v1/reports/{id}?wait=60s");
        let (answer, ()) = tokio::join!(served.get(&path), async {
            tokio::task::yield_now().await;
            served.service.stop_waiting();
        });
        assert_eq!(answer.json()["state"], "queued");
    });
}

#[test]
fn an_unknown_option_is_rejected_before_anything_runs() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (body, sentence) in [
            (r#"{"max_gab": "2h"}"#, "max_gab: is not an option of a report"),
            (r#"{"queries": "/tmp"}"#, "queries: is an option of the command line;"),
            (r#"{"store": ["nobody"]}"#, "store: there is no store \"nobody\" in the data"),
            (r#"{"as_of": 7}"#, "there is no version 7; expected 1 to 1"),
            (r#"{"now": 5}"#, "now: 5 is not a text"),
            ("[]", "the body is JSON, but not an object of options"),
            ("{", "the body is not JSON"),
        ] {
            let answer = served.ask("POST", "/v1/reports", &[], body).await;
            assert_eq!(answer.status(), 400, "{body}");
            assert!(answer.detail().contains(sentence), "{}", answer.text());
        }
        assert_eq!(served.get("/v1/reports").await.json()["reports"], json!([]));
    });
}

#[test]
fn explain_returns_the_plan_instead_of_the_report() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let plan = served.ask("POST", "/v1/reports", &[], r#"{"explain": true}"#).await;
        assert_eq!(
            (plan.status(), plan.header("content-type")),
            (200, "text/plain; charset=utf-8")
        );
        assert!(plan.text().contains("DataSourceExec"), "{}", plan.text());
        let folder = served.data.path().to_str().unwrap().trim_start_matches('/');
        assert!(!plan.text().contains(folder), "{}", plan.text());
        assert!(plan.text().contains("DATA/polls/"), "{}", plan.text());
        let body = r#"{"explain": true, "engine": "polars"}"#;
        assert_eq!(served.ask("POST", "/v1/reports", &[], body).await.status(), 400);
    });
}
