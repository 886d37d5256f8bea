//! Pools of processes that echo.

use std::time::Duration;

use super::*;

/// Pool of processes that answer with the same bytes.
fn echoing(at_once: usize) -> Pool {
    pool("exec cat <&0 >&0", at_once)
}

fn pool(script: &str, at_once: usize) -> Pool {
    let arguments = vec!["-c".into(), script.into()];
    let program = Program { path: "/bin/sh".into(), arguments };
    Pool::new(program, at_once, 1 << 20, Frame { kind: 1, payload: Vec::new() }).unwrap()
}

fn terms(time: Duration) -> Terms {
    Terms { ends_at: Instant::now() + time, memory_bytes: 64 << 20 }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_most_recently_used_process_is_leased_next() {
    let pool = echoing(2);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    lease.send(5, &[b"a", b"bc"]).await.unwrap();
    assert_eq!(lease.receive().await.unwrap(), Frame { kind: 5, payload: b"abc".to_vec() });
    let process = lease.process().unwrap();
    lease.keep();
    let lease = pool.lease(WorkKind::Short, terms(LONG)).await.unwrap();
    assert_eq!(lease.process(), Some(process));
}

#[tokio::test]
async fn a_process_past_its_deadline_is_replaced() {
    let pool = echoing(1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    let process = lease.process();
    lease.terms.ends_at = Instant::now();
    assert!(matches!(lease.receive().await, Err(LeaseError::Time)));
    drop(lease);
    let lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    assert_ne!(lease.process(), process);
}

#[tokio::test]
async fn a_lease_without_a_permit_fails_at_its_deadline() {
    let pool = echoing(1);
    let held = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    let waits = pool.lease(WorkKind::Long, terms(Duration::ZERO));
    assert!(matches!(waits.await, Err(LeaseError::NoPermit)));
    // The other kind of work has its own permits.
    pool.lease(WorkKind::Short, terms(LONG)).await.unwrap().keep();
    held.keep();
}

#[tokio::test]
async fn among_several_clients_none_holds_more_than_half_of_the_permits() {
    let pool = echoing(3);
    let [ann, bob, cyd] = [1, 2, 3].map(|number| Client::Key([number; 4]));
    let _of_ann = ann.scope(pool.lease(WorkKind::Long, terms(LONG))).await.unwrap();
    let _of_bob = bob.scope(pool.lease(WorkKind::Long, terms(LONG))).await.unwrap();
    let waits = ann.scope(pool.lease(WorkKind::Long, terms(Duration::ZERO)));
    assert!(matches!(waits.await, Err(LeaseError::NoPermit)));
    assert!(cyd.scope(pool.lease(WorkKind::Long, terms(LONG))).await.is_ok());
}

#[tokio::test]
async fn a_process_is_prepared_once_per_frame() {
    let pool = echoing(1);
    let warm = Frame { kind: 2, payload: b"warm".to_vec() };
    for _ in 0..2 {
        let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
        let (ends_at, process) = (lease.terms.ends_at, lease.process());
        lease.prepare(&warm).await.unwrap();
        assert!(lease.terms.ends_at >= ends_at);
        lease.keep();
        let heard = |worker: &Worker| worker.is_prepared_for(&warm);
        let state = pool.0.state();
        let idle = state.idle.iter().find(|worker| Some(worker.id()) == process).unwrap();
        assert!(heard(idle));
    }
}

#[tokio::test]
async fn a_process_that_is_not_ready_in_time_does_not_count_as_slow_work() {
    let pool = pool("dd bs=5 count=1 <&0 >&0 2>/dev/null; exec cat <&0 >/dev/null", 1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    let warm = Frame { kind: 2, payload: b"warm".to_vec() };
    let lost = lease.prepare_within(&warm, Duration::ZERO).await.unwrap_err();
    assert!(matches!(lost, LeaseError::StartFailed(_)), "{lost:?}");
}

/// Answers a greeting, grows, answers with an empty frame, and then echoes.
#[cfg(target_os = "linux")]
const GROWING: &str = r"
    dd bs=5 count=1 <&0 >&0 2>/dev/null
    dd bs=5 count=1 <&0 2>/dev/null
    text=$(head -c 4000000 /dev/zero | tr '\0' x)
    head -c 4 /dev/zero >&0
    printf '\5' >&0
    cat <&0 >&0
    exit
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn small_work_may_follow_larger_work() {
    let pool = pool(GROWING, 1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    let (process, ready) = (lease.process(), lease.memory_bytes_max - lease.terms.memory_bytes);
    lease.send(5, &[]).await.unwrap();
    lease.receive().await.unwrap();
    lease.keep();
    let little = Terms { memory_bytes: 1 << 20, ..terms(LONG) };
    let lease = pool.lease(WorkKind::Long, little).await.unwrap();
    assert_eq!(lease.process(), process);
    assert!(lease.memory_bytes_max > ready + 3_000_000, "{ready}, then {}", lease.memory_bytes_max);
}

fn kill(process: u32) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_killed_process_is_reported_and_the_next_one_works() {
    let pool = echoing(1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    kill(lease.process().unwrap());
    assert!(matches!(lease.receive().await, Err(LeaseError::Killed)));
    drop(lease);
    // Idle processes too.
    let lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    let process = lease.process().unwrap();
    lease.keep();
    kill(process);
    let has_ended = || {
        let mut state = pool.0.state();
        let mut killed = state.idle.iter_mut().filter(|worker| worker.id() == process);
        killed.all(|worker| worker.has_ended())
    };
    while !has_ended() {
        tokio::task::yield_now().await;
    }
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    assert_ne!(lease.process(), Some(process));
    lease.send(5, &[]).await.unwrap();
    assert!(lease.receive().await.is_ok());
}

/// Error of a process that answers a greeting, receives a frame, and ends.
async fn lost_by(end: &str) -> LeaseError {
    const HEARD: &str = "dd bs=5 count=1 <&0 >&0 2>/dev/null; dd bs=5 count=1 <&0 >/dev/null 2>&1";
    let pool = pool(&format!("{HEARD}; {end}"), 1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    lease.send(5, &[]).await.unwrap();
    lease.receive().await.unwrap_err()
}

#[tokio::test]
async fn an_abort_means_lack_of_memory_or_stack_and_an_exit_a_bug() {
    let aborted = lost_by("kill -s ABRT $$").await;
    assert!(matches!(aborted, LeaseError::Memory), "{aborted:?}");
    let overflowed = lost_by("echo 'thread a has overflowed its stack' >&2; kill -s ABRT $$").await;
    assert!(matches!(overflowed, LeaseError::StackOverflow), "{overflowed:?}");
    let faulted = lost_by("kill -s SEGV $$").await;
    assert!(matches!(faulted, LeaseError::StackOverflow), "{faulted:?}");
    let exited = lost_by("exit 101").await;
    assert!(matches!(&exited, LeaseError::Broken(why) if why.contains("101")), "{exited:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_grows_beyond_its_terms_is_lost_to_its_memory() {
    let pool = pool(GROWING, 1);
    let terms = Terms { memory_bytes: 1 << 20, ..terms(LONG) };
    let mut lease = pool.lease(WorkKind::Long, terms).await.unwrap();
    lease.send(5, &[]).await.unwrap();
    // It may answer before the check.
    let lost = loop {
        if let Err(lost) = lease.receive().await {
            break lost;
        }
    };
    assert!(matches!(lost, LeaseError::Memory), "{lost:?}");
}

#[tokio::test]
async fn a_missing_program_is_reported() {
    let program = Program { path: "/nowhere/uptally".into(), arguments: Vec::new() };
    let pool = Pool::new(program, 1, 1 << 20, Frame { kind: 1, payload: Vec::new() }).unwrap();
    let lost = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap_err();
    assert!(matches!(lost, LeaseError::StartFailed(_)), "{lost:?}");
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_reported_with_its_status() {
    for (script, status) in [("exit 7", "(exit status: 7)"), ("kill -s KILL $$", "(signal: 9")] {
        let pool = pool(script, 1);
        let lost = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap_err();
        let LeaseError::StartFailed(why) = &lost else { panic!("{lost:?}") };
        assert!(why.contains("ended before it was ready") && why.contains(status), "{why}");
    }
}

#[tokio::test]
async fn a_process_that_answers_another_kind_is_not_leased() {
    let pool = pool(r"printf '\0\0\0\0\7' >&0; exec cat <&0 >/dev/null", 1);
    let lost = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap_err();
    assert!(matches!(&lost, LeaseError::StartFailed(why) if why.contains("kind 7")), "{lost:?}");
    let pool = echoing(1);
    let mut lease = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap();
    lease.send(5, &[]).await.unwrap();
    let lost = lease.prepare(&Frame { kind: 2, payload: Vec::new() }).await.unwrap_err();
    assert!(matches!(&lost, LeaseError::Broken(why) if why.contains("kind 5")), "{lost:?}");
}

#[tokio::test]
async fn as_many_processes_start_as_leases_need_and_one_to_spare() {
    let pool = echoing(4);
    let (short, long) = tokio::join!(
        pool.lease(WorkKind::Short, terms(LONG)),
        pool.lease(WorkKind::Long, terms(LONG))
    );
    let leases = [short.unwrap(), long.unwrap()];
    let alive = pool.0.state().alive;
    assert!((2..=3).contains(&alive), "{alive}");
    // Each lease that ends its process has it replaced once.
    drop(leases);
    let state = pool.0.state();
    assert!(state.alive <= 3, "{}", state.alive);
    assert_eq!(state.waiting, 0);
}

#[tokio::test]
async fn a_start_that_failed_while_nobody_waited_is_tried_again() {
    let pool = echoing(1);
    pool.0.state().failed = Some("too many processes".into());
    pool.lease(WorkKind::Long, terms(LONG)).await.unwrap().keep();
}

#[tokio::test]
async fn a_pool_that_is_closed_starts_nothing() {
    let pool = echoing(1);
    pool.lease(WorkKind::Long, terms(LONG)).await.unwrap().keep();
    pool.close();
    let lost = pool.lease(WorkKind::Long, terms(LONG)).await.unwrap_err();
    assert!(matches!(lost, LeaseError::StartFailed(_)), "{lost:?}");
    assert!(pool.0.state().idle.is_empty());
}
