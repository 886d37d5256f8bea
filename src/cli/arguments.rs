//! Parsers of flag values: keywords, shares, durations and bytes.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::rules::keyword::{Keywords, parse_keyword, words};

pub use crate::rules::duration::duration_us;
pub use crate::rules::instant::instant_us as instant;

/// Parser for one of a list of keywords.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    keywords: Keywords<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words(keywords)).try_map(move |given| parse_keyword(keywords, &given))
}

/// Parses a share from 0 to 1, or a percentage like `5%`.
pub fn share(text: &str) -> Result<f64, String> {
    let (digits, whole) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    match digits.trim().parse::<f64>() {
        Ok(share) if (0.0..=whole).contains(&share) => Ok(share / whole),
        _ => Err("expected a share from 0 to 1, or a percentage like 5%".to_owned()),
    }
}

pub fn duration(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_micros(duration_us(text)?.unsigned_abs()))
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or_else(|| "expected a number of at least 1".to_owned())
}

/// Units of bytes; a unit stands after those that end with it.
const BYTE_UNITS: [(&str, usize); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
    ("", 1),
];

/// Parses a number of bytes with an optional unit: `512MiB`, `2GiB`, `10GB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit_bytes) = BYTE_UNITS
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .unwrap_or((text, 1));
    let bytes = digits.trim().parse::<usize>().ok();
    let bytes = bytes.and_then(|number| number.checked_mul(unit_bytes)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected a number of bytes like 512MiB".to_owned())
}

/// Formats bytes for [`bytes()`], in the largest unit that gives a whole number.
pub fn bytes_text(bytes: usize) -> String {
    let whole = BYTE_UNITS
        .into_iter()
        .filter(|(unit, unit_bytes)| !unit.is_empty() && bytes.is_multiple_of(*unit_bytes));
    let (unit, unit_bytes) = whole.max_by_key(|(_, bytes)| *bytes).unwrap_or(("B", 1));
    format!("{}{unit}", bytes / unit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        for (text, expected) in [
            ("1", Some(1)),
            ("64KiB", Some(64 << 10)),
            ("512 MiB", Some(512 << 20)),
            ("2GiB", Some(2 << 30)),
            ("0", None),
            ("10GB", Some(10_000_000_000)),
            ("5kB", Some(5_000)),
            ("7B", Some(7)),
            ("2TB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn bytes_are_written_as_they_are_read() {
        for text in ["10GB", "2GiB", "512MiB", "3kB", "1023B"] {
            assert_eq!(bytes_text(bytes(text).unwrap()), text);
        }
    }
}
