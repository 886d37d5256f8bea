//! Arguments of a table function call: range, options and those particular to a function.

use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::TableFunctionKind;
use crate::engine::query_files::{day, instant};
use crate::engine::{Tables, first_day_to_read};
use crate::functions::instants::{instant_type, instant_us};
use crate::rules::calendar::{DAY_US, day_of, instant_text};
use crate::rules::duration::duration_us;
use crate::rules::{Bucket, Options, ReportOption, Span, Window, ZoneName, ZoneRules};

/// Maximum length of the range of one call.
const RANGE_DAYS_MAX: i64 = 3_660;

pub struct Call {
    /// Start and end, as instants.
    pub range: (Expr, Expr),
    /// First and last UTC day whose polls are read, inclusive.
    pub days: (Expr, Expr),
    pub options: Options,
    /// Bucket of `uptime_by`, with the zone of its calendar.
    pub bucket: Option<Bucket>,
    pub time_zone: Option<ZoneName>,
    /// Minimum downtime of `incidents`, in microseconds.
    pub min_downtime_us: i64,
}

impl Call {
    /// Reads the arguments of a call.
    ///
    /// # Errors
    /// Fails if an argument is invalid; the error names the argument and the expected values.
    pub fn read(kind: TableFunctionKind, arguments: &[Expr], tables: &Tables) -> Result<Self> {
        let (bucket, rest) = match (kind, arguments) {
            (TableFunctionKind::UptimeBy, [bucket, rest @ ..]) => match parse_bucket(bucket) {
                Ok(bucket) => (Some(bucket), rest),
                Err(what) => return argument_error(kind, format!("bucket: {what}")),
            },
            (TableFunctionKind::UptimeBy, []) => {
                return argument_error(kind, "expected a bucket like 'day' or '5 minutes'");
            }
            (_, arguments) => (None, arguments),
        };
        // A call with options alone has the default range.
        let is_options = |first: &Expr| constant_text(first).is_ok_and(|text| text.contains('='));
        let (range, rest) = match rest {
            [] => (None, rest),
            [first, ..] if is_options(first) => (None, rest),
            [from, to, rest @ ..] => (Some((from, to)), rest),
            [_] => return argument_error(kind, "expected two instants, from and to"),
        };
        let (range, days) = match range {
            Some(range) => parse_range(kind, range, tables)?,
            None => default_range(kind, tables)?,
        };
        if let Some(bucket) = bucket {
            check_bucket_count(kind, bucket, &range, &tables.zone_rules)?;
        }
        let mut call = Self { bucket, ..Self::over(range, days) };
        let mut given = Vec::new();
        for argument in rest {
            if let Err(what) = call.take(kind, argument, &mut given) {
                return argument_error(kind, what);
            }
        }
        let named = [Some(call.options.default_time_zone), call.time_zone];
        if let Some(unknown) = named.into_iter().flatten().find(|zone| !tables.knows_zone(*zone)) {
            let edition = tables.zone_rules.edition();
            return argument_error(
                kind,
                format!("the zone rules {edition} of the data know no {unknown}"),
            );
        }
        Ok(call)
    }

    /// A placeholder call, to determine the columns.
    pub fn any(tables: &Tables) -> Self {
        let bucket = Some(Bucket::DAY);
        let (range, days) = range_and_days(Window::LONGEST.before(0), tables);
        Self { bucket, ..Self::over(range, days) }
    }

    fn over(range: (Expr, Expr), days: (Expr, Expr)) -> Self {
        let options = Options::default();
        Self { range, days, options, bucket: None, time_zone: None, min_downtime_us: 0 }
    }

