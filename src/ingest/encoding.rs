//! Detection of files that are not UTF-8 CSV, by their first bytes.

use crate::error::{Error, Result};

/// Signatures of other formats, with advice.
const FORMATS: [(&[u8], &str); 11] = [
    (b"PK\x03\x04", "a spreadsheet or a ZIP archive; save the sheet as CSV, or unpack the archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save the sheet as CSV"),
    (b"PAR1", "a Parquet file; export it as CSV"),
    (b"ARROW1", "an Arrow file; export it as CSV"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"%PDF", "a PDF document; export the table as CSV"),
    (b"BZh", "compressed by bzip2; decompress it, or compress it by gzip or zstd"),
    (b"\xfd7zXZ", "compressed by xz; decompress it, or compress it by gzip or zstd"),
    (b"{", "JSON; export it as CSV"),
    (b"[", "JSON; export it as CSV"),
    (b"<", "HTML or XML; export the table as CSV"),
];

/// # Errors
/// The bytes start a file of another format or encoding; says which, and how to convert it.
pub fn check(label: &str, start: &[u8]) -> Result<()> {
    let refused = |what: &str| Err(Error::File(format!("{label:?} is {what}")));
    if let Some(encoding) = wide_encoding(start) {
        return refused(&format!(
            "encoded in {encoding}; save it as UTF-8, or convert it with \
             `iconv -f {encoding} -t UTF-8`"
        ));
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    match FORMATS.iter().find(|(magic, _)| text.starts_with(magic)) {
        Some((_, what)) => refused(what),
        None => Ok(()),
    }
}

/// Detects UTF-16 and UTF-32 by byte order mark or by the pattern of zero bytes.
fn wide_encoding(start: &[u8]) -> Option<&'static str> {
    const LOOKED_AT: usize = 256;
    const FEWEST_LOOKED_AT: usize = 16;
    match start {
        [0xff, 0xfe, 0, 0, ..] => return Some("UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32BE"),
        [0xff, 0xfe, ..] => return Some("UTF-16LE"),
        [0xfe, 0xff, ..] => return Some("UTF-16BE"),
        _ => {}
    }
    let units = &start[..start.len().min(LOOKED_AT) / 4 * 4];
    let is_nearly = |wanted: [bool; 4]| {
        let fits = |(at, byte): (usize, &u8)| (*byte == 0) == wanted[at % 4];
        let fitting = units.iter().enumerate().filter(|unit| fits(*unit)).count();
        units.len() >= FEWEST_LOOKED_AT && fitting * 10 >= units.len() * 9
    };
    [
        ("UTF-16LE", [false, true, false, true]),
        ("UTF-16BE", [true, false, true, false]),
        ("UTF-32LE", [false, true, true, true]),
        ("UTF-32BE", [true, true, true, false]),
    ]
    .into_iter()
    .find_map(|(encoding, zeros)| is_nearly(zeros).then_some(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, unit: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn wide_encodings_are_detected_with_and_without_a_mark() {
        let text = "store_id,status,timestamp_utc\ncafé €,active,2026-03-02 10:00:00 UTC\n";
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}{text}");
            let little = encoded(&text, |unit| unit.to_le_bytes().into());
            let big = encoded(&text, |unit| unit.to_be_bytes().into());
            let wide_little = encoded(&text, |unit| u32::from(unit).to_le_bytes().into());
            let wide_big = encoded(&text, |unit| u32::from(unit).to_be_bytes().into());
            assert_eq!(wide_encoding(&little), Some("UTF-16LE"));
            assert_eq!(wide_encoding(&big), Some("UTF-16BE"));
            assert_eq!(wide_encoding(&wide_little), Some("UTF-32LE"));
            assert_eq!(wide_encoding(&wide_big), Some("UTF-32BE"));
            assert_eq!(wide_encoding(text.as_bytes()), None);
        }
        for text in ["", "a", "\0\0a,b\n", "store_id,status\0\0\0\0,timestamp_utc\n"] {
            assert_eq!(wide_encoding(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn other_formats_are_named_with_what_to_do() {
        for (start, named) in [
            (&b"PK\x03\x04\x14\0"[..], "is a spreadsheet or a ZIP archive; save the sheet as CSV"),
            (b"PAR1\x15\x04", "is a Parquet file; export it as CSV"),
            (b"  [{\"store_id\": 1}]", "is JSON; export it as CSV"),
            (b"\xef\xbb\xbf<!DOCTYPE html>", "is HTML or XML"),
        ] {
            let error = check("x.csv", start).unwrap_err().sentence();
            assert!(error.starts_with(&format!("\"x.csv\" {named}")), "{error}");
        }
        assert!(check("x.csv", b"store_id,status,timestamp_utc\n").is_ok());
        assert!(check("x.csv", b"").is_ok());
    }
}
