//! The flags that bound a query, of the command and of the service.

use std::time::Duration;

use clap::Args;

use super::super::arguments::{at_least_one, bytes, duration};
use crate::report::Format;
use crate::sql::Limits;

/// Of each query that a client of the service asks.
#[derive(Debug, Args)]
pub struct ServiceLimits {
    /// How long a query in SQL may take until its last row is computed
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    sql_time: Duration,
    /// Rows that a query in SQL gives at most; more are cut off, and the answer says so
    #[arg(long, value_name = "ROWS", default_value_t = Limits::default().rows)]
    sql_rows: usize,
    /// Memory of a query in SQL; what does not fit goes to disk where it can [default: 512MiB, or
    /// what --memory has for each]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub sql_memory: Option<usize>,
    /// Queries in SQL that run at once; more of them wait, within their time. With four or more one
    /// client leaves one to others, and takes half while others ask [default: 8, or as many as fit
    /// into --memory]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub sql_at_once: Option<usize>,
    /// Disk beside the tables for rows of a query that its client has not read yet; all queries
    /// together take four times as much. A query that has no more room waits, within its time
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    sql_spool: usize,
    /// How long a client may take nothing of the rows that there are for it before it loses them; with
    /// more than a minute, connections wait as long for a client that takes nothing of any answer
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
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

/// Of each query of the command: who asks may stop it, and wants all rows in the file.
#[derive(Clone, Copy, Debug, Args)]
pub struct CommandLimits {
    /// How long a query may take [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    sql_time: Option<Duration>,
    /// Rows that a query gives at most; more are cut off with a warning [default: 100000 as a
    /// table, else all]
    #[arg(long, value_name = "ROWS")]
    sql_rows: Option<usize>,
    /// Memory of a query; what does not fit goes to disk where it can
    #[arg(long, value_name = "BYTES", default_value = "512MiB", value_parser = bytes)]
    sql_memory: usize,
}

impl CommandLimits {
    /// A table is in memory whole, so that its rows are bounded in any case.
    pub fn limits(&self, format: Format) -> Limits {
        const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        let usual = Limits::default();
        let rows = if format == Format::Table { usual.rows } else { usize::MAX };
        Limits {
            time: self.sql_time.unwrap_or(FOR_EVER),
            rows: self.sql_rows.unwrap_or(rows),
            memory_bytes: self.sql_memory,
            row_bytes: usize::MAX,
            // The command reads its rows itself, as fast as it writes them.
            spool_bytes: 0,
            idle_time: FOR_EVER,
            ..usual
        }
    }
}
