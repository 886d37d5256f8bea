//! Arithmetic of dates, intervals and durations with PostgreSQL's semantics: `date + interval` is a
//! timestamp, an interval can be multiplied by a number, and unsigned numbers may become negative.
//!
//! The engine resolves the types of an expression during planning, so this is an `ExprPlanner`.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, IntervalMonthDayNano, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{BinaryExpr, Cast};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::interval::{MONTH_DAY_NANO, function_of_columns, intervals, is_interval};
use super::interval_literals::read;
use super::interval_parser::parse;
use crate::error::Fault;
use crate::sql::errors;

#[derive(Debug)]
pub struct Arithmetic;

impl ExprPlanner for Arithmetic {
    fn plan_binary_op(
        &self,
        mut raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Minus, Multiply, Plus};
        let kinds = (raw.left.get_type(schema), raw.right.get_type(schema));
        let (Ok(left), Ok(right)) = kinds else { return Ok(PlannerResult::Original(raw)) };
        let (left, right) = (read_text(&mut raw.left, left, &right, &raw.op)?, right);
        let right = read_text(&mut raw.right, right, &left, &raw.op)?;
        let planned = match raw.op {
            Plus | Minus if is_date(&left) && is_interval(&right) => {
                raw.left = at_midnight(raw.left);
                PlannerResult::Original(raw)
            }
            Plus if is_interval(&left) && is_date(&right) => {
                raw.right = at_midnight(raw.right);
                PlannerResult::Original(raw)
            }
            Plus | Minus if is_difference(&left) && is_of_fields(&right) => {
                raw.left = scaled(Scale::Times, raw.left, lit(1.0));
                PlannerResult::Original(raw)
            }
            Plus | Minus if is_of_fields(&left) && is_difference(&right) => {
                raw.right = scaled(Scale::Times, raw.right, lit(1.0));
                PlannerResult::Original(raw)
            }
            Multiply if is_interval(&left) && right.is_numeric() => {
                PlannerResult::Planned(scaled(Scale::Times, raw.left, raw.right))
            }
            Multiply if left.is_numeric() && is_interval(&right) => {
                PlannerResult::Planned(scaled(Scale::Times, raw.right, raw.left))
            }
            Divide if is_interval(&left) && right.is_numeric() => {
                PlannerResult::Planned(scaled(Scale::Over, raw.left, raw.right))
            }
            Plus | Minus | Multiply
                if left.is_integer()
                    && right.is_integer()
                    && (left.is_unsigned_integer() || right.is_unsigned_integer()) =>
            {
                let op = match raw.op {
                    Plus => Operator::Plus,
                    Minus => Operator::Minus,
                    _ => Operator::Multiply,
                };
                let [left, right] = [raw.left, raw.right].map(signed);
                PlannerResult::Planned(Expr::BinaryExpr(BinaryExpr {
                    left: Box::new(left),
                    op,
                    right: Box::new(right),
                }))
            }
            _ => PlannerResult::Original(raw),
        };
        Ok(planned)
    }
}

/// Parses a constant text as an interval if it is added to or compared with one, or added to an
/// instant; and as a time if it is subtracted from a time or vice versa.
fn read_text(
    expr: &mut Expr,
    kind: DataType,
    beside: &DataType,
    op: &BinaryOperator,
) -> Result<DataType> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, Minus, NotEq, Plus};
    let Expr::Literal(value, _) = &*expr else { return Ok(kind) };
    let Some(text) = value.try_as_str().flatten() else { return Ok(kind) };
    if let (Minus, DataType::Timestamp(..)) = (op, beside) {
        if text.contains(char::is_alphabetic) && parse(text).is_some() {
            let sentence =
                format!("'{text}' beside - is read as an instant; expected INTERVAL '{text}'");
            return Err(errors::error(Fault::Value, sentence));
        }
        *expr = Expr::Cast(Cast::new(Box::new(expr.clone()), beside.clone()));
        return Ok(beside.clone());
    }
    let interval = match op {
        // The engine might parse the text as an instant.
        Plus if matches!(beside, DataType::Timestamp(..)) => parse(text),
        Plus | Minus if is_interval(beside) => parse(text),
        Eq | NotEq | Lt | LtEq | Gt | GtEq if is_interval(beside) => Some(read(text)?),
        _ => None,
    };
    let Some(interval) = interval else { return Ok(kind) };
    *expr = lit(ScalarValue::IntervalMonthDayNano(Some(interval)));
    Ok(MONTH_DAY_NANO)
}

fn is_date(kind: &DataType) -> bool {
    matches!(kind, DataType::Date32 | DataType::Date64)
}

fn is_difference(kind: &DataType) -> bool {
    matches!(kind, DataType::Duration(_))
}

fn is_of_fields(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_))
}

fn at_midnight(date: Expr) -> Expr {
    let kind = DataType::Timestamp(TimeUnit::Microsecond, None);
    Expr::Cast(Cast::new(Box::new(date), kind))
}

fn signed(number: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(number), DataType::Int64))
}

