//! `to_char` with PostgreSQL's formats.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::super::encoding::lists::instant_type;

fn columnar(values: ArrayRef, rows: usize, of: &[ColumnarValue]) -> Result<ColumnarValue> {
    let is_scalar = of.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
    if is_scalar && rows > 0 {
        let value = datafusion::common::ScalarValue::try_from_array(&values, 0)?;
        return Ok(ColumnarValue::Scalar(value));
    }
    Ok(ColumnarValue::Array(values))
}

/// `to_char(at, 'YYYY-MM-DD HH24:MI')`; a format that contains `%` is passed to DataFusion's
/// function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToChar {
    signature: Signature,
    other: Arc<ScalarUDF>,
}

impl ToChar {
    pub fn postgres() -> Self {
        let signature = Signature::any(2, Volatility::Immutable);
        Self { signature, other: datafusion::functions::datetime::to_char() }
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &'static str {
        "to_char"
    }

    fn aliases(&self) -> &[String] {
        self.other.aliases()
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
        let at = arrow::compute::cast(&at.to_array(rows)?, &instant_type())?;
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

/// Patterns and their output; of two with the same prefix, the longer comes first. A preceding `FM`
/// removes leading zeros and blanks.
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
        // Lower-case patterns denote numbers, too.
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
}
