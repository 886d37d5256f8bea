//! How a question is spelled: the words, instants and durations that every face understands alike.
//!
//! Knows neither flags nor JSON: the faces bring the text and say where it stood.

use chrono_tz::Tz;

use crate::engine::Engine;
use crate::report::Format;
use crate::rules::calendar::DAY_US;
pub use crate::rules::calendar::instant_text;
use crate::rules::{Bucket, Interpolation, NoData, Options, Scope};

/// The words of an option, each with what it means.
pub type Words<T> = &'static [(&'static str, T)];

pub const ENGINES: Words<Engine> =
    &[("datafusion", Engine::DataFusion), ("polars", Engine::Polars)];
pub const INTERPOLATIONS: Words<Interpolation> = &[
    ("previous", Interpolation::Previous),
    ("nearest", Interpolation::Nearest),
    ("next", Interpolation::Next),
];
pub const SCOPES: Words<Scope> =
    &[("all", Scope::All), ("day", Scope::Day), ("interval", Scope::Interval)];
pub const NO_DATA: Words<NoData> =
    &[("unknown", NoData::Unknown), ("down", NoData::Down), ("up", NoData::Up)];
pub const BUCKETS: Words<Bucket> = Bucket::NAMES;
pub const FORMATS: Words<Format> = &[
    ("csv", Format::Csv),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("arrows", Format::ArrowStream),
    ("table", Format::Table),
    ("markdown", Format::Markdown),
];
/// Whether the columns are the extended ones.
pub const COLUMNS: Words<bool> = &[("standard", false), ("extended", true)];

/// What the word means.
///
/// # Errors
/// Names the words that there are.
pub fn meaning<T: Copy>(words: Words<T>, given: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{given:?} is not one of {}", known.join(", "))
    })
}

/// The word that means the value.
pub fn word<T: Copy + PartialEq>(words: Words<T>, value: T) -> &'static str {
    words.iter().find(|(_, meant)| *meant == value).map_or("", |(word, _)| word)
}

/// Names of the options that say what the numbers mean.
pub const OPTIONS: [&str; 6] =
    ["interpolation", "max_gap", "scope", "no_data", "snap_end_of_day", "default_timezone"];

/// Takes one of them; `false` where there is none of that name.
///
/// # Errors
/// Says what was expected of the text.
pub fn set_option(options: &mut Options, name: &str, text: &str) -> Result<bool, String> {
    const TRUTHS: Words<bool> = &[("true", true), ("false", false)];
    match name {
        "interpolation" => options.interpolation = meaning(INTERPOLATIONS, text)?,
        "max_gap" => options.max_gap_us = Some(duration_us(text)?),
        "scope" => options.scope = meaning(SCOPES, text)?,
        "no_data" => options.no_data = meaning(NO_DATA, text)?,
        "snap_end_of_day" => options.snap_end_of_day = meaning(TRUTHS, text)?,
        "default_timezone" => options.default_time_zone = time_zone(text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Microseconds of a duration like `2h`, `90m` or `1h 30m`; positive.
pub fn duration_us(text: &str) -> Result<i64, String> {
    const LONGEST_US: i64 = 36_525 * DAY_US;
    let expected = "expected a duration like 2h, 90m or 1h 30m";
    let duration = humantime::parse_duration(text).map_err(|_| expected.to_owned())?;
    match i64::try_from(duration.as_micros()) {
        Ok(duration_us @ 1..=LONGEST_US) => Ok(duration_us),
        _ => Err(format!("is not between a microsecond and a century; {expected}")),
    }
}

/// A duration as [`duration_us`] reads it.
pub fn duration_text(duration_us: i64) -> String {
    let duration = std::time::Duration::from_micros(duration_us.unsigned_abs());
    humantime::format_duration(duration).to_string()
}

pub fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| "expected an IANA name like America/Chicago".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for us in [1, 999, 90 * 60_000_000, 7_200_000_001, 36_525 * DAY_US] {
            assert_eq!(duration_us(&duration_text(us)), Ok(us), "{}", duration_text(us));
        }
    }

    #[test]
    fn an_unknown_word_hears_the_known_ones() {
        assert_eq!(meaning(SCOPES, "day"), Ok(Scope::Day));
        assert_eq!(
            meaning(SCOPES, "week"),
            Err("\"week\" is not one of all, day, interval".into())
        );
        assert_eq!(word(SCOPES, Scope::Interval), "interval");
    }
}
