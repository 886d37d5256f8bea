//! Worker's end of the contract: talks to the server on its standard input, dies with it, and has
//! limits of its own behind those that the server enforces.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard};

use super::frames::{self, Frame};

/// Socket to the server; frames of several threads do not interleave.
#[derive(Debug)]
pub struct ServerSocket {
    reader: Mutex<UnixStream>,
    writer: Mutex<UnixStream>,
}

impl ServerSocket {
    /// # Errors
    /// If the system has no descriptor left.
    pub fn from_stdin() -> io::Result<Self> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { writer: Mutex::new(socket.try_clone()?), reader: Mutex::new(socket) })
    }

    /// # Errors
    /// If the server is gone.
    pub fn send(&self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        frames::write(&mut *locked(&self.writer), kind, parts)
    }

    /// Receives the next frame.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn receive(&self) -> io::Result<Frame> {
        frames::read(&mut *locked(&self.reader), usize::MAX)
    }

    /// Sends a request to the server and receives its answer, while no other thread reads.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn call(&self, kind: u8, parts: &[&[u8]]) -> io::Result<Frame> {
        let mut reader = locked(&self.reader);
        self.send(kind, parts)?;
        let answer = frames::read(&mut *reader, usize::MAX)?;
        if answer.kind != kind {
            // The query was over, and this frame is the next one, which nobody would answer.
            tracing::error!("the server answered a different request");
            std::process::exit(1);
        }
        Ok(answer)
    }
}

fn locked(stream: &Mutex<UnixStream>) -> MutexGuard<'_, UnixStream> {
    stream.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Kills this process when the thread that started it ends, on Linux; elsewhere the socket closes.
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        let kill = Some(rustix::process::Signal::KILL);
        if let Err(error) = rustix::process::set_parent_process_death_signal(kill) {
            tracing::debug!(%error, "a worker process may outlive the server");
        }
    }
}

/// Lowers the priority of this thread and its children: where cores are scarce, the threads that
/// serve connections come first, and a starting worker does not delay probes.
pub fn lower_priority() {
    const NICE: i32 = 5;
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "worker processes compete with the server");
    }
}

/// Makes a panic exit the process after its message is logged: the server takes an exit for a bug,
/// and an abort for lack of memory or stack.
pub fn exit_on_panic() {
    let log = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        log(panic);
        std::process::exit(101);
    }));
}

/// Makes the kernel's OOM killer end this process before the server.
pub fn end_before_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "1000") {
        tracing::debug!(%error, "if memory runs out, the system may end the server before its workers");
    }
}

/// Limits anonymous memory, used or not, and disables core dumps. An allocation beyond the limit
/// fails, which aborts the process.
pub fn limit_memory(bytes: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let data = u64::try_from(bytes).unwrap_or(u64::MAX);
    for (resource, limit) in [(Resource::Data, data), (Resource::Core, 0)] {
        // Lower limits stay.
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        if let Err(error) = setrlimit(resource, limit) {
            tracing::debug!(%error, ?resource, "a worker process has no limit of its own");
        }
    }
}
