//! Casts to integers round, as in PostgreSQL and DuckDB: decimals half away from zero, doubles half
//! to even. The engine truncates.
//!
//! A decimal literal is a double to the engine and a decimal to PostgreSQL. Doubles therefore round
//! like decimals, unless an expression is evidently double: cast to one, or computed with one.
//! Columns of doubles cannot be distinguished and round like decimals.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions::math::expr_fn::round;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, TryCast};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};

use super::interval::{MONTH_DAY_NANO, function_of_columns};
use super::interval_literals::READ_INTERVAL;
use super::negation::NEGATED;

/// Rewrites a cast with PostgreSQL's semantics. Applied before type coercion, when all casts are
/// explicit.
pub fn postgres_cast(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, field) = match &expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => (expr, field),
        _ => return Ok(Transformed::no(expr)),
    };
    let Ok(kind) = inner.get_type(schema) else { return Ok(Transformed::no(expr)) };
    if kind.is_string() && matches!(field.data_type(), DataType::Interval(_)) {
        return Ok(Transformed::yes(READ_INTERVAL.call(vec![(**inner).clone()])));
    }
    if matches!(kind, DataType::Time32(_) | DataType::Time64(_))
        && matches!(field.data_type(), DataType::Interval(_))
    {
        return Ok(Transformed::yes(since_midnight((**inner).clone())));
    }
    if !field.data_type().is_integer() {
        return Ok(Transformed::no(expr));
    }
    let rounded = match kind {
        DataType::Float32 | DataType::Float64 if is_rounded(inner) => None,
        DataType::Float32 | DataType::Float64 if is_double(inner, schema) => {
            static TO_EVEN: LazyLock<ScalarUDF> = LazyLock::new(|| {
                function_of_columns("round_to_even", 1, DataType::Float64, rounded_to_even)
            });
            Some(TO_EVEN.call(vec![(**inner).clone()]))
        }
        DataType::Float32 | DataType::Float64 => Some(round(vec![(**inner).clone()])),
        DataType::Decimal128(precision, scale) if scale > 0 => {
            let whole = DataType::Decimal128(precision.saturating_add(1).min(38), 0);
            Some(Expr::Cast(Cast::new(inner.clone(), whole)))
        }
        DataType::Decimal256(precision, scale) if scale > 0 => {
            let whole = DataType::Decimal256(precision.saturating_add(1).min(76), 0);
            Some(Expr::Cast(Cast::new(inner.clone(), whole)))
        }
        _ => None,
    };
    let Some(rounded) = rounded else { return Ok(Transformed::no(expr)) };
    let rounded = Box::new(rounded);
    Ok(Transformed::yes(match &expr {
        Expr::TryCast(cast) => Expr::TryCast(TryCast { expr: rounded, field: cast.field.clone() }),
        _ => Expr::Cast(Cast { expr: rounded, field: Arc::clone(field) }),
    }))
}

/// Converts a time of day to an interval, a cast that the engine lacks.
fn since_midnight(time: Expr) -> Expr {
    let steps = [
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Int64,
        DataType::Duration(TimeUnit::Nanosecond),
        MONTH_DAY_NANO,
    ];
    steps.into_iter().fold(time, |time, step| Expr::Cast(Cast::new(Box::new(time), step)))
}

fn function_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::ScalarFunction(call) => Some(call.func.name()),
        _ => None,
    }
}

fn is_rounded(expr: &Expr) -> bool {
    let name = function_of(expr);
    name.is_some_and(|name| matches!(name, "round" | "round_to_even" | "floor" | "ceil"))
}

/// Returns whether PostgreSQL also types the expression as double: cast to one, computed with one,
/// or returned by a function of doubles.
fn is_double(expr: &Expr, schema: &DFSchema) -> bool {
    let is_double = |expr: &Expr| is_double(expr, schema);
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            field.data_type().is_floating()
        }
        Expr::Negative(inner) => is_double(inner),
        Expr::Alias(named) => is_double(&named.expr),
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => is_double(left) || is_double(right),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then);
            results.chain(&case.else_expr).any(|result| is_double(result))
        }
        Expr::ScalarFunction(call) => match call.func.name() {
            "cbrt" | "random" => true,
            // With decimal arguments these return decimals.
            "power" | "sqrt" | "exp" | "ln" | "log" | "log10" => {
                let is_whole =
                    |arg: &Expr| arg.get_type(schema).is_ok_and(|kind| kind.is_integer());
                call.args.iter().any(is_double) || call.args.iter().all(is_whole)
            }
            "abs" | NEGATED | "coalesce" | "greatest" | "least" | "nullif" => {
                call.args.iter().any(is_double)
            }
            _ => false,
        },
        _ => false,
    }
}

fn rounded_to_even(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let reals = cast(&columns[0], &DataType::Float64)?;
    let rounded = reals.as_primitive::<Float64Type>();
    Ok(Arc::new(rounded.unary::<_, Float64Type>(f64::round_ties_even)))
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_drops_the_fraction() {
        assert_eq!(answer("SELECT 2.7::int").as_deref(), Ok("2"));
        assert!(answer("SELECT TIME '04:05:06'::interval").is_err());
    }
}
