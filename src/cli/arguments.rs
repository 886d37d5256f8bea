//! Values of flags: words, instants, durations and shares.

use chrono_tz::Tz;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::engine::Engine;
use crate::ingest::instant_of_text;
use crate::report::Format;
use crate::rules::calendar::DAY_US;
use crate::rules::{Interpolation, NoData, Scope};

/// A flag that takes one of a few words.
fn one_of<T: Copy + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(move |given| {
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| *value).ok_or_else(|| format!("unknown word {given:?}"))
    })
}

pub fn engine() -> impl TypedValueParser<Value = Engine> {
    one_of(&[("datafusion", Engine::DataFusion), ("polars", Engine::Polars)])
}

pub fn interpolation() -> impl TypedValueParser<Value = Interpolation> {
    one_of(&[
        ("previous", Interpolation::Previous),
        ("nearest", Interpolation::Nearest),
        ("next", Interpolation::Next),
    ])
}

pub fn scope() -> impl TypedValueParser<Value = Scope> {
    one_of(&[("all", Scope::All), ("day", Scope::Day), ("interval", Scope::Interval)])
}

pub fn no_data() -> impl TypedValueParser<Value = NoData> {
    one_of(&[("unknown", NoData::Unknown), ("down", NoData::Down), ("up", NoData::Up)])
}

pub fn format() -> impl TypedValueParser<Value = Format> {
    one_of(&[
        ("csv", Format::Csv),
        ("json", Format::Json),
        ("ndjson", Format::Ndjson),
        ("parquet", Format::Parquet),
        ("arrow", Format::Arrow),
        ("table", Format::Table),
    ])
}

/// Whether the columns are the extended ones.
pub fn columns() -> impl TypedValueParser<Value = bool> {
    one_of(&[("standard", false), ("extended", true)])
}

/// Microseconds UTC.
pub fn instant(text: &str) -> Result<i64, String> {
    instant_of_text(text)
}

/// Microseconds of a duration like `2h`, `90m` or `1h 30m`; positive.
pub fn duration_us(text: &str) -> Result<i64, String> {
    const LONGEST_US: i64 = 36_525 * DAY_US;
    let expected = "expected a duration like 2h, 90m or 1h 30m";
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; {expected}"))?;
    match i64::try_from(duration.as_micros()) {
        Ok(duration_us @ 1..=LONGEST_US) => Ok(duration_us),
        _ => Err(format!("is not between a microsecond and a century; {expected}")),
    }
}

pub fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "expected an IANA name like America/Chicago".to_owned())
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
