//! Reads local Parquet files on the thread that decodes them.
//!
//! `object_store` moves each read to a blocking thread and its bytes back. For local files, which
//! are mostly in the page cache, that takes longer than the read (apache/arrow-rs-object-store#693,
//! apache/datafusion#19983). Remove this once local reads through `object_store` are as fast.

use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetMetaData;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use object_store::ObjectMeta;
use object_store::path::PathPart;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, broken};

/// Path of a scanned file. Attached to the file, because the location in an object store cannot
/// represent every path.
#[derive(Debug)]
pub struct LocalPath(pub PathBuf);

/// Injective name of an absolute path, for plans and as the key of cached footers.
pub fn object_path(path: &Path) -> object_store::path::Path {
    let parts = path.components().filter(|part| !matches!(part, Component::RootDir));
    parts.map(|part| PathPart::from(part.as_os_str().as_encoded_bytes())).collect()
}

/// Creates readers of local files that share a cache of footers.
#[derive(Debug)]
pub struct LocalParquetReaderFactory {
    footers: Arc<FileMetadataCache>,
}

impl LocalParquetReaderFactory {
    pub fn new(footers: Arc<FileMetadataCache>) -> Self {
        Self { footers }
    }
}

impl ParquetFileReaderFactory for LocalParquetReaderFactory {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let Some(LocalPath(path)) = file.extension::<LocalPath>() else {
            return Err(broken(format!("{} has no local path", file.object_meta.location)));
        };
        Ok(Box::new(LocalParquetReader {
            path: path.clone(),
            listed: file.object_meta,
            file: None,
            footers: Arc::clone(&self.footers),
            bytes_read: MetricBuilder::new(metrics).counter("bytes_read", partition),
        }))
    }
}

struct LocalParquetReader {
    path: PathBuf,
    listed: ObjectMeta,
    /// Opened on the first read.
    file: Option<File>,
    footers: Arc<FileMetadataCache>,
    bytes_read: Count,
}

impl LocalParquetReader {
    fn read(&mut self, range: Range<u64>) -> parquet::errors::Result<Bytes> {
        let bytes = self.try_read(range).map_err(|error| unreadable(&self.path, error))?;
        self.bytes_read.add(bytes.len());
        Ok(bytes.into())
    }

    fn try_read(&mut self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let file = self.open()?;
        let length = range.end.checked_sub(range.start);
        let length = length.filter(|_| file.metadata().is_ok_and(|of| range.end <= of.len()));
        let Some(length) = length else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        file.seek(SeekFrom::Start(range.start))?;
        // Capacity only; the bytes are not zeroed before they are read.
        let mut bytes = Vec::with_capacity(length as usize);
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Footer with the page index, which the planner asks for next.
    fn footer(&mut self) -> parquet::errors::Result<Arc<ParquetMetaData>> {
        // Concurrent readers of one file, as of different ranges, read its footer once.
        static READING: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];
        let place = BuildHasherDefault::<DefaultHasher>::default().hash_one(&self.path);
        let turn = &READING[place as usize % READING.len()];
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.open().map(drop);
        opened.map_err(|error| unreadable(&self.path, error))?;
        if let Some(cached) = self.cached_footer() {
            return Ok(cached);
        }
        let footer = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(self.open()?);
        let footer = Arc::new(footer.map_err(|error| unreadable(&self.path, error))?);
        let cached = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
        let cached = CachedFileMetadataEntry::new(self.listed.clone(), cached);
        self.footers.put(&self.listed.location, cached);
        Ok(footer)
    }

    fn cached_footer(&self) -> Option<Arc<ParquetMetaData>> {
        let cached = self.footers.get(&self.listed.location)?;
        let footer = cached.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()?;
        cached.is_valid_for(&self.listed).then(|| Arc::clone(footer.parquet_metadata()))
    }

    fn open(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            closed @ None => Ok(closed.insert(File::open(&self.path)?)),
        }
    }
}

fn unreadable(
    path: &Path,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ParquetError {
    ParquetError::External(Box::new(Error::io("read", path, error)))
}

impl AsyncFileReader for LocalParquetReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        ready(self.read(range)).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        ready(ranges.into_iter().map(|range| self.read(range)).collect()).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        ready(self.footer()).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_paths_share_a_location() {
        for (path, location) in [
            ("/a/b.parquet", "a/b.parquet"),
            ("/a%20b", "a%2520b"),
            ("/a b", "a b"),
            ("/a\nb", "a%0Ab"),
            ("/a/../b", "a/%2E%2E/b"),
            ("/a/%2E%2E/b", "a/%252E%252E/b"),
        ] {
            assert_eq!(object_path(Path::new(path)).as_ref(), location, "{path}");
        }
    }
}
