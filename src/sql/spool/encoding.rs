//! Batches as stored: compacted to their rows in memory, in Arrow's stream format on disk and between
//! processes.

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewArray, MutableArrayData, RecordBatch,
    RecordBatchOptions, StringViewArray, make_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;

use super::SCHEMA_BYTES;
use crate::error::{Error, Limit, Result};

/// Maximum number of buffer bytes that a batch does not reference before its rows are copied.
const SPARE_BYTES_MAX: usize = 64 << 10;
/// Approximate size of a stored batch. Parts are at most twice as large, unless they are a single
/// row.
const PART_BYTES: usize = 512 << 10;

/// Copies the rows if they take less than half of their buffers, as in a slice of a larger batch;
/// otherwise returns the batch unchanged.
///
/// # Errors
/// Fails if the copied columns do not match the schema, which is a bug.
pub fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let held_bytes = batch.get_array_memory_size();
    if held_bytes <= SPARE_BYTES_MAX {
        return Ok(batch);
    }
    let used_bytes = batch.columns().iter().map(used_bytes).fold(0, usize::saturating_add);
    let bytes_max = used_bytes.saturating_mul(2).saturating_add(SPARE_BYTES_MAX);
    if held_bytes <= bytes_max {
        return Ok(batch);
    }
    copy(&batch)
}

