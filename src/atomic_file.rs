//! Files that are replaced atomically: written beside their place, synced, and renamed.
//!
//! Knows neither what a file holds nor who asked for it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// The folder that a file is in; the current one where the path names none.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A temporary file to take the place of another, with its owner and mode. Where there is no other,
/// its mode is `new_mode` less the umask (Unix).
///
/// # Errors
/// Where the folder cannot be written, or the file that is there is not writable.
pub fn beside(place: &Path, new_mode: u32) -> Result<NamedTempFile> {
    let before = match OpenOptions::new().write(true).open(place) {
        Ok(before) => Some(before.metadata()?),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Whoever may not write to the file may not replace it either.
        Err(error) => return Err(error),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uptally-");
    #[cfg(unix)]
    if before.is_none() {
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(new_mode));
    }
    #[cfg(not(unix))]
    let _ = new_mode;
    let file = builder.tempfile_in(folder(place))?;
    if let Some(before) = before {
        own_like(file.as_file(), &before)?;
        file.as_file().set_permissions(before.permissions())?;
    }
    Ok(file)
}

/// Replaces the file's content, or creates the file with `new_mode`. Returns when the new content is
/// on disk; where it fails, the old content stays.
///
/// # Errors
/// As [`beside`], and where the disk is full.
pub fn replace(place: &Path, content: &[u8], new_mode: u32) -> Result<()> {
    let mut file = beside(place, new_mode)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    // Only Unix opens folders, and only there is a rename lost without it.
    #[cfg(unix)]
    File::open(folder(place))?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn own_like(file: &File, before: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (before.uid(), before.gid()) {
        return Ok(());
    }
    fchown(file, Some(before.uid()), Some(before.gid())).map_err(|_| {
        let sentence =
            "it belongs to another user, which replacing it would change; choose another name";
        std::io::Error::other(sentence)
    })
}

#[cfg(not(unix))]
fn own_like(_: &File, _: &std::fs::Metadata) -> Result<()> {
    Ok(())
}