fn scaled(scale: Scale, interval: Expr, by: Expr) -> Expr {
    static TIMES: LazyLock<ScalarUDF> = LazyLock::new(|| {
        let compute = |columns: &[ArrayRef]| all_scaled(Scale::Times, columns);
        function_of_columns("interval_times", 2, MONTH_DAY_NANO, compute)
    });
    static OVER: LazyLock<ScalarUDF> = LazyLock::new(|| {
        let compute = |columns: &[ArrayRef]| all_scaled(Scale::Over, columns);
        function_of_columns("interval_over", 2, MONTH_DAY_NANO, compute)
    });
    let by = Expr::Cast(Cast::new(Box::new(by), DataType::Float64));
    let function = match scale {
        Scale::Times => &TIMES,
        Scale::Over => &OVER,
    };
    function.call(vec![interval, by])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scale {
    Times,
    Over,
}

impl Scale {
    fn apply(self, value: f64, by: f64) -> f64 {
        match self {
            Self::Times => value * by,
            Self::Over => value / by,
        }
    }
}

/// Multiplies or divides a column of intervals or durations by one of numbers.
fn all_scaled(how: Scale, columns: &[ArrayRef]) -> Result<ArrayRef> {
    let numbers = cast(&columns[1], &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let rows = intervals(&columns[0])?.into_iter().zip(numbers);
    let scaled = rows.map(|(interval, by)| match (interval, by) {
        (Some(interval), Some(by)) => scale(how, interval, by).map(Some),
        _ => Ok(None),
    });
    let scaled = scaled.collect::<Result<IntervalMonthDayNanoArray>>()?;
    debug_assert_eq!(scaled.len(), columns[0].len());
    Ok(Arc::new(scaled))
}

fn scale(scale: Scale, of: IntervalMonthDayNano, by: f64) -> Result<IntervalMonthDayNano> {
    if scale == Scale::Over && by == 0.0 {
        return Err(errors::error(Fault::DivisionByZero, "division by zero"));
    }
    if by == 1.0 {
        return Ok(of);
    }
    settled(
        scale.apply(f64::from(of.months), by),
        scale.apply(f64::from(of.days), by),
        scale.apply(of.nanoseconds as f64 / 1e3, by),
    )
}

/// Divides sums of months, days and microseconds by a number.
///
/// # Errors
/// Fails if the result does not fit an interval.
pub fn divided(months: f64, days: f64, time_us: f64, by: f64) -> Result<IntervalMonthDayNano> {
    settled(months / by, days / by, time_us / by)
}

/// Carries fractions of months to days (30 to a month) and fractions of days to time, like
/// PostgreSQL's `interval_mul`.
fn settled(months: f64, days: f64, time_us: f64) -> Result<IntervalMonthDayNano> {
    const DAY_SECONDS: f64 = 86_400.0;
    // Rounded to microseconds, as decimal fractions have no exact binary form.
    let settled = |value: f64| (value * 1e6).round_ties_even() / 1e6;
    let of_months = settled(months.fract() * 30.0);
    let seconds = settled((days.fract() + of_months.fract()) * DAY_SECONDS);
    let days = days.trunc() + of_months.trunc() + (seconds / DAY_SECONDS).trunc();
    let time_us = time_us + seconds % DAY_SECONDS * 1e6;
    let fits = |value: f64, max: f64| value.is_finite() && value.abs() <= max;
    let is_interval = fits(months, f64::from(i32::MAX))
        && fits(days, f64::from(i32::MAX))
        && fits(time_us, (i64::MAX / 1_000) as f64);
    match is_interval {
        true => Ok(IntervalMonthDayNano::new(
            months.trunc() as i32,
            days as i32,
            (time_us.round_ties_even() as i64).saturating_mul(1_000),
        )),
        false => Err(errors::error(Fault::OutOfRange, "interval out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    const HOUR_NS: i64 = 3_600_000_000_000;

    #[track_caller]
    fn check(
        (months, days, nanoseconds): (i32, i32, i64),
        by: (Scale, f64),
        (of_months, of_days, of_time): (i32, i32, i64),
    ) {
        let of = IntervalMonthDayNano::new(months, days, nanoseconds);
        let expected = IntervalMonthDayNano::new(of_months, of_days, of_time);
        assert_eq!(scale(by.0, of, by.1).unwrap(), expected);
    }

    #[test]
    fn an_interval_is_scaled_as_in_postgres() {
        check((0, 1, 0), (Scale::Times, 1.5), (0, 1, 12 * HOUR_NS));
        check((0, 1, 0), (Scale::Over, 2.0), (0, 0, 12 * HOUR_NS));
        check((1, 0, 0), (Scale::Over, 2.0), (0, 15, 0));
        check((1, 1, HOUR_NS), (Scale::Times, -2.0), (-2, -2, -2 * HOUR_NS));
        check((14, 0, 0), (Scale::Times, 0.5), (7, 0, 0));
        check((0, 3, 21 * HOUR_NS), (Scale::Times, 2.0), (0, 6, 42 * HOUR_NS));
        check((0, 0, HOUR_NS), (Scale::Over, 3.0), (0, 0, 1_200_000_000_000));
        let long = IntervalMonthDayNano::new(i32::MAX, 0, 0);
        assert!(scale(Scale::Times, long, 2.0).is_err());
        assert!(scale(Scale::Times, long, f64::NAN).is_err());
        assert!(scale(Scale::Over, long, 0.0).is_err());
    }

    /// When this fails, remove that part of [`Arithmetic`].
    #[test]
    fn the_engine_still_drops_hours_and_multiplies_no_interval() {
        let day = answer("SELECT DATE '2023-01-24' + INTERVAL '9 hours'");
        assert_eq!(day.as_deref(), Ok("2023-01-24"));
        assert!(answer("SELECT 2 * INTERVAL '1 day'").is_err());
    }
}
