//! Flags that limit SQL queries, of `uptally sql` and of the service.

use std::time::Duration;

use clap::Args;
use humantime::format_duration;

use super::super::arguments::{at_least_one, bytes, bytes_text, duration};
use crate::limits::Limits;
use crate::report::Format;
use crate::server::SQL_FLAGS;

/// Limits on each query of the service.
#[derive(Debug, Args)]
pub struct ServiceLimits {
    /// Longest time from an SQL query to its last row, like 10s; slow readers do not count
    #[arg(
        long,
        value_name = "DURATION",
        default_value = format_duration(Limits::default().time).to_string(),
        value_parser = duration,
    )]
    sql_time: Duration,
    /// Most rows of an SQL query; further ones are cut off, and the answer says so
    #[arg(long, value_name = "ROWS", default_value_t = Limits::default().rows)]
    sql_rows: usize,
    /// Memory of an SQL query, like 512MiB; sorts and groupings that need more use the disk, other
    /// queries fail [default: 512MiB, or what fits into --memory]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub sql_memory: Option<usize>,
    /// SQL queries that run at once; others wait, for as long as --sql-time. From four on, a client
    /// alone leaves one to others, and half while others wait [default: 8, or as many as fit into
    /// --memory]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub sql_at_once: Option<usize>,
    /// Disk space, beside the tables, for rows of a query that its client has not read yet, like
    /// 1GiB; four times as much for all queries together. A query without space waits
    #[arg(
        long,
        value_name = "BYTES",
        default_value = bytes_text(Limits::default().spool_bytes),
        value_parser = bytes,
    )]
    sql_spool: usize,
    /// Longest time that a client may take no row that is ready, like 60s; then it loses the rest.
    /// If longer than a minute, also the limit for a client that takes nothing of any answer
    #[arg(
        long,
        value_name = "DURATION",
        default_value = format_duration(Limits::default().idle_time).to_string(),
        value_parser = duration,
    )]
    sql_idle: Duration,
}

impl ServiceLimits {
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            time: self.sql_time,
            rows: self.sql_rows,
            memory_bytes: self.sql_memory.unwrap_or(usual.memory_bytes),
            at_once: self.sql_at_once.unwrap_or(usual.at_once),
            spool_bytes: self.sql_spool,
            idle_time: self.sql_idle,
            ..usual
        }
    }
}

/// Limits on each query of `uptally sql`; rows and time are unlimited by default.
#[derive(Clone, Copy, Debug, Args)]
pub struct CommandLimits {
    /// Longest time that a query may take, like 10s [default: unlimited]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    sql_time: Option<Duration>,
    /// Most rows of a query; further ones are cut off with a warning [default: 100000 as a table,
    /// else unlimited]
    #[arg(long, value_name = "ROWS")]
    sql_rows: Option<usize>,
    /// Memory of a query; sorts and groupings that need more use the disk, other queries fail
    #[arg(
        long,
        value_name = "BYTES",
        default_value = bytes_text(Limits::default().memory_bytes),
        value_parser = bytes,
    )]
    sql_memory: usize,
}

impl CommandLimits {
    /// Limits for an output format: a table is held in memory, so its rows are always limited.
    pub fn limits(&self, format: Format) -> Limits {
        const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        let usual = Limits::default();
        let rows = if format == Format::Table { usual.rows } else { usize::MAX };
        Limits {
            time: self.sql_time.unwrap_or(FOR_EVER),
            rows: self.sql_rows.unwrap_or(rows),
            memory_bytes: self.sql_memory,
            row_bytes: usize::MAX,
            // Rows are read as fast as they are written, so that none are spooled.
            spool_bytes: 0,
            idle_time: FOR_EVER,
            settings: SQL_FLAGS,
            ..usual
        }
    }
}
