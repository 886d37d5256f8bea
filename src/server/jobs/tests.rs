//! Records of another version of the program, with unknown options and unknown fields.

use serde_json::json;

use super::record::Record;
use super::*;
use crate::server::report_request::ReportRequest;

const UNKNOWN_OPTIONS: Uuid = Uuid::from_u128(1);
const UNKNOWN_RECORD: Uuid = Uuid::from_u128(2);

fn default_question() -> ResolvedRequest {
    ResolvedRequest {
        version: 1,
        fingerprint: [0; 32],
        zone_rules: String::new(),
        now: 7,
        request: ReportRequest::default(),
    }
}

/// A record of the default question, with other options.
fn record_of(options: serde_json::Value) -> Record {
    let ResolvedRequest { version, fingerprint, zone_rules, now, .. } = default_question();
    let (sequence, created_at, ending) = (1, 5, None);
    Record { sequence, created_at, version, fingerprint, zone_rules, now, options, ending }
}

/// Creates a folder with a report that has an unknown option, and one whose record is unknown.
fn of_another_version(folder: &Path) {
    let record = record_of(json!({ "engine": "abacus" }));
    let path = folder.join("jobs.redb");
    JobDatabase::open(&path)
        .unwrap()
        .write(&[database::Entry::Put(UNKNOWN_OPTIONS, record)])
        .unwrap();
    let database = redb::Database::open(&path).unwrap();
    let change = database.begin_write().unwrap();
    let table = redb::TableDefinition::<u128, &[u8]>::new("reports");
    let unknown = b"{}".as_slice();
    change.open_table(table).unwrap().insert(UNKNOWN_RECORD.as_u128(), unknown).unwrap();
    change.commit().unwrap();
    std::fs::create_dir(folder.join("files")).unwrap();
    std::fs::write(file(folder), "figures").unwrap();
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join(format!("files/{UNKNOWN_RECORD}.arrow"))
}

fn open(folder: &Path) -> Jobs {
    let time = Duration::from_secs(60);
    let retention = Retention { age_us: 1000, reports_max: 9, bytes_max: u64::MAX };
    let limits = Limits { retention, queue_max: 9, at_once: 1, report_time: time };
    let compute = Arc::new(ComputePool::start(time, usize::MAX).unwrap());
    let snapshots = Arc::new(Snapshots::new(folder.to_owned(), Arc::clone(&compute)));
    Jobs::open(folder, limits, snapshots, compute, || 10).unwrap()
}

#[tokio::test]
async fn a_request_that_cannot_be_parsed_equals_no_other_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    of_another_version(folder.path());
    for _start in 0..2 {
        let jobs = open(folder.path());
        let job = jobs.0.index().job(UNKNOWN_OPTIONS).unwrap();
        job.ended_within(Duration::from_secs(60)).await;
        let State::Ended(Ending::Failed { detail, .. }) = job.state() else { panic!() };
        assert!(detail.contains("cannot be read by this version"), "{detail}");
        let other = jobs.trigger(default_question(), None).await.unwrap().job;
        assert_ne!(other.id, UNKNOWN_OPTIONS);
        let kept = jobs.0.database.read_all().unwrap().reports;
        let (_, record) = kept.into_iter().find(|(id, _)| *id == UNKNOWN_OPTIONS).unwrap();
        assert_eq!(record.options, json!({ "engine": "abacus" }));
        jobs.close();
    }
}

#[test]
fn a_request_from_before_an_option_equals_one_with_its_default() {
    let mut options = ReportRequest::default().to_json();
    assert!(options.as_object_mut().unwrap().remove("default_hours").is_some());
    let resolved = record_of(options).resolved().unwrap();
    assert_eq!(resolved, default_question());
    assert_eq!(resolved.key(), default_question().key());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_its_id_and_its_file() {
    let folder = tempfile::tempdir().unwrap();
    of_another_version(folder.path());
    let jobs = open(folder.path());
    assert!(matches!(jobs.find(UNKNOWN_RECORD).unwrap(), Found::Unreadable));
    assert!(matches!(jobs.find(Uuid::from_u128(3)).unwrap(), Found::Unknown));
    assert!(file(folder.path()).exists());
}
