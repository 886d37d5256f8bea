//! `timezone`, which is what `AT TIME ZONE` calls, and `to_char`, both as PostgreSQL has them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{
    DateTime, Datelike, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

const LOCAL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub fn all() -> impl Iterator<Item = ScalarUDF> {
    let any = || Signature::any(2, Volatility::Immutable);
    [
        ScalarUDF::new_from_impl(Timezone { signature: any() }),
        ScalarUDF::new_from_impl(ToChar { signature: any(), other: other_to_char() }),
    ]
    .into_iter()
}

/// `timezone(zone, at)`: the local time of an instant, or the instant of a local time. Of the times
/// that a clock shows twice it is the second, those that it skips are read as before the change.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Timezone {
    signature: Signature,
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &'static str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.get(1) {
            Some(DataType::Timestamp(_, None)) => instant(),
            _ => LOCAL,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [zones, at] = &args.args[..] else { return exec_err!("timezone takes two values") };
        let rows = if matches!((zones, at), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_))) {
            1
        } else {
            args.number_rows
        };
        let zones = arrow::compute::cast(&zones.to_array(rows)?, &DataType::Utf8)?;
        let is_local = matches!(at.data_type(), DataType::Timestamp(_, None));
        let at =
            arrow::compute::cast(&at.to_array(rows)?, &if is_local { LOCAL } else { instant() })?;
        let at = at.as_primitive::<TimestampMicrosecondType>();
        let mut known: Option<(String, Tz)> = None;
        let mut read = TimestampMicrosecondArray::builder(rows);
        for (zone, at) in zones.as_string::<i32>().iter().zip(at) {
            let (Some(zone), Some(at)) = (zone, at) else {
                read.append_null();
                continue;
            };
            let tz = match &known {
                Some((name, tz)) if name == zone => *tz,
                _ => known.insert((zone.to_owned(), named(zone)?)).1,
            };
            read.append_option(if is_local { instant_of(tz, at) } else { local_at(tz, at) });
        }
        let read = read.finish();
        let read: ArrayRef =
            if is_local { Arc::new(read.with_timezone("UTC")) } else { Arc::new(read) };
        columnar(read, rows, &args.args)
    }
}

fn named(zone: &str) -> Result<Tz> {
    let Ok(tz) = zone.trim().parse() else {
        return exec_err!("time zone {zone:?} is not an IANA name like 'America/Chicago'");
    };
    Ok(tz)
}

fn local_at(zone: Tz, instant_us: i64) -> Option<i64> {
    let at = DateTime::from_timestamp_micros(instant_us)?.naive_utc();
    let offset_s = zone.offset_from_utc_datetime(&at).fix().local_minus_utc();
    instant_us.checked_add(i64::from(offset_s) * 1_000_000)
}

fn instant_of(zone: Tz, local_us: i64) -> Option<i64> {
    let local = DateTime::from_timestamp_micros(local_us)?.naive_utc();
    let offset = match zone.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => offset,
        // A clock skips a few hours at most.
        MappedLocalTime::None => {
            zone.offset_from_local_datetime(&(local - TimeDelta::days(1))).latest()?
        }
    };
    local_us.checked_sub(i64::from(offset.fix().local_minus_utc()) * 1_000_000)
}

fn columnar(values: ArrayRef, rows: usize, of: &[ColumnarValue]) -> Result<ColumnarValue> {
    let is_scalar = of.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    if is_scalar && rows > 0 {
        let value = datafusion::common::ScalarValue::try_from_array(&values, 0)?;
        return Ok(ColumnarValue::Scalar(value));
    }
    Ok(ColumnarValue::Array(values))
}

/// `to_char(at, 'YYYY-MM-DD HH24:MI')`; a format with a `%` is one of the engine's.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    signature: Signature,
    other: Arc<ScalarUDF>,
}

fn other_to_char() -> Arc<ScalarUDF> {
    datafusion::functions::datetime::to_char()
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &'static str {
        "to_char"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [at, format] = &args.args[..] else { return exec_err!("to_char takes two values") };
        let is_time =
            matches!(at.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
        let is_the_engines = |format: &ColumnarValue| match format {
            ColumnarValue::Scalar(format) => format.to_string().contains('%'),
            ColumnarValue::Array(_) => false,
        };
        if !is_time || is_the_engines(format) {
            return self.other.invoke_with_args(args);
        }
        let rows = args.number_rows;
        let at = arrow::compute::cast(&at.to_array(rows)?, &instant())?;
        let formats = arrow::compute::cast(&format.to_array(rows)?, &DataType::Utf8)?;
        let mut written = StringBuilder::new();
        let at = at.as_primitive::<TimestampMicrosecondType>();
        for (at, format) in at.iter().zip(formats.as_string::<i32>()) {
            let at = at.and_then(DateTime::from_timestamp_micros);
            match (at, format) {
                (Some(at), Some(format)) => written.append_value(shown(at.naive_utc(), format)),
                _ => written.append_null(),
            }
        }
        columnar(Arc::new(written.finish()), rows, &args.args)
    }
}

type Show = fn(NaiveDateTime) -> String;

