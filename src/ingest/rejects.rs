//! Rejects: rows that were not loaded, and why.

use super::file_kind::FileKind;

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
