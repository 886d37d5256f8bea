//! Encoding of rows as CSV and Markdown.

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::layout::SCALE;

const OPTIONS: FormatOptions = FormatOptions::new().with_display_error(false);

pub fn csv_header_into(schema: &Schema, bytes: &mut Vec<u8>) {
    for (at, field) in schema.fields().iter().enumerate() {
        bytes.extend_from_slice(if at == 0 { b"" } else { b"," });
        quoted_into(field.name(), bytes);
    }
    bytes.push(b'\n');
}

/// Appends rows by RFC 4180; a null is an empty field, an empty text is quoted.
pub fn csv_into(rows: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    /// Length of most fields, with the delimiter.
    const FIELD_BYTES: usize = 10;
    let columns = rows.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    bytes.reserve(rows.num_rows() * columns.len() * FIELD_BYTES);
    for row in 0..rows.num_rows() {
        for (at, column) in columns.iter().enumerate() {
            bytes.extend_from_slice(if at == 0 { b"" } else { b"," });
            column.write(row, bytes)?;
        }
        bytes.push(b'\n');
    }
    Ok(())
}

/// Appends a field, quoted if RFC 4180 requires it.
fn quoted_into(text: &str, bytes: &mut Vec<u8>) {
    let is_special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if text.is_empty() || text.as_bytes().iter().any(is_special) {
        bytes.push(b'"');
        bytes.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        bytes.push(b'"');
    } else {
        bytes.extend_from_slice(text.as_bytes());
    }
}

/// Column by type, with fast paths for the types of reports.
enum Column<'a> {
    Text(&'a StringArray),
    Whole(&'a Int64Array),
    /// Two decimal places, and few enough digits for an `i64`.
    Decimal(&'a Decimal128Array),
    /// Logical nulls, which include those of a column of type null.
    Other(Option<NullBuffer>, ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    fn new(column: &'a ArrayRef) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            DataType::Int64 => Self::Whole(column.as_primitive()),
            DataType::Decimal128(..=18, SCALE) => Self::Decimal(column.as_primitive()),
            _ => Self::Other(column.logical_nulls(), ArrayFormatter::try_new(column, &OPTIONS)?),
        })
    }

    /// Appends the value of a row; nothing for a null.
    fn write(&self, row: usize, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
        match self {
            Self::Text(texts) if texts.is_valid(row) => quoted_into(texts.value(row), bytes),
            Self::Whole(numbers) if numbers.is_valid(row) => {
                bytes.extend_from_slice(itoa::Buffer::new().format(numbers.value(row)).as_bytes());
            }
            Self::Decimal(decimals) if decimals.is_valid(row) => {
                hundredths_into(decimals.value(row) as i64, bytes);
            }
            Self::Other(nulls, formatter) if is_valid(nulls.as_ref(), row) => {
                quoted_into(&formatter.value(row).try_to_string()?, bytes);
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

fn hundredths_into(hundredths: i64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(if hundredths < 0 { b"-" } else { b"" });
    let hundredths = hundredths.unsigned_abs();
    let (whole, rest) = (hundredths / 100, (hundredths % 100) as u8);
    bytes.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    bytes.extend_from_slice(&[b'.', b'0' + rest / 10, b'0' + rest % 10]);
}

/// Appends the names of the columns and their alignment.
pub fn markdown_header_into(schema: &Schema, bytes: &mut Vec<u8>) {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    markdown_line_into(names, bytes);
    for field in schema.fields() {
        bytes.extend_from_slice(if field.data_type().is_numeric() { b"|---:" } else { b"|---" });
    }
    bytes.extend_from_slice(b"|\n");
}

/// Appends rows; a null is empty, an empty text is `""`.
pub fn markdown_into(rows: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &OPTIONS));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let nulls: Vec<_> = rows.columns().iter().map(|column| column.logical_nulls()).collect();
    for row in 0..rows.num_rows() {
        let values = columns.iter().zip(&nulls).map(|(formatter, nulls)| {
            let text = formatter.value(row).try_to_string()?;
            let is_empty_text = text.is_empty() && is_valid(nulls.as_ref(), row);
            Ok(if is_empty_text { "\"\"".to_owned() } else { text })
        });
        let values = values.collect::<Result<Vec<_>, ArrowError>>()?;
        markdown_line_into(values.iter().map(String::as_str), bytes);
    }
    Ok(())
}

fn markdown_line_into<'a>(values: impl Iterator<Item = &'a str>, bytes: &mut Vec<u8>) {
    for value in values {
        let value = value.replace('|', "\\|").replace("\r\n", "<br>").replace('\n', "<br>");
        bytes.extend_from_slice(format!("| {value} ").as_bytes());
    }
    bytes.extend_from_slice(b"|\n");
}
