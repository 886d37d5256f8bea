//! Output to stdout, or to a file that is written whole or not at all.
//!
//! [`file_names`] infers the format from a file name; [`destination`] resolves where the bytes go.

mod destination;
mod file_names;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::NamedTempFile;
use zstd::stream::write::Encoder as ZstdEncoder;

use self::destination::Destination;
use self::file_names::Compression;
pub use self::file_names::{check_format, format_for, format_of_name};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::report::Format;

/// Permissions of created files, before the umask.
const NEW_MODE: u32 = 0o666;

/// Writes to the file, or to stdout without one.
pub fn write(bytes: &[u8], file: Option<&Path>) -> Result<()> {
    let mut output = Output::open(file)?;
    output.write(bytes)?;
    output.finish()
}

/// Checks a path before there is anything to write.
///
/// # Errors
/// When the path is a folder, or its folder does not exist.
pub fn check_writable(path: &Path) -> Result<()> {
    Destination::parse(path).map(drop)
}

/// Returns true if the path refers to stdout.
pub fn is_stdout(path: &Path) -> bool {
    Destination::parse(path).is_ok_and(|destination| destination == Destination::Stdout)
}

/// Resolves links to a regular file, which may not exist yet.
///
/// # Errors
/// When the path is invalid, or refers to stdout, a pipe or a device.
pub fn regular_file(path: &Path) -> Result<PathBuf> {
    match Destination::parse(path)? {
        Destination::File(file) => Ok(file),
        _ => Err(Error::Argument(format!("{path:?} is not a regular file; name one"))),
    }
}

/// Destination that is written in parts, compressed according to its name.
pub struct Output {
    /// Path as given by the user.
    named: PathBuf,
    encoder: Encoder,
    sink: Sink,
}

enum Sink {
    Stdout,
    /// Pipe or device.
    Stream(File),
    /// Temporary file beside its final path, until it is complete.
    New {
        file: NamedTempFile,
        path: PathBuf,
    },
}

/// Streaming compressor.
enum Encoder {
    None,
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Output {
    /// Opens the file, or stdout without one.
    ///
    /// # Errors
    /// When the path cannot be written.
    pub fn open(file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else {
            return Ok(Self { named: "-".into(), encoder: Encoder::None, sink: Sink::Stdout });
        };
        let failed = |error| Error::io("write", path, error);
        let sink = match Destination::parse(path)? {
            Destination::Stdout => Sink::Stdout,
            Destination::Stream(path) => {
                Sink::Stream(OpenOptions::new().append(true).open(path).map_err(failed)?)
            }
            Destination::File(path) => {
                let file = atomic_file::create_beside(&path, NEW_MODE).map_err(failed)?;
                Sink::New { file, path }
            }
        };
        let encoder = Encoder::new(file_names::compression(path)).map_err(failed)?;
        Ok(Self { named: path.to_owned(), encoder, sink })
    }

    /// Opens an output for rows in a format.
    ///
    /// # Errors
    /// As [`Self::open`]; also when a binary format would go to a terminal.
    pub fn for_format(format: Format, file: Option<&Path>) -> Result<Self> {
        let output = Self::open(file)?;
        match format.is_binary() && output.is_terminal() {
            true => Err(Error::Argument(format!(
                "{format} is not for a terminal; name a file to write to"
            ))),
            false => Ok(output),
        }
    }

    /// Returns true if the output is a terminal.
    pub fn is_terminal(&self) -> bool {
        match &self.sink {
            Sink::Stdout => std::io::stdout().is_terminal(),
            Sink::Stream(stream) => stream.is_terminal(),
            Sink::New { .. } => false,
        }
    }

    /// Writes bytes; returns false once the reader of a pipe has closed it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        let written = match self.encoder.encode(bytes) {
            Ok(None) => self.sink.write(bytes),
            Ok(Some(encoded)) => self.sink.write(&encoded),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Completes the output. Without this call a file is left unchanged.
    pub fn finish(mut self) -> Result<()> {
        let encoder = std::mem::replace(&mut self.encoder, Encoder::None);
        let rest = encoder.finish().map_err(|error| self.failed(error))?;
        self.write(&rest)?;
        let Self { named, sink, .. } = self;
        let Sink::New { file, path } = sink else { return Ok(()) };
        let synced = file.as_file().sync_all();
        let placed = synced.and_then(|()| file.persist(path).map_err(std::io::Error::from));
        placed.map(drop).map_err(|error| Error::io("write", &named, error))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        match self.sink {
            Sink::Stdout => {
                Error::Resource { what: "cannot write to stdout".into(), source: error.into() }
            }
            _ => Error::io("write", &self.named, error),
        }
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Sink::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Sink::Stream(stream) => stream.write_all(bytes),
            Sink::New { file, .. } => file.write_all(bytes),
        }
    }
}

impl Encoder {
    fn new(compression: Compression) -> std::io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Default::default())),
            Compression::Zstd => {
                let level = zstd::DEFAULT_COMPRESSION_LEVEL;
                Self::Zstd(ZstdEncoder::new(Vec::new(), level)?)
            }
        })
    }

    /// Compresses bytes and returns those that are ready; `None` without compression.
    fn encode(&mut self, bytes: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        let ready = match self {
            Self::None => return Ok(None),
            Self::Gzip(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut())?,
            Self::Zstd(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut())?,
        };
        Ok(Some(std::mem::take(ready)))
    }

    /// Returns the remaining compressed bytes.
    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
