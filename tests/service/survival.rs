//! Reports survive restarts, and equal requests share a report.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use uptally::internals::server::Settings;

use super::{Served, csv_of_sample, waiting};
use crate::harness::{DAY_US, block_on, ingest};

#[test]
fn an_interrupted_report_runs_again_under_its_id() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let first = served.trigger("").await;
        let second = served.trigger(r#"{"engine": "polars", "max_gap": "2h"}"#).await;
        let served = served.again(Settings::default());
        for id in [&first, &second] {
            let report = served.get(&format!("/v1/reports/{id}?wait=60s")).await.json();
            assert_eq!(report["state"], "complete", "{report}");
        }
        assert_eq!(served.get(&format!("/v1/reports/{first}.csv")).await.text(), csv_of_sample());
        assert_eq!(served.trigger("").await, first);
    });
}

#[test]
fn a_finished_report_is_there_after_a_restart() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        let etag = |answer: super::Answer| answer.header("etag").to_owned();
        let before = etag(served.get(&format!("/v1/reports/{id}.parquet")).await);
        let served = served.again(waiting());
        let report = served.get(&format!("/v1/reports/{id}")).await.json();
        assert_eq!(
            (&report["state"], &report["stores"]["stores"]),
            (&json!("complete"), &json!(40))
        );
        assert_eq!(etag(served.get(&format!("/v1/reports/{id}.parquet")).await), before);
    });
}

#[test]
fn a_broken_or_missing_file_is_made_again() {
    block_on(async {
        let mut served = Served::with(Settings::default()).await;
        let id = served.finished("").await;
        let whole = served.get(&format!("/v1/reports/{id}.csv")).await.text();
        let path = served.data.path().join(format!("reports/files/{id}.arrow"));
        let bytes = std::fs::read(&path).unwrap();
        let flipped = {
            let mut flipped = bytes.clone();
            flipped[bytes.len() / 2] ^= 1;
            flipped
        };
        for broken in [Some(bytes[..bytes.len() / 2].to_vec()), Some(flipped), None] {
            match broken {
                Some(broken) => std::fs::write(&path, broken).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            // Nothing is in memory after a restart, so that the file is looked at.
            served = served.again(Settings::default());
            let first = served.get(&format!("/get-report/{id}")).await;
            assert_eq!(first.json(), json!({ "status": "Running", "message": "Running" }));
            let report = served.get(&format!("/v1/reports/{id}?wait=60s")).await.json();
            assert_eq!(report["state"], "complete");
            assert_eq!(served.get(&format!("/get-report/{id}")).await.text(), whole);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    });
}

#[test]
fn the_same_question_is_the_same_report_and_another_is_not() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let first = served.trigger("").await;
        let now = served.get(&format!("/v1/reports/{first}")).await.json()["now"].clone();
        for same in [
            "{}".to_owned(),
            r#"{"interpolation": "previous", "max_gap": null, "store": []}"#.to_owned(),
            r#"{"default_hours": "always"}"#.to_owned(),
            r#"{"as_of": 1, "format": "parquet"}"#.to_owned(),
            json!({ "now": now }).to_string(),
        ] {
            assert_eq!(served.trigger(&same).await, first, "{same}");
        }
        let (one, other) = ("1177941416522642976", "1566613282095105181");
        let both = served.trigger(&json!({ "store": [one, other, one] }).to_string()).await;
        assert_eq!(served.trigger(&json!({ "store": [other, one] }).to_string()).await, both);
        let mut ids = vec![first, both];
        for other in [
            r#"{"interpolation": "next"}"#,
            r#"{"max_gap": "2h"}"#,
            r#"{"exact": true}"#,
            r#"{"columns": "extended"}"#,
            r#"{"engine": "polars"}"#,
            r#"{"now": "2023-01-24T12:00:00Z"}"#,
            r#"{"default_timezone": "Asia/Tokyo"}"#,
            r#"{"default_hours": "9:00-17:00"}"#,
            r#"{"default_hours": "closed"}"#,
        ] {
            ids.push(served.trigger(other).await);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 11);
    });
}

#[test]
fn new_data_is_a_new_report_and_the_old_one_stays() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let before = served.finished("").await;
        let polls = served.data.path().join("more.csv");
        std::fs::write(
            &polls,
            "store_id,status,timestamp_utc\nnew,active,2023-01-26 00:00:00 UTC\n",
        )
        .unwrap();
        ingest(served.data.path(), &[&polls]).await.unwrap();
        let after = served.finished("").await;
        assert_ne!(after, before);
        let lines = |text: String| text.lines().count();
        assert_eq!(lines(served.get(&format!("/v1/reports/{before}.csv")).await.text()), 41);
        assert_eq!(lines(served.get(&format!("/v1/reports/{after}.csv")).await.text()), 42);
        assert_eq!(served.trigger(r#"{"as_of": 1}"#).await, before);
    });
}

