//! The audit log: who asked what, when, and with what outcome, as a file of JSON lines.
//!
//! A line is appended by a single write, so that lines of several processes never mix. Neither keys
//! nor results are in it. What cannot be written is lost: the log of the server says so once, and how
//! many lines are missing when it can be written again.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Serialize, Serializer};

use super::keys::KeyId;
use crate::error::{Error, Result};
use crate::option_text::instant_text;

/// Of a path or a text of SQL; what is longer is cut, and ends with an ellipsis.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// Of a file that is created: who asks for what is nobody else's business.
#[cfg(unix)]
const NEW_MODE: u32 = 0o600;

/// By which way in a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Listener {
    Http,
    #[cfg(feature = "flight")]
    Flight,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Listener {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            #[cfg(feature = "flight")]
            Self::Flight => "flight",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
        }
    }
}

/// A line of the file. Every line has every field; what is not known is null.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// When the request came, microseconds UTC; written in RFC 3339.
    #[serde(serialize_with = "as_instant")]
    pub at: i64,
    pub listener: Listener,
    pub client: Option<SocketAddr>,
    pub key: Option<KeyId>,
    pub request_id: Option<String>,
    /// The method of HTTP, the call of Flight SQL or the message of PostgreSQL.
    pub method: String,
    /// Of HTTP, with the query.
    pub path: Option<String>,
    pub sql: Option<String>,
    /// The listener's own: `200`, `INVALID_ARGUMENT`, `42601`.
    pub status: String,
    pub rows: Option<u64>,
    pub took_ms: f64,
}

fn as_instant<S: Serializer>(at: &i64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&instant_text(*at))
}

/// The text as it is written; cut where it is too long.
pub fn cut(text: &str) -> String {
    match text.len() <= TEXT_BYTES_MAX {
        true => text.to_owned(),
        false => format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]),
    }
}

/// A file of lines that is open; a cheap handle.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    sink: Mutex<Sink<File>>,
}

impl AuditLog {
    /// Appends to the file, which may not be there yet.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = appended(path).map_err(|error| Error::io("write", path, error))?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), sink: Mutex::new(Sink::over(file)) })))
    }

    /// Goes on in the file that has the name now: another one, where the log was rotated. Where that
    /// cannot be opened, the log of the server says so, and lines go to the file from before.
    pub fn reopen(&self) {
        match appended(&self.0.path) {
            Ok(file) => self.sink().replace(file),
            Err(error) => {
                tracing::error!(file = ?self.0.path, %error, "the audit log was not opened anew");
            }
        }
    }

    pub fn write(&self, line: &Line) {
        self.sink().write(line);
    }

    fn sink(&self) -> MutexGuard<'_, Sink<File>> {
        self.0.sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn appended(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, NEW_MODE);
    options.open(path)
}

/// Takes lines, and counts those that it could not write.
#[derive(Debug)]
struct Sink<W> {
    output: W,
    lost: u64,
    /// Whether the last line lacks its end.
    is_cut: bool,
}

impl<W: Write> Sink<W> {
    fn over(output: W) -> Self {
        Self { output, lost: 0, is_cut: false }
    }

    fn replace(&mut self, output: W) {
        self.output = output;
        self.is_cut = false;
    }

    fn write(&mut self, line: &Line) {
        match self.append(line) {
            Ok(()) if self.lost > 0 => {
                tracing::warn!(
                    lost = self.lost,
                    "the audit log is written again; lines are missing"
                );
                self.lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    tracing::error!(%error, "the audit log cannot be written; lines are lost");
                }
                self.lost += 1;
            }
        }
    }

    fn append(&mut self, line: &Line) -> std::io::Result<()> {
        let mut bytes = if self.is_cut { b"\n".to_vec() } else { Vec::new() };
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        let written = loop {
            match self.output.write(&bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written > 0 {
            self.is_cut = written < bytes.len();
        }
        match written == bytes.len() {
            true => Ok(()),
            false => Err(IoError::new(ErrorKind::WriteZero, "a line was written in part")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

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
        let mut sink = Sink::over(Vec::new());
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
        let most = "a".repeat(TEXT_BYTES_MAX);
        assert_eq!(cut(&most), most);
        assert_eq!(cut(&format!("{most}b")), format!("{most}…"));
        let umlauts = format!("a{}", "ü".repeat(TEXT_BYTES_MAX));
        assert_eq!(cut(&umlauts), format!("a{}…", "ü".repeat(TEXT_BYTES_MAX / 2 - 1)));
    }

    /// Takes as many bytes of each write as the script says; none where it fails.
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
    fn a_full_disk_loses_lines_and_mixes_none() {
        let script = [None, Some(7), None, Some(usize::MAX)].into();
        let mut sink = Sink::over(Disk { script, written: Vec::new() });
        for (method, lost) in [("A", 1), ("B", 2), ("C", 3), ("D", 0), ("E", 0)] {
            sink.write(&line(method));
            assert_eq!(sink.lost, lost, "{method}");
        }
        let written = String::from_utf8(sink.output.written).unwrap();
        let lines: Vec<_> = written.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "{\"at\":\""));
        assert!(lines[1].contains("\"method\":\"D\"") && lines[2].contains("\"method\":\"E\""));
    }
}
