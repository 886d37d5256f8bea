//! Spilled polls: a load needs memory for its largest day, not for all days.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::day_poll::DayPoll;
use crate::error::{Error, Result};

/// Unnamed file beside the tables, removed when the process ends.
pub struct SpillFile {
    folder: std::path::PathBuf,
    file: Mutex<Option<File>>,
}

/// Position of spilled polls in the file.
#[derive(Clone, Copy, Debug)]
pub struct SpillRange {
    offset_bytes: u64,
    polls: usize,
}

const POLL_BYTES: usize = size_of::<u64>();

impl SpillFile {
    /// Creates the file on the first write.
    pub fn new_in(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: Mutex::new(None) }
    }

    pub fn write(&self, polls: &[DayPoll]) -> Result<SpillRange> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(&mut file, polls).map_err(|error| Error::io("write", &self.folder, error))
    }

    fn append(&self, file: &mut Option<File>, polls: &[DayPoll]) -> std::io::Result<SpillRange> {
        let mut file = match file {
            Some(file) => &*file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        let offset_bytes = file.seek(SeekFrom::End(0))?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        for poll in polls {
            out.write_all(&poll.bits().to_le_bytes())?;
        }
        out.flush()?;
        Ok(SpillRange { offset_bytes, polls: polls.len() })
    }

    /// Appends the polls of a range to `polls`.
    pub fn read(&self, range: SpillRange, polls: &mut Vec<DayPoll>) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_mut() else { return Err(Error::bug("no polls were spilled")) };
        let mut bytes = vec![0; range.polls * POLL_BYTES];
        file.seek(SeekFrom::Start(range.offset_bytes))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| Error::io("read", &self.folder, error))?;
        let bits = bytes.chunks_exact(POLL_BYTES).map(|bytes| {
            let mut bits = [0; POLL_BYTES];
            bits.copy_from_slice(bytes);
            u64::from_le_bytes(bits)
        });
        polls.extend(bits.map(DayPoll::from_bits));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spilled_polls_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let spill = SpillFile::new_in(folder.path());
        let first = [DayPoll::new(1, 2, true), DayPoll::new(3, 4, false)];
        let second = [DayPoll::new(5, 6, true)];
        let ranges = [spill.write(&first).unwrap(), spill.write(&second).unwrap()];
        let mut polls = Vec::new();
        for range in [ranges[1], ranges[0]] {
            spill.read(range, &mut polls).unwrap();
        }
        assert_eq!(polls, [second[0], first[0], first[1]]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
