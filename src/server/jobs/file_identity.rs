//! Identity of an open file: another file may take its name, as when a folder is replaced.

use std::fs::Metadata;

/// Device and inode of a file; the same for every file where the system has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity(Option<(u64, u64)>);

impl FileIdentity {
    #[cfg(unix)]
    pub fn new(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(Some((metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    pub fn new(_metadata: &Metadata) -> Self {
        Self(None)
    }
}
