//! Cuts a file into blocks of whole CSV records, to be parsed in parallel.

use std::io::Read;

use super::encoding;
use super::records::{RECORD_BYTES_MAX, count_line_ends, length_of_records};
use crate::error::{Error, Result};

/// Whole records and the line at which they begin.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub bytes: Vec<u8>,
    /// Line of the first byte; the file's first line is 1.
    pub line: u64,
    /// True for the start of a single record that exceeds the limit; its rest is skipped.
    pub is_truncated: bool,
}

impl Block {
    pub fn new(bytes: Vec<u8>, line: u64) -> Self {
        Self { bytes, line, is_truncated: false }
    }
}

/// Reads a file block by block and hashes its content.
pub struct Blocks<'a> {
    label: String,
    source: Box<dyn Read + 'a>,
    hasher: blake3::Hasher,
    block_size: usize,
    record_bytes_max: usize,
    rest: Vec<u8>,
    line: u64,
    /// True while the rest of a truncated record is skipped.
    is_within_cut: bool,
    at_start: bool,
    at_end: bool,
}

const BLOCK_BYTES: usize = 1 << 20;
/// Longest record, with its line end. Quoted fields must end within [`RECORD_BYTES_MAX`].
pub const BLOCK_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;
/// Bytes of a truncated record that are kept for its reject.
const CUT_BYTES: usize = 1 << 16;

impl<'a> Blocks<'a> {
    pub fn new(label: String, source: Box<dyn Read + 'a>) -> Self {
        Self::with_size(label, source, BLOCK_BYTES)
    }

    pub(super) fn with_size(label: String, source: Box<dyn Read + 'a>, block_size: usize) -> Self {
        Self {
            label,
            source,
            hasher: blake3::Hasher::new(),
            block_size,
            record_bytes_max: BLOCK_BYTES_MAX,
            rest: Vec::new(),
            line: 1,
            is_within_cut: false,
            at_start: true,
            at_end: false,
        }
    }

