//! Each line of the table of legacy endpoints: a request, and its exact answer while the report
//! runs, when it is complete, and when it failed.

use std::time::Duration;

use serde_json::{Value, json};
use uptally::internals::server::{CompleteAs, Settings};

use super::{Answer, Served, csv_of_sample, waiting};
use crate::harness::block_on;

/// Request; `ID` stands for the report's id.
struct Sent {
    method: &'static str,
    path: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
}

const fn get(path: &'static str, headers: &'static [&'static str]) -> Sent {
    Sent { method: "GET", path, headers, body: "" }
}

const fn post(path: &'static str, headers: &'static [&'static str], body: &'static str) -> Sent {
    Sent { method: "POST", path, headers, body }
}

const JSON: &[&str] = &["accept: application/json"];
const TEXT: &[&str] = &["accept: text/plain"];
const ANY: &[&str] = &["accept: */*"];
const FORM: &[&str] = &["content-type: application/x-www-form-urlencoded"];

const MULTIPART: &[&str] = &["content-type: multipart/form-data; boundary=cut"];
const PARTS: &str =
    "--cut\r\ncontent-disposition: form-data; name=\"report_id\"\r\n\r\nID\r\n--cut--\r\n";

const TRIGGERS: &[Sent] = &[
    post("/trigger-report", &[], ""),
    get("/trigger_report", &[]),
    post("/trigger_report", &[], ""),
    post("/trigger_report", &["content-type: application/json"], "{}"),
    Sent { method: "GET", path: "/trigger_report", headers: &[], body: "a GET body is ignored" },
];

/// Requests whose complete answer is the CSV under a name, by the first, second, … dialect.
const CSV: &[(Sent, &str)] = &[
    (get("/get-report/ID", &[]), "report_ID.csv"),
    (get("/get-report/ID?format=csv", JSON), "report_ID.csv"),
    (get("/get_report?report_id=ID", &[]), "report_ID.csv"),
    (get("/get_report?report_id=ID", ANY), "report_ID.csv"),
    (get("/get_report?report_id=ID", TEXT), "report_ID.csv"),
    (post("/get_report?report_id=ID", &[], ""), "report_ID.csv"),
    (post("/get_report", FORM, "report_id=ID"), "report_ID.csv"),
    (post("/get_report", MULTIPART, PARTS), "report_ID.csv"),
    (
        post("/get_report", &["content-type: application/json"], r#"{"report_id": "ID"}"#),
        "report_ID.csv",
    ),
    (
        Sent {
            method: "GET",
            path: "/get_report?report_id=ID",
            headers: &[],
            body: "not looked at",
        },
        "report_ID.csv",
    ),
    (get("/get_report/ID", &[]), "store_report_ID.csv"),
    (get("/get_report/ID", ANY), "store_report_ID.csv"),
    (get("/get_report/ID", &["accept: text/csv"]), "store_report_ID.csv"),
    (get("/get_report/ID?format=csv", JSON), "store_report_ID.csv"),
    (DOWNLOAD, "store_report_ID.csv"),
];

/// No older service said what it answers to who asks for a file that is not there yet.
const DOWNLOAD: Sent = get("/download_report?file_path=reports/store_report_ID.csv", &[]);

async fn sent(served: &Served, request: &Sent, id: &str) -> Answer {
    let (path, body) = (request.path.replace("ID", id), request.body.replace("ID", id));
    served.ask(request.method, &path, request.headers, &body).await
}

#[track_caller]
fn is_json(answer: &Answer, expected: &Value, request: &Sent) {
    assert_eq!(answer.header("content-type"), "application/json", "{}", request.path);
    assert_eq!((answer.status(), &answer.json()), (200, expected), "{}", request.path);
}

#[test]
fn every_trigger_answers_the_id_of_the_one_report() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let mut ids = Vec::new();
        for request in TRIGGERS {
            let answer = sent(&served, request, "").await;
            let body = answer.json();
            let id = body["report_id"].as_str().unwrap().to_owned();
            is_json(&answer, &json!({ "report_id": id }), request);
            assert_eq!(uuid::Uuid::try_parse(&id).unwrap().get_version_num(), 4);
            ids.push(id);
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
    });
}

#[test]
fn a_running_report_is_running_in_every_dialect() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let id = served.trigger("").await;
        for (request, _) in CSV {
            let answer = sent(&served, request, &id).await;
            assert_eq!(answer.header("x-report-status"), "Running", "{}", request.path);
            match request.path {
                _ if request.headers == TEXT => {
                    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
                    assert_eq!(answer.text(), "Running");
                }
                path if path == DOWNLOAD.path => {
                    assert_eq!((answer.status(), answer.header("retry-after")), (409, "1"));
                    assert_eq!(answer.detail(), "the report is not complete yet");
                }
                path if path.starts_with("/get_report/") => {
                    let expected = json!({ "status": "Running", "message": "Running" });
                    is_json(&answer, &expected, request);
                }
                _ => is_json(&answer, &json!({ "status": "Running" }), request),
            }
        }
    });
}

#[test]
fn a_complete_report_is_a_download_in_every_dialect() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let (id, csv) = (served.finished("").await, csv_of_sample());
        assert_eq!(csv.lines().count(), 41);
        for (request, name) in CSV {
            let answer = sent(&served, request, &id).await;
            assert_eq!((answer.status(), answer.text()), (200, csv.clone()), "{}", request.path);
            assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
            assert_eq!(answer.header("x-report-status"), "Complete");
            let disposition = format!("attachment; filename=\"{}\"", name.replace("ID", &id));
            assert_eq!(answer.header("content-disposition"), disposition, "{}", request.path);
        }
        let as_json = get("/get-report/ID?format=json", &[]);
        let expected = json!({ "status": "Complete", "data": csv });
        is_json(&sent(&served, &as_json, &id).await, &expected, &as_json);
    });
}

