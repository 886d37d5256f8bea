//! Rejects: rows that were not loaded, and why.

use super::fallbacks::Unmatched;
use super::header::FileKind;
use super::outcome::Outcome;
use crate::error::{Error, Result};

/// Row that was not loaded because of one of its fields or as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    pub file: String,
    pub line: u64,
    /// Column at fault; empty if the row as a whole is.
    pub column: Box<str>,
    pub reason: String,
    /// Text of the row, truncated after 4,096 bytes.
    pub text: String,
    /// Store of the row, if its id is valid.
    pub store: Option<Box<str>>,
    /// Kind of row that the store has none of, so that a default applies.
    pub falls_back: Option<FileKind>,
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

/// Texts of the default hours and zone, for stores without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultTexts {
    pub hours: String,
    pub zone: String,
}

impl DefaultTexts {
    /// Default for stores without rows of the kind; empty for polls, which have none.
    pub fn for_kind(&self, kind: FileKind) -> &str {
        match kind {
            FileKind::Polls => "",
            FileKind::BusinessHours => &self.hours,
            FileKind::TimeZones => &self.zone,
        }
    }
}

/// Formats the rejects as CSV with a header. Each row of a store that falls back to a default names
/// the default. Ids that match no polled store follow, if they are most of a file.
///
/// # Errors
/// Fails only because of a bug.
pub fn rejects_csv(outcome: &Outcome, defaults: &DefaultTexts) -> Result<Vec<u8>> {
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
