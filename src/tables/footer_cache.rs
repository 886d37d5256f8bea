//! Process-wide cache of Parquet footers with page indexes.
//!
//! Entries never become stale: committed files are immutable and their names are not reused.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

/// Memory limit of the cache; it is cleared when exceeded.
const BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
struct FooterCache {
    /// Footers by path, each with the length of its file.
    kept: HashMap<PathBuf, (u64, ArrowReaderMetadata)>,
    bytes: usize,
}

static FOOTER_CACHE: LazyLock<Mutex<FooterCache>> = LazyLock::new(Mutex::default);

fn footer_cache() -> MutexGuard<'static, FooterCache> {
    FOOTER_CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Footer of an open file.
///
/// # Errors
/// The file is not a complete Parquet file.
pub fn read_footer(path: &Path, file: &File) -> Result<ArrowReaderMetadata, ParquetError> {
    let length = file.metadata()?.len();
    if let Some((_, footer)) = footer_cache().kept.get(path).filter(|(kept, _)| *kept == length) {
        return Ok(footer.clone());
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let footer = ArrowReaderMetadata::load(file, options)?;
    let bytes = footer.metadata().memory_size();
    let mut cache = footer_cache();
    if cache.bytes + bytes > BYTES_MAX {
        *cache = FooterCache::default();
    }
    let before = cache.kept.insert(path.to_owned(), (length, footer.clone()));
    if before.is_none() {
        cache.bytes += bytes;
    }
    Ok(footer)
}
