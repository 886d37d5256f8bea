//! `make_interval`, `justify_hours`, `justify_days` and `justify_interval` of PostgreSQL, which the
//! engine lacks.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::ast_nodes::{call, number};
use crate::error::Fault;
use crate::rules::calendar::DAY_US;
use crate::sql::errors;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const MONTH_DAYS: i64 = 30;
const MAKE_INTERVAL: &str = "make_interval";
const PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

pub fn register(session: &SessionContext) {
    let mut parts = vec![DataType::Int64; PARTS.len() - 1];
    parts.push(DataType::Float64);
    let compute = Arc::new(make_scalar_function(intervals, Vec::new()));
    session.register_udf(create_udf(
        MAKE_INTERVAL,
        parts,
        INTERVAL,
        Volatility::Immutable,
        compute,
    ));
    for justified in [Justified::Hours, Justified::Days, Justified::Interval] {
        let signature = Signature::user_defined(Volatility::Immutable);
        session.register_udf(ScalarUDF::from(Justify { justified, signature }));
    }
}

/// Moves the named arguments of `make_interval` to their positions. `None` for other calls, and if
/// an argument is repeated or unknown.
pub fn made(called: &Expr) -> Option<Expr> {
    let Expr::Function(function) = called else { return None };
    let is_make_interval = function.name.to_string().eq_ignore_ascii_case(MAKE_INTERVAL);
    let FunctionArguments::List(given) = &function.args else { return None };
    if !is_make_interval || given.args.len() > PARTS.len() {
        return None;
    }
    let mut parts = [const { None }; PARTS.len()];
    for (place, argument) in given.args.iter().enumerate() {
        let (place, part) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => (place, part),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(part), .. } => {
                (self::place(&name.value)?, part)
            }
            FunctionArg::ExprNamed { name, arg: FunctionArgExpr::Expr(part), .. } => {
                (self::place(&name.to_string())?, part)
            }
            _ => return None,
        };
        if parts[place].replace(part.clone()).is_some() {
            return None;
        }
    }
    Some(call(MAKE_INTERVAL, parts.map(|part| part.unwrap_or_else(|| number(0)))))
}

fn place(part: &str) -> Option<usize> {
    PARTS.iter().position(|known| known.eq_ignore_ascii_case(part))
}

fn out_of_range() -> DataFusionError {
    errors::error(Fault::OutOfRange, "interval out of range")
}

