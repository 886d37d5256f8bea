//! The formats, and a laid-out report in each of them.

use arrow::array::RecordBatch;

use super::writer::Writer;
use crate::error::Result;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 4180 with `\n` line ends; fields are quoted only where they have to be.
    #[default]
    Csv,
    /// One array of objects; times and percentages are numbers.
    Json,
    /// One object a line.
    Ndjson,
    Parquet,
    /// The Arrow IPC file format.
    Arrow,
    /// The Arrow IPC streaming format.
    ArrowStream,
    /// Columns and borders, for people.
    Table,
    /// A table of GitHub's kind.
    Markdown,
}

impl Format {
    /// Whether it is for programs alone.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::ArrowStream)
    }
}

/// The bytes of a report; of the same report always the same.
pub fn render(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    let mut writer = Writer::new(format, &report.schema())?;
    writer.write(report)?;
    writer.finish()?;
    Ok(writer.take())
}
