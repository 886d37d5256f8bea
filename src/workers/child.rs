//! What a process does for its part: it talks to the server over its standard input, lives no longer
//! than it, and has limits of its own behind those that the server watches.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard};

use super::frames::{self, Frame};

/// The socket to the server; frames of several threads are not mixed.
#[derive(Debug)]
pub struct ServerSocket {
    reader: Mutex<UnixStream>,
    writer: Mutex<UnixStream>,
}

impl ServerSocket {
    /// # Errors
    /// Where the system has no descriptor left.
    pub fn from_stdin() -> io::Result<Self> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { writer: Mutex::new(socket.try_clone()?), reader: Mutex::new(socket) })
    }

    /// # Errors
    /// Where the server has gone.
    pub fn send(&self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        frames::write(&mut *locked(&self.writer), kind, parts)
    }

    /// The next thing that the server says.
    ///
    /// # Errors
    /// Where the server has gone.
    pub fn receive(&self) -> io::Result<Frame> {
        frames::read(&mut *locked(&self.reader), usize::MAX)
    }

    /// What the server answers to a question about its own things, asked while nobody else hears it.
    ///
    /// # Errors
    /// Where the server has gone.
    pub fn call(&self, kind: u8, parts: &[&[u8]]) -> io::Result<Frame> {
        let mut reader = locked(&self.reader);
        self.send(kind, parts)?;
        let answer = frames::read(&mut *reader, usize::MAX)?;
        if answer.kind != kind {
            // The work was over, and this is the next: nobody could do it any more.
            tracing::error!("the server answers something else than it was asked");
            std::process::exit(1);
        }
        Ok(answer)
    }
}

fn locked(stream: &Mutex<UnixStream>) -> MutexGuard<'_, UnixStream> {
    stream.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends this process when the thread that started it ends; elsewhere than on Linux, when the socket
/// does.
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        let kill = Some(rustix::process::Signal::KILL);
        if let Err(error) = rustix::process::set_parent_process_death_signal(kill) {
            tracing::debug!(%error, "a process for queries may outlive the server");
        }
    }
}

/// Where cores are scarce, those who talk to clients come before this thread and those that it starts:
/// a start would delay probes otherwise.
pub fn lower_priority() {
    const NICE: i32 = 5;
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "processes for queries compete with the server");
    }
}

/// From now on a panic ends this process, once its words are in the log: the server takes its exit for
/// a bug, and an abort for want of memory.
pub fn exit_on_panic() {
    let log = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        log(panic);
        std::process::exit(101);
    }));
}

/// Where the machine's memory runs out, the system ends this process before the server.
pub fn end_before_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "1000") {
        tracing::debug!(%error, "where memory runs out, the server may end before its queries");
    }
}

/// So much memory at most that is of no file, whether it is used or not, and no file with what was in
/// it. An allocation beyond it fails, which ends the process.
pub fn limit_memory(bytes: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let data = u64::try_from(bytes).unwrap_or(u64::MAX);
    for (resource, limit) in [(Resource::Data, data), (Resource::Core, 0)] {
        // What is limited further already stays so.
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        if let Err(error) = setrlimit(resource, limit) {
            tracing::debug!(%error, ?resource, "a process for queries has no limit of its own");
        }
    }
}
