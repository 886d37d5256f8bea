//! The rows of a block: split into fields, and each field read or its row rejected.

use std::ops::Range;

use csv::{ByteRecord, ReaderBuilder};

use super::blocks::Block;
use super::header::Header;
use super::rejects::Reject;

/// One row of a file.
pub struct Row<'a> {
    file: &'a str,
    header: &'a Header,
    fields: Fields<'a>,
    /// The row as it stands in the file, blank lines before it included.
    raw: &'a [u8],
    /// Line at which `raw` starts.
    raw_line: u64,
}

/// Fields of a row, by where they lie in its text.
#[derive(Clone, Copy)]
struct Fields<'a> {
    text: &'a [u8],
    bounds: &'a [Range<usize>],
}

impl<'a> Fields<'a> {
    fn len(self) -> usize {
        self.bounds.len()
    }

    fn field(self, place: usize) -> &'a [u8] {
        &self.text[self.bounds[place].clone()]
    }
}

impl<'a> Row<'a> {
    /// Reads the column at this place of [`Kind::columns`](super::header::Kind::columns).
    pub fn read<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&'a [u8]) -> Result<T, String>,
    ) -> Result<T, Reject> {
        parse(self.fields.field(self.header.positions[column]))
            .map_err(|reason| self.reject(self.header.kind.columns()[column][0], reason))
    }

    pub fn reject(&self, column: &str, reason: String) -> Reject {
        let blank = self.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let skipped_lines = memchr::memchr_iter(b'\n', &self.raw[..blank]).count() as u64;
        let line = self.raw_line + skipped_lines;
        Reject::new(self.file, line, column, reason, &self.raw[blank..])
    }

    fn is_blank(&self) -> bool {
        self.fields.len() == 1 && self.fields.field(0).trim_ascii().is_empty()
    }

    fn check_width(&self) -> Result<(), Reject> {
        let (fields, expected) = (self.fields.len(), self.header.width);
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
    let mut rows = 0;
    let each = |fields: Fields, raw: &[u8], raw_line: u64| {
        let row = Row { file, header, fields, raw, raw_line };
        if !row.is_blank() {
            rows += 1;
            rejects.extend(row.check_width().and_then(|()| take(&row)).err());
        }
    };
    // Most exports quote nothing and end lines as we do: then a comma is where a field ends.
    match memchr::memchr2(b'"', b'\r', &block.bytes) {
        None => each_plain(block, each),
        Some(_) => each_quoted(block, each),
    }
    rows
}

/// Rows of a block without quotes and carriage returns.
fn each_plain(block: &Block, mut each: impl FnMut(Fields, &[u8], u64)) {
    let bytes = block.bytes.as_slice();
    let (mut bounds, mut start, mut line) = (Vec::new(), 0, block.line);
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let text = &bytes[start..end];
        bounds.clear();
        let mut field_start = 0;
        for comma in memchr::memchr_iter(b',', text) {
            bounds.push(field_start..comma);
            field_start = comma + 1;
        }
        bounds.push(field_start..text.len());
        each(Fields { text, bounds: &bounds }, text, line);
        (start, line) = (end + 1, line + 1);
    }
}

/// Rows of a block by all the rules of CSV.
fn each_quoted(block: &Block, mut each: impl FnMut(Fields, &[u8], u64)) {
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.bytes.as_slice());
    let (mut record, mut bounds) = (ByteRecord::new(), Vec::new());
    loop {
        let start = reader.position().byte() as usize;
        let raw_line = block.line + reader.position().line() - 1;
        // Bytes read from memory cannot fail: the end is the only way out.
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            return;
        }
        bounds.clear();
        bounds.extend((0..record.len()).filter_map(|field| record.range(field)));
        let raw = &block.bytes[start..reader.position().byte() as usize];
        each(Fields { text: record.as_slice(), bounds: &bounds }, raw, raw_line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(Vec<String>, u64)>;

    fn seen(block: &Block, rows: impl Fn(&Block, &mut dyn FnMut(Fields, &[u8], u64))) -> Seen {
        let mut seen = Vec::new();
        rows(block, &mut |fields, raw, raw_line| {
            let text = |place| String::from_utf8_lossy(fields.field(place)).into_owned();
            let fields: Vec<_> = (0..fields.len()).map(text).collect();
            let blank_lines = raw.iter().take_while(|byte| **byte == b'\n').count() as u64;
            // An empty line is no record of CSV.
            if fields != [""] {
                seen.push((fields, raw_line + blank_lines));
            }
        });
        seen
    }

    #[test]
    fn what_is_not_quoted_reads_the_same_with_and_without_the_rules_of_quotes() {
        for text in
            ["", "\n", "a,b,c\n1,2,3\n", "a,b", ",\n,,\n\n\n x , y \n", "\n\na\nb,\n,c", "é,\0,\n"]
        {
            let block = Block { bytes: text.into(), line: 7 };
            let plain = seen(&block, |block, each| each_plain(block, each));
            assert_eq!(plain, seen(&block, |block, each| each_quoted(block, each)), "{text:?}");
        }
    }
}