    /// Reads an argument after the range: options in one text, or the unnamed argument of the
    /// function.
    fn take(
        &mut self,
        kind: TableFunctionKind,
        argument: &Expr,
        given: &mut Vec<String>,
    ) -> std::result::Result<(), String> {
        if let Expr::Literal(value, _) = argument
            && kind == TableFunctionKind::Incidents
            && matches!(value.data_type(), DataType::Interval(_))
        {
            let interval_us = interval_us(value).ok_or_else(|| {
                format!(
                    "min_duration: {} is not a positive interval of days and hours",
                    display_value(value)
                )
            })?;
            self.min_downtime_us = interval_us;
            return note_option("min_duration", given);
        }
        let text = constant_text(argument)?;
        if text.contains('=') {
            return text.split(',').try_for_each(|option| self.set(kind, option, given));
        }
        match kind {
            TableFunctionKind::UptimeBy => self.set(kind, &format!("time_zone={text}"), given),
            TableFunctionKind::Incidents => self.set(kind, &format!("min_duration={text}"), given),
            _ => Err(format!("{text:?} is not a list of options like 'max_gap=2h,scope=day'")),
        }
    }

    fn set(
        &mut self,
        kind: TableFunctionKind,
        option: &str,
        given: &mut Vec<String>,
    ) -> std::result::Result<(), String> {
        let (name, text) = option
            .split_once('=')
            .ok_or_else(|| format!("{option:?} is not an option like max_gap=2h"))?;
        let (name, text) = (name.trim(), text.trim());
        let of_name = |what: String| format!("{name}: {what}");
        let shared = ReportOption::named(name);
        if shared.is_some_and(|option| kind.unsupported_options().contains(&option)) {
            return Err(format!("{name} says nothing here; expected {}", option_names(kind)));
        }
        note_option(name, given)?;
        match (kind, name) {
            (TableFunctionKind::UptimeBy, "time_zone") => {
                self.time_zone = Some(text.parse::<ZoneName>().map_err(of_name)?);
            }
            (TableFunctionKind::Incidents, "min_duration") => {
                self.min_downtime_us = duration_us(text).map_err(of_name)?;
            }
            _ => match shared {
                Some(option) => self.options.set(option, text).map_err(of_name)?,
                None => return Err(format!("{name:?} is not one of {}", option_names(kind))),
            },
        }
        Ok(())
    }
}

/// Records that an option was given; fails if it was given before.
fn note_option(name: &str, given: &mut Vec<String>) -> std::result::Result<(), String> {
    if given.iter().any(|other| other == name) {
        return Err(format!("{name} is given twice"));
    }
    given.push(name.to_owned());
    Ok(())
}

/// Names of the options that a function accepts, for errors.
fn option_names(kind: TableFunctionKind) -> String {
    let own = match kind {
        TableFunctionKind::UptimeBy => Some("time_zone"),
        TableFunctionKind::Incidents => Some("min_duration"),
        _ => None,
    };
    let shared = ReportOption::ALL.into_iter();
    let shared = shared.filter(|option| !kind.unsupported_options().contains(option));
    shared.map(ReportOption::name).chain(own).collect::<Vec<_>>().join(", ")
}

/// Parses a bucket from a text or an interval.
fn parse_bucket(expr: &Expr) -> std::result::Result<Bucket, String> {
    let Expr::Literal(value, _) = expr else { return Bucket::parse(&constant_text(expr)?) };
    match value {
        ScalarValue::IntervalMonthDayNano(Some(length)) => {
            let days_us = i64::from(length.days).saturating_mul(DAY_US);
            let time_us = days_us.saturating_add(length.nanoseconds / 1000);
            Bucket::new(i64::from(length.months), time_us)
                .map_err(|what| format!("{} {what}", display_value(value)))
        }
        ScalarValue::DurationMicrosecond(Some(time_us)) => {
            Bucket::new(0, *time_us).map_err(|what| format!("{} {what}", display_value(value)))
        }
        _ => Bucket::parse(&constant_text(expr)?),
    }
}

/// Maximum number of buckets of one store.
const BUCKETS_MAX: i64 = 100_000;

/// Checks the number of buckets in a range.
///
/// # Errors
/// Fails if the range has too many buckets.
fn check_bucket_count(
    kind: TableFunctionKind,
    bucket: Bucket,
    (from, to): &(Expr, Expr),
    zones: &ZoneRules,
) -> Result<()> {
    let at = |expr: &Expr| match expr {
        Expr::Literal(value, _) => instant_of(value, zones).unwrap_or_default(),
        _ => 0,
    };
    let buckets = bucket.count_within(at(to).saturating_sub(at(from)));
    if buckets > BUCKETS_MAX {
        return argument_error(
            kind,
            format!(
                "the range has {buckets} buckets a store, and the limit is {BUCKETS_MAX}; ask for a shorter range or longer buckets"
            ),
        );
    }
    Ok(())
}

