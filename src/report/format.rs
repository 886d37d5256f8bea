//! The formats, and a laid-out report in each of them.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

use arrow::array::RecordBatch;

use super::layout::{Layout, lay_out};
use super::text::{csv_header_into, csv_into};
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
    match format {
        Format::Csv => csv(report, |part| Ok(part.clone())),
        _ => written(report, format),
    }
}

/// The bytes of the report that is made of an engine's figures.
pub fn print(figures: &RecordBatch, layout: Layout, format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Csv => csv(figures, |part| lay_out(part, layout)),
        _ => written(&lay_out(figures, layout)?, format),
    }
}

fn written(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    let mut writer = Writer::new(format, &report.schema())?;
    writer.write(report)?;
    writer.finish()?;
    Ok(writer.take())
}

/// The lines of what is made of the rows, part by part on all cores.
fn csv(
    rows: &RecordBatch,
    made: impl Fn(&RecordBatch) -> Result<RecordBatch> + Sync,
) -> Result<Vec<u8>> {
    // For fewer, a thread takes longer to start than it saves.
    const ROWS_MIN: usize = 4_096;
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let rows_each = rows.num_rows().div_ceil(threads).max(ROWS_MIN);
    let part = |first: usize| rows.slice(first, rows_each.min(rows.num_rows() - first));
    let first = part(0);
    let later: Vec<_> = (0..rows.num_rows()).step_by(rows_each).skip(1).map(part).collect();
    let lines = |part: &RecordBatch| -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        csv_into(&made(part)?, &mut bytes)?;
        Ok(bytes)
    };
    thread::scope(|scope| {
        let later = later.iter().map(|part| {
            let thread = thread::Builder::new().spawn_scoped(scope, || lines(part));
            (part, thread)
        });
        let later: Vec<_> = later.collect();
        let first = made(&first)?;
        let mut bytes = Vec::new();
        csv_header_into(&first.schema(), &mut bytes);
        csv_into(&first, &mut bytes)?;
        for (part, thread) in later {
            let lines = match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no thread to give.
                Err(_) => lines(part),
            };
            bytes.extend_from_slice(&lines?);
        }
        Ok(bytes)
    })
}
