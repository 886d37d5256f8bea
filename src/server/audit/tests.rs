use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::server::keys::{Key, Role};

fn line(method: &str) -> Line {
    Line {
        at: 1_893_456_000_000_001,
        listener: Listener::Http,
        client: Some("127.0.0.1:5000".parse().unwrap()),
        key: None,
        request_id: None,
        method: method.to_owned(),
        path: Some("/livez".to_owned()),
        sql: None,
        status: "200".to_owned(),
        rows: None,
        took_ms: 1.5,
    }
}

#[test]
fn a_line_has_every_field() {
    let mut sink = Sink::new(Vec::new());
    let key = Key::new(Role::Read, "a", None, "").id();
    sink.write(&line("GET"));
    let sql = Some("SELECT '\n'".to_owned());
    sink.write(&Line { key: Some(key), sql, rows: Some(1), ..line("POST") });
    let written = String::from_utf8(sink.output).unwrap();
    let expected = [
        r#"{"at":"2030-01-01T00:00:00.000001Z","listener":"http","client":"127.0.0.1:5000","key":null,"request_id":null,"method":"GET","path":"/livez","sql":null,"status":"200","rows":null,"took_ms":1.5}"#.to_owned(),
        format!(
            r#"{{"at":"2030-01-01T00:00:00.000001Z","listener":"http","client":"127.0.0.1:5000","key":"{key}","request_id":null,"method":"POST","path":"/livez","sql":"SELECT '\n'","status":"200","rows":1,"took_ms":1.5}}"#
        ),
    ];
    assert_eq!(written.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_long_text_is_cut_between_two_characters() {
    assert_eq!(cut("abcd", 4), "abcd");
    assert_eq!(cut("abcde", 4), "abcd…");
    assert_eq!(cut("aüüü", 4), "aü…");
}

/// Accepts as many bytes per write as the script says; fails where it says none.
struct Disk {
    script: VecDeque<Option<usize>>,
    written: Vec<u8>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(taken) = self.script.pop_front().unwrap_or(Some(usize::MAX)) else {
            return Err(ErrorKind::StorageFull.into());
        };
        let taken = taken.min(bytes.len());
        self.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_loses_lines_and_interleaves_none() {
    let script = [None, Some(7), None, Some(usize::MAX)].into();
    let mut sink = Sink::new(Disk { script, written: Vec::new() });
    for (method, lost) in [("A", 1), ("B", 2), ("C", 3), ("D", 0), ("E", 0)] {
        sink.write(&line(method));
        assert_eq!(sink.lost, lost, "{method}");
    }
    let written = String::from_utf8(sink.output.written).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "{\"at\":\""));
    assert!(lines[1].contains("\"method\":\"D\"") && lines[2].contains("\"method\":\"E\""));
}

/// The server's log.
#[derive(Clone, Default)]
struct ServerLog(Arc<Mutex<Vec<u8>>>);

impl Write for ServerLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes all orders on this thread, and returns what the server's log says.
fn logged(script: &[Option<usize>], orders: Vec<Order>, shared: &Shared) -> String {
    let log = ServerLog::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let script = script.iter().copied().collect();
    let sink = Sink::new(Disk { script, written: Vec::new() });
    let (sender, heard) = sync_channel(orders.len());
    orders.into_iter().for_each(|order| sender.send(order).unwrap());
    drop(sender);
    write_all(sink, &heard, shared, || Err(ErrorKind::NotFound.into()));
    let written = written.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

#[test]
fn the_number_of_lost_lines_is_reported_at_the_end_at_the_latest() {
    let write = || Order::Write(Box::new(line("GET")));
    let flush = || Order::Flush(sync_channel(1).0);
    for (script, orders, dropped, expected) in [
        (vec![None, None, Some(usize::MAX)], vec![write(), write(), write()], 0, "lost=2"),
        (vec![None], vec![write()], 3, "lost=4"),
        (vec![None], vec![write(), flush()], 0, "lost=1"),
        (vec![], vec![], 5, "lost=5"),
    ] {
        let shared = Shared { lost: AtomicU64::new(dropped), ..Shared::default() };
        let logged = logged(&script, orders, &shared);
        assert_eq!(logged.matches("lost=").count(), 1, "{logged}");
        assert!(logged.contains(expected), "{expected}: {logged}");
        let failures = usize::from(!script.is_empty());
        assert_eq!(logged.matches("cannot be written").count(), failures, "{logged}");
    }
}

/// Disk that reports each write, and completes none before it is allowed to.
struct Hanging {
    begun: SyncSender<()>,
    may_finish: Receiver<()>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Hanging {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The receiver is gone once all writes may complete.
        let _ = self.begun.send(());
        let _ = self.may_finish.recv();
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_hangs_delays_nobody_and_loses_lines_beyond_the_queue() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let ((begun, has_begun), (finish, may_finish)) = (sync_channel(0), sync_channel(0));
    let disk = Hanging { begun, may_finish, written: Arc::clone(&written) };
    let log = AuditLog::start(disk, || Err(ErrorKind::NotFound.into()), 2).unwrap();
    log.write(line("A"));
    has_begun.recv().unwrap();
    for (method, lost) in [("B", 0), ("C", 0), ("D", 1), ("E", 2)] {
        log.write(line(method));
        assert_eq!(log.0.shared.lost.load(Ordering::Relaxed), lost, "{method}");
    }
    drop((has_begun, finish));
    log.flush();
    let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let methods: Vec<_> =
        written.lines().map(|line| line.split("\"method\":\"").nth(1).unwrap()).collect();
    assert!(methods.len() == 3 && methods[2].starts_with('C'), "{methods:?}");
    assert_eq!(log.0.shared.lost.load(Ordering::Relaxed), 0);
}
