//! Files to load: found in folders and decompressed while reading.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::load_control::LoadControl;
use crate::error::{Error, Result};

/// CSV file, plain or compressed.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: PathBuf,
    /// 0 for standard input and pipes.
    pub size_bytes: u64,
    is_stdin: bool,
    /// Copy of an input that can be read only once.
    spooled: Option<Arc<File>>,
}

/// Path that stands for standard input.
pub const STDIN: &str = "-";

impl Source {
    fn new(path: PathBuf, size_bytes: u64, is_stdin: bool) -> Self {
        Self { path, size_bytes, is_stdin, spooled: None }
    }

    /// Name in messages and tables.
    pub fn label(&self) -> String {
        match self.is_stdin {
            true => "standard input".to_owned(),
            false => self.path.display().to_string(),
        }
    }

    /// Makes the source readable more than once: copies anything but a regular file to an unnamed
    /// file in the folder.
    pub fn repeatable(self, folder: &Path, control: &LoadControl) -> Result<Self> {
        let is_file = !self.is_stdin && self.path.metadata().is_ok_and(|of| of.is_file());
        if is_file {
            return Ok(self);
        }
        let failed = |error| Error::io("read", &self.path, error);
        let mut input: Box<dyn Read> = match self.is_stdin {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(File::open(&self.path).map_err(failed)?),
        };
        let unwritten = |error| Error::io("write", folder, error);
        let mut spool = tempfile::tempfile_in(folder).map_err(unwritten)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            control.check()?;
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => spool.write_all(&buffer[..count]).map_err(unwritten)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Self { spooled: Some(Arc::new(spool)), ..self })
    }

    fn file(&self) -> std::io::Result<File> {
        let Some(spooled) = &self.spooled else { return File::open(&self.path) };
        let mut file = spooled.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    /// Opens the decompressed content; `read` is called with the number of compressed bytes read.
    pub fn open<'a>(&self, read: &'a (dyn Fn(u64) + Sync)) -> Result<Box<dyn Read + 'a>> {
        let file = self.file().map_err(|error| Error::io("read", &self.path, error))?;
        let mut file = CountingReader { file: BufReader::with_capacity(1 << 18, file), read };
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

/// Lists the sources: files as given, standard input for `-`, and the files of folders that end in
/// `.csv`, `.csv.gz` or `.csv.zst`, sorted by name.
///
/// # Errors
/// A path does not exist, a folder has no such file, or standard input is given twice.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    if paths.iter().filter(|path| path.as_os_str() == STDIN).count() > 1 {
        return Err(Error::Argument("standard input can be read once; give - once".into()));
    }
    for path in paths {
        if path.as_os_str() == STDIN {
            sources.push(Source::new(path.clone(), 0, true));
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
        if metadata.is_dir() {
            let files = csv_files(path)?;
            if files.is_empty() {
                return Err(Error::File(format!(
                    "{path:?} holds no CSV file; expected names that end in .csv, .csv.gz or \
                     .csv.zst"
                )));
            }
            sources.extend(files);
        } else {
            sources.push(Source::new(path.clone(), metadata.len(), false));
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
        if !is_csv || name.starts_with('.') {
            continue;
        }
        let metadata = std::fs::metadata(&path).map_err(|error| Error::io("read", &path, error))?;
        if metadata.is_file() {
            files.push(Source::new(path, metadata.len(), false));
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

struct CountingReader<'a> {
    file: BufReader<File>,
    read: &'a (dyn Fn(u64) + Sync),
}

impl Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.read)(count as u64);
        Ok(count)
    }
}
