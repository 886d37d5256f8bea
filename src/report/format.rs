//! Writes a laid-out report in each format.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::ipc::writer::FileWriter;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder as JsonBuilder};
use arrow::util::pretty::pretty_format_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

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
    /// Columns and borders, for people.
    Table,
}

/// The bytes of a report; of the same report always the same.
pub fn render(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        Format::Csv => WriterBuilder::new().build(&mut bytes).write(report)?,
        Format::Json => {
            let mut writer =
                JsonBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut bytes);
            writer.write(report)?;
            writer.finish()?;
            bytes.push(b'\n');
        }
        Format::Ndjson => {
            let mut writer =
                JsonBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut bytes);
            writer.write(report)?;
            writer.finish()?;
        }
        Format::Parquet => parquet_into(report, &mut bytes).map_err(|error| Error::Bug {
            what: "the report does not fit into Parquet".into(),
            source: Some(error.into()),
        })?,
        Format::Arrow => {
            let mut writer = FileWriter::try_new(&mut bytes, &report.schema())?;
            writer.write(report)?;
            writer.finish()?;
        }
        Format::Table => {
            bytes =
                format!("{}\n", pretty_format_batches(std::slice::from_ref(report))?).into_bytes();
        }
    }
    Ok(bytes)
}

fn parquet_into(
    report: &RecordBatch,
    bytes: &mut Vec<u8>,
) -> std::result::Result<(), ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(bytes, Arc::clone(&report.schema()), Some(properties))?;
    writer.write(report)?;
    writer.close()?;
    Ok(())
}
