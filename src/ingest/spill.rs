//! Polls put aside on disk, so that a load needs the memory of its largest day and not of all days.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::polls::DayPoll;
use crate::error::{Error, Result};

/// A nameless file beside the tables; gone with the process.
pub struct Spill {
    folder: std::path::PathBuf,
    file: Mutex<Option<File>>,
}

/// Where some polls were put.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    offset_bytes: u64,
    polls: usize,
}

const POLL_BYTES: usize = size_of::<u64>();

impl Spill {
    /// Nothing is created before the first polls are put aside.
    pub fn beside(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: Mutex::new(None) }
    }

    pub fn put(&self, polls: &[DayPoll]) -> Result<Place> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(&mut file, polls).map_err(|error| Error::io("write", &self.folder, error))
    }

    fn append(&self, file: &mut Option<File>, polls: &[DayPoll]) -> std::io::Result<Place> {
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
        Ok(Place { offset_bytes, polls: polls.len() })
    }

    /// Adds the polls of a place to others.
    pub fn read(&self, place: Place, polls: &mut Vec<DayPoll>) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_mut() else { return Err(Error::bug("no polls were put aside")) };
        let mut bytes = vec![0; place.polls * POLL_BYTES];
        file.seek(SeekFrom::Start(place.offset_bytes))
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
    fn polls_come_back_from_where_they_were_put() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::beside(folder.path());
        let first = [DayPoll::new(1, 2, true), DayPoll::new(3, 4, false)];
        let second = [DayPoll::new(5, 6, true)];
        let places = [spill.put(&first).unwrap(), spill.put(&second).unwrap()];
        let mut polls = Vec::new();
        for place in [places[1], places[0]] {
            spill.read(place, &mut polls).unwrap();
        }
        assert_eq!(polls, [second[0], first[0], first[1]]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
