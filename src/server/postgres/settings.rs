//! Session settings for `SET` and `SHOW`, with the values that each accepts.

use std::collections::HashMap;
use std::time::Duration;

use datafusion_postgres::pgwire::error::PgWireResult;

use super::failure::error;

/// Version from which clients infer features, followed by the real one.
pub const SERVER_VERSION: &str = concat!("16.6 (uptally ", env!("CARGO_PKG_VERSION"), ")");
/// Time zone of all instants sent; fixed.
pub const TIME_ZONE: &str = "UTC";

/// Values that a setting accepts.
#[derive(Clone, Copy)]
enum Allowed {
    /// None: read-only.
    Nothing,
    /// Any of these, case-insensitive.
    OneOf(&'static [&'static str]),
    /// Duration: milliseconds, or a number with ms, s or min.
    Time,
    /// Any value; it has an effect on output formats at most.
    Anything,
}

use Allowed::{Anything, Nothing, OneOf, Time};

/// Name, spelling in a `ParameterStatus` if changes are reported, default, accepted values.
const SETTINGS: &[(&str, Option<&str>, &str, Allowed)] = &[
    ("application_name", Some("application_name"), "", Anything),
    ("bytea_output", None, "hex", OneOf(&["hex", "escape"])),
    ("client_encoding", Some("client_encoding"), "UTF8", OneOf(&["utf8", "utf-8", "unicode"])),
    ("client_min_messages", None, "notice", Anything),
    ("datestyle", Some("DateStyle"), "ISO, YMD", Anything),
    ("default_transaction_isolation", None, "repeatable read", Anything),
    (
        "default_transaction_read_only",
        Some("default_transaction_read_only"),
        "on",
        OneOf(&["on", "true", "1", "yes"]),
    ),
    ("extra_float_digits", None, "1", Anything),
    ("idle_in_transaction_session_timeout", None, "0", Anything),
    ("integer_datetimes", None, "on", Nothing),
    ("intervalstyle", Some("IntervalStyle"), "postgres", Anything),
    ("jit", None, "off", Anything),
    ("lock_timeout", None, "0", Anything),
    ("max_identifier_length", None, "63", Nothing),
    ("max_index_keys", None, "32", Nothing),
    ("row_security", None, "on", Anything),
    ("search_path", Some("search_path"), "public", Anything),
    ("server_encoding", None, "UTF8", Nothing),
    ("server_version", None, SERVER_VERSION, Nothing),
    ("server_version_num", None, "160006", Nothing),
    ("standard_conforming_strings", None, "on", OneOf(&["on", "true", "1", "yes"])),
    (STATEMENT_TIMEOUT, None, "0", Time),
    ("timezone", Some("TimeZone"), TIME_ZONE, OneOf(&["utc", "etc/utc", "gmt", "z", "0"])),
    ("transaction_isolation", None, "repeatable read", Anything),
    ("transaction_read_only", None, "on", OneOf(&["on", "true", "1", "yes"])),
];

const STATEMENT_TIMEOUT: &str = "statement_timeout";

/// Lists name, default and whether the setting can be changed.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    SETTINGS
        .iter()
        .map(|(name, _, default, allowed)| (*name, *default, !matches!(allowed, Nothing)))
}

/// Value of a setting; `None` if it does not exist.
pub fn value(name: &str, set: &HashMap<String, String>) -> Option<String> {
    let (name, _, default, allowed) = SETTINGS.iter().find(|setting| setting.0 == name)?;
    let value = match allowed {
        Nothing => None,
        _ => set.get(*name).cloned(),
    };
    Some(value.unwrap_or_else(|| (*default).to_owned()))
}

/// Changes a setting, or resets it without a value. Returns the name and value for a
/// `ParameterStatus` if the change must be reported.
///
/// # Errors
/// When the setting does not exist (42704), is read-only (55P02) or rejects the value (22023).
pub fn set(
    name: &str,
    value: Option<&str>,
    all: &mut HashMap<String, String>,
) -> PgWireResult<Option<(&'static str, String)>> {
    let found = SETTINGS.iter().find(|setting| setting.0 == name);
    let Some((name, reported, default, allowed)) = found else {
        return Err(error("42704", format!("there is no setting {name:?}")));
    };
    let Some(value) = value else {
        all.remove(*name);
        return Ok(reported.map(|spelled| (spelled, (*default).to_owned())));
    };
    let wrong = |expected: String| {
        error("22023", format!("{name} cannot be {value:?}; expected {expected}"))
    };
    match allowed {
        Nothing => return Err(error("55P02", format!("{name} cannot be changed"))),
        OneOf(values) if !values.contains(&value.to_lowercase().as_str()) => {
            return Err(wrong((*default).to_owned()));
        }
        Time if duration(value).is_none() => {
            return Err(wrong("milliseconds, or a number with ms, s or min".into()));
        }
        _ => all.insert((*name).to_owned(), value.to_owned()),
    };
    Ok(reported.map(|spelled| (spelled, value.to_owned())))
}

/// The session's `statement_timeout`; `None` if unset or 0.
pub fn statement_time(all: &HashMap<String, String>) -> Option<Duration> {
    duration(all.get(STATEMENT_TIMEOUT)?).filter(|time| !time.is_zero())
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit_ms = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(unit_ms)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_takes_what_it_can_mean() {
        for (name, value, is_taken) in [
            ("application_name", "psql", true),
            ("timezone", "Etc/UTC", true),
            ("timezone", "Europe/Berlin", false),
            ("client_encoding", "UTF8", true),
            ("client_encoding", "LATIN1", false),
            ("statement_timeout", "250", true),
            ("statement_timeout", "2 min", true),
            ("statement_timeout", "soon", false),
            ("server_version", "17", false),
            ("datafusion.execution.batch_size", "1", false),
            ("transaction_read_only", "off", false),
        ] {
            let set = set(name, Some(value), &mut HashMap::new());
            assert_eq!(set.is_ok(), is_taken, "{name} = {value}");
        }
    }

    #[test]
    fn a_setting_is_shown_until_it_is_reset() {
        let mut all = HashMap::new();
        set("statement_timeout", Some("1500ms"), &mut all).unwrap();
        assert_eq!(statement_time(&all), Some(Duration::from_millis(1500)));
        assert_eq!(value("statement_timeout", &all).as_deref(), Some("1500ms"));
        set("statement_timeout", None, &mut all).unwrap();
        assert_eq!(value("statement_timeout", &all).as_deref(), Some("0"));
        assert_eq!(statement_time(&all), None);
        assert_eq!(value("nothing", &all), None);
    }
}
