//! Parquet files of a table: sorted, synced, and described for the log.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::schema::Table;
use crate::error::{Error, Result};

/// File that is not committed yet; removed when dropped, unless [kept](Self::keep).
#[derive(Debug)]
pub struct NewFile {
    pub table: Table,
    /// Path relative to the table's folder.
    pub name: String,
    pub path: PathBuf,
    pub rows: usize,
    pub size_bytes: u64,
    /// Partition, as days since 1970-01-01.
    pub day: Option<i64>,
    /// Bounds of the sort columns for file pruning: `{"minValues": …}`.
    pub stats: Option<serde_json::Value>,
    kept: bool,
}

impl NewFile {
    /// Keeps the file, once it is committed.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: uncommitted files are never read.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes batches, sorted by [`Table::sorted_by`], to one synced file.
pub fn write_sorted(
    data: &Path,
    table: Table,
    day: Option<i64>,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<NewFile> {
    let folder = data.join(table.name());
    let name = match (table.partition_column(), day) {
        (Some(column), Some(day)) => {
            format!("{column}={}/{}.parquet", format_date(day), Uuid::new_v4())
        }
        _ => format!("{}.parquet", Uuid::new_v4()),
    };
    let path = folder.join(&name);
    let parent = path.parent().unwrap_or(&folder);
    std::fs::create_dir_all(parent).map_err(|error| Error::io("create", parent, error))?;
    let mut file =
        NewFile { table, name, path, rows: 0, size_bytes: 0, day, stats: None, kept: false };
    let written = write_file(&mut file, batches);
    written?;
    sync_folder(file.path.parent().unwrap_or(&folder))?;
    Ok(file)
}

fn write_file(
    file: &mut NewFile,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    let failed =
        |error: Box<dyn std::error::Error + Send + Sync>| Error::io("write", &file.path, error);
    let sink =
        BufWriter::with_capacity(1 << 20, File::create(&file.path).map_err(|e| failed(e.into()))?);
    let schema = file.table.file_schema();
    let mut writer = ArrowWriter::try_new(sink, schema, Some(properties(file.table)))
        .map_err(|e| failed(e.into()))?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows();
        writer.write(&batch).map_err(|e| failed(e.into()))?;
    }
    let mut sink = writer.into_inner().map_err(|e| failed(e.into()))?;
    sink.flush().map_err(|e| failed(e.into()))?;
    let synced = sink.into_inner().map_err(|e| failed(e.into_error().into()))?;
    synced.sync_all().map_err(|e| failed(e.into()))?;
    file.size_bytes = synced.metadata().map_err(|e| failed(e.into()))?.len();
    file.rows = rows;
    Ok(())
}

fn properties(table: Table) -> WriterProperties {
    let schema = table.file_schema();
    let sorted = table
        .sorted_by()
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .map(|index| SortingColumn {
            column_idx: index as i32,
            descending: false,
            nulls_first: false,
        })
        .collect();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // A few hundred thousand ids still fit one dictionary.
        .set_dictionary_page_size_limit(16 << 20)
        .set_statistics_enabled(EnabledStatistics::Page)
        // Deltas of sorted instants are small, and decode faster than general-purpose compression.
        .set_column_encoding(ColumnPath::from("polled_at"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from("polled_at"), false)
        .set_column_compression(ColumnPath::from("polled_at"), Compression::UNCOMPRESSED)
        .set_sorting_columns(Some(sorted))
        .build()
}

/// Reads all rows of the files, in their order.
pub fn read_all<'a>(
    table: Table,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<RecordBatch> {
    let schema = table.file_schema();
    let columns: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    read_columns(table, &columns, paths)
}

/// Reads some columns of all rows of the files, in the order of the table.
pub fn read_columns<'a>(
    table: Table,
    columns: &[&str],
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<RecordBatch> {
    const ROWS_AT_ONCE: i64 = 1 << 16;
    let mut batches = Vec::new();
    for path in paths {
        let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| {
                let columns =
                    ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
                // The reader allocates buffers for whole batches.
                let rows = builder.metadata().file_metadata().num_rows().clamp(1, ROWS_AT_ONCE);
                builder.with_projection(columns).with_batch_size(rows as usize).build()
            })
            .map_err(|error| Error::io("read", path, error))?;
        for batch in reader {
            batches.push(batch.map_err(|error| Error::io("read", path, error))?);
        }
    }
    let schema = match batches.first() {
        Some(batch) => batch.schema(),
        None => {
            let all = table.file_schema();
            let matches = |place: &usize| columns.contains(&all.field(*place).name().as_str());
            Arc::new(all.project(&(0..all.fields().len()).filter(matches).collect::<Vec<_>>())?)
        }
    };
    Ok(concat_batches(&Arc::clone(&schema), &batches)?)
}

/// Creates a folder and its missing parents for the owner only (mode 0700 on Unix). Existing
/// folders keep their mode.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Syncs a folder, so that new names in it survive a power loss.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io("sync", folder, error))
}

/// Formats a day as `YYYY-MM-DD`.
pub fn format_date(day: i64) -> String {
    let days = i32::try_from(day).unwrap_or(i32::MAX);
    chrono::NaiveDate::from_epoch_days(days)
        .map_or_else(|| day.to_string(), |date| date.to_string())
}

/// Parses `YYYY-MM-DD` into days since 1970-01-01.
pub fn parse_date(date: &str) -> Option<i64> {
    date.parse::<chrono::NaiveDate>().ok().map(|date| i64::from(date.to_epoch_days()))
}
