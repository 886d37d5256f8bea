//! Files that get their final name once they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::shuffle::Shuffle;

const BUFFER_BYTES: usize = 1 << 18;

/// File under a temporary name beside its final one; removed on drop unless published.
pub struct StagedFile {
    temporary: PathBuf,
    published: PathBuf,
    out: BufWriter<File>,
}

impl StagedFile {
    pub fn create(folder: &Path, name: &str) -> io::Result<StagedFile> {
        let temporary = folder.join(format!(".{name}.{}.partial", std::process::id()));
        let out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&temporary)?);
        Ok(StagedFile { temporary, published: folder.join(name), out })
    }

    /// Writes the header and the rows of all slots in order, and returns the number of rows.
    ///
    /// `append_row` appends the row of a slot without line end, or returns `None` if there is none.
    pub fn write_rows(
        &mut self,
        header: &str,
        order: &Shuffle,
        append_row: impl Fn(u64, &mut Vec<u8>) -> Option<()>,
    ) -> io::Result<u64> {
        writeln!(self.out, "{header}")?;
        let mut rows = 0;
        let mut line = Vec::with_capacity(128);
        for slot in order.iter() {
            line.clear();
            if append_row(slot, &mut line).is_some() {
                line.push(b'\n');
                self.out.write_all(&line)?;
                rows += 1;
            }
        }
        self.out.flush()?;
        Ok(rows)
    }

    pub fn publish(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.published)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // Already gone if published; otherwise an error cannot be reported.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    #[test]
    fn an_unpublished_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let order = Shuffle::new(Random::new(1), 10);
        let mut file = StagedFile::create(folder.path(), "polls.csv").unwrap();
        assert_eq!(file.write_rows("a", &order, |_, _| Some(())).unwrap(), 10);
        assert!(!folder.path().join("polls.csv").exists());
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
