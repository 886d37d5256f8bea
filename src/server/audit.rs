//! Audit log: a file of JSON lines that tell who sent which request, when, and its outcome.
//!
//! Each line is appended by a single write, so that lines of several processes never interleave.
//! The log contains neither keys nor results. A separate thread writes, so that a slow disk delays
//! no client. Lines that cannot be written, or not in time, are lost: the server's log reports the
//! failure once, and the number of lost lines when writing works again or the log ends.

use std::fs::{File, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use super::keys::KeyId;
use crate::error::{Error, Result};
use crate::rules::calendar::instant_text;

/// Bytes kept of a path or of SQL; longer text is truncated and ends with an ellipsis.
pub const TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes kept of the path of a request that was not admitted, so that none fills the disk.
pub const REFUSED_BYTES_MAX: usize = 256;
/// Lines that may wait to be written; further ones are lost.
const LINES_AHEAD_MAX: usize = 1024;
/// Longest time that shutdown waits for pending lines.
const FLUSH_TIME: Duration = Duration::from_secs(2);
/// Pause between two attempts to queue a flush.
const FLUSH_PAUSE: Duration = Duration::from_millis(10);
/// Mode of a new file: requests are private to its owner.
#[cfg(unix)]
const NEW_MODE: u32 = 0o600;

/// Listener that received a request.
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

/// Line of the file. It has every field; an unknown value is null.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Arrival of the request in microseconds UTC; written as RFC 3339.
    #[serde(serialize_with = "as_instant")]
    pub at: i64,
    pub listener: Listener,
    pub client: Option<SocketAddr>,
    pub key: Option<KeyId>,
    pub request_id: Option<String>,
    /// HTTP method, Flight SQL call or PostgreSQL message.
    pub method: String,
    /// HTTP path with its query.
    pub path: Option<String>,
    pub sql: Option<String>,
    /// Status in the listener's own terms: `200`, `INVALID_ARGUMENT`, `42601`.
    pub status: String,
    pub rows: Option<u64>,
    pub took_ms: f64,
}

fn as_instant<S: Serializer>(at: &i64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&instant_text(*at))
}

/// Truncates text that is longer than `bytes_max`, at a character boundary.
pub fn cut(text: &str, bytes_max: usize) -> String {
    match text.len() <= bytes_max {
        true => text.to_owned(),
        false => format!("{}…", &text[..text.floor_char_boundary(bytes_max)]),
    }
}

/// Open audit log; a cheap handle.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    orders: SyncSender<Order>,
    shared: Arc<Shared>,
}

/// State that the writing thread reads besides its orders.
#[derive(Debug, Default)]
struct Shared {
    /// Lines dropped for lack of room since the thread last looked.
    lost: AtomicU64,
    /// Set when the file has been renamed since the thread last looked.
    is_rotated: AtomicBool,
}

#[derive(Debug)]
enum Order {
    Write(Box<Line>),
    /// Only asks the thread to read the shared state.
    Look,
    /// Reports that everything before it was written.
    Flush(SyncSender<()>),
}

impl AuditLog {
    /// Appends to the file, and creates it if it is missing.
    ///
    /// # Errors
    /// If it cannot be written, or the system has no thread left.
    pub fn open(path: &Path) -> Result<Self> {
        let file = appended(path).map_err(|error| Error::io("write", path, error))?;
        let path = path.to_owned();
        let reopened = move || {
            let file = appended(&path);
            file.inspect_err(|error| {
                tracing::error!(file = ?path, %error, "the audit log was not reopened");
            })
        };
        Self::start(file, reopened, LINES_AHEAD_MAX)
    }

    fn start<W: Write + Send + 'static>(
        output: W,
        reopened: impl Fn() -> std::io::Result<W> + Send + 'static,
        lines_ahead_max: usize,
    ) -> Result<Self> {
        let (orders, heard) = sync_channel(lines_ahead_max);
        let shared = Arc::new(Shared::default());
        let sink = Sink::new(output);
        let thread = std::thread::Builder::new().name("audit".into());
        let started = thread.spawn({
            let shared = Arc::clone(&shared);
            move || write_all(sink, &heard, &shared, reopened)
        });
        started.map_err(|error| Error::Resource {
            what: "cannot start a thread for the audit log".into(),
            source: error.into(),
        })?;
        Ok(Self(Arc::new(Inner { orders, shared })))
    }

    /// Reopens the path after log rotation. If that fails, the server's log says so, and lines go
    /// to the old file.
    pub fn reopen(&self) {
        self.0.shared.is_rotated.store(true, Ordering::Release);
        // If the queue is full, the thread will look anyway.
        let _ = self.0.orders.try_send(Order::Look);
    }

    /// Queues the line or drops it; never blocks.
    pub fn write(&self, line: Line) {
        if self.0.orders.try_send(Order::Write(Box::new(line))).is_err()
            && self.0.shared.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!("the audit log is written too slowly; lines are lost");
        }
    }

    /// Waits until all lines so far are written, but not for a disk that hangs.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        let (mut order, ends_at) = (Order::Flush(done), Instant::now() + FLUSH_TIME);
        while let Err(TrySendError::Full(unsent)) = self.0.orders.try_send(order) {
            if Instant::now() >= ends_at {
                break;
            }
            order = unsent;
            std::thread::sleep(FLUSH_PAUSE);
        }
        let left = ends_at.saturating_duration_since(Instant::now());
        if is_done.recv_timeout(left).is_err() {
            tracing::error!("the audit log was not written to its end in time; lines are lost");
        }
    }
}

/// Handles orders until all senders are gone.
fn write_all<W: Write>(
    mut sink: Sink<W>,
    orders: &Receiver<Order>,
    shared: &Shared,
    reopened: impl Fn() -> std::io::Result<W>,
) {
    for order in orders {
        sink.lost += shared.lost.swap(0, Ordering::Relaxed);
        if shared.is_rotated.swap(false, Ordering::Acquire)
            && let Ok(output) = reopened()
        {
            sink.replace(output);
        }
        match order {
            Order::Write(line) => sink.write(&line),
            Order::Look => {}
            Order::Flush(done) => {
                sink.report_lost();
                // The caller may have stopped waiting.
                let _ = done.send(());
            }
        }
    }
    sink.lost += shared.lost.swap(0, Ordering::Relaxed);
    sink.report_lost();
}

fn appended(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, NEW_MODE);
    options.open(path)
}

/// Writes lines, and counts the ones that it could not write.
#[derive(Debug)]
struct Sink<W> {
    output: W,
    /// Lines lost since the number was last reported.
    lost: u64,
    /// Set while the most recent write has failed; a failure is reported once.
    is_failing: bool,
    /// Set if the last line was written in part.
    is_cut: bool,
}

impl<W: Write> Sink<W> {
    fn new(output: W) -> Self {
        Self { output, lost: 0, is_failing: false, is_cut: false }
    }

    fn replace(&mut self, output: W) {
        self.output = output;
        self.is_cut = false;
    }

    fn write(&mut self, line: &Line) {
        let appended = self.append(line);
        let was_failing = std::mem::replace(&mut self.is_failing, appended.is_err());
        match appended {
            Ok(()) => self.report_lost(),
            Err(error) => {
                if !was_failing {
                    tracing::error!(%error, "the audit log cannot be written; lines are lost");
                }
                self.lost += 1;
            }
        }
    }

    fn report_lost(&mut self) {
        if self.lost > 0 {
            tracing::warn!(lost = self.lost, "lines of the audit log were lost");
            self.lost = 0;
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
mod tests;
