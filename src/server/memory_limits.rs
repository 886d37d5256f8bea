//! Division of the server's memory among SQL queries, reports, and requests and responses.
//!
//! Queries and reports are bounded by their number. Each query may have two processes: one that
//! runs it, and one that is idle or only plans. Spools have a part; the rest is the
//! [`super::budget`]. The memory of a report is an estimate: it reads eight days of the chain,
//! whatever its options.

use std::fmt::Display;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate};

use super::settings::Settings;
use crate::error::{Error, Result, counted};

/// The server uses 1/`MACHINE_SHARE` of the machine's memory by default.
const MACHINE_SHARE: usize = 4;
/// Memory of a running report.
const REPORT_BYTES: usize = 128 << 20;
/// A query with less could not even sort.
const QUERY_BYTES_MIN: usize = 16 << 20;
/// Below this number, queries get less memory rather than fewer at once: running out of memory is
/// worse than waiting, but a single permit makes everybody wait.
const QUERIES_MIN: usize = 2;
/// Room for a query, a report, requests and responses.
const MEMORY_BYTES_MIN: usize = 512 << 20;
/// Least part of requests and responses, and most of reports by default: 1/`PARTS` of the memory.
const PARTS: usize = 8;
const CLIENT_BYTES_MIN: usize = 32 << 20;
/// Memory of a worker process that is ready, roughly.
const READY_BYTES: usize = 32 << 20;

/// Most memory of a process besides [`READY_BYTES`] and the query's operators: table metadata,
/// plans, decoded and outgoing batches.
pub fn beside_bytes(query_bytes: usize) -> usize {
    (query_bytes / 4).saturating_add(64 << 20)
}

/// Flags given explicitly; their values are not lowered.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFlags {
    pub sql_memory: bool,
    pub sql_at_once: bool,
    pub reports_at_once: bool,
}

/// Default memory of the server: a part of the machine's, or the minimum on the smallest ones.
pub fn part_of_machine() -> Option<usize> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = usize::try_from(limit_of_group(&mut system).min(system.total_memory()));
    let machine = machine.ok().filter(|bytes| *bytes > 0);
    machine.map(|bytes| (bytes / MACHINE_SHARE).max(MEMORY_BYTES_MIN))
}

/// Memory limit of the control group, as of a container or a service.
fn limit_of_group(system: &mut sysinfo::System) -> u64 {
    let of_root = system.cgroup_limits().map(|limits| limits.total_memory);
    let Ok(id) = sysinfo::get_current_pid() else { return of_root.unwrap_or(u64::MAX) };
    let (ids, nothing) = ([id], ProcessRefreshKind::nothing());
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&ids), false, nothing);
    let own = system.process(id).and_then(|process| process.cgroup_limits());
    let limits = of_root.into_iter().chain(own.map(|limits| limits.total_memory));
    limits.filter(|bytes| *bytes > 0).min().unwrap_or(u64::MAX)
}

impl Settings {
    /// Memory left for requests and responses.
    pub fn client_bytes_max(&self) -> usize {
        let left = self.memory_bytes.saturating_sub(self.sql_bytes());
        let left = left.saturating_sub(self.sql.spool_memory_bytes);
        left.saturating_sub(self.report_bytes()).max(CLIENT_BYTES_MIN)
    }

    /// Lowers defaults until all fits into the memory, and returns a sentence for each change.
    ///
    /// # Errors
    /// If the explicit flags do not fit.
    pub fn fit_into_memory(&mut self, asked: MemoryFlags) -> Result<Vec<String>> {
        let mut lowered = Vec::new();
        let mut told = |flag: &str, value: &dyn Display| lowered.push(format!("{flag} {value}"));
        let part = self.memory_bytes / PARTS;
        if let Some(warning) = self.fit_spool(part / 2) {
            tracing::info!("{warning}");
        }
        let reports_max = (part / REPORT_BYTES).max(1);
        if !asked.reports_at_once && self.reports.at_once > reports_max {
            self.reports.at_once = reports_max;
            told("--reports-at-once", &reports_max);
        }
        let for_sql = self.memory_bytes.saturating_sub(self.report_bytes());
        let for_sql = for_sql.saturating_sub(part.max(CLIENT_BYTES_MIN));
        let for_sql = for_sql.saturating_sub(self.sql.spool_memory_bytes);
        let before = self.sql;
        for queries_min in [QUERIES_MIN, 1] {
            if !asked.sql_at_once {
                let fit = for_sql / self.query_bytes().max(1);
                self.sql.at_once = self.sql.at_once.min(fit.max(queries_min));
            }
            if !asked.sql_memory {
                let each = for_sql / self.sql.at_once.max(1);
                self.sql.memory_bytes = before.memory_bytes.min(query_memory(each));
            }
        }
        if self.sql.at_once != before.at_once {
            told("--sql-at-once", &self.sql.at_once);
        }
        if self.sql.memory_bytes != before.memory_bytes {
            told("--sql-memory", &format_args!("{}MiB", self.sql.memory_bytes >> 20));
        }
        if self.sql_bytes() > for_sql {
            return Err(Error::Argument(self.too_little()));
        }
        Ok(lowered)
    }