type RangeAndDays = ((Expr, Expr), (Expr, Expr));

/// Default range: the week before the latest poll.
fn default_range(kind: TableFunctionKind, tables: &Tables) -> Result<RangeAndDays> {
    match tables.latest_poll {
        Some(to) => Ok(range_and_days(Window::LONGEST.before(to), tables)),
        None => argument_error(kind, "there is no poll to look back from; expected from and to"),
    }
}

fn parse_range(
    kind: TableFunctionKind,
    range: (&Expr, &Expr),
    tables: &Tables,
) -> Result<RangeAndDays> {
    let known = |name: &str, expr: &Expr| match expr {
        Expr::Literal(value, _) => match instant_of(value, &tables.zone_rules) {
            Ok(at) => Ok(at),
            Err(what) => argument_error(kind, format!("{name}: {what}")),
        },
        expr => {
            argument_error(kind, format!("{name}: {expr} is not a constant; expected an instant"))
        }
    };
    let (from, to) = (known("from", range.0)?, known("to", range.1)?);
    let Some(span) = Span::new(from, to) else {
        let (from, to) = (instant_text(from), instant_text(to));
        return argument_error(kind, format!("from is not before to: {from} is not before {to}"));
    };
    if to.saturating_sub(from) > RANGE_DAYS_MAX * DAY_US {
        return argument_error(
            kind,
            format!("from is more than {RANGE_DAYS_MAX} days before to, the limit"),
        );
    }
    Ok(range_and_days(span, tables))
}

fn range_and_days(span: Span, tables: &Tables) -> RangeAndDays {
    let (from, to) = (span.starts_at(), span.ends_at());
    let first_day = first_day_to_read(tables.days.iter().copied(), day_of(from));
    ((instant(from), instant(to)), (day(first_day), day(day_of(to))))
}

/// Microseconds UTC of an instant, a date, or a text of either. A text without a zone is UTC; zones
/// follow the given rules.
///
/// # Errors
/// Fails if the value is of another type or cannot be parsed; the error quotes it.
pub fn instant_of(value: &ScalarValue, zones: &ZoneRules) -> std::result::Result<i64, String> {
    if let Some(Some(text)) = value.try_as_str() {
        return instant_us(zones, text);
    }
    let is_time = matches!(value.data_type(), DataType::Timestamp(..) | DataType::Date32);
    match value.cast_to(&instant_type()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(at), _)) if is_time => Ok(at),
        _ => Err(format!("{} is not an instant like '2023-01-22 12:09:39'", display_value(value))),
    }
}

/// Value of a constant text.
fn constant_text(expr: &Expr) -> std::result::Result<String, String> {
    match expr.clone().unalias_nested().data {
        Expr::Literal(value, _) => match value.try_as_str().flatten() {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("{} is not a text", display_value(&value))),
        },
        other => Err(format!("{other} is not a constant")),
    }
}

/// A value as a user would write it.
fn display_value(value: &ScalarValue) -> String {
    let text = value.to_array().map(|array| array_value_to_string(&array, 0));
    match text {
        Ok(Ok(text)) if !value.is_null() => text,
        _ => value.to_string(),
    }
}

/// Microseconds of an interval. `None` if it has months or is not positive.
fn interval_us(value: &ScalarValue) -> Option<i64> {
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else { return None };
    let days_us = i64::from(interval.days).checked_mul(DAY_US)?;
    let interval_us = days_us.checked_add(interval.nanoseconds / 1000)?;
    (interval.months == 0 && interval_us > 0).then_some(interval_us)
}

fn argument_error<T>(kind: TableFunctionKind, what: impl std::fmt::Display) -> Result<T> {
    plan_err!("{}: {what}", kind.name())
}
