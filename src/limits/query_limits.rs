//! Limits of one query.

use std::time::Duration;

use crate::error::{Error, Limit, counted};
use crate::fair_semaphore::no_permit;

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
    /// Settings that raise the limits, for errors.
    pub settings: SettingNames,
}

/// Names of the settings of an interface that raise limits; empty where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingNames {
    pub time: &'static str,
    pub rows: &'static str,
    pub memory: &'static str,
    pub spool: &'static str,
    pub idle_time: &'static str,
}

/// Name of a setting behind what it limits.
fn in_parentheses(setting: &str) -> String {
    if setting.is_empty() { String::new() } else { format!(" ({setting})") }
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
            settings: SettingNames::default(),
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
        let time = humantime::format_duration(self.time);
        let setting = in_parentheses(self.settings.time);
        let sentence = format!("the query takes longer than {time}, the limit of time{setting}");
        Error::limit(Limit::Time, sentence)
    }

    /// Error of a query that did not start within its time limit, because others hold the permits.
    pub fn permits_taken(&self) -> Error {
        no_permit(self.time)
    }

    /// Error of a query at its deadline: the spool limit if its rows waited for spool budget, else
    /// the time limit. Where an interface has no setting for the spool and no disk, the spool limit
    /// cannot be raised.
    pub fn deadline_exceeded(&self, is_spool_full: bool) -> Error {
        let has_spool = self.spool_bytes > 0 || !self.settings.spool.is_empty();
        if is_spool_full && has_spool { self.spool_exceeded() } else { self.time_exceeded() }
    }

    /// Error of a query that exceeds its time limit while its rows wait for spool budget.
    pub fn spool_exceeded(&self) -> Error {
        let time = humantime::format_duration(self.time);
        let setting = in_parentheses(self.settings.spool);
        let waiting = match self.spool_bytes >> 20 {
            0 => format!("no rows may wait for it on disk{setting}"),
            mib => format!("what waits for it takes {mib} MiB on disk, the limit{setting}"),
        };
        let sentence = format!(
            "the client has not taken the result within {time}, and {waiting}; read faster, or ask \
             for less"
        );
        Error::limit(Limit::Spool, sentence)
    }

    /// Error of a client that has not taken its rows within the idle time.
    pub fn idle_time_exceeded(&self) -> Error {
        let time = humantime::format_duration(self.idle_time);
        let setting = in_parentheses(self.settings.idle_time);
        let sentence = format!(
            "no rows were taken for {time}, the limit{setting}; the remaining rows were discarded"
        );
        Error::limit(Limit::IdleTime, sentence)
    }

    /// Error in place of a truncation note, for clients that show nothing but errors.
    pub fn rows_exceeded(&self) -> Error {
        let rows = counted(self.rows, "row", "rows");
        let setting = in_parentheses(self.settings.rows);
        let sentence = format!(
            "the result has more than {rows}, the limit{setting}; add a LIMIT, or select less"
        );
        Error::limit(Limit::Rows, sentence)
    }

    /// Error of a query whose planning needs more than `memory_bytes`, which the memory limit
    /// allows for it.
    pub fn planning_memory_exceeded(&self, memory_bytes: usize) -> Error {
        let (memory_mib, setting) = (memory_bytes >> 20, in_parentheses(self.settings.memory));
        let sentence = format!(
            "planning the query needs more than {memory_mib} MiB of memory, which the limit of \
             memory{setting} allows for it; write a shorter query"
        );
        Error::limit(Limit::Memory, sentence)
    }

    /// Error of a query that exceeds its memory limit; `wanted` names the purpose of the
    /// allocation.
    pub fn memory_exceeded(&self, wanted: &str) -> Error {
        let (memory_mib, setting) = (self.memory_bytes >> 20, in_parentheses(self.settings.memory));
        let sentence = format!(
            "the query needs more than {memory_mib} MiB of memory, the limit{setting}: {wanted}"
        );
        Error::limit(Limit::Memory, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_of_a_client_that_reads_slowly_tells_of_the_spool() {
        let settings = SettingNames { spool: "--spool", ..SettingNames::default() };
        for (spool_bytes, settings, is_spool_full, expected) in [
            (
                1 << 30,
                settings,
                true,
                "what waits for it takes 1024 MiB on disk, the limit (--spool);",
            ),
            (0, settings, true, "no rows may wait for it on disk (--spool);"),
            (0, SettingNames::default(), true, "the limit of time"),
            (1 << 30, settings, false, "the limit of time"),
        ] {
            let limits = Limits { spool_bytes, settings, ..Limits::default() };
            let told = limits.deadline_exceeded(is_spool_full).sentence();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn errors_name_the_settings_of_an_interface_that_has_them() {
        let limits = Limits::default();
        let told = limits.time_exceeded().sentence();
        assert_eq!(told, "the query takes longer than 10s, the limit of time");
        let settings = SettingNames { time: "--time", memory: "--memory", ..limits.settings };
        let limits = Limits { settings, ..limits };
        let told = limits.time_exceeded().sentence();
        assert_eq!(told, "the query takes longer than 10s, the limit of time (--time)");
        let told = limits.memory_exceeded("a sort").sentence();
        let expected = "the query needs more than 512 MiB of memory, the limit (--memory): a sort";
        assert_eq!(told, expected);
        let told = limits.planning_memory_exceeded(192 << 20).sentence();
        let expected = "planning the query needs more than 192 MiB of memory, which the limit of \
            memory (--memory) allows for it; write a shorter query";
        assert_eq!(told, expected);
        let single = Limits { rows: 1, ..limits }.rows_exceeded().sentence();
        assert!(single.contains("more than 1 row, the limit"), "{single}");
        assert!(limits.rows_exceeded().sentence().contains("100000 rows, the limit; add"));
    }
}