    /// BLAKE3 of everything read so far, in hexadecimal.
    pub fn content_hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Returns the next block; `None` at the end of the file. Blocks are empty while the rest of a
    /// truncated record is skipped.
    pub fn next_block(&mut self) -> Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.rest);
        if self.is_within_cut && !self.skip_truncated(&mut bytes)? {
            return Ok((!self.at_end).then(|| Block::new(Vec::new(), self.line)));
        }
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
            if bytes.len() > self.record_bytes_max {
                return Ok(Some(self.cut(bytes)));
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        self.line += count_line_ends(&bytes);
        Ok(Some(Block::new(bytes, line)))
    }

    /// Truncates a record that does not end within the bytes. Its quoted fields do, by the limit on
    /// quotes, so it ends at the next line end.
    fn cut(&mut self, mut bytes: Vec<u8>) -> Block {
        self.is_within_cut = true;
        // A trailing CR may be the first half of a CRLF.
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
            self.rest.push(b'\r');
        }
        let line = self.line;
        self.line += count_line_ends(&bytes);
        bytes.truncate(CUT_BYTES);
        bytes.shrink_to_fit();
        Block { bytes, line, is_truncated: true }
    }

    /// Skips the rest of a truncated record within the next bytes. Returns true once it has ended,
    /// with the bytes after it in `bytes`.
    fn skip_truncated(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        self.fill(bytes)?;
        let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
            bytes.clear();
            return Ok(false);
        };
        if bytes.len() == end + 1 {
            self.fill(bytes)?;
        }
        let length = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        bytes.drain(..end + length);
        self.line += 1;
        self.is_within_cut = false;
        Ok(true)
    }

    /// Appends a block's worth of bytes. Doubles the length for longer records, so that their end
    /// is searched for only a few times, up to the first byte beyond the limit.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        let room = (self.record_bytes_max + 1).saturating_sub(start);
        let wanted = self.block_size.saturating_sub(start).max(start).min(room).max(1);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, block_size: usize, expected: &[(u64, &str)]) {
        let mut blocks =
            Blocks::with_size("x.csv".into(), Box::new(content.as_bytes()), block_size);
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
    fn a_line_end_within_quotes_does_not_end_a_record() {
        check("a,\"b\nc\"\nd,e\n", 10, &[(1, "a,\"b\nc\"\n"), (3, "d,e\n")]);
        check("a,\"b\"\"\nc\"\nd\n", 10, &[(1, "a,\"b\"\"\nc\"\n"), (3, "d\n")]);
        check("a,b\"\nc,d\"\n", 6, &[(1, "a,b\"\n"), (2, "c,d\"\n")]);
    }

    #[test]
    fn a_quote_left_open_breaks_its_line_alone() {
        check("a,\"b\nc,d\ne,f\n", 4, &[(1, "a,\"b\nc,d\ne,f\n")]);
        let rows = "x,y\n".repeat(RECORD_BYTES_MAX / 4);
        let content = format!("a,\"b\n{rows}{rows}");
        let mut blocks = Blocks::with_size("x.csv".into(), Box::new(content.as_bytes()), 1 << 16);
        let (mut length, mut last_line) = (0, 0);
        while let Some(block) = blocks.next_block().unwrap() {
            length += block.bytes.len();
            last_line = block.line + count_line_ends(&block.bytes);
            assert!(block.bytes.len() <= BLOCK_BYTES_MAX + 1);
        }
        assert_eq!((length, last_line), (content.len(), 2 + RECORD_BYTES_MAX as u64 / 2));
    }

    /// Checks blocks of at most eight bytes, without empty ones; `>` marks a truncated record.
    #[track_caller]
    fn cuts(content: &str, expected: &[(u64, &str)]) {
        for block_size in 1..9 {
            let source = Box::new(content.as_bytes());
            let mut blocks = Blocks::with_size("x.csv".into(), source, block_size);
            blocks.record_bytes_max = 8;
            let mut found = Vec::new();
            while let Some(block) = blocks.next_block().unwrap() {
                let mark = if block.is_truncated { ">" } else { "" };
                let text = String::from_utf8(block.bytes).unwrap();
                let lines = text.split_inclusive('\n').zip(block.line..);
                found.extend(lines.map(|(text, line)| (line, format!("{text}{mark}"))));
            }
            let expected: Vec<_> =
                expected.iter().map(|&(line, text)| (line, text.to_owned())).collect();
            assert_eq!(found, expected, "{block_size}: {content:?}");
            let hash = blake3::hash(content.as_bytes()).to_hex();
            assert_eq!(blocks.content_hash(), hash.to_string());
        }
    }

    #[test]
    fn an_overlong_record_is_truncated_and_later_ones_are_whole() {
        cuts("a\n1234567\nb\n", &[(1, "a\n"), (2, "1234567\n"), (3, "b\n")]);
        for end in ["\n", "\r\n", "\r"] {
            for length in [9, 10, 16, 17, 18, 40] {
                let content = format!("a\n{}{end}b\n", "x".repeat(length));
                cuts(&content, &[(1, "a\n"), (2, "xxxxxxxxx>"), (3, "b\n")]);
            }
        }
        cuts("123456789", &[(1, "123456789>")]);
        cuts(&"x".repeat(30), &[(1, "xxxxxxxxx>")]);
        cuts("123456789\n", &[(1, "123456789>")]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_in_memory() {
        let content = std::io::repeat(b'x').take(3 * BLOCK_BYTES_MAX as u64);
        let content = content.chain(&b"\r\na,b\n"[..]);
        let mut blocks = Blocks::with_size("x.csv".into(), Box::new(content), 1 << 20);
        let mut kept = Vec::new();
        while let Some(block) = blocks.next_block().unwrap() {
            assert!(block.bytes.capacity() <= 4 << 20);
            if !block.bytes.is_empty() {
                kept.push((block.bytes.len(), block.line, block.is_truncated));
            }
        }
        assert_eq!(kept, [(CUT_BYTES, 1, true), (4, 2, false)]);
    }
}
