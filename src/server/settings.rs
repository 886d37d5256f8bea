//! Settings of the service, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use super::audit::AuditLog;
use super::host::AllowedHosts;
use super::jobs::Limits;
use super::jobs::Retention;
use super::keyring::Keyring;
use super::origin::Origin;
use crate::limits::SettingNames;
use crate::report::Format;
use crate::rules::calendar::DAY_US;
use crate::rules::keyword::Keywords;

/// Flags that set the limits of SQL queries, as errors name them.
pub const SQL_FLAGS: SettingNames = SettingNames {
    time: "--sql-time",
    rows: "--sql-rows",
    memory: "--sql-memory",
    spool: "--sql-spool",
    idle_time: "--sql-idle",
};

/// Response of `GET /get_report/{id}` to clients that accept anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompleteAs {
    #[default]
    Csv,
    Json,
}

pub const COMPLETE_AS: Keywords<CompleteAs> =
    &[(Format::Csv.name(), CompleteAs::Csv), (Format::Json.name(), CompleteAs::Json)];

#[derive(Clone, Debug)]
pub struct Settings {
    /// Chain's name in file names; `None` for the name of the tables' folder.
    pub chain: Option<String>,
    pub complete_as: CompleteAs,
    pub reports: Limits,
    /// Memory of the whole server.
    pub memory_bytes: usize,
    /// Longest time for a query about a store.
    pub query_time: Duration,
    pub body_bytes_max: usize,
    /// Limit for a request's head.
    pub header_bytes_max: usize,
    /// Limits of each SQL query.
    pub sql: crate::limits::Limits,
    /// Program of the worker processes; without it, this process runs SQL. Needs Unix sockets.
    pub worker: Option<PathBuf>,
    /// Without keys, everybody may do everything.
    pub keys: Option<Keyring>,
    /// Refuses clients without TLS, where the protocol leaves that to them.
    pub requires_tls: bool,
    /// Hosts that are served without keys.
    pub hosts: AllowedHosts,
    /// Origins whose pages may do everything that pages of this server may.
    pub origins: Vec<Origin>,
    /// Log of all requests.
    pub audit: Option<AuditLog>,
    /// Microseconds UTC.
    pub clock: fn() -> i64,
}

/// Shortest limit for a client that takes nothing of a response.
const STALL_TIME: Duration = Duration::from_secs(60);
/// Longer than anybody waits, and short enough to be added to any instant.
const STALL_TIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl Settings {
    /// Time for which a client may take nothing of a response. It exceeds the limit for rows, so
    /// that a query ends before its connection.
    pub fn stall_time(&self) -> Duration {
        self.sql.idle_time.clamp(STALL_TIME, STALL_TIME_MAX)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chain: None,
            complete_as: CompleteAs::default(),
            reports: Limits {
                retention: Retention {
                    age_us: 30 * DAY_US,
                    reports_max: 1000,
                    bytes_max: 10_000_000_000,
                },
                queue_max: 64,
                at_once: 4,
                report_time: Duration::from_secs(600),
            },
            memory_bytes: 10 << 30,
            query_time: Duration::from_secs(30),
            body_bytes_max: 1 << 20,
            header_bytes_max: 16 << 10,
            sql: crate::limits::Limits::default(),
            worker: None,
            keys: None,
            requires_tls: false,
            hosts: AllowedHosts::default(),
            origins: Vec::new(),
            audit: None,
            clock: || chrono::Utc::now().timestamp_micros(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_while_its_rows_are_kept() {
        for (idle_s, expected_s) in [(1, 60), (60, 60), (600, 600), (u64::MAX, 30 * 24 * 3600)] {
            let mut settings = Settings::default();
            settings.sql.idle_time = Duration::from_secs(idle_s);
            assert_eq!(settings.stall_time(), Duration::from_secs(expected_s));
        }
    }
}
