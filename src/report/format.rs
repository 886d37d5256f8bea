//! The formats, and a laid-out report in each of them.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{ScopedJoinHandle, available_parallelism};

use arrow::array::RecordBatch;

use super::text::csv_into;
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
    if format == Format::Csv {
        let mut bytes = writer.take();
        for part in csv_parts(report)? {
            bytes.extend_from_slice(&part);
        }
        return Ok(bytes);
    }
    writer.write(report)?;
    writer.finish()?;
    Ok(writer.take())
}

/// The lines of a report in parts, each written by a thread of its own.
fn csv_parts(report: &RecordBatch) -> Result<Vec<Vec<u8>>> {
    // For fewer, a thread takes longer to start than it saves.
    const ROWS_MIN: usize = 4_096;
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let rows = report.num_rows();
    let rows_each = rows.div_ceil(threads).max(ROWS_MIN);
    let part = |first: usize| report.slice(first, rows_each.min(rows - first));
    let parts: Vec<_> = (0..rows).step_by(rows_each).map(part).collect();
    let written = |part: &RecordBatch| {
        let mut bytes = Vec::new();
        csv_into(part, &mut bytes).map(|()| bytes)
    };
    let written = match &parts[..] {
        [part] => vec![written(part)],
        _ => std::thread::scope(|scope| {
            let threads: Vec<_> = parts.iter().map(|part| scope.spawn(|| written(part))).collect();
            let joined = threads.into_iter().map(ScopedJoinHandle::join);
            joined.map(|written| written.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        }),
    };
    Ok(written.into_iter().collect::<std::result::Result<_, _>>()?)
}
