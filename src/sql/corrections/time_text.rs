//! Casts of times and intervals to text with PostgreSQL's output: `2023-01-24 09:30:00.5+00`, `1
//! day 02:03:04.5`.
//!
//! The engine writes ISO 8601 and spells out the units of intervals. This concerns casts within a
//! statement only, explicit ones and those implied by `||` and `concat`; each output format writes
//! result columns in its own way. Dates are left to the engine, which writes them like PostgreSQL.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, IntervalMonthDayNano, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::interval::{by_columns, intervals, is_interval};
use crate::error::Fault;
use crate::rules::calendar::{DAY_US, SECOND_US};
use crate::sql::errors;

/// Replaces casts of times and intervals to text by [`TimeText`]. Applied after type coercion.
pub fn times_as_text(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(Cast { expr: ref inner, ref field })
        | Expr::TryCast(TryCast { expr: ref inner, ref field }) => {
            let to = field.data_type();
            match inner.get_type(schema).is_ok_and(|of| is_text_of_times(&of, to)) {
                true => Ok(Transformed::yes(text((**inner).clone(), to))),
                false => Ok(Transformed::no(expr)),
            }
        }
        // This function converts the elements itself.
        Expr::ScalarFunction(mut call) if call.func.name() == "array_to_string" => {
            let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
            let list = call
                .args
                .first_mut()
                .filter(|list| list.get_type(schema).is_ok_and(|of| is_text_of_times(&of, &texts)));
            let is_of_times = list.is_some();
            if let Some(list) = list {
                *list = text(list.clone(), &texts);
            }
            let call = Expr::ScalarFunction(call);
            Ok(if is_of_times { Transformed::yes(call) } else { Transformed::no(call) })
        }
        expr => Ok(Transformed::no(expr)),
    }
}

/// Returns whether a cast converts times or intervals to texts, or lists of them to lists of texts.
fn is_text_of_times(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::List(from), DataType::List(to)) => {
            is_written(from.data_type()) && to.data_type().is_string()
        }
        (from, to) => is_written(from) && to.is_string(),
    }
}

fn is_written(kind: &DataType) -> bool {
    use DataType::{Time32, Time64, Timestamp};
    is_interval(kind) || matches!(kind, Timestamp(..) | Time32(_) | Time64(_))
}

fn text(of: Expr, to: &DataType) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(TimeText { to: to.clone(), signature }).call(vec![of])
}

/// Converts each time or interval to text, or each list of them to a list of texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeText {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for TimeText {
    fn name(&self) -> &str {
        "time_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields[0].is_nullable();
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_columns(&args, |columns| Ok(cast(&texts(&columns[0])?, &self.to)?))
    }
}

fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match column.data_type() {
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
            let texts = texts(lists.values())?;
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            return Ok(Arc::new(ListArray::try_new(field, offsets, texts, nulls)?));
        }
        DataType::Timestamp(_, zone) => {
            let kind = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let times = cast(column, &kind)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let written = |at| timestamp(at, zone.is_some());
            times.iter().map(|at| at.map(written).transpose()).collect::<Result<_>>()?
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let times = cast(column, &DataType::Time64(TimeUnit::Microsecond))?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            times.iter().map(|time_us| time_us.map(|us| clock(us.unsigned_abs()))).collect()
        }
        _ => intervals(column)?.into_iter().map(|of| of.map(interval)).collect(),
    };
    Ok(Arc::new(texts))
}

/// Text of a local time, or of an instant in UTC.
fn timestamp(at_us: i64, is_instant: bool) -> Result<String> {
    let at = DateTime::from_timestamp_micros(at_us)
        .ok_or_else(|| errors::error(Fault::OutOfRange, "timestamp out of range"))?;
    // The year before 1 is 1 BC.
    let (year, era) = match at.year() {
        year @ 1.. => (year, ""),
        year => (1 - year, " BC"),
    };
    let (month, day) = (at.month(), at.day());
    let clock = clock(at_us.rem_euclid(DAY_US).unsigned_abs());
    let zone = if is_instant { "+00" } else { "" };
    Ok(format!("{year:04}-{month:02}-{day:02} {clock}{zone}{era}"))
}

/// `hours:minutes:seconds`, with a fraction if it is not zero.
fn clock(time_us: u64) -> String {
    let second_us = SECOND_US.unsigned_abs();
    let (seconds, rest_us) = (time_us / second_us, time_us % second_us);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let mut written = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if rest_us > 0 {
        written.push_str(format!(".{rest_us:06}").trim_end_matches('0'));
    }
    written
}

/// Text of an interval: non-zero fields only; a plus sign marks a positive field after a negative
/// one.
pub fn interval(of: IntervalMonthDayNano) -> String {
    let mut written = String::new();
    let mut is_after_negative = false;
    for (count, unit) in [(of.months / 12, "year"), (of.months % 12, "mon"), (of.days, "day")] {
        if count == 0 {
            continue;
        }
        let blank = if written.is_empty() { "" } else { " " };
        let sign = if is_after_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(written, "{blank}{sign}{count} {unit}{plural}");
        is_after_negative = count < 0;
    }
    let time_us = of.nanoseconds / 1_000;
    if written.is_empty() || time_us != 0 {
        let blank = if written.is_empty() { "" } else { " " };
        let sign = match time_us < 0 {
            true => "-",
            false if is_after_negative => "+",
            false => "",
        };
        let _ = write!(written, "{blank}{sign}{}", clock(time_us.unsigned_abs()));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    const SECOND_NS: i64 = 1_000_000_000;
    const HOUR_NS: i64 = 3_600 * SECOND_NS;

    #[test]
    fn an_interval_is_written_as_in_postgres() {
        for (months, days, nanoseconds, expected) in [
            (0, 0, 0, "00:00:00"),
            (0, 1, 2 * HOUR_NS + 184 * SECOND_NS + SECOND_NS / 2, "1 day 02:03:04.5"),
            (0, 0, 26 * HOUR_NS, "26:00:00"),
            (14, 0, 0, "1 year 2 mons"),
            (-14, 3, 0, "-1 years -2 mons +3 days"),
            (0, -1, HOUR_NS, "-1 days +01:00:00"),
            (0, 1, -HOUR_NS, "1 day -01:00:00"),
            (1, -1, 0, "1 mon -1 days"),
            (0, 0, -SECOND_NS / 4, "-00:00:00.25"),
            (0, 0, 123 * HOUR_NS + 1_000, "123:00:00.000001"),
            (24, 0, 0, "2 years"),
        ] {
            let of = IntervalMonthDayNano::new(months, days, nanoseconds);
            assert_eq!(interval(of), expected);
        }
    }

    #[test]
    fn a_timestamp_is_written_as_in_postgres() {
        for (at, expected) in [
            ("2023-01-24T09:30:00.5Z", "2023-01-24 09:30:00.5"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31 23:59:59.999999"),
            ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00"),
            ("0000-12-31T00:00:00Z", "0001-12-31 00:00:00 BC"),
        ] {
            let at_us = at.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros();
            assert_eq!(timestamp(at_us, false).unwrap(), expected);
        }
        assert_eq!(timestamp(0, true).unwrap(), "1970-01-01 00:00:00+00");
        assert!(timestamp(i64::MAX, true).is_err());
    }

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_writes_times_in_its_own_way() {
        let local_time = answer("SELECT TIMESTAMP '2023-01-24 09:30:00'::text");
        assert_eq!(local_time.as_deref(), Ok("2023-01-24T09:30:00"));
        assert_eq!(answer("SELECT INTERVAL '90 minutes'::text").as_deref(), Ok("1 hours 30 mins"));
    }
}
