//! Limits of one query.

use std::time::Duration;

use crate::error::Error;

/// Limits of each query. An error names the limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From receiving the statement until the last row is computed.
    pub time: Duration,
    /// Maximum number of result rows; the result is truncated and says so.
    pub rows: usize,
    /// Memory of the operators; those that can spill to disk do so.
    pub memory_bytes: usize,
    /// Maximum size of a result row, which is held in memory as a whole however slowly the client
    /// reads.
    pub row_bytes: usize,
    /// Queries that run concurrently; others wait, within their time limit.
    pub at_once: usize,
    /// Disk for rows that the client has not read yet; all queries together may take four times as
    /// much.
    pub spool_bytes: usize,
    /// Memory for such rows of all queries together, before they spill to disk.
    pub spool_memory_bytes: usize,
    /// Time for which a client may take no row although rows are ready.
    pub idle_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            rows: 100_000,
            memory_bytes: 512 << 20,
            row_bytes: 16 << 20,
            at_once: 8,
            spool_bytes: 1 << 30,
            spool_memory_bytes: 256 << 20,
            idle_time: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// Lowers the limits to what a client asks for; they can never be raised.
    pub fn at_most(self, time: Option<Duration>, rows: Option<usize>) -> Self {
        Self {
            time: time.map_or(self.time, |time| time.min(self.time)),
            rows: rows.map_or(self.rows, |rows| rows.min(self.rows)),
            ..self
        }
    }

    /// Error of a query that exceeds its time limit.
    pub fn time_exceeded(&self) -> Error {
        Error::Timeout(format!(
            "the query takes longer than {}, the limit of time (--sql-time)",
            humantime::format_duration(self.time)
        ))
    }

    /// Error of a query that did not start within its time limit, because others hold the permits.
    pub fn permits_taken(&self) -> Error {
        Error::Busy(format!(
            "no permit for a query became free within {}; try again later",
            humantime::format_duration(self.time)
        ))
    }

    /// Error of a query that exceeds its time limit while its rows wait for spool budget.
    pub fn spool_exceeded(&self) -> Error {
        Error::Limit(format!(
            "the client has not taken the result within {}, and what waits for it takes {} MiB on disk, \
             the limit (--sql-spool); read faster, or ask for less",
            humantime::format_duration(self.time),
            self.spool_bytes >> 20
        ))
    }

    /// Error of a client that has not taken its rows within the idle time.
    pub fn idle_time_exceeded(&self) -> Error {
        Error::Timeout(format!(
            "no rows were taken for {}, the limit (--sql-idle); the remaining rows were discarded",
            humantime::format_duration(self.idle_time)
        ))
    }

    /// Error in place of a truncation note, for clients that show nothing but errors.
    pub fn rows_exceeded(&self) -> Error {
        Error::Limit(format!(
            "the result has more than {} rows, the limit (--sql-rows); add a LIMIT, or select less",
            self.rows
        ))
    }

    /// Error of a query that exceeds its memory limit; `wanted` names the purpose of the
    /// allocation.
    pub fn memory_exceeded(&self, wanted: &str) -> Error {
        Error::Limit(format!(
            "the query needs more than {} MiB of memory, the limit (--sql-memory): {wanted}",
            self.memory_bytes >> 20
        ))
    }
}
