//! Output destinations: stdout, streams, and files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::atomic_file::parent_folder;
use crate::error::{Error, Result};

/// Limit on symbolic links to follow, as in Linux.
const LINKS_MAX: usize = 40;

/// Resolved output path.
#[derive(Debug, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    /// Pipe, device or open descriptor, which cannot be replaced by a file.
    Stream(PathBuf),
    /// Regular file, which may not exist yet, in an existing folder; symbolic links are resolved.
    File(PathBuf),
}

impl Destination {
    /// Resolves a user's path; `-` is stdout.
    ///
    /// # Errors
    /// When the path is a folder, its folder does not exist, or its links form a cycle.
    pub fn parse(named: &Path) -> Result<Self> {
        if named == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut path = named.to_path_buf();
        for _ in 0..LINKS_MAX {
            if let Some(descriptor) = descriptor(&path) {
                return Ok(descriptor);
            }
            match path.read_link() {
                // A relative target is relative to the link's folder.
                Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
                Err(_) => return Self::resolved(named, path),
            }
        }
        let what = format!("{named:?}: cannot follow its links");
        Err(Error::Resource { what, source: "they lead to each other".into() })
    }

    fn resolved(named: &Path, path: PathBuf) -> Result<Self> {
        let wrong = |sentence: String| Err(Error::Argument(sentence));
        let is_folder_name = named.as_os_str().as_encoded_bytes().ends_with(b"/");
        match path.metadata() {
            Ok(found) if found.is_dir() => {
                wrong(format!("{named:?} is a folder; name a file in it"))
            }
            Ok(found) if found.is_file() => Ok(Self::File(path)),
            Ok(_) => Ok(Self::Stream(path)),
            Err(_) if is_folder_name || path.file_name().is_none() => {
                wrong(format!("{named:?} is not a file name; name a file like report.csv"))
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                let folder = parent_folder(&path);
                match folder.metadata() {
                    Ok(found) if found.is_dir() => Ok(Self::File(path)),
                    Ok(_) => wrong(format!("{named:?}: {folder:?} is not a folder")),
                    Err(_) => {
                        wrong(format!("{named:?}: there is no folder {folder:?}; make it first"))
                    }
                }
            }
            Err(error) => Err(Error::io("write", named, error)),
        }
    }
}

/// Destination of a path to a process descriptor, as `/dev/stdout` resolves to; `None` for others.
///
/// Such links must not be followed: reopening the file behind one would overwrite what others have
/// written through the descriptor.
fn descriptor(path: &Path) -> Option<Destination> {
    let folder = parent_folder(path).canonicalize().ok()?;
    let is_of_process = folder.starts_with("/proc") && folder.ends_with("fd");
    if !is_of_process && folder != Path::new("/dev/fd") {
        return None;
    }
    let own = Path::new("/proc/self/fd").canonicalize().unwrap_or_else(|_| "/dev/fd".into());
    let is_stdout = path.file_name()? == "1" && (folder == own || folder == Path::new("/dev/fd"));
    Some(if is_stdout { Destination::Stdout } else { Destination::Stream(path.to_path_buf()) })
}
