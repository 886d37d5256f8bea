//! Where an answer goes: to stdout, or to a file that is written whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes to the file, or to stdout where there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> Result<()> {
    match file {
        Some(path) => write_file(bytes, path).map_err(|error| Error::io("write", path, error)),
        None => write_stdout(bytes),
    }
}

fn write_file(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    // A pipe or a device takes the bytes as they come; it cannot be replaced by a file.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uptally-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::io("write", Path::new("stdout"), error)),
    }
}
