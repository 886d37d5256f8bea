//! Interval texts of PostgreSQL: `'1 day 02:03:04'`, `'P1DT2H'`, `'100'` (seconds).
//!
//! In a cast the engine reads a bare number as months, and supports neither times of day nor ISO
//! 8601. Constants are rewritten in its own syntax; columns are parsed by [`READ_INTERVAL`].

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, Interval, Statement, UnaryOperator, VisitMut, VisitorMut,
};

use super::interval::{MONTH_DAY_NANO, function_of_columns};
use super::interval_parser::parse;
use crate::error::Fault;
use crate::sql::dialect::ast_nodes::{text, text_of};
use crate::sql::errors;

/// Rewrites constant intervals in the syntax of the engine.
///
/// # Errors
/// Fails if a constant is not an interval.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    match statement.visit(&mut Constants) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Constants;

impl VisitorMut for Constants {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let read = match expr {
            Expr::Interval(interval) => parse_interval(interval),
            Expr::Cast { kind, expr: inner, data_type: SqlType::Interval { .. }, .. } => {
                let Some(written) = text_of(inner) else { return ControlFlow::Continue(()) };
                match (read(&written), kind) {
                    (Err(_), CastKind::TryCast | CastKind::SafeCast) => None,
                    (read, _) => Some(read),
                }
            }
            // The engine would apply the sign to the first field only.
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner }
                if matches!(**inner, Expr::Interval(_)) =>
            {
                **inner = Expr::Nested(inner.clone());
                None
            }
            _ => None,
        };
        match read {
            Some(Ok(interval)) => *expr = to_sql(interval),
            Some(Err(error)) => return ControlFlow::Break(error),
            None => {}
        }
        ControlFlow::Continue(())
    }
}

/// Parses `INTERVAL '…'`, optionally with one unit; `None` if it is left to the engine.
fn parse_interval(interval: &Interval) -> Option<Result<IntervalMonthDayNano>> {
    if interval.last_field.is_some() || interval.leading_precision.is_some() {
        return None;
    }
    let written = text_of(&interval.value)?;
    let is_number = written.trim().parse::<f64>().is_ok();
    match &interval.leading_field {
        // The engine also reads seconds here; in a window frame it may be a number of rows.
        None if is_number => None,
        None => Some(read(&written)),
        Some(unit) if is_number => Some(read(&format!("{written} {unit}"))),
        // With more than a number, the unit gives the precision.
        Some(_) => None,
    }
}

fn to_sql(interval: IntervalMonthDayNano) -> Expr {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    Expr::Interval(Interval {
        value: Box::new(text(&format!("{months} mons {days} days {nanoseconds} nanoseconds"))),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// Parses an interval, with an error that quotes the text.
///
/// # Errors
/// Fails if the text is not an interval or does not fit.
pub fn read(written: &str) -> Result<IntervalMonthDayNano> {
    parse(written).ok_or_else(|| {
        let sentence = format!(
            "{written:?} is not an interval; expected one like '1 day 02:30:00' or 'P1DT2H30M'"
        );
        errors::error(Fault::Value, sentence)
    })
}

/// Scalar function that parses texts as intervals.
pub static READ_INTERVAL: LazyLock<ScalarUDF> =
    LazyLock::new(|| function_of_columns("read_interval", 1, MONTH_DAY_NANO, read_column));

fn read_column(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = cast(&columns[0], &DataType::Utf8)?;
    let rows = texts.as_string::<i32>().iter();
    let read = rows.map(|text| text.map(read).transpose());
    Ok(Arc::new(read.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[track_caller]
    fn check(said: &str, meant: &str) {
        let said = format!("SELECT {said}");
        let mut statement = Parser::parse_sql(&GenericDialect {}, &said).unwrap().remove(0);
        rewrite(&mut statement).unwrap();
        assert_eq!(statement.to_string(), format!("SELECT {meant}"));
    }

    #[test]
    fn constants_are_spelled_for_the_engine() {
        let day = "INTERVAL '0 mons 1 days 0 nanoseconds'";
        check("'1 day'::INTERVAL", day);
        check("INTERVAL '1' DAY", day);
        check("CAST('24:00' AS INTERVAL)", "INTERVAL '0 mons 0 days 86400000000000 nanoseconds'");
        check("- INTERVAL '1 day'", &format!("-({day})"));
        check("INTERVAL 1 DAY", "INTERVAL 1 DAY");
        check("INTERVAL '100'", "INTERVAL '100'");
        check("x::INTERVAL", "x::INTERVAL");
        check("TRY_CAST('x' AS INTERVAL)", "TRY_CAST('x' AS INTERVAL)");
    }

    #[test]
    fn a_text_that_is_not_an_interval_is_refused() {
        let mut statement =
            Parser::parse_sql(&GenericDialect {}, "SELECT 'long'::INTERVAL").unwrap().remove(0);
        let error = rewrite(&mut statement).unwrap_err().to_string();
        assert!(error.contains("\"long\" is not an interval; expected one like"), "{error}");
    }

    /// When this fails, remove [`READ_INTERVAL`] and the rewrite of constants.
    #[test]
    fn the_engine_still_reads_a_number_alone_as_months() {
        assert_eq!(answer("SELECT '100'::interval").as_deref(), Ok("100 mons"));
        assert!(answer("SELECT '1 day 02:03:04'::interval").is_err());
    }
}
