//! Decisions of a batch, and their effects.

use super::super::{Jobs, Limits, Retention};
use super::*;
use crate::server::compute_pool::ComputePool;
use crate::server::report_request::ReportRequest;
use crate::server::snapshots::Snapshots;

/// Runs no reports, and keeps them for a thousand microseconds.
const LIMITS: Limits = Limits {
    retention: Retention { age_us: 1000, reports_max: 9, bytes_max: u64::MAX },
    queue_max: 9,
    at_once: 0,
    report_time: std::time::Duration::from_secs(60),
};

fn jobs(folder: &std::path::Path) -> Jobs {
    within(folder, LIMITS)
}

fn within(folder: &std::path::Path, limits: Limits) -> Jobs {
    let time = limits.report_time;
    let compute = Arc::new(ComputePool::start(time, usize::MAX).unwrap());
    let snapshots = Arc::new(Snapshots::new(folder.to_owned(), Arc::clone(&compute)));
    Jobs::open(folder, limits, snapshots, compute, || 10).unwrap()
}

fn trigger(key: Option<String>) -> (Change, oneshot::Receiver<Result<Triggered, Refused>>) {
    trigger_at(7, key)
}

fn trigger_at(
    now: i64,
    key: Option<String>,
) -> (Change, oneshot::Receiver<Result<Triggered, Refused>>) {
    let resolved = ResolvedRequest {
        version: 1,
        fingerprint: [0; 32],
        zone_rules: String::new(),
        now,
        request: ReportRequest::default(),
    };
    let repeatable = key.map(|key| Repeatable { key, fingerprint: [1; 32] });
    let (reply, answer) = oneshot::channel();
    let asked = TriggerRequest { resolved, repeatable, client: Client::Own, at: 5 };
    (Change::Trigger { asked, reply }, answer)
}

fn removal(id: Uuid) -> Change {
    Change::Remove { id, at: 10, reply: oneshot::channel().0 }
}

/// Expiry that the clock alone would only cause some time after instant 10.
fn expiry() -> Change {
    Change::Expire { at: 2000, reply: None }
}

fn together(inner: &Inner, changes: impl IntoIterator<Item = Change>) {
    let mut batch = Batch::default();
    changes.into_iter().for_each(|change| assert!(batch.add(inner, change)));
    batch.finish(inner);
}

fn triggered(inner: &Inner, key: Option<String>) -> Arc<Job> {
    let (change, mut answer) = trigger(key);
    together(inner, [change]);
    answer.try_recv().unwrap().unwrap().job
}

fn failed(inner: &Inner) -> Arc<Job> {
    let job = triggered(inner, None);
    let ending = Ending::Failed { finished_at: 8, detail: String::new() };
    together(inner, [Change::End { job: Arc::clone(&job), ending }]);
    job
}

/// Checks that the index and the database hold the same reports.
#[track_caller]
fn known(inner: &Inner, expected: &[Uuid]) {
    let kept = inner.database.read_all().unwrap().reports;
    assert_eq!(kept.iter().map(|(id, _)| *id).collect::<Vec<_>>(), expected);
    assert_eq!(inner.index().ids(), expected.iter().copied().collect());
}

#[test]
fn a_forgotten_report_does_not_answer_a_concurrent_trigger() {
    for change in [|_| expiry(), removal] {
        let folder = tempfile::tempdir().unwrap();
        let jobs = jobs(folder.path());
        let old = failed(&jobs.0).id;
        let (again, mut answer) = trigger(None);
        together(&jobs.0, [change(old), again]);
        let new = answer.try_recv().unwrap().unwrap().job.id;
        assert_ne!(new, old);
        known(&jobs.0, &[new]);
    }
}

#[test]
fn a_rerun_report_is_not_forgotten_concurrently() {
    for change in [|_| expiry(), removal] {
        let folder = tempfile::tempdir().unwrap();
        let jobs = jobs(folder.path());
        let job = failed(&jobs.0);
        together(&jobs.0, [trigger(None).0, change(job.id)]);
        assert_eq!(job.state(), State::Queued);
        known(&jobs.0, &[job.id]);
    }
}