/// What stands in a format for parts of a time; of two that begin alike the longer is first. `FM`
/// before one takes its leading zeros or blanks away.
const PARTS: &[(&str, Show)] = &[
    ("IYYY", |at| format!("{:04}", at.iso_week().year())),
    ("YYYY", |at| format!("{:04}", at.year())),
    ("YY", |at| format!("{:02}", at.year().rem_euclid(100))),
    ("MONTH", |at| format!("{:<9}", at.format("%B").to_string().to_uppercase())),
    ("Month", |at| format!("{:<9}", at.format("%B"))),
    ("month", |at| format!("{:<9}", at.format("%B").to_string().to_lowercase())),
    ("MON", |at| at.format("%b").to_string().to_uppercase()),
    ("Mon", |at| at.format("%b").to_string()),
    ("mon", |at| at.format("%b").to_string().to_lowercase()),
    ("MM", |at| format!("{:02}", at.month())),
    ("MI", |at| format!("{:02}", at.minute())),
    ("MS", |at| format!("{:03}", at.nanosecond() / 1_000_000)),
    ("DAY", |at| format!("{:<9}", at.format("%A").to_string().to_uppercase())),
    ("Day", |at| format!("{:<9}", at.format("%A"))),
    ("day", |at| format!("{:<9}", at.format("%A").to_string().to_lowercase())),
    ("DDD", |at| format!("{:03}", at.ordinal())),
    ("DD", |at| format!("{:02}", at.day())),
    ("DY", |at| at.format("%a").to_string().to_uppercase()),
    ("Dy", |at| at.format("%a").to_string()),
    ("dy", |at| at.format("%a").to_string().to_lowercase()),
    ("D", |at| at.weekday().number_from_sunday().to_string()),
    ("HH24", |at| format!("{:02}", at.hour())),
    ("HH12", |at| format!("{:02}", at.hour12().1)),
    ("HH", |at| format!("{:02}", at.hour12().1)),
    ("SSSS", |at| at.num_seconds_from_midnight().to_string()),
    ("SS", |at| format!("{:02}", at.second())),
    ("US", |at| format!("{:06}", at.nanosecond() / 1000)),
    ("AM", half),
    ("PM", half),
    ("am", |at| half(at).to_lowercase()),
    ("pm", |at| half(at).to_lowercase()),
    ("IW", |at| format!("{:02}", at.iso_week().week())),
    ("ID", |at| at.weekday().number_from_monday().to_string()),
    ("WW", |at| format!("{:02}", at.ordinal0() / 7 + 1)),
    ("Q", |at| (at.month0() / 3 + 1).to_string()),
    ("TZ", |_| "UTC".to_owned()),
    ("OF", |_| "+00".to_owned()),
];

fn half(at: NaiveDateTime) -> String {
    if at.hour12().0 { "PM".to_owned() } else { "AM".to_owned() }
}

fn shown(at: NaiveDateTime, format: &str) -> String {
    let mut written = String::new();
    let mut rest = format;
    while let Some(sign) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            written.push_str(text);
            rest = after;
            continue;
        }
        let (is_bare, after) = match rest.strip_prefix("FM") {
            Some(after) => (true, after),
            None => (false, rest),
        };
        // Small letters stand for numbers as well.
        let is_next = |name: &str| {
            after.starts_with(name)
                || after.get(..name.len()).is_some_and(|given| {
                    given.eq_ignore_ascii_case(name) && given == given.to_lowercase()
                })
        };
        match PARTS.iter().find(|(name, _)| is_next(name)) {
            Some((name, show)) => {
                let part = show(at);
                let bare = || match part.trim_end().trim_start_matches('0') {
                    "" => "0".to_owned(),
                    bare => bare.to_owned(),
                };
                let _ = write!(written, "{}", if is_bare { bare() } else { part.clone() });
                rest = &after[name.len()..];
            }
            None => {
                written.push(sign);
                rest = &rest[sign.len_utf8()..];
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_postgres_shows_it() {
        let at = DateTime::parse_from_rfc3339("2023-03-05T14:07:09.004005Z").unwrap().naive_utc();
        for (format, text) in [
            ("YYYY-MM-DD HH24:MI", "2023-03-05 14:07"),
            ("yyyy-mm-dd hh24:mi:ss", "2023-03-05 14:07:09"),
            ("Dy, FMDD Mon YY, HH12:MI AM", "Sun, 5 Mar 23, 02:07 PM"),
            ("FMMonth", "March"),
            ("Month|", "March    |"),
            ("IYYY-\"W\"IW-ID", "2023-W09-7"),
            ("MS US DDD Q D", "004 004005 064 1 1"),
        ] {
            assert_eq!(shown(at, format), text, "{format}");
        }
    }

    #[test]
    fn a_local_time_that_is_skipped_or_shown_twice_is_read_as_postgres_reads_it() {
        let zone = named("America/Chicago").unwrap();
        let us = |text: &str| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
                .unwrap()
                .and_utc()
                .timestamp_micros()
        };
        for (local, instant) in [
            ("2023-03-01 00:00", "2023-03-01 06:00"),
            ("2023-03-12 02:30", "2023-03-12 08:30"),
            ("2023-11-05 01:30", "2023-11-05 07:30"),
        ] {
            assert_eq!(instant_of(zone, us(local)), Some(us(instant)), "{local}");
        }
        assert_eq!(local_at(zone, us("2023-03-01 06:00")), Some(us("2023-03-01 00:00")));
        assert!(named("Mars").is_err());
    }
}
