//! What a call of a table function asks: its range, its options, and what is particular to it.

use arrow::datatypes::{DataType, TimeUnit};
use chrono_tz::Tz;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, cast};
use datafusion::scalar::ScalarValue;

use super::Kind;
use super::days::first_day;
use crate::engine::steps::{day, instant, set_apart};
use crate::engine::{Tables, first_day_to_read};
use crate::ingest::instant_of_text;
use crate::rules::calendar::{DAY_US, day_of};
use crate::rules::{Options, Span, Window};
use crate::words::{BUCKETS, OPTIONS, duration_us, meaning, set_option, time_zone};

/// The longest range of one call.
const RANGE_DAYS_MAX: i64 = 3_660;

pub struct Call {
    /// Instants, or parameters that will be.
    pub range: (Expr, Expr),
    /// The days whose polls have to be read, the last one included.
    pub days: (Expr, Expr),
    pub options: Options,
    /// Of `uptime_by`: one of the words of [`BUCKETS`], and the zone whose calendar counts.
    pub bucket: Option<String>,
    pub time_zone: Option<Tz>,
    /// Of `incidents`, microseconds.
    pub min_downtime_us: i64,
}

impl Call {
    /// # Errors
    /// Names the argument that is none, and what was expected.
    pub fn of(kind: Kind, arguments: &[Expr], tables: &Tables) -> Result<Self> {
        let (bucket, rest) = match (kind, arguments) {
            (Kind::UptimeBy, [bucket, rest @ ..]) => (Some(word(bucket)?), rest),
            (Kind::UptimeBy, []) => return wrong(kind, "expected a bucket like 'day'"),
            (_, arguments) => (None, arguments),
        };
        if let Some(Err(unknown)) = bucket.as_ref().map(|bucket| meaning(BUCKETS, bucket)) {
            return wrong(kind, format!("bucket: {unknown}"));
        }
        // Options alone leave the range to be the usual one.
        let is_options = |first: &Expr| word(first).is_ok_and(|text| text.contains('='));
        let (range, rest) = match rest {
            [] => (None, rest),
            [first, ..] if is_options(first) => (None, rest),
            [from, to, rest @ ..] => (Some((from, to)), rest),
            [_] => return wrong(kind, "expected two instants, from and to"),
        };
        let (range, days) = match range {
            Some(range) => of_range(kind, range, tables)?,
            None => usual_range(kind, tables)?,
        };
        let mut call = Self {
            range,
            days,
            options: Options::default(),
            bucket,
            time_zone: None,
            min_downtime_us: 0,
        };
        for argument in rest {
            if let Err(what) = call.take(kind, argument) {
                return wrong(kind, what);
            }
        }
        Ok(call)
    }

    /// Takes an argument after the range: options in one text, or the one that has no name.
    fn take(&mut self, kind: Kind, argument: &Expr) -> std::result::Result<(), String> {
        if let Expr::Literal(value, _) = argument
            && kind == Kind::Incidents
            && let Some(interval_us) = interval_us(value)
        {
            self.min_downtime_us = interval_us;
            return Ok(());
        }
        let text = word(argument).map_err(|_| format!("{argument} is not a constant text"))?;
        if text.contains('=') {
            return text.split(',').try_for_each(|option| self.set(kind, option));
        }
        match kind {
            Kind::UptimeBy => self.set(kind, &format!("time_zone={text}")),
            Kind::Incidents => self.set(kind, &format!("min_duration={text}")),
            _ => Err(format!("{text:?} is not a list of options like 'max_gap=2h,scope=day'")),
        }
    }

    fn set(&mut self, kind: Kind, option: &str) -> std::result::Result<(), String> {
        let (name, text) = option
            .split_once('=')
            .ok_or_else(|| format!("{option:?} is not an option like max_gap=2h"))?;
        let (name, text) = (name.trim(), text.trim());
        let of_name = |what: String| format!("{name}: {what}");
        match (kind, name) {
            (Kind::UptimeBy, "time_zone") => {
                self.time_zone = Some(time_zone(text).map_err(of_name)?);
            }
            (Kind::Incidents, "min_duration") => {
                self.min_downtime_us = duration_us(text).map_err(of_name)?;
            }
            _ => {
                if !set_option(&mut self.options, name, text).map_err(of_name)? {
                    return Err(format!("{name:?} is not one of {}", OPTIONS.join(", ")));
                }
            }
        }
        Ok(())
    }
}

