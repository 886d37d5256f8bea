//! Terms of a piece of work, and the reasons why it did not finish.

use tokio::time::Instant;

/// Limits of a piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub ends_at: Instant,
    /// Memory of the process beyond its size when it was ready.
    pub memory_bytes: usize,
}

/// Reason why work did not finish.
#[derive(Debug)]
pub enum LeaseError {
    /// The deadline of the work passed.
    Time,
    /// No permit became free until the deadline.
    NoPermit,
    /// Too many requests of its client wait already.
    QueueFull,
    /// The process exceeded its memory, or an allocation failed.
    Memory,
    /// The process ran out of stack: it was given something that nests too deeply.
    StackOverflow,
    /// Something else killed the process, such as the system's OOM killer.
    Killed,
    /// No process can be started, or made ready in time.
    StartFailed(String),
    /// The process exited, or sent something unexpected.
    Broken(String),
}
