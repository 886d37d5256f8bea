//! Rows that break a rule: not loaded, and not lost.

use super::fallbacks::Unmatched;
use super::header::Kind;
use super::outcome::Outcome;
use crate::error::{Error, Result};

/// One row, or one field of it, that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    pub file: String,
    pub line: u64,
    /// The column that broke the rule; empty where the row as a whole did.
    pub column: Box<str>,
    pub reason: String,
    /// The row as it stood in the file, cut after 4,096 bytes.
    pub text: String,
    /// The row's store, where its id can be read.
    pub store: Option<Box<str>>,
    /// What the store has none of, for want of other rows, and so counts with a default.
    pub falls_back: Option<Kind>,
}

pub const TEXT_BYTES_MAX: usize = 4096;

impl Reject {
    pub fn new(file: &str, line: u64, column: &str, reason: String, row: &[u8]) -> Self {
        let row = &row[..row.len().min(TEXT_BYTES_MAX)];
        Self {
            file: file.to_owned(),
            line,
            column: column.into(),
            reason,
            text: String::from_utf8_lossy(row).trim_end_matches(['\r', '\n']).to_owned(),
            store: None,
            falls_back: None,
        }
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}, line {}: ", self.file, self.line)?;
        if !self.column.is_empty() {
            write!(out, "{} ", self.column)?;
        }
        out.write_str(&self.reason)
    }
}

/// Default hours and zone as text: what counts for stores that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultWords {
    pub hours: String,
    pub zone: String,
}

impl DefaultWords {
    /// The default in place of missing rows of the kind; empty of polls, which have no default.
    pub fn for_kind(&self, kind: Kind) -> &str {
        match kind {
            Kind::Polls => "",
            Kind::BusinessHours => &self.hours,
            Kind::TimeZones => &self.zone,
        }
    }
}

/// The rejects as CSV, with a header: where a store falls back to a default, each of its rows says to
/// which; ids that match no polled store follow, where they are most of a file.
///
/// # Errors
/// None that an input can cause.
pub fn rejects_csv(outcome: &Outcome, defaults: &DefaultWords) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::bug(format!("rejects do not fit into CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["file", "line", "column", "reason", "text", "store_id", "falls_back_to"];
    writer.write_record(header).map_err(failed)?;
    for reject in &outcome.rejects {
        let line = reject.line.to_string();
        let store = reject.store.as_deref().unwrap_or("");
        let falls_back_to = reject.falls_back.map_or("", |kind| defaults.for_kind(kind));
        let Reject { file, column, reason, text, .. } = reject;
        let row: [&str; 7] = [file, &line, column, reason, text, store, falls_back_to];
        writer.write_record(row).map_err(failed)?;
    }
    for Unmatched { file, ids, likely_cause, .. } in &outcome.unmatched {
        let reason = format!("matches no polled store; {likely_cause}");
        for id in ids {
            writer.write_record([file, "", "store_id", &reason, "", id, ""]).map_err(failed)?;
        }
    }
    writer.into_inner().map_err(|error| Error::bug(format!("rejects do not fit into CSV: {error}")))
}
