//! Footers of Parquet files with their page indexes, kept for whoever reads the files next.
//!
//! Files of a table are never changed once a log names them, and their names are never used again.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

/// Footers that are kept take at most so much; beyond it all are read anew.
const BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
struct Footers {
    /// By path, each with the length of its file.
    kept: HashMap<PathBuf, (u64, ArrowReaderMetadata)>,
    bytes: usize,
}

static FOOTERS: LazyLock<Mutex<Footers>> = LazyLock::new(Mutex::default);

fn footers() -> MutexGuard<'static, Footers> {
    FOOTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The footer of an open file.
///
/// # Errors
/// Where the file is not a whole Parquet file.
pub fn footer(path: &Path, file: &File) -> Result<ArrowReaderMetadata, ParquetError> {
    let length = file.metadata()?.len();
    if let Some((_, footer)) = footers().kept.get(path).filter(|(kept, _)| *kept == length) {
        return Ok(footer.clone());
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let footer = ArrowReaderMetadata::load(file, options)?;
    let bytes = footer.metadata().memory_size();
    let mut footers = footers();
    if footers.bytes + bytes > BYTES_MAX {
        *footers = Footers::default();
    }
    let before = footers.kept.insert(path.to_owned(), (length, footer.clone()));
    if before.is_none() {
        footers.bytes += bytes;
    }
    Ok(footer)
}
