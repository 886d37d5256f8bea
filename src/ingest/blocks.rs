//! Cuts a file into blocks of whole CSV records, so that they can be read in parallel.

use std::io::Read;

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

/// A record is at most this long; a quote left open would otherwise take in the rest of the file.
const RECORD_BYTES_MAX: usize = 1 << 20;
const BLOCK_BYTES: usize = 1 << 20;

impl<'a> Blocks<'a> {
    pub fn new(label: String, source: Box<dyn Read + 'a>) -> Self {
        Self::sized(label, source, BLOCK_BYTES)
    }

    fn sized(label: String, source: Box<dyn Read + 'a>, block_size: usize) -> Self {
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
                self.check_encoding(&bytes)?;
                if bytes.starts_with(b"\xef\xbb\xbf") {
                    bytes.drain(..3);
                }
            }
            if self.at_end {
                break;
            }
            let end = end_of_records(&bytes);
            if end > 0 {
                self.rest = bytes.split_off(end);
                break;
            }
            if bytes.len() > self.block_size.max(RECORD_BYTES_MAX) {
                return Err(self.endless_record());
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Ok(Some(Block { bytes, line }))
    }

    /// Adds another block's worth of bytes.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        let wanted = (self.block_size.saturating_sub(start)).max(self.block_size / 4).max(1);
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

    fn check_encoding(&self, bytes: &[u8]) -> Result<()> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(Error::File(format!("\"{}\" is UTF-16; expected UTF-8", self.label)));
        }
        Ok(())
    }

    fn endless_record(&self) -> Error {
        Error::File(format!(
            "\"{}\", line {}: a record does not end within {RECORD_BYTES_MAX} bytes; \
             expected a line end, or the quote that closes a field",
            self.label, self.line
        ))
    }
}

/// Length of the whole records at the start of the bytes, which begin with a record.
fn end_of_records(bytes: &[u8]) -> usize {
    if memchr::memchr(b'"', bytes).is_none() {
        return memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    }
    let (mut end, mut quoted, mut at_field_start) = (0, false, true);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            // A doubled quote closes and opens again.
            b'"' if quoted => (quoted, at_field_start) = (false, true),
            b'"' if at_field_start => quoted = true,
            b'\n' if !quoted => (end, at_field_start) = (at + 1, true),
            byte => at_field_start = *byte == b',',
        }
    }
    end
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
        check("\u{feff}a,b\nc", 100, &[(1, "a,b\nc")]);
    }

    #[test]
    fn a_line_end_within_quotes_ends_no_record() {
        check("a,\"b\nc\"\nd,e\n", 10, &[(1, "a,\"b\nc\"\n"), (3, "d,e\n")]);
        check("a,\"b\"\"\nc\"\nd\n", 10, &[(1, "a,\"b\"\"\nc\"\n"), (3, "d\n")]);
        check("a,b\"\nc,d\"\n", 6, &[(1, "a,b\"\n"), (2, "c,d\"\n")]);
    }

    #[test]
    fn a_quote_left_open_is_named_not_swallowed() {
        let content = format!("a,\"{}", "x\n".repeat(RECORD_BYTES_MAX));
        let mut blocks = Blocks::sized("x.csv".into(), Box::new(content.as_bytes()), 1 << 16);
        let error = blocks.next_block().unwrap_err().sentence();
        assert!(error.starts_with("\"x.csv\", line 1: a record does not end"), "{error}");
    }
}
