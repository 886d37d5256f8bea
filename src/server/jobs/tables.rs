//! Reports as SQL tables: of a running server, or of an offline folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
#[cfg(unix)]
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::{Files, Written};
use super::job::{Job, State};
use super::record::{Ending, Record};
use super::{DATABASE, FILES, Found, Jobs, offline, renderings};
use crate::error::Result;
use crate::sql::{NamedTable, Report, Reports, report_tables};

impl Jobs {
    /// Tables of the reports, and of the rows of complete ones.
    pub fn tables(&self) -> Vec<NamedTable> {
        report_tables(Arc::new(LiveReports(self.clone())))
    }
}

/// Report as worker processes are told of it.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedReport {
    pub id: String,
    state: String,
    data_version: u64,
    now: i64,
    options: String,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    stores: Option<u64>,
    detail: Option<String>,
    /// Size in bytes and checksum of a complete report's file.
    written: Option<(u64, String)>,
}

#[cfg(unix)]
impl ListedReport {
    fn from_job(job: &Job) -> Self {
        let Report {
            id,
            state,
            data_version,
            now,
            options,
            created_at,
            started_at,
            finished_at,
            stores,
            detail,
        } = report_from_job(job);
        let written = job.finished().map(|it| (it.size_bytes, it.checksum));
        Self {
            id,
            state: state.to_owned(),
            data_version,
            now,
            options,
            created_at,
            started_at,
            finished_at,
            stores,
            detail,
            written,
        }
    }

    pub fn report(&self) -> Report {
        const STATES: [&str; 5] = ["queued", "running", "complete", "failed", "cancelled"];
        let state = STATES.into_iter().find(|state| *state == self.state);
        Report {
            id: self.id.clone(),
            state: state.unwrap_or("queued"),
            data_version: self.data_version,
            now: self.now,
            options: self.options.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            stores: self.stores,
            detail: self.detail.clone(),
        }
    }
}

#[cfg(unix)]
impl Jobs {
    /// All reports, newest first.
    pub fn listed(&self) -> Vec<ListedReport> {
        self.newest(None, usize::MAX).iter().map(|job| ListedReport::from_job(job)).collect()
    }

    /// Reads the report, and requeues it if its file is broken.
    pub fn requeue_if_broken(&self, id: &str) {
        if let Err(error) = LiveReports(self.clone()).rows(id) {
            tracing::warn!(error = error.sentence(), "a report cannot be checked");
        }
    }
}

/// Rows of a complete report in a data folder; `None` if its file is broken.
#[cfg(unix)]
pub fn read_report(data: &Path, listed: &ListedReport) -> Option<RecordBatch> {
    let (size_bytes, checksum) = listed.written.clone()?;
    let id = Uuid::try_parse(&listed.id).ok()?;
    let files = Files::read_only(data.join(super::super::REPORTS).join(FILES));
    files.read(id, &Written { size_bytes, checksum })
}

/// Tables of the reports in an offline data folder.
pub fn tables_of(reports: &Path) -> Vec<NamedTable> {
    report_tables(Arc::new(OfflineReports(reports.to_owned())))
}

struct LiveReports(Jobs);

impl std::fmt::Debug for LiveReports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LiveReports")
    }
}

impl Reports for LiveReports {
    fn list(&self) -> Result<Vec<Report>> {
        let jobs = self.0.newest(None, usize::MAX);
        Ok(jobs.iter().map(|job| report_from_job(job)).collect())
    }

    fn rows(&self, id: &str) -> Result<Option<RecordBatch>> {
        let Ok(id) = Uuid::try_parse(id) else { return Ok(None) };
        match self.0.find(id)? {
            Found::Job(job) => Ok(renderings::read(&self.0.0, &job)),
            _ => Ok(None),
        }
    }
}

/// Reads the folder anew for each query, so that a server may take it in between.
#[derive(Debug)]
struct OfflineReports(PathBuf);

impl OfflineReports {
    fn records(&self) -> Result<Vec<(Uuid, Record)>> {
        let path = self.0.join(DATABASE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let mut reports = offline::read_records(&path)?.reports;
        reports.sort_by_key(|(_, record)| std::cmp::Reverse(record.sequence));
        Ok(reports)
    }
}

impl Reports for OfflineReports {
    fn list(&self) -> Result<Vec<Report>> {
        let records = self.records()?;
        Ok(records.iter().map(|(id, record)| report_from_record(*id, record)).collect())
    }

    fn rows(&self, id: &str) -> Result<Option<RecordBatch>> {
        let records = self.records()?;
        let found = records.iter().find(|(kept, _)| kept.to_string() == id);
        let Some((id, Record { ending: Some(Ending::Complete(finished)), .. })) = found else {
            return Ok(None);
        };
        let written =
            Written { size_bytes: finished.size_bytes, checksum: finished.checksum.clone() };
        Ok(Files::read_only(self.0.join(FILES)).read(*id, &written))
    }
}

fn report_from_job(job: &Job) -> Report {
    let state = job.state();
    let ending = if let State::Ended(ending) = &state { Some(ending.clone()) } else { None };
    let mut report = report_from_record(job.id, &job.record(ending));
    if let State::Running { started_at, .. } = state {
        (report.state, report.started_at) = ("running", Some(started_at));
    }
    report
}

fn report_from_record(id: Uuid, record: &Record) -> Report {
    let mut report = Report {
        id: id.to_string(),
        state: "queued",
        data_version: record.version,
        now: record.now,
        options: record.options.to_string(),
        created_at: record.created_at,
        started_at: None,
        finished_at: record.ending.as_ref().map(Ending::finished_at),
        stores: None,
        detail: None,
    };
    match &record.ending {
        None => {}
        Some(Ending::Complete(finished)) => {
            report.state = "complete";
            report.started_at = Some(finished.started_at);
            report.stores = Some(finished.stores as u64);
        }
        Some(Ending::Failed { detail, .. }) => {
            (report.state, report.detail) = ("failed", Some(detail.clone()));
        }
        Some(Ending::Cancelled { .. }) => report.state = "cancelled",
    }
    report
}
