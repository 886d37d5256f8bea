//! Integer overflow is an error; the engine's `+`, `-` and `*` wrap.
//!
//! Calls of [`Checked`] replace the operators after type coercion.

use std::sync::Arc;

use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::physical_expr_common::datum::apply;

use super::integer_sums;
use crate::error::Fault;
use crate::sql::errors;

/// Replaces integer operators by [`Checked`] and sums by ones that do not wrap.
pub fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
                && is_integer(&left, schema)
                && is_integer(&right, schema) =>
        {
            Transformed::yes(call(op, *left, *right))
        }
        Expr::Negative(negated) if is_integer(&negated, schema) => {
            let zero = ScalarValue::new_zero(&negated.get_type(schema)?)?;
            Transformed::yes(call(Operator::Minus, lit(zero), *negated))
        }
        Expr::AggregateFunction(call) => integer_sums::checked(call, schema)?,
        Expr::WindowFunction(call) => integer_sums::checked_window(*call, schema)?,
        expr => Transformed::no(expr),
    })
}

pub fn is_integer(expr: &Expr, schema: &DFSchema) -> bool {
    // Determining its type would recurse through all nested calls and build a name for each.
    if let Expr::ScalarFunction(call) = expr
        && call.func.inner().is::<Checked>()
    {
        return true;
    }
    expr.get_type(schema).is_ok_and(|kind| kind.is_signed_integer())
}

fn call(op: Operator, left: Expr, right: Expr) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::from(Checked { op, signature }).call(vec![left, right])
}

/// Checked operator of two integers of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "add_in_range",
            Operator::Minus => "subtract_in_range",
            _ => "multiply_in_range",
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} {} {}", args[0], self.op, args[1]))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} {} {}", args[0].schema_name(), self.op, args[1].schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let kind = args.arg_fields[0].data_type().clone();
        Ok(Arc::new(Field::new(self.name(), kind, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let compute = match self.op {
            Operator::Plus => add,
            Operator::Minus => sub,
            _ => mul,
        };
        let made = apply(&args.args[0], &args.args[1], compute);
        made.map_err(|error| out_of_range(error, args.return_field.data_type()))
    }
}

/// Translates the engine's overflow error to one that names the type; returns other errors
/// unchanged.
pub fn out_of_range(error: DataFusionError, kind: &DataType) -> DataFusionError {
    let DataFusionError::ArrowError(cause, _) = &error else { return error };
    let ArrowError::ArithmeticOverflow(words) = &**cause else { return error };
    let computed = words.rsplit(": ").next().unwrap_or_default();
    errors::error(Fault::OutOfRange, format!("{} out of range: {computed}", name_of(kind)))
}

/// PostgreSQL's name of an integer type.
pub fn name_of(kind: &DataType) -> &'static str {
    match kind {
        DataType::Int64 => "bigint",
        DataType::Int16 => "smallint",
        DataType::Int8 => "tinyint",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        _ => "integer",
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove [`super::checked`].
    #[test]
    fn the_engine_still_wraps() {
        let wrapped = answer("SELECT 9223372036854775807 + 1");
        assert_eq!(wrapped.as_deref(), Ok("-9223372036854775808"));
    }
}