#[tokio::test]
async fn reports_beyond_the_retention_are_forgotten_when_another_ends() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { reports_max: 1, ..LIMITS.retention };
    let jobs = within(folder.path(), Limits { retention, ..LIMITS });
    let first = failed(&jobs.0).id;
    let (change, mut answer) = trigger_at(8, None);
    together(&jobs.0, [change]);
    let second = answer.try_recv().unwrap().unwrap().job;
    let ending = Ending::Failed { finished_at: 9, detail: String::new() };
    jobs.0.changes.send(Change::End { job: Arc::clone(&second), ending }).unwrap();
    second.ended_within(LIMITS.report_time).await;
    // Changes are handled in order: this one follows the expiry after the end.
    let other = ResolvedRequest {
        version: 1,
        fingerprint: [0; 32],
        zone_rules: String::new(),
        now: 9,
        request: ReportRequest::default(),
    };
    let third = jobs.trigger(other, None).await.unwrap().job.id;
    assert_eq!(jobs.0.index().ids(), [second.id, third].into());
    assert_eq!(jobs.0.database.gone_at(first).unwrap(), Some(10));
}

#[test]
fn a_report_forgotten_while_it_ran_again_stays_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path());
    let job = failed(&jobs.0);
    let mut batch = Batch::default();
    batch.add(&jobs.0, expiry());
    // Like a reader that finds the file broken.
    job.set_state(State::Queued);
    batch.finish(&jobs.0);
    let ending = Ending::Failed { finished_at: 9, detail: String::new() };
    together(&jobs.0, [Change::End { job, ending }]);
    known(&jobs.0, &[]);
}

#[test]
fn a_cancelled_report_does_not_answer_a_concurrent_trigger() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path());
    let old = triggered(&jobs.0, None).id;
    let (again, mut answer) = trigger(None);
    together(&jobs.0, [removal(old), again]);
    assert_ne!(answer.try_recv().unwrap().unwrap().job.id, old);
}

#[test]
fn as_many_reports_are_accepted_as_may_run_or_wait() {
    for (at_once, queue_max) in [(1, 0), (0, 1), (2, 1), (0, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let jobs = within(folder.path(), Limits { at_once, queue_max, ..LIMITS });
        let (changes, answers): (Vec<_>, Vec<_>) = (0..5).map(|now| trigger_at(now, None)).unzip();
        // In one batch, so that none ends before the last trigger.
        together(&jobs.0, changes);
        let refused = |mut answer: oneshot::Receiver<Result<Triggered, Refused>>| {
            matches!(answer.try_recv().unwrap(), Err(Refused::QueueFull))
        };
        let refused: Vec<_> = answers.into_iter().map(refused).collect();
        let expected: Vec<_> = (0..5).map(|place| place >= at_once + queue_max).collect();
        assert_eq!(refused, expected, "{at_once} at once, {queue_max} wait");
    }
}

#[test]
fn no_client_fills_the_queue_alone() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = within(folder.path(), Limits { queue_max: 16, ..LIMITS });
    let asked = |now: i64, client: Client| {
        let (change, mut answer) = trigger_at(now, None);
        let Change::Trigger { asked, reply } = change else { panic!() };
        together(&jobs.0, [Change::Trigger { asked: TriggerRequest { client, ..asked }, reply }]);
        answer.try_recv().unwrap().is_ok()
    };
    let (ann, bob) = (Client::Key([1; 4]), Client::Key([2; 4]));
    assert_eq!((0..16).filter(|now| asked(*now, ann)).count(), 14);
    assert_eq!((16..32).filter(|now| asked(*now, bob)).count(), 2);
}

#[test]
fn the_oldest_keys_of_a_report_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = jobs(folder.path());
    let count = KEYS_OF_REPORT_MAX + 3;
    // Keys in no sorted order, so that sorting cannot pass for age.
    let keys: Vec<_> = (0..count).map(|at| format!("{}", at * 7919 % 1000)).collect();
    for some in keys.chunks(BATCH_CHANGES_MAX) {
        together(&jobs.0, some.iter().map(|key| trigger(Some(key.clone())).0));
    }
    let mut kept: Vec<_> = jobs.0.database.read_all().unwrap().remembered;
    kept.sort_by_key(|(key, _)| keys.iter().position(|other| other == key));
    let kept: Vec<_> = kept.into_iter().map(|(key, _)| key).collect();
    assert_eq!(kept, keys[3..]);
    let in_memory = |key: &String| jobs.0.index().remembered(key).is_some();
    assert_eq!(keys.iter().filter(|key| in_memory(key)).count(), KEYS_OF_REPORT_MAX);
    assert!(!in_memory(&keys[2]) && in_memory(&keys[3]));
}
