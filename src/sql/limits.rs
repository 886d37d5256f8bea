//! What one query may take.

use std::time::Duration;

use crate::error::Error;

/// Limits of each query; what meets one is told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the question until the last row is computed.
    pub time: Duration,
    /// Rows of the result; more are cut off, and the result says so.
    pub rows: usize,
    /// Memory of its operators; what does not fit is spilled to disk where it can be.
    pub memory_bytes: usize,
    /// Of a row of the result, which is in memory whole however slowly its client reads.
    pub row_bytes: usize,
    /// Queries that run at once; more of them wait, within their time.
    pub at_once: usize,
    /// Disk for rows that the client has not read yet; all queries together take four times as much.
    pub spool_bytes: usize,
    /// Memory for such rows, of all queries together, before they go to disk.
    pub spool_memory_bytes: usize,
    /// How long a client may take nothing of what there is for it.
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
    /// Those of a query that asks for less; it cannot have more.
    pub fn at_most(self, time: Option<Duration>, rows: Option<usize>) -> Self {
        Self {
            time: time.map_or(self.time, |time| time.min(self.time)),
            rows: rows.map_or(self.rows, |rows| rows.min(self.rows)),
            ..self
        }
    }

    /// What a query hears whose time is over.
    pub fn time_exceeded(&self) -> Error {
        Error::Timeout(format!(
            "the query takes longer than {}, the limit of time (--sql-time)",
            humantime::format_duration(self.time)
        ))
    }

    /// What a query hears whose time is over while its rows wait for room.
    pub fn spool_exceeded(&self) -> Error {
        Error::Limit(format!(
            "the client has not taken the result within {}, and what waits for it takes {} MiB on disk, \
             the limit (--sql-spool); read faster, or ask for less",
            humantime::format_duration(self.time),
            self.spool_bytes >> 20
        ))
    }

    /// What a client hears that has not taken its rows in time.
    pub fn idle_time_exceeded(&self) -> Error {
        Error::Timeout(format!(
            "no rows were taken for {}, the limit (--sql-idle); what was left of the answer is gone",
            humantime::format_duration(self.idle_time)
        ))
    }

    /// What a client hears that shows an error and nothing else.
    pub fn rows_exceeded(&self) -> Error {
        Error::Limit(format!(
            "the result has more than {} rows, the limit (--sql-rows); expected a LIMIT, or a query that gives less",
            self.rows
        ))
    }

    /// What a query hears that cannot have more memory, for what it wanted it.
    pub fn out_of_memory(&self, wanted: &str) -> Error {
        Error::Limit(format!(
            "the query needs more than {} MiB of memory, the limit (--sql-memory): {wanted}",
            self.memory_bytes >> 20
        ))
    }
}
