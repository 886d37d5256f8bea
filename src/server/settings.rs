//! What can be set about the service, with what holds where nothing is.

use std::path::PathBuf;
use std::time::Duration;

use super::audit::AuditLog;
use super::host::AllowedHosts;
use super::jobs::Limits;
use super::jobs::Retention;
use super::keyring::Keyring;
use super::origin::Origin;
use crate::rules::calendar::DAY_US;

/// What `GET /get_report/{id}` answers where the client takes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompleteAs {
    #[default]
    Csv,
    Json,
}

pub const COMPLETE_AS: crate::option_text::Keywords<CompleteAs> =
    &[("csv", CompleteAs::Csv), ("json", CompleteAs::Json)];

#[derive(Clone, Debug)]
pub struct Settings {
    /// The chain's name, as downloads are called; that of the folder of the tables where none is given.
    pub chain: Option<String>,
    pub complete_as: CompleteAs,
    pub reports: Limits,
    /// Of the whole server.
    pub memory_bytes: usize,
    /// How long a query about a store may take.
    pub query_time: Duration,
    pub body_bytes_max: usize,
    /// Of all header fields together.
    pub header_bytes_max: usize,
    /// Of each question in SQL.
    pub sql: crate::sql::Limits,
    /// The program whose processes answer questions in SQL; without one this process does. Only where
    /// there are Unix sockets.
    pub worker: Option<PathBuf>,
    /// Where there are none, everybody may do everything.
    pub keys: Option<Keyring>,
    /// Refuses clients that do not encrypt, where the protocol leaves it to them.
    pub requires_tls: bool,
    /// Hosts that requests may ask for where there are no keys.
    pub hosts: AllowedHosts,
    /// Origins whose pages may ask for everything that pages of this server may.
    pub origins: Vec<Origin>,
    /// Where every request is written down.
    pub audit: Option<AuditLog>,
    /// Microseconds UTC.
    pub clock: fn() -> i64,
}

/// How long a client may at least take nothing of an answer that is there for it.
const STALL_TIME: Duration = Duration::from_secs(60);
/// Longer than anybody waits, and short enough to be added to any instant.
const STALL_TIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl Settings {
    /// How long a client may take nothing of an answer, whatever it is. Rows wait for as long as is set
    /// for them: the connection must not end before.
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
            sql: crate::sql::Limits::default(),
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
