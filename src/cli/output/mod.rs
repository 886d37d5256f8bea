//! Where an answer goes: to stdout, or to a file that is written whole or not at all.
//!
//! [`file_names`] tells a file's format by its name, [`destination`] where the bytes go.

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
pub use self::file_names::{check_format, format_for};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::option_text::{FORMATS, keyword};
use crate::report::Format;

/// Of files that are created, less what the umask takes away.
const NEW_MODE: u32 = 0o666;

/// Writes to the file, or to stdout where there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> Result<()> {
    let mut output = Output::open(file)?;
    output.write(bytes)?;
    output.finish()
}

/// Says what stands in the way of a file before there is anything to write.
///
/// # Errors
/// Where the path is a folder, or is in none.
pub fn check_writable(path: &Path) -> Result<()> {
    Destination::parse(path).map(drop)
}

/// Whether what is written to the path arrives at stdout.
pub fn is_stdout(path: &Path) -> bool {
    Destination::parse(path).is_ok_and(|destination| destination == Destination::Stdout)
}

/// The regular file that a path stands for, links followed; it need not be there yet.
///
/// # Errors
/// Also where it is stdout, a pipe or a device.
pub fn regular_file(path: &Path) -> Result<PathBuf> {
    match Destination::parse(path)? {
        Destination::File(file) => Ok(file),
        _ => Err(Error::Argument(format!("{path:?} keeps nothing; name a regular file"))),
    }
}

/// Takes an answer in parts.
pub struct Output {
    /// As the user named it.
    named: PathBuf,
    encoder: Encoder,
    sink: Sink,
}

enum Sink {
    Stdout,
    /// A pipe or a device.
    Stream(File),
    /// A file beside its place, until it is whole.
    New {
        file: NamedTempFile,
        path: PathBuf,
    },
}

/// Compresses what passes through it.
enum Encoder {
    None,
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Output {
    /// To the file, compressed where its name says so; or to stdout where there is none.
    ///
    /// # Errors
    /// Where the path cannot be written.
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

    /// The same for bytes of a format.
    ///
    /// # Errors
    /// Also where a terminal would show bytes that are no text.
    pub fn for_format(format: Format, file: Option<&Path>) -> Result<Self> {
        let output = Self::open(file)?;
        match format.is_binary() && output.is_terminal() {
            true => Err(Error::Argument(format!(
                "{} is not for a terminal; name a file to write to",
                keyword(FORMATS, format)
            ))),
            false => Ok(output),
        }
    }

    /// Whether a person reads along.
    pub fn is_terminal(&self) -> bool {
        match &self.sink {
            Sink::Stdout => std::io::stdout().is_terminal(),
            Sink::Stream(stream) => stream.is_terminal(),
            Sink::New { .. } => false,
        }
    }

    /// Whether anybody reads on: a pipe may be closed by who has seen enough.
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

    /// The file is in its place when this returns; without it, nothing was written.
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

    /// The compressed bytes that are ready; `None` where nothing is compressed.
    fn encode(&mut self, bytes: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        let ready = match self {
            Self::None => return Ok(None),
            Self::Gzip(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut())?,
            Self::Zstd(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut())?,
        };
        Ok(Some(std::mem::take(ready)))
    }

    /// The rest of the compressed bytes.
    fn finish(self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
