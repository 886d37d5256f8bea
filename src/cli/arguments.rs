//! Values of flags: words, instants, durations and shares.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::engine::Engine;
use crate::report::Format;
use crate::rules::{Interpolation, NoData, Scope};
use crate::words::{self, Words};

pub use crate::words::{default_hours, duration_us, instant, time_zone};

/// A flag that takes one of a few words.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    words: Words<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word))
        .try_map(move |given| words::meaning(words, &given))
}

pub fn engine() -> impl TypedValueParser<Value = Engine> {
    one_of(words::ENGINES)
}

pub fn interpolation() -> impl TypedValueParser<Value = Interpolation> {
    one_of(words::INTERPOLATIONS)
}

pub fn scope() -> impl TypedValueParser<Value = Scope> {
    one_of(words::SCOPES)
}

pub fn no_data() -> impl TypedValueParser<Value = NoData> {
    one_of(words::NO_DATA)
}

pub fn format() -> impl TypedValueParser<Value = Format> {
    one_of(words::FORMATS)
}

/// Whether the columns are the extended ones.
pub fn columns() -> impl TypedValueParser<Value = bool> {
    one_of(words::COLUMNS)
}

/// A share from 0 to 1, also as `5%`.
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
    number.ok_or_else(|| "expected a number from 1 on".to_owned())
}

/// A number of bytes, also as `512MiB` or `2GiB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, usize); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
    let (digits, shift) = UNITS
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let bytes = digits.trim().parse::<usize>().ok();
    let bytes = bytes.and_then(|number| number.checked_mul(1 << shift)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected a number of bytes like 512MiB".to_owned())
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
            ("2GB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
