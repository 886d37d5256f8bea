//! Worker process, as the server sees it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::frames::{self, Frame};
use super::memory::MemoryGauge;
use super::process_log::ProcessLog;

/// Longest time until a process is ready for work.
pub const START_TIME: Duration = Duration::from_secs(60);
/// Largest frame of a handshake.
const HANDSHAKE_BYTES_MAX: usize = 1 << 20;
/// Number of preparing frames that are remembered.
const PREPARED_MAX: usize = 16;
/// Variables passed on from the server's environment; none is secret.
const VARIABLES: [&str; 4] = ["UPTALLY_LOG", "RUST_LOG", "RUST_BACKTRACE", "PATH"];

/// Program to start.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
}

/// Process that runs until dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    log: Option<ProcessLog>,
    /// `None` while leased.
    pub socket: Option<UnixStream>,
    pub gauge: MemoryGauge,
    /// Memory when it was ready for work.
    pub ready_bytes: usize,
    /// Memory granted to its largest work so far.
    pub granted_bytes_max: usize,
    /// Frames that prepared it, the latest last.
    prepared: VecDeque<Frame>,
    /// Temporary folder that it may write to; removed with it.
    _scratch: TempDir,
    pub idle_since: Instant,
}

impl Worker {
    /// Starts a process, which ends with the calling thread.
    ///
    /// # Errors
    /// If the system has no process, socket or folder left.
    pub fn start(program: &Program) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("uptally-").tempdir()?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&program.path);
        command
            .arg0(env!("CARGO_PKG_NAME"))
            .args(&program.arguments)
            .env_clear()
            .envs(VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("TMPDIR", scratch.path())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Signals from the keyboard are for the server, which lets the process finish.
            .process_group(0);
        let mut child = command.spawn()?;
        let watched = MemoryGauge::new(child.id()).and_then(|gauge| {
            Ok((gauge, child.stderr.take().map(ProcessLog::pass_on).transpose()?))
        });
        let (gauge, log) = match watched {
            Ok(watched) => watched,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        Ok(Self {
            child,
            log,
            socket: Some(ours),
            gauge,
            ready_bytes: 0,
            granted_bytes_max: 0,
            prepared: VecDeque::new(),
            _scratch: scratch,
            idle_since: Instant::now(),
        })
    }

    /// Sends the frames one by one, each after the answer to the previous, of the same kind.
    ///
    /// # Errors
    /// If the process ends, sends something else, or takes too long.
    pub fn handshake(&mut self, greetings: &[Frame]) -> io::Result<()> {
        self.exchange(greetings).map_err(|error| self.start_error(error))?;
        greetings.iter().for_each(|greeting| self.note(greeting));
        self.ready_bytes = self.gauge.bytes();
        self.idle_since = Instant::now();
        Ok(())
    }

    fn exchange(&mut self, greetings: &[Frame]) -> io::Result<()> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        socket.set_read_timeout(Some(START_TIME))?;
        for greeting in greetings {
            frames::write(socket, greeting.kind, &[&greeting.payload])?;
            frames::read(socket, HANDSHAKE_BYTES_MAX)?.expect_kind(greeting.kind)?;
        }
        socket.set_read_timeout(None)?;
        socket.set_nonblocking(true)
    }

    /// Error of its socket, in terms of the process.
    fn start_error(&mut self, error: io::Error) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        let kind = error.kind();
        match kind {
            UnexpectedEof | BrokenPipe | ConnectionReset => {
                self.kill();
                self.child.wait().map_or_else(std::convert::identity, |status| {
                    let ended = format!(
                        "it ended before it was ready ({status}); what it said is on stderr"
                    );
                    io::Error::new(kind, ended)
                })
            }
            WouldBlock | TimedOut => {
                let time = humantime::format_duration(START_TIME);
                io::Error::new(kind, format!("it was not ready within {time}"))
            }
            _ => error,
        }
    }

    /// Returns true if the frame has prepared it.
    pub fn is_prepared_for(&self, frame: &Frame) -> bool {
        self.prepared.contains(frame)
    }

    /// Remembers a frame that prepared it.
    pub fn note(&mut self, frame: &Frame) {
        if self.prepared.len() == PREPARED_MAX {
            self.prepared.pop_front();
        }
        self.prepared.push_back(frame.clone());
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory retained from earlier work, beyond its size when ready.
    pub fn retained_bytes(&self) -> usize {
        self.gauge.bytes().saturating_sub(self.ready_bytes)
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the process; its memory is freed by the time it has been waited for.
    pub fn kill(&mut self) {
        // A process that has ended cannot be killed.
        let _ = self.child.kill();
    }

    /// End of a process that has closed its socket.
    pub fn end(mut self) -> io::Result<ProcessEnd> {
        self.kill();
        let status = self.child.wait()?;
        let log = self.log.take();
        let has_overflowed_stack = log.is_some_and(ProcessLog::has_overflowed_stack);
        Ok(ProcessEnd { status, has_overflowed_stack })
    }
}

/// End of a process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnd {
    pub status: ExitStatus,
    pub has_overflowed_stack: bool,
}

impl Drop for Worker {
    /// Waits until its memory is free.
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}
