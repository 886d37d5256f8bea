//! How a question is spelled: the words, instants and durations that every face understands alike.
//!
//! Knows neither flags nor JSON: the faces bring the text and say where it stood.

use crate::engine::Engine;
use crate::ingest::daily_hours_of_text;
use crate::report::Format;
use crate::rules::calendar::DAY_US;
pub use crate::rules::calendar::instant_text;
use crate::rules::instant::read_asked_instant;
use crate::rules::{
    DefaultHours, Interpolation, LocalClock, NoData, Options, Scope, ZoneName, ZoneRules,
};

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
/// Those beside daily hours.
pub const DEFAULT_HOURS: Words<DefaultHours> =
    &[("always", DefaultHours::Always), ("closed", DefaultHours::Closed)];
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
pub const OPTIONS: [&str; 7] = [
    "interpolation",
    "max_gap",
    "scope",
    "no_data",
    "snap_end_of_day",
    "default_hours",
    "default_timezone",
];

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
        "default_hours" => options.default_hours = default_hours(text)?,
        "default_timezone" => options.default_time_zone = time_zone(text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Microseconds UTC of an instant; a date alone is its midnight, and without a zone it is UTC. A zone
/// that it names is read by the bundled rules.
///
/// # Errors
/// Says what was expected of the text.
pub fn instant(text: &str) -> Result<i64, String> {
    let rules = ZoneRules::bundled();
    read_asked_instant(text, |zone, near| Some(LocalClock::over(&rules.zone(zone)?, near)))
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

/// The hours of stores without any: a word, or daily ones like `09:00-17:00`.
pub fn default_hours(text: &str) -> Result<DefaultHours, String> {
    let daily = || daily_hours_of_text(text).map(DefaultHours::Daily);
    meaning(DEFAULT_HOURS, text).ok().or_else(daily).ok_or_else(|| {
        format!("{text:?} is not one of always, closed, or daily hours like 09:00-17:00")
    })
}

/// Hours as [`default_hours`] reads them.
pub fn default_hours_text(hours: DefaultHours) -> String {
    match hours {
        DefaultHours::Daily(daily) => {
            format!("{}-{}", time_text(daily.start_s()), time_text(daily.end_s()))
        }
        named => word(DEFAULT_HOURS, named).to_owned(),
    }
}

/// `09:00`, and `09:00:30` where there are seconds.
fn time_text(time_s: u32) -> String {
    let (hours, minutes, seconds) = (time_s / 3600, time_s / 60 % 60, time_s % 60);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// The name of a zone, whatever its case.
pub fn time_zone(text: &str) -> Result<ZoneName, String> {
    ZoneName::parse(text).ok_or_else(|| "expected an IANA name like America/Chicago".to_owned())
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
    fn default_hours_have_one_spelling_each_and_are_read_as_written() {
        for (text, written) in [
            ("always", "always"),
            ("closed", "closed"),
            ("9:00-17:00", "09:00-17:00"),
            ("09:00:00 - 17:00:30", "09:00-17:00:30"),
            ("18:00-02:00", "18:00-02:00"),
            ("00:00-24:00", "00:00-24:00"),
            ("00:00-00:00", "00:00-00:00"),
        ] {
            let hours = default_hours(text);
            assert_eq!(hours.clone().map(default_hours_text).as_deref(), Ok(written), "{text}");
            assert_eq!(default_hours(written), hours);
        }
        for text in
            ["", "Always", "9-17", "09:00", "24:00-02:00", "09:00-24:01", "09:00-17:00-18:00"]
        {
            assert!(default_hours(text).is_err(), "{text}");
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
