//! Cuts a file into blocks of whole CSV records, so that they can be read in parallel.

use std::io::Read;

use super::encoding;
use super::records::{RECORD_BYTES_MAX, count_line_ends, length_of_records};
use crate::error::{Error, Result};

/// Whole records, and where they stand in their file.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub bytes: Vec<u8>,
    /// Of the first byte; the file's first line is 1.
    pub line: u64,
}

/// Reads a file block by block, and hashes what it read.
pub struct Blocks<'a> {
    label: String,
    source: Box<dyn Read + 'a>,
    hasher: blake3::Hasher,
    block_size: usize,
    rest: Vec<u8>,
    line: u64,
    at_start: bool,
    at_end: bool,
}

const BLOCK_BYTES: usize = 1 << 20;
/// A line without quotes is at most this long.
const LINE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

impl<'a> Blocks<'a> {
    pub fn new(label: String, source: Box<dyn Read + 'a>) -> Self {
        Self::sized(label, source, BLOCK_BYTES)
    }

    pub(super) fn sized(label: String, source: Box<dyn Read + 'a>, block_size: usize) -> Self {
        Self {
            label,
            source,
            hasher: blake3::Hasher::new(),
            block_size,
            rest: Vec::new(),
            line: 1,
            at_start: true,
            at_end: false,
        }
    }

    /// BLAKE3 of all that was read so far, in hexadecimal.
    pub fn content_hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// `None` at the end of the file.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            self.fill(&mut bytes)?;
            if self.at_start {
                self.at_start = false;
                encoding::check(&self.label, &bytes)?;
            }
            if self.at_end {
                break;
            }
            let end = length_of_records(&bytes);
            if end > 0 {
                self.rest = bytes.split_off(end);
                break;
            }
            if bytes.len() > LINE_BYTES_MAX {
                return Err(self.endless_line());
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        self.line += count_line_ends(&bytes);
        Ok(Some(Block { bytes, line }))
    }

    /// Adds a block's worth of bytes, and as many as there are of a record that is longer, so that it
    /// is searched for its end a few times only.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        let wanted = self.block_size.saturating_sub(start).max(start).max(1);
        let mut source = (&mut self.source).take(wanted as u64);
        bytes.reserve(wanted);
        let read = source.read_to_end(bytes).map_err(|error| {
            Error::File(format!(
                "\"{}\", after line {}: cannot be read: {error}",
                self.label, self.line
            ))
        })?;
        self.at_end = read < wanted;
        self.hasher.update(&bytes[start..]);
        Ok(())
    }

    fn endless_line(&self) -> Error {
        Error::File(format!(
            "\"{}\", line {}: the line does not end within {LINE_BYTES_MAX} bytes; \
             check that the file is CSV",
            self.label, self.line
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, block_size: usize, expected: &[(u64, &str)]) {
        let mut blocks = Blocks::sized("x.csv".into(), Box::new(content.as_bytes()), block_size);
        let mut found = Vec::new();
        while let Some(block) = blocks.next_block().unwrap() {
            found.push((block.line, String::from_utf8(block.bytes).unwrap()));
        }
        let expected: Vec<_> =
            expected.iter().map(|&(line, text)| (line, text.to_owned())).collect();
        assert_eq!(found, expected);
        assert_eq!(blocks.content_hash(), blake3::hash(content.as_bytes()).to_hex().to_string());
    }

    #[test]
    fn a_block_ends_where_a_record_ends() {
        check("", 4, &[]);
        check("a,b\n", 8, &[(1, "a,b\n")]);
        check("a,b\nc,d\ne,f", 6, &[(1, "a,b\n"), (2, "c,d\n"), (3, "e,f")]);
        check("a,b\rc,d\re", 6, &[(1, "a,b\r"), (2, "c,d\re")]);
        check("a,b\r\nc,d,e,f\r\n", 4, &[(1, "a,b\r\n"), (2, "c,d,e,f\r\n")]);
    }

    #[test]
    fn a_line_end_within_quotes_ends_no_record() {
        check("a,\"b\nc\"\nd,e\n", 10, &[(1, "a,\"b\nc\"\n"), (3, "d,e\n")]);
        check("a,\"b\"\"\nc\"\nd\n", 10, &[(1, "a,\"b\"\"\nc\"\n"), (3, "d\n")]);
        check("a,b\"\nc,d\"\n", 6, &[(1, "a,b\"\n"), (2, "c,d\"\n")]);
    }

    #[test]
    fn a_quote_left_open_breaks_its_line_alone() {
        check("a,\"b\nc,d\ne,f\n", 4, &[(1, "a,\"b\nc,d\ne,f\n")]);
        let rows = "x,y\n".repeat(RECORD_BYTES_MAX / 4);
        let content = format!("a,\"b\n{rows}{rows}");
        let mut blocks = Blocks::sized("x.csv".into(), Box::new(content.as_bytes()), 1 << 16);
        let (mut length, mut last_line) = (0, 0);
        while let Some(block) = blocks.next_block().unwrap() {
            length += block.bytes.len();
            last_line = block.line + count_line_ends(&block.bytes);
            assert!(block.bytes.len() <= 2 * LINE_BYTES_MAX);
        }
        assert_eq!((length, last_line), (content.len(), 2 + RECORD_BYTES_MAX as u64 / 2));
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let content = "x".repeat(2 * LINE_BYTES_MAX) + "\n";
        let mut blocks = Blocks::sized("x.csv".into(), Box::new(content.as_bytes()), 1 << 20);
        let error = blocks.next_block().unwrap_err().sentence();
        assert!(error.starts_with("\"x.csv\", line 1: the line does not end within"), "{error}");
    }
}
