//! Pieces of work for a worker process: their terms, and the errors of clients whose process did
//! not finish.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::fair_semaphore::QueueFull;
use crate::limits::{Limits, STACK_BYTES, stack_exceeded};
use crate::server::memory_limits::beside_bytes;
use crate::workers::{LeaseError, Terms, WorkKind};

/// Piece of work about a query.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub kind: WorkKind,
    pub limits: Limits,
}

impl Work {
    /// Parses, plans or describes a query, without operators.
    pub fn planning(limits: Limits) -> Self {
        Self { kind: WorkKind::Short, limits }
    }

    pub fn running(limits: Limits) -> Self {
        Self { kind: WorkKind::Long, limits }
    }

    /// Terms of work that begins now.
    pub fn terms(&self) -> Terms {
        // Too far for the clock to represent.
        let for_ever = Duration::from_secs(100 * 365 * 24 * 3600);
        let ends_at = Instant::now() + self.limits.time.min(for_ever);
        Terms { ends_at, memory_bytes: self.memory_bytes_max() }
    }

    /// Memory limit of the process, beyond its size when ready.
    fn memory_bytes_max(&self) -> usize {
        let beside = beside_bytes(self.limits.memory_bytes);
        match self.kind {
            WorkKind::Short => beside,
            WorkKind::Long => self.limits.memory_bytes.saturating_add(beside),
        }
    }

    /// Error for a client whose process did not finish.
    pub fn error(&self, lost: LeaseError) -> Error {
        let limits = &self.limits;
        match lost {
            LeaseError::Time => limits.time_exceeded(),
            LeaseError::NoPermit => limits.permits_taken(),
            LeaseError::QueueFull => QueueFull.into(),
            LeaseError::Memory => match self.kind {
                WorkKind::Short => limits.planning_memory_exceeded(self.memory_bytes_max()),
                WorkKind::Long => {
                    limits.memory_exceeded("expected a query that keeps or makes less at a time")
                }
            },
            LeaseError::StackOverflow => stack_exceeded(),
            LeaseError::Killed => Error::Resource {
                what: "a worker process was killed".into(),
                source: "not by the server; the system does so when memory runs out".into(),
            },
            LeaseError::StartFailed(why) => Error::Resource {
                what: "no worker process can be started".into(),
                source: why.into(),
            },
            LeaseError::Broken(why) => Error::bug(format!("a query aborted: {why}")),
        }
    }
}

/// Memory limit enforced by the system on a worker process; includes thread stacks and the reserve
/// of the allocator.
pub fn data_bytes_max(limits: Limits) -> usize {
    const SET_ASIDE: usize = 4 << 30;
    /// Threads besides the computing ones: for reading files, and for a query that is just ending.
    const THREADS: usize = 48;
    let computing = std::thread::available_parallelism().map_or(1, usize::from);
    let stacks = (2 * computing + THREADS).saturating_mul(STACK_BYTES);
    let memory_bytes_max = Work::running(limits).memory_bytes_max();
    memory_bytes_max.saturating_add(SET_ASIDE).saturating_add(stacks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::settings::SQL_FLAGS;

    #[test]
    fn a_stack_overflow_is_told_like_a_statement_that_is_too_deep() {
        let overflowed = Work::planning(Limits::default()).error(LeaseError::StackOverflow);
        let deep =
            crate::limits::check_depth(&format!("SELECT {}1", "- ".repeat(1_000))).unwrap_err();
        let (Error::Query(overflowed), Error::Query(deep)) = (overflowed, deep) else { panic!() };
        assert_eq!(overflowed.fault, deep.fault);
        let remedy = |sentence: &str| sentence.split_once("; ").map(|(_, it)| it.to_owned());
        assert_eq!(remedy(&overflowed.sentence), remedy(&deep.sentence));
    }

    #[test]
    fn errors_name_the_memory_that_was_allowed() {
        let limits = Limits { settings: SQL_FLAGS, ..Limits::default() };
        for (work, expected) in [
            (Work::planning(limits), "planning the query needs more than 192 MiB of memory, "),
            (Work::running(limits), "the query needs more than 512 MiB of memory, the limit "),
        ] {
            let told = work.error(LeaseError::Memory).sentence();
            assert!(told.starts_with(expected) && told.contains("(--sql-memory)"), "{told}");
        }
        assert_eq!(Work::planning(limits).terms().memory_bytes, 192 << 20);
        assert_eq!(Work::running(limits).terms().memory_bytes, (512 + 192) << 20);
    }
}