/// Intervals from their fields.
fn intervals(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let (seconds, parts) = arrays.split_last().ok_or_else(out_of_range)?;
    let seconds = seconds.as_primitive::<Float64Type>();
    let parts: Vec<_> = parts.iter().map(|part| part.as_primitive::<Int64Type>()).collect();
    let intervals = (0..seconds.len()).map(|row| {
        if seconds.is_null(row) || parts.iter().any(|part| part.is_null(row)) {
            return Ok(None);
        }
        let part = |at: usize| parts[at].value(row);
        let made = interval([0, 1, 2, 3, 4, 5].map(part), seconds.value(row));
        made.ok_or_else(out_of_range).map(Some)
    });
    Ok(Arc::new(intervals.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

/// Builds an interval from its fields; `None` if they do not fit.
fn interval(parts: [i64; 6], seconds: f64) -> Option<IntervalMonthDayNano> {
    let [years, months, weeks, days, hours, minutes] = parts;
    let months = years.checked_mul(12)?.checked_add(months)?;
    let days = weeks.checked_mul(7)?.checked_add(days)?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    let seconds_us = (seconds * 1e6).round_ties_even();
    if seconds_us.is_nan() || seconds_us.abs() >= i64::MAX as f64 {
        return None;
    }
    let time_us = minutes.checked_mul(60_000_000)?.checked_add(seconds_us as i64)?;
    fields(months, days, time_us)
}

fn fields(months: i64, days: i64, time_us: i64) -> Option<IntervalMonthDayNano> {
    let (months, days) = (i32::try_from(months).ok()?, i32::try_from(days).ok()?);
    Some(IntervalMonthDayNano::new(months, days, time_us.checked_mul(1_000)?))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Justified {
    /// 24 hours become a day.
    Hours,
    /// 30 days become a month.
    Days,
    Interval,
}

/// Normalises an interval to larger units, with fields of one sign.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Justify {
    justified: Justified,
    signature: Signature,
}

impl ScalarUDFImpl for Justify {
    fn name(&self) -> &str {
        match self.justified {
            Justified::Hours => "justify_hours",
            Justified::Days => "justify_days",
            Justified::Interval => "justify_interval",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Duration(_)] => Ok(vec![DataType::Duration(TimeUnit::Microsecond)]),
            [DataType::Interval(_) | DataType::Null] => Ok(vec![INTERVAL]),
            _ => {
                let sentence = format!("{} takes an interval", self.name());
                Err(errors::error(Fault::UnknownFunction, sentence))
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let justify = |months: i64, days: i64, time_us: i64| {
            justified(self.justified, months, days, time_us).ok_or_else(out_of_range)
        };
        let justified = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
            let intervals: IntervalMonthDayNanoArray = match arrays[0].data_type() {
                // A duration already has whole days.
                DataType::Duration(_) => {
                    let differences = arrays[0].as_primitive::<DurationMicrosecondType>().iter();
                    let each = |us: i64| justify(0, us / DAY_US, us % DAY_US);
                    differences.map(|us| us.map(each).transpose()).collect::<Result<_>>()?
                }
                _ => {
                    let intervals = cast(&arrays[0], &INTERVAL)?;
                    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter();
                    let each = |of: IntervalMonthDayNano| {
                        justify(of.months.into(), of.days.into(), of.nanoseconds / 1_000)
                    };
                    intervals.map(|of| of.map(each).transpose()).collect::<Result<_>>()?
                }
            };
            Ok(Arc::new(intervals))
        };
        make_scalar_function(justified, Vec::new())(&args.args)
    }
}

/// Returns `None` if the fields do not fit.
fn justified(
    how: Justified,
    mut months: i64,
    mut days: i64,
    mut time_us: i64,
) -> Option<IntervalMonthDayNano> {
    if how != Justified::Days {
        (days, time_us) = (days + time_us / DAY_US, time_us % DAY_US);
    }
    if how != Justified::Hours {
        (months, days) = (months + days / MONTH_DAYS, days % MONTH_DAYS);
        // With zero days the sign comes from the time, and only if hours are justified too.
        let rest = match how {
            Justified::Interval if days == 0 => time_us.signum(),
            _ => days.signum(),
        };
        if months.signum() * rest < 0 {
            (months, days) = (months + rest, days - rest * MONTH_DAYS);
        }
    }
    if how != Justified::Days && days.signum() * time_us.signum() < 0 {
        let rest = time_us.signum();
        (days, time_us) = (days + rest, time_us - rest * DAY_US);
    }
    fields(months, days, time_us)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;
    use crate::rules::calendar::HOUR_US;

    #[track_caller]
    fn check(how: Justified, of: (i64, i64, i64), expected: (i64, i64, i64)) {
        let found = justified(how, of.0, of.1, of.2 * HOUR_US);
        assert_eq!(found, fields(expected.0, expected.1, expected.2 * HOUR_US));
    }

    #[test]
    fn an_interval_is_justified_as_in_postgres() {
        check(Justified::Hours, (0, 0, 27), (0, 1, 3));
        check(Justified::Hours, (0, 1, -1), (0, 0, 23));
        check(Justified::Hours, (0, -1, 25), (0, 0, 1));
        check(Justified::Hours, (1, 40, 24), (1, 41, 0));
        check(Justified::Days, (0, 35, 30), (1, 5, 30));
        check(Justified::Days, (1, -1, 5), (0, 29, 5));
        check(Justified::Interval, (1, 0, -1), (0, 29, 23));
        check(Justified::Interval, (0, 29, 49), (1, 1, 1));
        check(Justified::Interval, (-1, 1, 0), (0, -29, 0));
        check(Justified::Interval, (0, 0, -49), (0, -2, -1));
    }

    #[test]
    fn an_interval_is_made_of_its_parts() {
        let expected = fields(14, 22, 3_723_500_000);
        assert_eq!(interval([1, 2, 3, 1, 1, 2], 3.5), expected);
        assert_eq!(interval([i64::MAX, 0, 0, 0, 0, 0], 0.0), None);
        assert_eq!(interval([0; 6], f64::NAN), None);
    }

    #[track_caller]
    fn is_make_interval(said: &str, expected: Option<&str>) {
        let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(said).unwrap();
        let called = parser.parse_expr().unwrap();
        assert_eq!(made(&called).map(|call| call.to_string()).as_deref(), expected, "{said}");
    }

    #[test]
    fn parts_have_names_and_places() {
        is_make_interval("make_interval(1, 2)", Some("make_interval(1, 2, 0, 0, 0, 0, 0)"));
        is_make_interval(
            "make_interval(days => 1, secs => 1.5)",
            Some("make_interval(0, 0, 0, 1, 0, 0, 1.5)"),
        );
        is_make_interval("make_interval(1, years => 2)", None);
        is_make_interval("make_interval(fortnights => 2)", None);
        is_make_interval("make_date(1, 2, 3)", None);
    }
}
