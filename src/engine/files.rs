//! Reads of local files on the thread that decodes them.
//!
//! An object store hands each read to a thread of its own, and its bytes back: for files on a disk of
//! this machine, most often in memory already, that takes longer than the reading.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::error::Error;

/// Makes readers of local files, whose footers are kept for who reads them next.
#[derive(Debug)]
pub struct LocalFiles(CachedParquetFileReaderFactory);

impl LocalFiles {
    pub fn keeping(footers: Arc<FileMetadataCache>, store: Arc<dyn ObjectStore>) -> Self {
        Self(CachedParquetFileReaderFactory::new(store, footers))
    }
}

impl ParquetFileReaderFactory for LocalFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_size: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = PathBuf::from(format!("/{}", file.object_meta.location));
        let footer = self.0.create_reader(partition, file, footer_size, metrics)?;
        let bytes_read = MetricBuilder::new(metrics).counter("bytes_read", partition);
        Ok(Box::new(LocalFile { path, file: None, footer, bytes_read }))
    }
}

struct LocalFile {
    path: PathBuf,
    /// Open once something of it was asked for.
    file: Option<File>,
    footer: Box<dyn AsyncFileReader + Send>,
    bytes_read: Count,
}

impl LocalFile {
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
        // No byte is written before it is read.
        let mut bytes = Vec::with_capacity(length as usize);
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn open(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            closed @ None => Ok(closed.insert(File::open(&self.path)?)),
        }
    }
}

fn unreadable(path: &Path, error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(Error::io("read", path, error)))
}

impl AsyncFileReader for LocalFile {
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
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        if let Err(error) = self.open() {
            return ready(Err(unreadable(&self.path, error))).boxed();
        }
        self.footer.get_metadata(options)
    }
}
