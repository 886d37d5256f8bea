//! Values of flags: words, instants, durations and shares.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::engine::Engine;
use crate::ingest::instant_of_text;
use crate::report::Format;
use crate::rules::{Interpolation, NoData, Scope};
use crate::words::{self, Words};

pub use crate::words::{duration_us, time_zone};

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

/// Microseconds UTC.
pub fn instant(text: &str) -> Result<i64, String> {
    instant_of_text(text)
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
