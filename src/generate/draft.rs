//! A file that gets its name when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::shuffle::Shuffle;

const BUFFER_BYTES: usize = 1 << 18;

/// Lies under a temporary name in the folder of its final one; dropped unpublished, it is removed.
pub struct Draft {
    temporary: PathBuf,
    published: PathBuf,
    out: BufWriter<File>,
}

impl Draft {
    pub fn create(folder: &Path, name: &str) -> io::Result<Draft> {
        let temporary = folder.join(format!(".{name}.{}.partial", std::process::id()));
        let out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&temporary)?);
        Ok(Draft { temporary, published: folder.join(name), out })
    }

    /// Writes the header and the rows of all slots in that order, and returns how many rows.
    ///
    /// `print` appends the row of a slot without its line end; `None` where the slot holds no row.
    pub fn fill(
        &mut self,
        header: &str,
        order: &Shuffle,
        print: impl Fn(u64, &mut Vec<u8>) -> Option<()>,
    ) -> io::Result<u64> {
        writeln!(self.out, "{header}")?;
        let mut rows = 0;
        let mut line = Vec::with_capacity(128);
        for slot in order.iter() {
            line.clear();
            if print(slot, &mut line).is_some() {
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

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already when published; when not, there is nobody left to tell.
        let _ = fs::remove_file(&self.temporary);
    }
}