#[track_caller]
fn is_completed(answer: &Answer, id: &str) {
    let body = answer.json();
    assert_eq!((answer.status(), &body["status"]), (200, &json!("Completed")));
    assert_eq!(body["filepath"], format!("reports/store_report_{id}.csv"));
    assert_eq!(answer.header("x-report-status"), "Complete");
}

#[test]
fn json_answers_hold_the_url_of_the_file() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        for request in [
            get("/get_report/ID", JSON),
            get("/get_report/ID?format=json", ANY),
            get("/get_report/ID", &["accept: application/json, text/plain, */*"]),
        ] {
            is_completed(&sent(&served, &request, &id).await, &id);
        }
        let both = get("/get_report/ID", &["accept: application/json, text/csv"]);
        let csv = sent(&served, &both, &id).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        let settings = Settings { complete_as: CompleteAs::Json, ..Settings::default() };
        let served = served.again(settings);
        is_completed(&sent(&served, &both, &id).await, &id);
        for headers in [ANY, &[]] {
            is_completed(&sent(&served, &get("/get_report/ID", headers), &id).await, &id);
        }
        let csv = sent(&served, &get("/get_report/ID", &["accept: text/csv"]), &id).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    });
}

#[test]
fn a_report_that_failed_says_so_in_every_dialect() {
    block_on(async {
        let mut settings = Settings::default();
        settings.reports.report_time = Duration::ZERO;
        let served = Served::with(settings).await;
        let id = served.trigger("").await;
        let state = served.get(&format!("/v1/reports/{id}?wait=60s")).await.json()["state"].clone();
        assert_eq!(state, "failed");
        for (request, _) in CSV {
            let message = "took longer than 0s, the limit of --report-time";
            let expected = json!({ "status": "Failed", "message": message });
            let answer = sent(&served, request, &id).await;
            assert_eq!(answer.header("x-report-status"), "Failed");
            if request.path == DOWNLOAD.path {
                assert_eq!(answer.status(), 409);
                assert_eq!(answer.detail(), format!("the report failed: {message}"));
                continue;
            }
            is_json(&answer, &expected, request);
        }
    });
}

#[test]
fn a_file_that_has_to_be_made_again_is_not_there_yet() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        std::fs::remove_file(served.data.path().join(format!("reports/files/{id}.arrow"))).unwrap();
        // Nothing is in memory after a restart, so that the file is looked for.
        let served = served.again(Settings::default());
        let answer = sent(&served, &DOWNLOAD, &id).await;
        assert_eq!((answer.status(), answer.header("retry-after")), (409, "1"));
        served.finished("").await;
        assert_eq!(sent(&served, &DOWNLOAD, &id).await.text(), csv_of_sample());
    });
}

#[test]
fn an_unknown_id_is_not_found_and_says_why() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let never = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for id in [never, "x", "..%2F..%2Fetc%2Fpasswd"] {
            for (request, _) in
                CSV.iter().filter(|(request, _)| !request.path.contains("file_path"))
            {
                let answer = sent(&served, request, id).await;
                assert_eq!(answer.status(), 404, "{} {}", request.path, answer.text());
                assert!(answer.detail().starts_with("there is no report "), "{}", answer.text());
            }
        }
        for path in [
            format!("reports/store_report_{never}.csv"),
            "reports/../../../etc/passwd".to_owned(),
            "/etc/passwd".to_owned(),
            format!("reports/store_report_../{never}.csv"),
            String::new(),
        ] {
            let answer = served.get(&format!("/download_report?file_path={path}")).await;
            assert_eq!(answer.status(), 404, "{path}");
            assert!(answer.detail().contains("there is no "), "{}", answer.text());
        }
    });
}

#[test]
fn missing_and_malformed_parameters_are_named() {
    block_on(async {
        let served = Served::with(waiting()).await;
        for (request, sentence) in [
            (get("/get_report", &[]), "report_id: is missing"),
            (post("/get_report", &[], ""), "report_id: is missing"),
            (post("/get_report", &[], "{\"report_id\": 7}"), "report_id: 7 is not a text"),
            (post("/get_report", &[], "report"), "the body is not JSON"),
            (post("/get_report", MULTIPART, "--cut--\r\n"), "report_id: is missing"),
            (post("/get_report", MULTIPART, "report_id=ID"), "the body is not a multipart form"),
            (
                post("/get_report", &["content-type: multipart/form-data"], PARTS),
                "the body is not a multipart form",
            ),
            (post("/get_report", FORM, "report_id=a&report_id=b"), "report_id: is given more than"),
            (get("/download_report", &[]), "file_path: is missing"),
            (get("/get_report?report_id=a&report_id=b", &[]), "report_id: is given more than once"),
        ] {
            let answer = sent(&served, &request, "").await;
            assert_eq!(answer.status(), 400, "{}", request.path);
            assert!(answer.detail().contains(sentence), "{}", answer.text());
        }
        let id = served.trigger("").await;
        let answer = served.get(&format!("/get-report/{id}?format=xml")).await;
        assert_eq!(
            (answer.status(), answer.detail().as_str()),
            (400, "format: \"xml\" is not one of csv, json")
        );
    });
}
