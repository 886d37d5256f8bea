//! Writes a laid-out report in each format.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::DataType;
use arrow::ipc::writer::FileWriter;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder as JsonBuilder};
use arrow::util::pretty::pretty_format_batches;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::layout::SCALE;
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
        Format::Csv => csv_into(report, &mut bytes)?,
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

/// Rows as text, each value written where it ends up.
fn csv_into(report: &RecordBatch, bytes: &mut Vec<u8>) -> Result<()> {
    let schema = report.schema();
    for (at, field) in schema.fields().iter().enumerate() {
        bytes.extend_from_slice(if at == 0 { b"" } else { b"," });
        text_into(field.name(), bytes);
    }
    bytes.push(b'\n');
    let columns = report.columns().iter().map(Column::of).collect::<Result<Vec<_>>>()?;
    for row in 0..report.num_rows() {
        for (at, column) in columns.iter().enumerate() {
            bytes.extend_from_slice(if at == 0 { b"" } else { b"," });
            column.write(row, bytes);
        }
        bytes.push(b'\n');
    }
    Ok(())
}

/// Appends a field, in quotes where RFC 4180 demands it.
fn text_into(text: &str, bytes: &mut Vec<u8>) {
    let is_special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if text.as_bytes().iter().any(is_special) {
        bytes.push(b'"');
        bytes.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        bytes.push(b'"');
    } else {
        bytes.extend_from_slice(text.as_bytes());
    }
}

/// A column of a report by what it holds.
enum Column<'a> {
    Text(&'a StringArray),
    Whole(&'a Int64Array),
    /// Two decimals.
    Decimal(&'a Decimal128Array),
}

impl<'a> Column<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self> {
        match column.data_type() {
            DataType::Utf8 => Ok(Self::Text(column.as_string())),
            DataType::Int64 => Ok(Self::Whole(column.as_primitive())),
            DataType::Decimal128(_, SCALE) => Ok(Self::Decimal(column.as_primitive())),
            other => Err(Error::bug(format!("a report has no columns of {other}"))),
        }
    }

    /// Appends the value of the row; nothing for a null.
    fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        match self {
            Self::Text(texts) => text_into(texts.value(row), bytes),
            Self::Whole(numbers) if numbers.is_valid(row) => {
                bytes.extend_from_slice(itoa::Buffer::new().format(numbers.value(row)).as_bytes());
            }
            Self::Decimal(decimals) if decimals.is_valid(row) => {
                let hundredths = decimals.value(row) as u64;
                // No figure of a report is negative.
                let (whole, rest) = (hundredths / 100, (hundredths % 100) as u8);
                bytes.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
                bytes.extend_from_slice(&[b'.', b'0' + rest / 10, b'0' + rest % 10]);
            }
            Self::Whole(_) | Self::Decimal(_) => {}
        }
    }
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
