//! CSV records: the single definition that cuts files into blocks and blocks into rows.
//!
//! A field that begins with a quote ends at the next quote that is not doubled (RFC 4180, section
//! 2); any other quote is text. Lines end with LF, CRLF or CR. A record is broken if a quote does
//! not close before a comma or a line end. Only its first line is dropped then: the next line
//! begins a new record. Knows neither columns nor rejects.

use std::ops::Range;

/// A quoted field must close within this many bytes of its record.
pub const RECORD_BYTES_MAX: usize = 1 << 24;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// First record of some bytes; lengths are in bytes from their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// `length` excludes the line end, `next` includes it.
    Whole { length: usize, next: usize },
    /// Like [`Record::Whole`], for the first line only.
    Broken { length: usize, next: usize, fault: Fault },
    /// The record may go on in bytes that are not there yet.
    Incomplete,
}

/// Reason why a record cannot be split into fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A quote does not close on its line, nor before a delimiter on a later one.
    QuoteNotClosed,
    /// Text follows a closing quote before the next delimiter, all on one line.
    TextBehindQuote,
    /// The record exceeds the limit of a block.
    TooLong,
}

/// Field without its enclosing quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub bytes: Range<usize>,
    /// True if the field contains doubled quotes.
    pub has_doubled_quotes: bool,
}

/// Length of the byte order marks at the start of a line, which concatenated files leave there.
pub fn marks_length(line: &[u8]) -> usize {
    let mut rest = line;
    while let Some(unmarked) = rest.strip_prefix(BYTE_ORDER_MARK) {
        rest = unmarked;
    }
    line.len() - rest.len()
}

/// Counts line ends; a CRLF is one.
pub fn count_line_ends(bytes: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let returns = memchr::memchr_iter(b'\r', bytes);
    (feeds + returns.filter(|at| bytes.get(at + 1) != Some(&b'\n')).count()) as u64
}

/// Knowledge from broken records that avoids quadratic search. A quoted field that reaches the end
/// of its line before `until` is still open there, because the broken record was open at the same
/// line ends. `until` counts bytes from the next record.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenQuote {
    until: usize,
    /// True if the last record took this shortcut, so that its fields are incomplete.
    pub was_used: bool,
}

impl OpenQuote {
    /// Moves on to the record that begins `next` bytes later.
    pub fn advance(&mut self, next: usize) {
        self.until = self.until.saturating_sub(next);
    }
}

/// Like [`first_record_after`], without an [`OpenQuote`].
pub fn first_record(bytes: &[u8], is_end: bool, found: impl FnMut(Field)) -> Record {
    first_record_after(&mut OpenQuote::default(), bytes, is_end, found)
}

/// Parses the first record of the bytes, which must begin with one. `is_end` is true if no bytes
/// follow. Passes each field to `found`; of a broken record those before the broken field, of which
/// only those that end on the first line are valid.
pub fn first_record_after(
    open: &mut OpenQuote,
    bytes: &[u8],
    is_end: bool,
    mut found: impl FnMut(Field),
) -> Record {
    open.was_used = false;
    let mut start = marks_length(bytes);
    loop {
        let (field, end) = match bytes.get(start) {
            Some(b'"') => match quoted_field(open, bytes, start + 1, is_end) {
                Quoted::Closed(field) => {
                    let end = field.bytes.end + 1;
                    (field, end)
                }
                Quoted::NeverCloses => return broken(bytes, is_end, None),
                Quoted::Incomplete => return Record::Incomplete,
            },
            _ => {
                let end = memchr::memchr3(b',', b'\n', b'\r', &bytes[start..]);
                let end = end.map_or(bytes.len(), |at| start + at);
                (Field { bytes: start..end, has_doubled_quotes: false }, end)
            }
        };
        match bytes.get(end) {
            Some(b',') => {
                found(field);
                start = end + 1;
            }
            Some(b'\n' | b'\r') | None => {
                found(field);
                return match line_end(bytes, end, is_end) {
                    Some(next) => Record::Whole { length: end, next },
                    None => Record::Incomplete,
                };
            }
            Some(_) => {
                let quote = field.bytes.end;
                open.until = open.until.max(quote);
                return broken(bytes, is_end, Some(quote));
            }
        }
    }
}

enum Quoted {
    Closed(Field),
    NeverCloses,
    Incomplete,
}

/// Parses the field after an opening quote.
fn quoted_field(open: &mut OpenQuote, bytes: &[u8], start: usize, is_end: bool) -> Quoted {
    let within = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
    let (mut searched, mut has_doubled_quotes) = (start, false);
    while searched < open.until {
        let Some(at) = memchr::memchr3(b'"', b'\n', b'\r', &bytes[searched..]) else { break };
        let at = searched + at;
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', Some(b'"')) => (searched, has_doubled_quotes) = (at + 2, true),
            (b'"', _) => break,
            _ if at < open.until => (searched, open.was_used) = (open.until, true),
            _ => break,
        }
    }
    while let Some(at) = within.get(searched..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let quote = searched + at;
        match bytes.get(quote + 1) {
            Some(b'"') => (searched, has_doubled_quotes) = (quote + 2, true),
            None if !is_end => return Quoted::Incomplete,
            _ => return Quoted::Closed(Field { bytes: start..quote, has_doubled_quotes }),
        }
    }
    match is_end || bytes.len() > RECORD_BYTES_MAX {
        true => {
            open.until = open.until.max(searched.max(within.len()));
            Quoted::NeverCloses
        }
        false => Quoted::Incomplete,
    }
}

