//! Atomic replacement of files: written beside their target, synced and renamed.
//!
//! Knows nothing of the content.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Folder of a file; the current one if the path names none.
pub fn parent_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a temporary file beside `place`, with the owner and mode of the file there. If there is
/// none, the mode is `new_mode` less the umask (Unix).
///
/// # Errors
/// The folder or the existing file is not writable.
pub fn create_beside(place: &Path, new_mode: u32) -> Result<NamedTempFile> {
    let before = match OpenOptions::new().write(true).open(place) {
        Ok(before) => Some(before.metadata()?),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Replacing a file requires permission to write it.
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
    let file = builder.tempfile_in(parent_folder(place))?;
    if let Some(before) = before {
        copy_owner(file.as_file(), &before)?;
        file.as_file().set_permissions(before.permissions())?;
    }
    Ok(file)
}

/// Replaces the content of the file, or creates it with `new_mode`. Returns when the content is on
/// disk; on failure the old content remains.
///
/// # Errors
/// Like [`create_beside`], or the disk is full.
pub fn replace(place: &Path, content: &[u8], new_mode: u32) -> Result<()> {
    let mut file = create_beside(place, new_mode)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    // Only Unix can open folders, and only there a rename needs a sync.
    #[cfg(unix)]
    File::open(parent_folder(place))?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn copy_owner(file: &File, before: &std::fs::Metadata) -> Result<()> {
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
fn copy_owner(_: &File, _: &std::fs::Metadata) -> Result<()> {
    Ok(())
}