/// Copies the rows to new buffers.
fn copy(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(copied).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// Splits a batch into small parts, however wide or uneven its rows are.
///
/// # Errors
/// Fails if a row exceeds `row_bytes_max`, or if columns cannot be copied, which is a bug.
pub fn split(batch: RecordBatch, row_bytes_max: usize) -> Result<Vec<RecordBatch>> {
    let (mut parts, mut left) = (Vec::new(), vec![batch]);
    while let Some(batch) = left.pop() {
        let (bytes, rows) = (part_bytes(&batch), batch.num_rows());
        if bytes <= 2 * PART_BYTES {
            parts.push(batch);
        } else if rows > 1 {
            // Copied, so that each part is measured without its neighbours.
            let rows_at_once = rows.div_ceil(bytes.div_ceil(PART_BYTES)).max(1);
            for start in (0..rows).step_by(rows_at_once).rev() {
                left.push(copy(&batch.slice(start, rows_at_once.min(rows - start)))?);
            }
        } else {
            let row = copy(&batch)?;
            if part_bytes(&row) > row_bytes_max {
                return Err(Error::limit(
                    Limit::RowSize,
                    format!(
                        "a row of the result takes more than {} MiB, the most that is sent; select less per row",
                        row_bytes_max >> 20
                    ),
                ));
            }
            parts.push(row);
        }
    }
    Ok(parts)
}

/// Size of the rows; dictionaries, which parts share, are not counted.
fn part_bytes(batch: &RecordBatch) -> usize {
    let bytes = batch.columns().iter().map(|column| match column.as_any_dictionary_opt() {
        Some(words) => words.keys().to_data().get_slice_memory_size().unwrap_or(usize::MAX),
        None => used_bytes(column),
    });
    bytes.fold(0, usize::saturating_add)
}

/// Size of the rows of a column; for a slice of lists, of all items in their buffers.
fn used_bytes(column: &ArrayRef) -> usize {
    let data = column.to_data();
    let bytes = data.get_slice_memory_size().unwrap_or(usize::MAX);
    bytes.saturating_add(viewed_bytes(&data))
}

/// Out-of-line bytes of views, which `get_slice_memory_size` does not count.
fn viewed_bytes(data: &ArrayData) -> usize {
    let own = match data.data_type() {
        DataType::Utf8View => StringViewArray::from(data.clone()).total_buffer_bytes_used(),
        DataType::BinaryView => BinaryViewArray::from(data.clone()).total_buffer_bytes_used(),
        _ => 0,
    };
    data.child_data().iter().map(viewed_bytes).fold(own, usize::saturating_add)
}

/// Returns whether an array, or one nested in it, has view type.
fn has_views(data: &ArrayData) -> bool {
    matches!(data.data_type(), DataType::Utf8View | DataType::BinaryView)
        || data.child_data().iter().any(has_views)
}

/// Copies the rows of a column without unreferenced bytes. Fails if offsets overflow, which those of
/// a part cannot.
fn copied(column: &ArrayRef) -> Result<ArrayRef> {
    let data = column.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(make_array(compact_views(copy.freeze())?))
}

/// Removes unreferenced bytes of views, including nested ones.
fn compact_views(data: ArrayData) -> std::result::Result<ArrayData, ArrowError> {
    match data.data_type() {
        DataType::Utf8View => Ok(StringViewArray::from(data).gc().into_data()),
        DataType::BinaryView => Ok(BinaryViewArray::from(data).gc().into_data()),
        _ if has_views(&data) => {
            let children = data.child_data().iter().cloned().map(compact_views);
            let children = children.collect::<std::result::Result<_, _>>()?;
            data.into_builder().child_data(children).build()
        }
        _ => Ok(data),
    }
}

/// Encodes a batch as a self-contained stream for [`decode`].
///
/// # Errors
/// Fails if the format does not support a column.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let bytes = batch.get_array_memory_size().min(2 * PART_BYTES) + SCHEMA_BYTES;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(bytes), batch.schema_ref())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// Decodes a batch written by [`encode`]. Its columns share the bytes.
///
/// # Errors
/// Fails if the bytes are not an encoded batch.
pub fn decode(bytes: impl Into<Buffer>) -> Result<RecordBatch> {
    let batch = StreamDecoder::new().decode(&mut bytes.into())?;
    batch.ok_or_else(|| Error::bug("an encoded batch ends early"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Int64Array, ListArray, NullArray, StringArray, StructArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Int32Type, Schema};

    use super::*;

    const ROWS: usize = 50_000;

    fn columns() -> Vec<ArrayRef> {
        let text = |row: usize| (!row.is_multiple_of(7)).then(|| format!("the text of row {row}"));
        let numbers = |row: usize| Some((0..row % 3).map(|at| Some(at as i32)));
        vec![
            Arc::new((0..ROWS as i64).map(Some).collect::<Int64Array>()),
            Arc::new((0..ROWS).map(text).collect::<StringArray>()),
            Arc::new((0..ROWS).map(text).collect::<StringViewArray>()),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>((0..ROWS).map(numbers))),
            Arc::new(
                ["a", "b", "a"]
                    .into_iter()
                    .cycle()
                    .take(ROWS)
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
        ]
    }

    fn batch() -> RecordBatch {
        let columns = columns().into_iter().enumerate();
        RecordBatch::try_from_iter(columns.map(|(at, column)| (format!("c{at}"), column))).unwrap()
    }

    #[test]
    fn a_slice_does_not_hold_the_whole() {
        let slice = batch().slice(20_000, 10);
        let kept = compact(slice.clone()).unwrap();
        assert_eq!(kept, slice);
        assert!(kept.get_array_memory_size() < 64 << 10, "{}", kept.get_array_memory_size());
    }

    /// Rows of one text each, with these lengths in bytes.
    fn texts(lengths: &[usize]) -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
            lengths.iter().map(|length| "x".repeat(*length)),
        ));
        RecordBatch::try_from_iter([("text", texts)]).unwrap()
    }

    #[track_caller]
    fn check_parts(batch: &RecordBatch, count: std::ops::RangeInclusive<usize>) {
        let parts = split(batch.clone(), 4 << 20).unwrap();
        assert!(count.contains(&parts.len()), "{} parts", parts.len());
        assert_eq!(&arrow::compute::concat_batches(batch.schema_ref(), &parts).unwrap(), batch);
        let is_small = |part: &RecordBatch| part_bytes(part) <= 2 * PART_BYTES;
        assert!(parts.iter().all(|part| part.num_rows() == 1 || is_small(part)));
    }

    #[test]
    fn a_large_batch_is_kept_in_small_parts() {
        check_parts(&batch().slice(0, 1000), 1..=1);
        check_parts(&batch(), 4..=64);
        check_parts(&texts(&[10_000; 1000]), 10..=64);
        // Most of the batch is one row.
        let mut uneven = [100; 1000];
        uneven[700] = 3 << 20;
        check_parts(&texts(&uneven), 2..=64);
        check_parts(&texts(&[3 << 20]), 1..=1);
        check_parts(&texts(&[3 << 20, 3 << 20]).slice(1, 1), 1..=1);
    }

    #[test]
    fn a_row_that_is_too_large_is_refused_with_a_remedy() {
        let refused = split(texts(&[1, 5 << 20, 1]), 4 << 20).unwrap_err();
        assert!(
            matches!(&refused, Error::Limit(wrong) if wrong.sentence.contains("more than 4 MiB"))
        );
    }

    #[test]
    fn what_is_held_for_its_rows_is_not_copied() {
        let whole = batch();
        let kept = compact(whole.clone()).unwrap();
        let is_same = |(kept, before): (&ArrayRef, &ArrayRef)| Arc::ptr_eq(kept, before);
        assert!(kept.columns().iter().zip(whole.columns()).all(is_same));
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let none = RecordBatch::try_new_with_options(
            Arc::new(Schema::empty()),
            Vec::new(),
            &RecordBatchOptions::new().with_row_count(Some(3)),
        );
        let nulls: ArrayRef = Arc::new(NullArray::new(2));
        let nulls = RecordBatch::try_from_iter_with_nullable([("nulls", nulls, true)]).unwrap();
        for batch in [batch(), batch().slice(7, 100), batch().slice(0, 0), none.unwrap(), nulls] {
            let bytes = encode(&compact(batch.clone()).unwrap()).unwrap();
            assert!(decode(&bytes[..bytes.len() / 2]).is_err());
            assert_eq!(decode(bytes).unwrap(), batch);
        }
        assert!(decode(b"").is_err() && decode(b"no batch").is_err());
    }

    #[test]
    fn unreferenced_bytes_of_views_are_neither_kept_nor_encoded() {
        let texts = StringViewArray::from_iter_values((0..100).map(|_| "x".repeat(100_000)));
        let texts: ArrayRef = Arc::new(texts);
        let field = Arc::new(Field::new("text", DataType::Utf8View, true));
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(field, Arc::clone(&texts))]));
        let item = Arc::new(Field::new_list_field(structs.data_type().clone(), true));
        let lengths = OffsetBuffer::from_lengths([1; 100]);
        let lists: ArrayRef = Arc::new(ListArray::new(item, lengths, Arc::clone(&structs), None));
        for column in [texts, structs, lists] {
            let row = RecordBatch::try_from_iter([("a", column)]).unwrap().slice(5, 1);
            let parts = split(row.clone(), 4 << 20).unwrap();
            let parts = parts.into_iter().map(compact).collect::<Result<Vec<_>>>().unwrap();
            assert_eq!(parts, [row]);
            let encoded_bytes = encode(&parts[0]).unwrap().len();
            assert!(encoded_bytes < 200_000, "{encoded_bytes}: {}", parts[0].schema());
        }
    }
}