    /// Lowers the memory for unread rows, which no flag sets. Returns a sentence if it does.
    fn fit_spool(&mut self, bytes_max: usize) -> Option<String> {
        let usual = self.sql.spool_memory_bytes;
        self.sql.spool_memory_bytes = usual.min(bytes_max);
        (usual > bytes_max).then(|| {
            format!(
                "rows that wait for their clients take {} MiB of memory in place of {} MiB, to fit \
                 into --memory",
                bytes_max >> 20,
                usual >> 20
            )
        })
    }

    /// Memory of all worker processes.
    fn sql_bytes(&self) -> usize {
        self.sql.at_once.saturating_mul(self.query_bytes())
    }

    /// Memory of a running query, in one of its two processes.
    fn query_bytes(&self) -> usize {
        let process = READY_BYTES.saturating_add(beside_bytes(self.sql.memory_bytes));
        self.sql.memory_bytes.saturating_add(process.saturating_mul(2))
    }

    fn report_bytes(&self) -> usize {
        self.reports.at_once.saturating_mul(REPORT_BYTES)
    }

    fn too_little(&self) -> String {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        format!(
            "--memory is {} MiB, too little for {} of {} MiB (--sql-at-once, --sql-memory) with their \
             processes, {} of {} MiB (--reports-at-once), rows that wait for clients and an eighth for \
             what clients send and are sent; give more to --memory, or less to the others",
            mib(self.memory_bytes),
            counted(self.sql.at_once, "query", "queries"),
            mib(self.sql.memory_bytes),
            counted(self.reports.at_once, "report", "reports"),
            mib(REPORT_BYTES),
        )
    }
}

/// Query memory that fits into `bytes` with its processes, in whole MiB.
fn query_memory(bytes: usize) -> usize {
    // Both processes need a quarter of it on top.
    let left = bytes.saturating_sub(2 * (READY_BYTES + beside_bytes(0)));
    ((left / 3 * 2) & !((1 << 20) - 1)).max(QUERY_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;
    const GIB: usize = 1 << 30;

    fn settings(memory_bytes: usize) -> Settings {
        Settings { memory_bytes, ..Settings::default() }
    }

    #[track_caller]
    fn check_lowered(memory_bytes: usize, asked: MemoryFlags, expected: &[&str]) {
        let mut settings = settings(memory_bytes);
        assert_eq!(settings.fit_into_memory(asked).unwrap(), expected);
        let all = settings.sql_bytes() + settings.sql.spool_memory_bytes + settings.report_bytes();
        let all = all + settings.client_bytes_max();
        assert_eq!(all, memory_bytes, "nothing is left over");
    }

    #[test]
    fn defaults_are_lowered_until_they_fit() {
        let nothing = MemoryFlags::default();
        check_lowered(16 * GIB, nothing, &[]);
        check_lowered(Settings::default().memory_bytes, nothing, &[]);
        // Fewer at once before less memory.
        check_lowered(8 * GIB, nothing, &["--sql-at-once 6"]);
        check_lowered(4 * GIB, nothing, &["--sql-at-once 2"]);
        let two_reports = "--reports-at-once 2";
        check_lowered(2 * GIB, nothing, &[two_reports, "--sql-at-once 2", "--sql-memory 341MiB"]);
        let one_report = "--reports-at-once 1";
        check_lowered(GIB, nothing, &[one_report, "--sql-at-once 2", "--sql-memory 106MiB"]);
        check_lowered(512 * MIB, nothing, &[one_report, "--sql-at-once 1", "--sql-memory 64MiB"]);
        let asked = MemoryFlags { sql_at_once: true, ..nothing };
        check_lowered(4 * GIB, asked, &["--sql-memory 106MiB"]);
    }

    #[test]
    fn less_memory_for_unread_rows_is_told() {
        let mut little = settings(GIB);
        let told = little.fit_spool(64 * MIB).unwrap();
        assert_eq!(little.sql.spool_memory_bytes, 64 * MIB);
        assert!(told.contains("64 MiB of memory in place of 256 MiB"), "{told}");
        assert_eq!(little.fit_spool(64 * MIB), None);
    }

    #[test]
    fn the_smallest_machine_runs_without_any_flag() {
        assert!(part_of_machine().is_none_or(|bytes| bytes >= MEMORY_BYTES_MIN));
        let mut smallest = settings(MEMORY_BYTES_MIN);
        smallest.fit_into_memory(MemoryFlags::default()).unwrap();
        assert_eq!((smallest.sql.at_once, smallest.sql.memory_bytes), (1, 64 * MIB));
    }

    #[test]
    fn explicit_flags_that_do_not_fit_are_refused() {
        let asked = MemoryFlags { sql_memory: true, sql_at_once: true, reports_at_once: true };
        let refused = settings(4 * GIB).fit_into_memory(asked).unwrap_err().to_string();
        assert!(refused.contains("--memory is 4096 MiB, too little for 8 queries"), "{refused}");
        assert!(settings(GIB / 16).fit_into_memory(MemoryFlags::default()).is_err());
    }

    #[test]
    fn clients_have_memory_whatever_is_set() {
        assert_eq!(settings(0).client_bytes_max(), CLIENT_BYTES_MIN);
    }
}