/// Makes a broken record of the first line; `closing_quote` is the quote that text follows.
fn broken(bytes: &[u8], is_end: bool, closing_quote: Option<usize>) -> Record {
    let length = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    // A quote on a later line more likely opens a field there.
    let fault = match closing_quote.is_some_and(|quote| quote < length) {
        true => Fault::TextBehindQuote,
        false => Fault::QuoteNotClosed,
    };
    match line_end(bytes, length, is_end) {
        Some(next) => Record::Broken { length, next, fault },
        None => Record::Incomplete,
    }
}

/// Start of the line after `end`; `None` if more bytes are needed.
fn line_end(bytes: &[u8], end: usize, is_end: bool) -> Option<usize> {
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(end + 2),
        (Some(b'\r'), None) | (None, _) if !is_end => None,
        (Some(_), _) => Some(end + 1),
        (None, _) => Some(end),
    }
}

/// Length of all whole and broken records in the bytes, which must begin with a record and may be
/// followed by more.
pub fn length_of_records(bytes: &[u8]) -> usize {
    if memchr::memchr(b'"', bytes).is_none() {
        // A trailing CR may be the first half of a CRLF.
        let told = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        return memchr::memrchr2(b'\n', b'\r', told).map_or(0, |at| at + 1);
    }
    let (mut length, mut open) = (0, OpenQuote::default());
    loop {
        match first_record_after(&mut open, &bytes[length..], false, |_| ()) {
            Record::Whole { next, .. } | Record::Broken { next, .. } => {
                length += next;
                open.advance(next);
            }
            Record::Incomplete => return length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws the first record as fields between bars. Draws a broken one as the number of the
    /// broken field, `!` for an open quote or `+` for text after a closing one, and the line.
    fn drawn(text: &str) -> String {
        let mut fields = Vec::new();
        let record = first_record(text.as_bytes(), true, |field| fields.push(field));
        let rest = |next| {
            if next < text.len() { format!(" > {:?}", &text[next..]) } else { String::new() }
        };
        match record {
            Record::Whole { next, .. } => {
                let fields: Vec<_> =
                    fields.iter().map(|field| &text[field.bytes.clone()]).collect();
                format!("{}{}", fields.join("|"), rest(next))
            }
            Record::Broken { length, next, fault } => {
                let mark = if fault == Fault::TextBehindQuote { "+" } else { "!" };
                let whole = fields.iter().filter(|field| field.bytes.end < length).count();
                format!("{whole}{mark}{}{}", &text[..length], rest(next))
            }
            Record::Incomplete => "?".to_owned(),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(drawn(text), expected, "{text:?}");
    }

    #[test]
    fn a_record_ends_with_its_line_however_that_ends() {
        check("", "");
        check("a,b", "a|b");
        check("a,b\nc", "a|b > \"c\"");
        check("a,b\r\nc", "a|b > \"c\"");
        check("a,b\rc", "a|b > \"c\"");
        check("\n\n", " > \"\\n\"");
        check("a,\n", "a|");
        check("\u{feff}\u{feff}a,b", "a|b");
    }

    #[test]
    fn quoted_fields_hold_commas_line_ends_and_doubled_quotes() {
        check("\"a,b\",c\nd", "a,b|c > \"d\"");
        check("\"a\r\nb\",c\nd", "a\r\nb|c > \"d\"");
        check("a,\"b \"\"c\"\"\"\nd", "a|b \"\"c\"\" > \"d\"");
        check("\"\",\"\"", "|");
        check("\u{feff}\"a\nb\"\n", "a\nb");
        check("a\"b,c\"\nd", "a\"b|c\" > \"d\"");
    }

    #[test]
    fn a_record_whose_quote_does_not_close_before_a_delimiter_is_its_first_line() {
        check("a,\"b\nc,d\n", "1!a,\"b > \"c,d\\n\"");
        check("a,\"b\nc,\"d\ne", "1!a,\"b > \"c,\\\"d\\ne\"");
        check("\"a\"b,c\nd", "0+\"a\"b,c > \"d\"");
        check("\"a\" ,c\r\nd", "0+\"a\" ,c > \"d\"");
        check("a,\"b\nc\",\"d\" \n", "1!a,\"b > \"c\\\",\\\"d\\\" \\n\"");
        check("\"", "0!\"");
    }

    #[test]
    fn a_quote_closes_within_the_limit_or_never() {
        for (length, is_whole) in [(RECORD_BYTES_MAX - 2, true), (RECORD_BYTES_MAX, false)] {
            let text = format!("\"{}\"\n", "x\n".repeat(length / 2));
            let record = first_record(text.as_bytes(), true, |_| ());
            assert_eq!(matches!(record, Record::Whole { .. }), is_whole, "{length}");
            assert_eq!(first_record(text.as_bytes(), false, |_| ()), record, "{length}");
        }
    }

    #[test]
    fn a_broken_record_does_not_change_later_ones() {
        // A field of each line opens on it and closes on the next, so that no record is ever whole.
        let text = "a\",\"\n".repeat(2_000) + "b,c\n\"d\"\n";
        let (mut open, mut start, mut broken) = (OpenQuote::default(), 0, 0);
        while start < text.len() {
            let rest = &text.as_bytes()[start..];
            let record = first_record_after(&mut open, rest, true, |_| ());
            assert_eq!(record, first_record(rest, true, |_| ()), "at {start}");
            broken += usize::from(matches!(record, Record::Broken { .. }));
            let (Record::Whole { next, .. } | Record::Broken { next, .. }) = record else {
                panic!()
            };
            open.advance(next);
            start += next;
        }
        assert_eq!(broken, 2_000);
    }

    #[test]
    fn a_line_end_is_counted_once() {
        for (text, expected) in
            [("", 0), ("a", 0), ("\n\r\n\r", 3), ("\r\r\n\n\r", 4), ("a\rb\nc", 2)]
        {
            assert_eq!(count_line_ends(text.as_bytes()), expected, "{text:?}");
        }
    }
}