#[test]
fn a_request_sent_again_under_its_key_is_one_request() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let send = async |served: &Served, key: &str, body: &str| {
            let header = format!("idempotency-key: {key}");
            served.ask("POST", "/v1/reports", &[&header], body).await
        };
        let first = send(&served, "a", "{}").await.json()["id"].clone();
        let served = served.again(waiting());
        assert_eq!(send(&served, "a", "{}").await.json()["id"], first);
        let other = send(&served, "a", r#"{"exact": true}"#).await;
        assert_eq!(other.status(), 422);
        assert!(
            other.detail().starts_with("Idempotency-Key: came with a different request before")
        );
        // The key stands for what was asked then, whatever the newest data is by now.
        let polls = served.data.path().join("more.csv");
        std::fs::write(&polls, "store_id,status,timestamp_utc\nn,up,2023-01-26 00:00:00\n")
            .unwrap();
        ingest(served.data.path(), &[&polls]).await.unwrap();
        assert_eq!(send(&served, "a", "{}").await.json()["id"], first);
        assert_ne!(send(&served, "b", "{}").await.json()["id"], first);
        let long = "x".repeat(256);
        assert_eq!(send(&served, &long, "{}").await.status(), 400);
    });
}

#[test]
fn a_full_queue_refuses_new_reports_but_not_known_ones() {
    block_on(async {
        let mut settings = waiting();
        settings.reports.queue_max = 2;
        let served = Served::with(settings).await;
        let first = served.trigger("").await;
        served.trigger(r#"{"exact": true}"#).await;
        let third = served.ask("POST", "/v1/reports", &[], r#"{"columns": "extended"}"#).await;
        assert_eq!((third.status(), third.header("retry-after")), (429, "2"));
        assert!(third.detail().contains("--max-queue"));
        assert_eq!(served.trigger("").await, first);
        // Whoever cancels gives up the place.
        let cancelled = format!("/v1/reports/{first}");
        assert_eq!(served.ask("DELETE", &cancelled, &[], "").await.status(), 204);
        served.trigger(r#"{"columns": "extended"}"#).await;
    });
}

#[test]
fn reports_expire_by_age_and_by_number() {
    block_on(async {
        let mut settings = Settings { clock: || DAY_US, ..Settings::default() };
        settings.reports.retention.reports_max = 2;
        let served = Served::with(settings.clone()).await;
        let mut ids = Vec::new();
        for now in ["2023-01-24T01:00:00Z", "2023-01-24T02:00:00Z", "2023-01-24T03:00:00Z"] {
            ids.push(served.finished(&json!({ "now": now }).to_string()).await);
        }
        served.service.expire(DAY_US).await;
        let gone = served.get(&format!("/get-report/{}", ids[0])).await;
        assert_eq!(gone.status(), 410);
        assert!(gone.detail().contains("has expired"));
        assert!(!served.data.path().join(format!("reports/files/{}.arrow", ids[0])).exists());
        assert_eq!(served.get(&format!("/get-report/{}", ids[1])).await.status(), 200);
        served.service.expire(32 * DAY_US).await;
        // Gone is gone, also for those who ask after a restart.
        let served = served.again(settings);
        for id in &ids {
            assert_eq!(served.get(&format!("/v1/reports/{id}")).await.status(), 410);
        }
        assert_ne!(served.finished(r#"{"now": "2023-01-24T01:00:00Z"}"#).await, ids[0]);
    });
}

#[test]
fn a_report_that_ends_makes_room_for_itself() {
    block_on(async {
        let mut settings = Settings::default();
        settings.reports.retention.reports_max = 2;
        let served = Served::with(settings).await;
        let mut ids = Vec::new();
        for hour in 1..=3 {
            let asked = json!({ "now": format!("2023-01-24T0{hour}:00:00Z") });
            ids.push(served.finished(&asked.to_string()).await);
        }
        // Reports change one after the other: what the third brought about was before this.
        served.trigger(r#"{"now": "2023-01-24T04:00:00Z"}"#).await;
        for (id, status) in [(&ids[0], 410), (&ids[2], 200)] {
            assert_eq!(served.get(&format!("/v1/reports/{id}")).await.status(), status);
        }
    });
}

/// Microseconds UTC, for the one test that turns it.
static CLOCK: AtomicI64 = AtomicI64::new(DAY_US);

#[test]
fn an_expired_report_is_gone_before_the_cleanup() {
    block_on(async {
        let clock = || CLOCK.load(Ordering::Relaxed);
        let served = Served::with(Settings { clock, ..Settings::default() }).await;
        let send = async || {
            let sent = served.ask("POST", "/v1/reports", &["idempotency-key: a"], "").await;
            sent.json()["id"].as_str().unwrap().to_owned()
        };
        let id = send().await;
        assert_eq!(served.finished("").await, id);
        CLOCK.store(31 * DAY_US, Ordering::Relaxed);
        assert_eq!(served.get(&format!("/v1/reports/{id}")).await.status(), 200);
        CLOCK.store(31 * DAY_US + 1, Ordering::Relaxed);
        assert_eq!(served.get("/v1/reports").await.json()["reports"], json!([]));
        let again = send().await;
        assert_ne!(again, id);
        assert_eq!(served.finished("").await, again);
        CLOCK.store(62 * DAY_US, Ordering::Relaxed);
        for path in ["", ".csv"] {
            let gone = served.get(&format!("/v1/reports/{again}{path}")).await;
            assert_eq!(gone.status(), 410, "{}", gone.text());
        }
        assert_ne!(served.trigger("").await, again);
    });
}

#[test]
fn a_report_with_an_unreadable_record_is_kept() {
    block_on(async {
        let Served { data, service, router } = Served::with(waiting()).await;
        service.close();
        drop((router, service));
        let database = redb::Database::open(data.path().join("reports/jobs.redb")).unwrap();
        let change = database.begin_write().unwrap();
        let table = redb::TableDefinition::<u128, &[u8]>::new("reports");
        let id = uuid::Uuid::new_v4();
        change.open_table(table).unwrap().insert(id.as_u128(), b"{}".as_slice()).unwrap();
        change.commit().unwrap();
        drop(database);
        let served = Served::over(data, waiting());
        for path in [format!("/v1/reports/{id}"), format!("/get_report/{id}")] {
            let answer = served.get(&path).await;
            assert_eq!(answer.status(), 500, "{}", answer.text());
            assert!(answer.detail().contains("its record cannot be read"), "{}", answer.text());
        }
    });
}

#[test]
fn without_a_queue_a_free_permit_is_used() {
    block_on(async {
        let mut settings = Settings::default();
        settings.reports.queue_max = 0;
        let served = Served::with(settings).await;
        let id = served.finished("").await;
        assert_eq!(served.finished("").await, id);
        served.finished(r#"{"exact": true}"#).await;
    });
}

#[test]
fn a_report_is_cancelled_or_forgotten() {
    block_on(async {
        let served = Served::with(waiting()).await;
        let id = served.trigger("").await;
        let path = format!("/v1/reports/{id}");
        assert_eq!(served.ask("DELETE", &path, &[], "").await.status(), 204);
        assert_eq!(served.get(&path).await.json()["state"], "cancelled");
        let failed = served.get(&format!("/get_report/{id}")).await.json();
        assert_eq!(failed, json!({ "status": "Failed", "message": "the report was cancelled" }));
        assert_eq!(served.get(&format!("{path}.csv")).await.status(), 409);
        // Whoever asks anew gets a report of their own.
        let anew = served.trigger("").await;
        assert_ne!(anew, id);
        assert_eq!(served.ask("DELETE", &path, &[], "").await.status(), 204);
        assert_eq!(served.get(&path).await.status(), 410);
        assert_eq!(served.ask("DELETE", &path, &[], "").await.status(), 410);
        assert_eq!(served.trigger("").await, anew);
        let served = served.again(Settings::default());
        assert_eq!(served.get(&path).await.status(), 410);
        assert_eq!(served.finished("").await, anew);
    });
}

#[test]
fn a_report_that_failed_is_made_again_when_asked_for_again() {
    block_on(async {
        let mut settings = Settings::default();
        settings.reports.report_time = std::time::Duration::ZERO;
        let served = Served::with(settings).await;
        let id = served.trigger("").await;
        let ended = served.get(&format!("/v1/reports/{id}?wait=60s")).await.json();
        assert_eq!(ended["state"], "failed");
        let served = served.again(Settings::default());
        assert_eq!(served.get(&format!("/v1/reports/{id}")).await.json()["state"], "failed");
        assert_eq!(served.finished("").await, id);
    });
}

#[test]
fn other_data_under_the_same_version_is_another_report() {
    block_on(async {
        let served = Served::with(Settings::default()).await;
        let before = served.finished("").await;
        let data = served.data.path().to_owned();
        for table in ["polls", "carried", "stores", "business_hours", "time_zones", "loads"] {
            std::fs::remove_dir_all(data.join(table)).unwrap();
        }
        let polls = data.join("other.csv");
        std::fs::write(&polls, "store_id,status,timestamp_utc\na,up,2023-01-25 18:13:22.47922\n")
            .unwrap();
        ingest(&data, &[&polls]).await.unwrap();
        let served = served.again(Settings::default());
        let after = served.finished("").await;
        assert_ne!(after, before);
        let csv = served.get(&format!("/v1/reports/{after}.csv")).await.text();
        assert_eq!(csv.lines().count(), 2);
    });
}
