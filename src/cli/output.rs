//! Where an answer goes: to stdout, or to a file that is written whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes to the file, or to stdout where there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> Result<()> {
    let mut output = Output::to(file)?;
    output.write(bytes)?;
    output.finish()
}

/// Says what stands in the way of a file before there is anything to write.
///
/// # Errors
/// Where the path is a folder, or is in none.
pub fn can_be_written(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.is_none_or(Path::is_dir) && !path.is_dir() {
        true => Ok(()),
        false => {
            Err(Error::Argument(format!("{path:?}: expected a file in a folder that is there")))
        }
    }
}

/// Takes an answer in parts.
pub struct Output {
    place: PathBuf,
    sink: Sink,
}

enum Sink {
    Stdout,
    /// A pipe or a device takes the bytes as they come; it cannot be replaced by a file.
    Device(std::fs::File),
    /// Beside the place, until it is whole.
    New(NamedTempFile),
}

impl Output {
    /// To the file, or to stdout where there is none.
    pub fn to(file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else {
            return Ok(Self { place: "stdout".into(), sink: Sink::Stdout });
        };
        let sink = sink(path).map_err(|error| Error::io("write", path, error))?;
        Ok(Self { place: path.to_owned(), sink })
    }

    /// Whether anybody reads on: a pipe may be closed by who has seen enough.
    pub fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        let written = match &mut self.sink {
            Sink::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Sink::Device(device) => device.write_all(bytes),
            Sink::New(file) => file.write_all(bytes),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::io("write", &self.place, error)),
        }
    }

    /// The file is in its place when this returns; without it, nothing was written.
    pub fn finish(self) -> Result<()> {
        let Sink::New(file) = self.sink else { return Ok(()) };
        let synced = file.as_file().sync_all();
        let placed = synced.and_then(|()| file.persist(&self.place).map_err(std::io::Error::from));
        placed.map(drop).map_err(|error| Error::io("write", &self.place, error))
    }
}

fn sink(path: &Path) -> std::io::Result<Sink> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(Sink::Device(std::fs::OpenOptions::new().write(true).open(path)?));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uptally-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new("."))).map(Sink::New)
}
