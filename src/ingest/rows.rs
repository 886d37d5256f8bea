//! The rows of a block: split into fields, and each field read or its row rejected.

use csv::{ByteRecord, ReaderBuilder};

use super::blocks::Block;
use super::header::Header;
use super::rejects::Reject;

/// One row of a file.
pub struct Row<'a> {
    file: &'a str,
    header: &'a Header,
    record: &'a ByteRecord,
    /// The row as it stands in the file, blank lines before it included.
    raw: &'a [u8],
    /// Line at which `raw` starts.
    raw_line: u64,
}

impl<'a> Row<'a> {
    /// Reads the column at this place of [`Kind::columns`](super::header::Kind::columns).
    pub fn read<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&'a [u8]) -> Result<T, String>,
    ) -> Result<T, Reject> {
        parse(&self.record[self.header.positions[column]])
            .map_err(|reason| self.reject(self.header.kind.columns()[column][0], reason))
    }

    pub fn reject(&self, column: &str, reason: String) -> Reject {
        let blank = self.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let skipped_lines = memchr::memchr_iter(b'\n', &self.raw[..blank]).count() as u64;
        let line = self.raw_line + skipped_lines;
        Reject::new(self.file, line, column, reason, &self.raw[blank..])
    }

    fn is_blank(&self) -> bool {
        self.record.len() == 1 && self.record[0].trim_ascii().is_empty()
    }

    fn check_width(&self) -> Result<(), Reject> {
        let (fields, expected) = (self.record.len(), self.header.width);
        if fields == expected {
            return Ok(());
        }
        let reason = format!("the row has {fields} fields; expected {expected} as in the header");
        Err(self.reject("", reason))
    }
}

/// Hands on each row that has as many fields as the header; returns how many rows there were.
pub fn each_row(
    file: &str,
    header: &Header,
    block: &Block,
    rejects: &mut Vec<Reject>,
    mut take: impl FnMut(&Row) -> Result<(), Reject>,
) -> u64 {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.bytes.as_slice());
    let mut record = ByteRecord::new();
    let mut rows = 0;
    loop {
        let start = reader.position().byte() as usize;
        let raw_line = block.line + reader.position().line() - 1;
        // Bytes read from memory cannot fail: the end is the only way out.
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            return rows;
        }
        let raw = &block.bytes[start..reader.position().byte() as usize];
        let row = Row { file, header, record: &record, raw, raw_line };
        if row.is_blank() {
            continue;
        }
        rows += 1;
        rejects.extend(row.check_width().and_then(|()| take(&row)).err());
    }
}
