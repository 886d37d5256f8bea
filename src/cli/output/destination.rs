//! Places that can be written to: stdout, what takes bytes as they come, and files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::atomic_file::parent_folder;
use crate::error::{Error, Result};

/// Links that lead to each other; as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Where bytes go.
#[derive(Debug, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    /// A pipe, a device or a descriptor that is open already: it cannot be replaced by a file.
    Stream(PathBuf),
    /// A regular file, or none yet, in a folder that is there; symbolic links are followed.
    File(PathBuf),
}

impl Destination {
    /// The place that a user names; `-` is stdout.
    ///
    /// # Errors
    /// Where the path is a folder, or lies in none, or its links never end.
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
                // Relative to the folder of the link; an absolute one stands alone.
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
                wrong(format!("{named:?} is no name of a file; name one, like report.csv"))
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

/// What the path opens, where it names a descriptor of a process, as `/dev/stdout` does in the end.
///
/// Its link tells the file behind it. Whoever follows that opens the file anew, and overwrites what
/// others have written to it.
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
