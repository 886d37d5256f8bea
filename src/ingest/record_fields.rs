//! Splits the records of a block into fields.

use std::ops::Range;

use super::blocks::Block;
use super::records::{
    Fault, Field, OpenQuote, Record, count_line_ends, first_record, first_record_after,
    marks_length,
};

/// Fields of a row, as ranges of a text.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    text: &'a [u8],
    bounds: &'a [Range<usize>],
}

impl<'a> Fields<'a> {
    pub fn len(self) -> usize {
        self.bounds.len()
    }

    pub fn field(self, place: usize) -> &'a [u8] {
        &self.text[self.bounds[place].clone()]
    }

    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.bounds.iter().map(move |bounds| &self.text[bounds.clone()])
    }

    /// True if every field is blank, as in blank lines and in empty rows of spreadsheets.
    pub fn are_blank(self) -> bool {
        self.iter().all(|field| field.trim_ascii().is_empty())
    }
}

/// Record that cannot be split into fields.
#[derive(Clone, Copy)]
pub struct BrokenRecord<'a> {
    pub fault: Fault,
    /// Fields before the broken one.
    pub whole: Fields<'a>,
}

/// Passes each record to `each`: its fields, its text and the line on which it starts.
pub fn each_record(block: &Block, mut each: impl FnMut(Result<Fields, BrokenRecord>, &[u8], u64)) {
    if block.is_truncated {
        return truncated_record(block, each);
    }
    // Fast path: without quotes and CRs, every comma ends a field.
    match memchr::memchr2(b'"', b'\r', &block.bytes) {
        None => each_unquoted(block, |fields, raw, line| each(Ok(fields), raw, line)),
        Some(_) => each_quoted(block, each),
    }
}

/// Handles a block that is the start of a truncated record.
fn truncated_record(block: &Block, mut each: impl FnMut(Result<Fields, BrokenRecord>, &[u8], u64)) {
    let raw = &block.bytes[marks_length(&block.bytes)..];
    let (mut fields, mut bounds, mut unescaped) = (Vec::new(), Vec::new(), Vec::new());
    // The last field is truncated.
    first_record(raw, false, |field| fields.push(field));
    fields.pop_if(|field| field.bytes.end == raw.len());
    unescape(raw, &fields, &mut unescaped, &mut bounds);
    let whole = Fields { text: &unescaped, bounds: &bounds };
    each(Err(BrokenRecord { fault: Fault::TooLong, whole }), raw, block.line);
}

/// Splits a block without quotes and CRs.
fn each_unquoted(block: &Block, mut each: impl FnMut(Fields, &[u8], u64)) {
    let bytes = block.bytes.as_slice();
    let (mut bounds, mut start, mut line) = (Vec::new(), 0, block.line);
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let text = &bytes[start + marks_length(&bytes[start..end])..end];
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

/// Splits a block by all rules of CSV.
fn each_quoted(block: &Block, mut each: impl FnMut(Result<Fields, BrokenRecord>, &[u8], u64)) {
    let (mut fields, mut bounds, mut unescaped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rest, mut line) = (block.bytes.as_slice(), block.line);
    let mut open = OpenQuote::default();
    while !rest.is_empty() {
        fields.clear();
        let record = first_record_after(&mut open, rest, true, |field| fields.push(field));
        if open.was_used && matches!(record, Record::Whole { .. }) {
            fields.clear();
            first_record(rest, true, |field| fields.push(field));
        }
        let (length, next, fault) = match record {
            Record::Whole { length, next } => (length, next, None),
            Record::Broken { length, next, fault } => (length, next, Some(fault)),
            Record::Incomplete => return,
        };
        let raw = &rest[marks_length(rest)..length];
        // A field that is open at the end of the first line is part of what is broken.
        fields.retain(|field| fault.is_none() || field.bytes.end < length);
        bounds.clear();
        let text = if fields.iter().any(|field| field.has_doubled_quotes) {
            unescape(rest, &fields, &mut unescaped, &mut bounds);
            unescaped.as_slice()
        } else {
            bounds.extend(fields.iter().map(|field| field.bytes.clone()));
            rest
        };
        let whole = Fields { text, bounds: &bounds };
        each(fault.map_or(Ok(whole), |fault| Err(BrokenRecord { fault, whole })), raw, line);
        line += count_line_ends(&rest[..length]) + u64::from(next > length);
        rest = &rest[next..];
        open.advance(next);
    }
}

/// Appends the fields to `text`, with doubled quotes replaced by single ones.
fn unescape(bytes: &[u8], fields: &[Field], text: &mut Vec<u8>, bounds: &mut Vec<Range<usize>>) {
    text.clear();
    for field in fields {
        let start = text.len();
        let mut rest = &bytes[field.bytes.clone()];
        while let Some(quote) = memchr::memchr(b'"', rest).filter(|_| field.has_doubled_quotes) {
            text.extend_from_slice(&rest[..=quote]);
            rest = rest.get(quote + 2..).unwrap_or_default();
        }
        text.extend_from_slice(rest);
        bounds.push(start..text.len());
    }
}

#[cfg(test)]
mod tests;
