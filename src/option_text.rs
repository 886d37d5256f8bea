//! Texts of options: keywords, instants and durations, the same for flags, HTTP and SQL.
//!
//! Knows neither flags nor JSON: callers supply the text and name its origin in errors.

use crate::engine::Engine;
use crate::ingest::parse_daily_hours;
use crate::report::Format;
use crate::rules::calendar::DAY_US;
pub use crate::rules::calendar::instant_text;
use crate::rules::instant::parse_instant;
use crate::rules::{
    DefaultHours, Interpolation, LocalClock, NoData, Options, Scope, ZoneName, ZoneRules,
};

/// Keywords of an option with their values.
pub type Keywords<T> = &'static [(&'static str, T)];

pub const ENGINES: Keywords<Engine> =
    &[("datafusion", Engine::DataFusion), ("polars", Engine::Polars)];
pub const INTERPOLATIONS: Keywords<Interpolation> = &[
    ("previous", Interpolation::Previous),
    ("nearest", Interpolation::Nearest),
    ("next", Interpolation::Next),
];
pub const SCOPES: Keywords<Scope> =
    &[("all", Scope::All), ("day", Scope::Day), ("interval", Scope::Interval)];
pub const NO_DATA: Keywords<NoData> =
    &[("unknown", NoData::Unknown), ("down", NoData::Down), ("up", NoData::Up)];
/// Keywords besides daily hours.
pub const DEFAULT_HOURS: Keywords<DefaultHours> =
    &[("always", DefaultHours::Always), ("closed", DefaultHours::Closed)];
pub const FORMATS: Keywords<Format> = &[
    ("csv", Format::Csv),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("arrows", Format::ArrowStream),
    ("table", Format::Table),
    ("markdown", Format::Markdown),
];
/// True for the extended columns.
pub const COLUMNS: Keywords<bool> = &[("standard", false), ("extended", true)];

/// Value of a keyword.
///
/// # Errors
/// A sentence that lists the known keywords.
pub fn parse_keyword<T: Copy>(keywords: Keywords<T>, given: &str) -> Result<T, String> {
    let found = keywords.iter().find(|(word, _)| *word == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = keywords.iter().map(|(word, _)| *word).collect();
        format!("{given:?} is not one of {}", known.join(", "))
    })
}

/// Keyword of a value.
pub fn keyword<T: Copy + PartialEq>(keywords: Keywords<T>, value: T) -> &'static str {
    keywords.iter().find(|(_, meant)| *meant == value).map_or("", |(word, _)| word)
}

/// Names of the options that affect figures.
pub const OPTIONS: [&str; 7] = [
    "interpolation",
    "max_gap",
    "scope",
    "no_data",
    "snap_end_of_day",
    "default_hours",
    "default_timezone",
];

/// Sets an option by name; `false` if there is no option of that name.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn set_option(options: &mut Options, name: &str, text: &str) -> Result<bool, String> {
    const TRUTHS: Keywords<bool> = &[("true", true), ("false", false)];
    match name {
        "interpolation" => options.interpolation = parse_keyword(INTERPOLATIONS, text)?,
        "max_gap" => options.max_gap_us = Some(duration_us(text)?),
        "scope" => options.scope = parse_keyword(SCOPES, text)?,
        "no_data" => options.no_data = parse_keyword(NO_DATA, text)?,
        "snap_end_of_day" => options.snap_end_of_day = parse_keyword(TRUTHS, text)?,
        "default_hours" => options.default_hours = default_hours(text)?,
        "default_timezone" => options.default_time_zone = time_zone(text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Parses an instant into microseconds UTC. A date alone is its midnight, the zone defaults to UTC,
/// and named zones are read by the bundled rules.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn instant(text: &str) -> Result<i64, String> {
    let rules = ZoneRules::bundled();
    parse_instant(text, |zone, near| Some(LocalClock::over(&rules.zone(zone)?, near)))
}

/// Parses a positive duration such as `2h`, `90m` or `1h 30m` into microseconds.
pub fn duration_us(text: &str) -> Result<i64, String> {
    const LONGEST_US: i64 = 36_525 * DAY_US;
    let expected = "expected a duration like 2h, 90m or 1h 30m";
    let duration = humantime::parse_duration(text).map_err(|_| expected.to_owned())?;
    match i64::try_from(duration.as_micros()) {
        Ok(duration_us @ 1..=LONGEST_US) => Ok(duration_us),
        _ => Err(format!("is not between a microsecond and a century; {expected}")),
    }
}

/// Formats a duration so that [`duration_us`] reads it back.
pub fn duration_text(duration_us: i64) -> String {
    let duration = std::time::Duration::from_micros(duration_us.unsigned_abs());
    humantime::format_duration(duration).to_string()
}

/// Parses default hours: a keyword, or daily hours such as `09:00-17:00`.
pub fn default_hours(text: &str) -> Result<DefaultHours, String> {
    let daily = || parse_daily_hours(text).map(DefaultHours::Daily);
    parse_keyword(DEFAULT_HOURS, text).ok().or_else(daily).ok_or_else(|| {
        format!("{text:?} is not one of always, closed, or daily hours like 09:00-17:00")
    })
}

/// Formats hours so that [`default_hours`] reads them back.
pub fn default_hours_text(hours: DefaultHours) -> String {
    match hours {
        DefaultHours::Daily(daily) => {
            format!("{}-{}", time_text(daily.start_s()), time_text(daily.end_s()))
        }
        named => keyword(DEFAULT_HOURS, named).to_owned(),
    }
}

/// Formats a time of day as `09:00`, or as `09:00:30` if there are seconds.
fn time_text(time_s: u32) -> String {
    let (hours, minutes, seconds) = (time_s / 3600, time_s / 60 % 60, time_s % 60);
    match seconds {
        0 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Parses the name of a zone in any case.
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
    fn an_unknown_keyword_is_answered_with_the_known_ones() {
        assert_eq!(parse_keyword(SCOPES, "day"), Ok(Scope::Day));
        assert_eq!(
            parse_keyword(SCOPES, "week"),
            Err("\"week\" is not one of all, day, interval".into())
        );
        assert_eq!(keyword(SCOPES, Scope::Interval), "interval");
    }
}
