//! The files to load: found in folders, opened whatever their compression.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// A CSV file, plain or compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
    pub size_bytes: u64,
}

impl Source {
    /// As it is named in messages and tables.
    pub fn label(&self) -> String {
        self.path.display().to_string()
    }

    /// The decompressed content; `read` hears of every compressed byte taken from the disk.
    pub fn open<'a>(&self, read: &'a (dyn Fn(u64) + Sync)) -> Result<Box<dyn Read + 'a>> {
        let file = File::open(&self.path).map_err(|error| Error::io("read", &self.path, error))?;
        let mut file = Counted { file: BufReader::with_capacity(1 << 18, file), read };
        let mut magic = Vec::with_capacity(4);
        let start = (&mut file).take(4).read_to_end(&mut magic);
        start.map_err(|error| Error::io("read", &self.path, error))?;
        let whole = std::io::Cursor::new(magic.clone()).chain(file);
        Ok(match magic.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(
                zstd::Decoder::new(whole).map_err(|error| Error::io("read", &self.path, error))?,
            ),
            _ => Box::new(whole),
        })
    }
}

/// The files themselves, and those of folders whose names end in `.csv`, `.csv.gz` or `.csv.zst`,
/// in order of their names.
///
/// # Errors
/// Where a path does not exist, or a folder holds no such file.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        if metadata.is_dir() {
            let files = csv_files(path)?;
            if files.is_empty() {
                return Err(Error::File(format!(
                    "{path:?} holds no CSV file; expected names that end in .csv, .csv.gz or .csv.zst"
                )));
            }
            sources.extend(files);
        } else {
            sources.push(Source { path: path.clone(), size_bytes: metadata.len() });
        }
    }
    Ok(sources)
}

fn csv_files(folder: &Path) -> Result<Vec<Source>> {
    let failed = |error| Error::io("read", folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let is_csv = [".csv", ".csv.gz", ".csv.zst"].iter().any(|ending| name.ends_with(ending));
        let metadata = std::fs::metadata(&path).map_err(|error| Error::io("read", &path, error))?;
        if is_csv && metadata.is_file() && !name.starts_with('.') {
            files.push(Source { path, size_bytes: metadata.len() });
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

struct Counted<'a> {
    file: BufReader<File>,
    read: &'a (dyn Fn(u64) + Sync),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.read)(count as u64);
        Ok(count)
    }
}
