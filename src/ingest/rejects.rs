//! Rows that break a rule: not loaded, and not lost.

use crate::error::{Error, Result};

/// One row, or one field of it, that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    pub file: String,
    pub line: u64,
    /// The column that broke the rule; empty where the row as a whole did.
    pub column: String,
    pub reason: String,
    /// The row as it stood in the file, cut after 4,096 bytes.
    pub text: String,
}

pub const TEXT_BYTES_MAX: usize = 4096;

impl Reject {
    pub fn new(file: &str, line: u64, column: &str, reason: String, row: &[u8]) -> Self {
        let row = &row[..row.len().min(TEXT_BYTES_MAX)];
        Self {
            file: file.to_owned(),
            line,
            column: column.to_owned(),
            reason,
            text: String::from_utf8_lossy(row).trim_end_matches(['\r', '\n']).to_owned(),
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

/// The rejects as CSV, with a header.
///
/// # Errors
/// None that an input can cause.
pub fn rejects_csv(rejects: &[Reject]) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::bug(format!("rejects do not fit into CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "line", "column", "reason", "text"]).map_err(failed)?;
    for reject in rejects {
        let line = reject.line.to_string();
        let row = [&reject.file, &line, &reject.column, &reject.reason, &reject.text];
        writer.write_record(row).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::bug(format!("rejects do not fit into CSV: {error}")))
}
