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
    /// Time limit of an SQL query, until its last row is computed
    #[arg(
        long,
        value_name = "DURATION",
        default_value = format_duration(Limits::default().time).to_string(),
        value_parser = duration,
    )]
    sql_time: Duration,
    /// Row limit of an SQL query; larger results are truncated and marked so
    #[arg(long, value_name = "ROWS", default_value_t = Limits::default().rows)]
    sql_rows: usize,
    /// Memory limit of an SQL query; operators that can, spill to disk [default: 512MiB, or the
    /// share of --memory]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub sql_memory: Option<usize>,
    /// SQL queries that run concurrently; others wait, within their time limit. From four on, a
    /// client leaves one to others, and takes half while others wait [default: 8, or as many as fit
    /// into --memory]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub sql_at_once: Option<usize>,
    /// Disk space beside the tables to spool unread rows of a query; four times as much for all
    /// queries together. A query without space waits, within its time limit
    #[arg(
        long,
        value_name = "BYTES",
        default_value = bytes_text(Limits::default().spool_bytes),
        value_parser = bytes,
    )]
    sql_spool: usize,
    /// Longest time without reading after which a client loses its rows; if longer than a minute,
    /// also the stall limit of connections
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
    /// Time limit of a query [default: unlimited]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    sql_time: Option<Duration>,
    /// Row limit of a query; larger results are truncated with a warning [default: 100000 as a
    /// table, else unlimited]
    #[arg(long, value_name = "ROWS")]
    sql_rows: Option<usize>,
    /// Memory limit of a query; operators that can, spill to disk
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
