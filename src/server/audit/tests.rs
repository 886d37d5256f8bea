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
