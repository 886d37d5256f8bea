//! Page pruning: reads some stores, or a range of them, from sorted files by their page indexes,
//! without reading other pages.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::footer_cache::read_footer;
use crate::error::{Error, Result};

/// Index of the column `store_no` in the files of every table that has it.
const STORE_NO_COLUMN: usize = 1;
/// Rows decoded at once, about one page.
const ROWS_AT_ONCE: usize = 20_480;

/// Reads the rows of the stores from one file, in file order. Returns the given columns and
/// `store_no`, in file order as well. `numbers` must ascend.
///
/// # Errors
/// The file cannot be read.
pub fn read_stores(path: &Path, columns: &[usize], numbers: &[i32]) -> Result<Vec<RecordBatch>> {
    let unreadable = |error: ParquetError| Error::io("read", path, error);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    read_file(path, file, columns, numbers).map_err(unreadable)
}

fn read_file(
    path: &Path,
    file: File,
    columns: &[usize],
    numbers: &[i32],
) -> std::result::Result<Vec<RecordBatch>, ParquetError> {
    let metadata = read_footer(path, &file)?;
    let rows = metadata.metadata().file_metadata().num_rows() as usize;
    let matches = |least: i32, most: i32| {
        let first = numbers.partition_point(|number| *number < least);
        numbers.get(first).is_some_and(|number| *number <= most)
    };
    let pages = matching_pages(metadata.metadata(), matches);
    let read = pages.as_ref().map_or(rows, |pages| pages.iter().map(Range::len).sum());
    if read == 0 {
        return Ok(Vec::new());
    }
    let leaves = columns.iter().copied().chain([STORE_NO_COLUMN]);
    let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_batch_size(read.min(ROWS_AT_ONCE));
    if let Some(pages) = pages {
        let selection = RowSelection::from_consecutive_ranges(pages.into_iter(), rows);
        builder = builder.with_row_selection(selection);
    }
    let place = columns.iter().filter(|column| **column < STORE_NO_COLUMN).count();
    let mut found = Vec::new();
    for batch in builder.build()? {
        let batch = batch?;
        let matches = store_mask(batch.column(place).as_primitive::<Int32Type>().values(), numbers);
        if matches.true_count() > 0 {
            found.push(filter_record_batch(&batch, &matches)?);
        }
    }
    Ok(found)
}

/// Reads the pages that may contain stores in `[from, to)`, with the given columns; their other
/// rows are included. Holds one page per column at a time, and no file open.
///
/// # Errors
/// The file cannot be read.
pub fn read_range(
    path: &Path,
    columns: &[usize],
    (from, to): (Option<i32>, Option<i32>),
    rows_at_once: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let named = path.to_owned();
    let unreadable = move |error: ParquetError| Error::io("read", &named, error);
    let open = || -> std::result::Result<_, ParquetError> {
        let file = File::open(path)?;
        let metadata = read_footer(path, &file)?;
        let rows = metadata.metadata().file_metadata().num_rows() as usize;
        let matches = |least: i32, most: i32| {
            from.is_none_or(|from| most >= from) && to.is_none_or(|to| least < to)
        };
        let pages = matching_pages(metadata.metadata(), matches);
        let leaves = columns.iter().copied();
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), leaves);
        let closed = ReopenedFile { path: path.to_owned(), length: file.metadata()?.len() };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(closed, metadata)
            .with_projection(mask)
            .with_batch_size(rows_at_once);
        if let Some(pages) = pages {
            let selection = RowSelection::from_consecutive_ranges(pages.into_iter(), rows);
            builder = builder.with_row_selection(selection);
        }
        builder.build()
    };
    let batches = open().map_err(&unreadable)?;
    Ok(batches.map(move |batch| batch.map_err(|error| unreadable(error.into()))))
}

/// File that is opened for each read, so that hundreds of concurrent readers stay below the limit
/// of open files.
struct ReopenedFile {
    path: PathBuf,
    length: u64,
}

impl ReopenedFile {
    fn open_at(&self, start: u64) -> std::io::Result<File> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl Length for ReopenedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for ReopenedFile {
    type T = File;

    fn get_read(&self, start: u64) -> std::result::Result<File, ParquetError> {
        Ok(self.open_at(start)?)
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        let mut bytes = Vec::with_capacity(length);
        self.open_at(start)?.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() != length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes.into())
    }
}

/// Mask of the rows whose store is in `numbers`, which must ascend.
fn store_mask(stores: &[i32], numbers: &[i32]) -> BooleanArray {
    let mut matches = BooleanBufferBuilder::new(stores.len());
    for run in stores.chunk_by(|left, right| left == right) {
        matches.append_n(run.len(), numbers.binary_search(&run[0]).is_ok());
    }
    BooleanArray::new(matches.finish(), None)
}