type RangeAndDays = ((Expr, Expr), (Expr, Expr));

/// The week before the latest poll.
fn usual_range(kind: Kind, tables: &Tables) -> Result<RangeAndDays> {
    match tables.latest_poll {
        Some(to) => Ok(of_span(Window::LONGEST.before(to), tables)),
        None => wrong(kind, "there is no poll to look back from; expected from and to"),
    }
}

fn of_range(kind: Kind, range: (&Expr, &Expr), tables: &Tables) -> Result<RangeAndDays> {
    let known = |name: &str, expr: &Expr| match expr {
        Expr::Literal(value, _) => match instant_of(value) {
            Ok(at) => Ok(Some(at)),
            Err(what) => wrong(kind, format!("{name}: {what}")),
        },
        expr if expr.any_column_refs() || expr.is_volatile() => {
            wrong(kind, format!("{name}: {expr} is not a constant; expected an instant"))
        }
        _ => Ok(None),
    };
    if let (Some(from), Some(to)) = (known("from", range.0)?, known("to", range.1)?) {
        let Some(span) = Span::new(from, to) else {
            return wrong(kind, "from is not before to");
        };
        if to.saturating_sub(from) > RANGE_DAYS_MAX * DAY_US {
            return wrong(
                kind,
                format!("from is more than {RANGE_DAYS_MAX} days before to, the limit"),
            );
        }
        return Ok(of_span(span, tables));
    }
    let open = |expr: &Expr| match expr {
        Expr::Literal(value, _) => Ok(instant_of(value).map_or_else(|_| expr.clone(), instant)),
        expr => set_apart(expr.clone()).map(|expr| cast(expr, instant_type())),
    };
    let (from, to) = (open(range.0)?, open(range.1)?);
    let days = (first_day(&tables.days, from.clone()), cast(to.clone(), DataType::Date32));
    Ok(((from, to), days))
}

fn of_span(span: Span, tables: &Tables) -> RangeAndDays {
    let (from, to) = (span.starts_at(), span.ends_at());
    let first_day = first_day_to_read(tables.days.iter().copied(), day_of(from));
    ((instant(from), instant(to)), (day(first_day), day(day_of(to))))
}

fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Microseconds UTC of an instant, a date, or a text of either; without a zone it is UTC.
///
/// # Errors
/// Says what it is instead.
pub fn instant_of(value: &ScalarValue) -> std::result::Result<i64, String> {
    let expected = || format!("{value} is not an instant like '2023-01-22 12:09:39'");
    if let Some(Some(text)) = value.try_as_str()
        && let Ok(at) = instant_of_text(text)
    {
        return Ok(at);
    }
    let is_text = value.data_type().is_string();
    if !is_text && !matches!(value.data_type(), DataType::Timestamp(..) | DataType::Date32) {
        return Err(expected());
    }
    match value.cast_to(&instant_type()) {
        Ok(ScalarValue::TimestampMicrosecond(Some(at), _)) => Ok(at),
        _ => Err(expected()),
    }
}

/// A constant text.
fn word(expr: &Expr) -> Result<String> {
    match expr {
        Expr::Literal(value, _) => match value.try_as_str().flatten() {
            Some(text) => Ok(text.to_owned()),
            None => plan_err!("{value} is not a text"),
        },
        other => plan_err!("{other} is not a constant"),
    }
}

/// Microseconds of an interval without months; `None` of what is none, or not positive.
fn interval_us(value: &ScalarValue) -> Option<i64> {
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else { return None };
    let days_us = i64::from(interval.days).checked_mul(DAY_US)?;
    let interval_us = days_us.checked_add(interval.nanoseconds / 1000)?;
    (interval.months == 0 && interval_us > 0).then_some(interval_us)
}

fn wrong<T>(kind: Kind, what: impl std::fmt::Display) -> Result<T> {
    plan_err!("{}: {what}", kind.name())
}
