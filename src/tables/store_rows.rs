//! The rows of one store out of sorted files, by their page index: all other pages stay unread.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::schema::Table;
use crate::error::{Error, Result};

/// Place of `store_id` in every table that has it.
const STORE_ID: usize = 0;

/// The store's rows of the files, in the order of the files.
pub fn read_store<'a>(
    table: Table,
    paths: impl IntoIterator<Item = &'a Path>,
    store: &str,
) -> Result<RecordBatch> {
    let mut found = Vec::new();
    for path in paths {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        read_file(file, store, &mut found).map_err(|error| Error::io("read", path, error))?;
    }
    let schema = found.first().map_or_else(|| table.file_schema(), |batch| batch.schema());
    Ok(concat_batches(&Arc::clone(&schema), &found)?)
}

fn read_file(
    file: File,
    store: &str,
    found: &mut Vec<RecordBatch>,
) -> std::result::Result<(), ParquetError> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    if let Some(pages) = pages_of(builder.metadata(), store.as_bytes()) {
        let rows = builder.metadata().file_metadata().num_rows() as usize;
        let selection = RowSelection::from_consecutive_ranges(pages.into_iter(), rows);
        builder = builder.with_row_selection(selection);
    }
    for batch in builder.build()? {
        let batch = batch?;
        let ids = batch.column(STORE_ID).as_string::<i32>();
        let is_store: BooleanArray = ids.iter().map(|id| Some(id == Some(store))).collect();
        if is_store.true_count() > 0 {
            found.push(filter_record_batch(&batch, &is_store)?);
        }
    }
    Ok(())
}

/// Rows of the pages that may hold the store; `None` where the file does not tell.
fn pages_of(metadata: &ParquetMetaData, store: &[u8]) -> Option<Vec<Range<usize>>> {
    let (columns, offsets) = (metadata.column_index()?, metadata.offset_index()?);
    let mut pages = Vec::new();
    let mut group_start = 0;
    for (group, rows) in metadata.row_groups().iter().enumerate() {
        let rows = rows.num_rows() as usize;
        let ColumnIndexMetaData::BYTE_ARRAY(bounds) = columns.get(group)?.get(STORE_ID)? else {
            return None;
        };
        let locations = offsets.get(group)?.get(STORE_ID)?.page_locations();
        for (page, location) in locations.iter().enumerate() {
            // A bound that is missing leaves the page in.
            let is_before = bounds.max_value(page).is_some_and(|max| max < store);
            let is_after = bounds.min_value(page).is_some_and(|min| min > store);
            if is_before || is_after {
                continue;
            }
            let first = group_start + location.first_row_index as usize;
            let next = locations.get(page + 1);
            let last = next.map_or(rows, |next| next.first_row_index as usize);
            pages.push(first..group_start + last);
        }
        group_start += rows;
    }
    Some(pages)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::tables::write_sorted;

    /// So many polls of each store as its name says: `s00007` has seven.
    fn polls(stores: usize) -> RecordBatch {
        let rows: Vec<(usize, i64)> =
            (0..stores).flat_map(|store| (0..store as i64).map(move |at| (store, at))).collect();
        let ids = rows.iter().map(|(store, _)| Some(format!("s{store:05}")));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.collect::<StringArray>()),
            Arc::new(rows.iter().map(|(store, _)| *store as i32).collect::<Int32Array>()),
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(_, at)| *at))
                    .with_timezone("UTC"),
            ),
            Arc::new(rows.iter().map(|(_, at)| Some(at % 2 == 0)).collect::<BooleanArray>()),
        ];
        RecordBatch::try_new(Table::Polls.file_schema(), columns).unwrap()
    }

    #[test]
    fn a_store_is_found_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        // More rows than one page holds, so that there is something to leave out.
        let file = write_sorted(folder.path(), Table::Polls, Some(0), [Ok(polls(300))]).unwrap();
        for store in [1, 150, 299] {
            let found =
                read_store(Table::Polls, [file.path.as_path()], &format!("s{store:05}")).unwrap();
            assert_eq!(found.num_rows(), store);
        }
        for unknown in ["", "s00000", "s00150x", "t"] {
            let found = read_store(Table::Polls, [file.path.as_path()], unknown).unwrap();
            assert_eq!(found.num_rows(), 0, "{unknown}");
        }
        let metadata = ParquetRecordBatchReaderBuilder::try_new_with_options(
            File::open(&file.path).unwrap(),
            ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required),
        )
        .unwrap();
        let pages = pages_of(metadata.metadata(), b"s00010").unwrap();
        let rows: usize = pages.iter().map(Range::len).sum();
        assert!(rows > 0 && rows < 300 * 299 / 2, "{rows} rows are read");
    }
}