/// Row ranges of the pages whose bounds satisfy the predicate; `None` if the file has no page
/// index.
fn matching_pages(
    metadata: &ParquetMetaData,
    matches: impl Fn(i32, i32) -> bool,
) -> Option<Vec<Range<usize>>> {
    let (columns, offsets) = (metadata.column_index()?, metadata.offset_index()?);
    let mut pages: Vec<Range<usize>> = Vec::new();
    let mut group_start = 0;
    for (group, rows) in metadata.row_groups().iter().enumerate() {
        let rows = rows.num_rows() as usize;
        let ColumnIndexMetaData::INT32(bounds) = columns.get(group)?.get(STORE_NO_COLUMN)? else {
            return None;
        };
        let locations = offsets.get(group)?.get(STORE_NO_COLUMN)?.page_locations();
        for (page, location) in locations.iter().enumerate() {
            // Without a bound the page may match.
            let least = bounds.min_value(page).copied().unwrap_or(i32::MIN);
            let most = bounds.max_value(page).copied().unwrap_or(i32::MAX);
            if !matches(least, most) {
                continue;
            }
            let start = group_start + location.first_row_index as usize;
            let next = locations.get(page + 1);
            let end = group_start + next.map_or(rows, |next| next.first_row_index as usize);
            match pages.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => pages.push(start..end),
            }
        }
        group_start += rows;
    }
    Some(pages)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::tables::{Table, write_sorted};

    /// Polls of stores 0 to `stores`, as many of each as its number says: store 7 has seven.
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

    fn rows(path: &Path, columns: &[usize], numbers: &[i32]) -> usize {
        let found = read_stores(path, columns, numbers).unwrap();
        found.iter().map(RecordBatch::num_rows).sum()
    }

    #[test]
    fn all_rows_of_the_stores_and_no_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        // More rows than a page holds, so that pages can be pruned.
        let file = write_sorted(folder.path(), Table::Polls, Some(0), [Ok(polls(300))]).unwrap();
        for store in [1, 150, 299] {
            assert_eq!(rows(&file.path, &[0, 2, 3], &[store]), store as usize);
        }
        assert_eq!(rows(&file.path, &[2], &[1, 7, 150, 298, 299]), 1 + 7 + 150 + 298 + 299);
        for unknown in [&[][..], &[-1], &[0], &[300, 301]] {
            assert_eq!(rows(&file.path, &[2], unknown), 0, "{unknown:?}");
        }
        let footer = read_footer(&file.path, &File::open(&file.path).unwrap()).unwrap();
        let matches = |least, most| [10, 299].iter().any(|number| (least..=most).contains(number));
        let pages = matching_pages(footer.metadata(), matches).unwrap();
        let read: usize = pages.iter().map(Range::len).sum();
        assert!(read > 0 && read < 300 * 299 / 2, "{read} rows are read");
    }

    #[test]
    fn a_range_is_read_with_its_pages_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = write_sorted(folder.path(), Table::Polls, Some(0), [Ok(polls(300))]).unwrap();
        for range in [(None, None), (Some(100), Some(200)), (Some(299), None), (None, Some(1))] {
            let batches = read_range(&file.path, &[1, 2], range, 1_000).unwrap();
            let stores: Vec<i32> = batches
                .flat_map(|batch| {
                    let batch = batch.unwrap();
                    assert!(batch.num_columns() == 2 && batch.num_rows() <= 1_000);
                    batch.column(0).as_primitive::<Int32Type>().values().to_vec()
                })
                .collect();
            let is_in = |store: &&i32| {
                range.0.is_none_or(|from| **store >= from) && range.1.is_none_or(|to| **store < to)
            };
            let expected: usize = (0..300).filter(|store| is_in(&store)).map(|s| s as usize).sum();
            assert_eq!(stores.iter().filter(is_in).count(), expected, "{range:?}");
            assert!(stores.is_sorted());
            let all = 300 * 299 / 2;
            assert_eq!(stores.len() < all, range != (None, None), "{range:?}");
        }
    }

    #[test]
    fn columns_come_in_file_order_with_the_store_number() {
        let folder = tempfile::tempdir().unwrap();
        let file = write_sorted(folder.path(), Table::Polls, Some(0), [Ok(polls(9))]).unwrap();
        for (columns, expected) in [
            (&[][..], &["store_no"][..]),
            (&[0, 3], &["store_id", "store_no", "active"]),
            (&[1, 2], &["store_no", "polled_at"]),
        ] {
            let found = read_stores(&file.path, columns, &[7]).unwrap();
            let schema = found[0].schema();
            let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names, expected);
        }
    }
}
