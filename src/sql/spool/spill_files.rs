//! Spilled batches in unnamed files, deleted once read or when the process ends.
//!
//! All functions block on file access.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::budget::Reservation;
use crate::error::{Error, Result};

/// Size after which another file is started, so that disk space of read batches is released.
const FILE_BYTES: u64 = 64 << 20;

/// Spill files of one result.
pub struct Files {
    folder: PathBuf,
    current: Mutex<Option<Arc<Segment>>>,
}

/// Location of an encoded batch in a spill file.
pub struct SpilledBatch {
    segment: Arc<Segment>,
    offset_bytes: u64,
    length: usize,
}

struct Segment {
    content: Mutex<Content>,
}

struct Content {
    file: File,
    length_bytes: u64,
    /// Reservations, released with the file.
    taken: Vec<Reservation>,
}

impl Files {
    /// Creates no file before the first write.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, current: Mutex::default() }
    }

    /// Appends bytes; the reservation is held until the file is deleted.
    ///
    /// # Errors
    /// Fails if the write fails.
    pub fn write(&self, bytes: &[u8], taken: Reservation) -> Result<SpilledBatch> {
        let failed = |error| Error::io("write rows", &self.folder, error);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let segment = match current.take() {
            Some(segment) => segment,
            None => Arc::new(Segment::new(&self.folder).map_err(failed)?),
        };
        let mut content = segment.content.lock().unwrap_or_else(PoisonError::into_inner);
        let offset_bytes = content.length_bytes;
        content.append(bytes, taken).map_err(failed)?;
        let is_full = content.length_bytes >= FILE_BYTES;
        drop(content);
        *current = (!is_full).then(|| Arc::clone(&segment));
        Ok(SpilledBatch { segment, offset_bytes, length: bytes.len() })
    }

    /// Starts another file with the next write.
    pub fn start_new_file(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl SpilledBatch {
    /// Reads the encoded batch.
    ///
    /// # Errors
    /// Fails if the read fails.
    pub fn read(&self) -> Result<Vec<u8>> {
        let mut content = self.segment.content.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; self.length];
        content.file.seek(SeekFrom::Start(self.offset_bytes)).map_err(unread)?;
        content.file.read_exact(&mut bytes).map_err(unread)?;
        Ok(bytes)
    }
}

fn unread(error: std::io::Error) -> Error {
    Error::Resource { what: "cannot read rows back from disk".into(), source: error.into() }
}

impl Segment {
    fn new(folder: &Path) -> std::io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self { content: Mutex::new(Content { file, length_bytes: 0, taken: Vec::new() }) })
    }
}

impl Content {
    fn append(&mut self, bytes: &[u8], taken: Reservation) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length_bytes))?;
        self.file.write_all(bytes)?;
        self.length_bytes += bytes.len() as u64;
        self.taken.push(taken);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::TotalBudget;
    use super::*;

    #[test]
    fn bytes_come_back_and_their_room_with_the_last_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let budget = TotalBudget::new(2 << 10).budget(2 << 10);
        let files = Files::in_folder(folder.path().to_owned());
        let [first, second] = [b"first", b"other"]
            .map(|bytes| files.write(bytes, budget.try_take(bytes.len()).unwrap()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(second.read().unwrap(), b"other");
        assert_eq!(first.read().unwrap(), b"first");
        drop((first, second));
        assert!(budget.try_take(1).is_none());
        files.start_new_file();
        assert!(budget.try_take(2 << 10).is_some());
    }

    #[test]
    fn a_folder_that_takes_nothing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let taken = TotalBudget::new(1 << 10).budget(1 << 10).try_take(1).unwrap();
        let error = Files::in_folder(gone).write(b"bytes", taken).err().unwrap();
        assert!(matches!(&error, Error::Resource { what, .. } if what.contains("gone")), "{error}");
    }
}
