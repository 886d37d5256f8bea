//! List builders, formatting and percentages shared by the internal scalars.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Fields, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;

use crate::functions::encoding::lists::item;
use crate::rules::calendar;
use crate::rules::rounding::percent_hundredths;

/// Splits the columns of a struct into lists of the given lengths.
pub fn lists(fields: Fields, lengths: Vec<usize>, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
    let values = Arc::new(StructArray::try_new(fields.clone(), columns, None)?);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item(fields), offsets, values, None)?))
}

/// Type of a local time in microseconds.
pub fn local_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// Array of instants; microseconds UTC.
pub fn instants(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

pub fn percent(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let [parts, wholes] =
        [&columns[0], &columns[1]].map(|column| column.as_primitive::<Int64Type>());
    let share = |row: usize| {
        let is_known = parts.is_valid(row) && wholes.is_valid(row);
        let hundredths = percent_hundredths(parts.value(row), wholes.value(row));
        hundredths.filter(|_| is_known).map(|share| share as f64 / 100.0)
    };
    Ok(Arc::new((0..rows).map(share).collect::<Float64Array>()))
}

pub fn local_text(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let instants = columns[0].as_primitive::<TimestampMicrosecondType>();
    let offsets = columns[1].as_primitive::<Int64Type>();
    let text = |row: usize| {
        let is_known = instants.is_valid(row) && offsets.is_valid(row);
        is_known.then(|| calendar::local_text(instants.value(row), offsets.value(row)))
    };
    Ok(Arc::new((0..rows).map(text).collect::<StringArray>()))
}

pub fn offset_text(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let offsets = columns[0].as_primitive::<Int64Type>();
    let text =
        |row: usize| offsets.is_valid(row).then(|| calendar::offset_text(offsets.value(row)));
    Ok(Arc::new((0..rows).map(text).collect::<StringArray>()))
}
