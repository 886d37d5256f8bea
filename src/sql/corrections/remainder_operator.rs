//! `%` is exact for decimal literals, and an error if the divisor is zero.
//!
//! The engine reads `123456789.123456789` as a double, which loses digits, and returns NaN for a
//! double modulo zero. It also returns zero for any decimal modulo one, as if it were an integer.
//! Decimal literals beside `%` become decimals in the statement; calls of [`Remainder`] replace the
//! operator after type coercion.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::kernels::numeric::rem;
use arrow::compute::try_binary;
use arrow::datatypes::{
    ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Field, FieldRef, Float32Type, Float64Type,
};
use arrow::error::ArrowError;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType as SqlType, ExactNumberInfo, Expr as SqlExpr, Statement,
    UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::interval::by_columns;
use crate::sql::dialect::ast_nodes::{cast, text};

/// Converts decimal literals beside `%` to decimals.
pub fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Decimals);
}

struct Decimals;

impl VisitorMut for Decimals {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::BinaryOp { left, op: BinaryOperator::Modulo, right } = expr {
            exact(left);
            exact(right);
        }
        ControlFlow::Continue(())
    }
}

fn exact(operand: &mut SqlExpr) {
    match operand {
        SqlExpr::Nested(inner) | SqlExpr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            exact(inner);
        }
        SqlExpr::Value(value) => {
            if let Value::Number(written, _) = &value.value
                && let Some(decimal) = decimal(written)
            {
                *operand = decimal;
            }
        }
        _ => {}
    }
}

/// Decimal literal with a point and without exponent; `None` for other numbers, and for more digits
/// than a decimal holds.
fn decimal(written: &str) -> Option<SqlExpr> {
    const DIGITS_MAX: usize = 38;
    let (whole, fraction) = written.split_once('.')?;
    let is_digits = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    let digits = (whole.len() + fraction.len()).max(1);
    if !is_digits(whole) || !is_digits(fraction) || digits > DIGITS_MAX {
        return None;
    }
    let size = ExactNumberInfo::PrecisionAndScale(digits as u64, fraction.len() as i64);
    Some(cast(text(written), SqlType::Numeric(size)))
}

/// Replaces `%` of doubles and decimals by [`Remainder`].
pub fn postgres_remainder(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_real = |expr: &Expr| {
        let kind = expr.get_type(schema);
        kind.is_ok_and(|kind| kind.is_floating() || kind.is_decimal())
    };
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Modulo, right })
            if is_real(&left) && is_real(&right) =>
        {
            let signature = Signature::any(2, Volatility::Immutable);
            let remainder = ScalarUDF::from(Remainder { signature });
            Transformed::yes(remainder.call(vec![*left, *right]))
        }
        expr => Transformed::no(expr),
    })
}

/// Remainder of two doubles of one type or of two decimals, with the sign of the dividend.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Remainder {
    signature: Signature,
}

impl ScalarUDFImpl for Remainder {
    fn name(&self) -> &str {
        "remainder"
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} % {}", args[0], args[1]))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{} % {}", args[0].schema_name(), args[1].schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        BinaryTypeCoercer::new(&given[0], &Operator::Modulo, &given[1]).get_result_type()
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let given = args.arg_fields.iter().map(|field| field.data_type().clone());
        let kind = self.return_type(&given.collect::<Vec<_>>())?;
        Ok(Arc::new(Field::new(self.name(), kind, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_columns(&args, |columns| {
            Ok(match columns[0].data_type() {
                DataType::Float64 => double_remainders::<Float64Type>(columns)?,
                DataType::Float32 => double_remainders::<Float32Type>(columns)?,
                _ => rem(&columns[0], &columns[1])?,
            })
        })
    }
}

fn double_remainders<T: ArrowPrimitiveType>(columns: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let [left, right] = [0, 1].map(|at| columns[at].as_primitive::<T>());
    let rests: PrimitiveArray<T> = try_binary(left, right, |left: T::Native, right: T::Native| {
        match right == T::Native::ZERO {
            true => Err(ArrowError::DivideByZero),
            false => Ok(left.mod_wrapping(right)),
        }
    })?;
    Ok(Arc::new(rests))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    #[track_caller]
    fn check(said: &str, meant: &str) {
        let said = format!("SELECT {said}");
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, &said).unwrap().remove(0);
        rewrite(&mut statement);
        assert_eq!(statement.to_string(), format!("SELECT {meant}"));
    }

    #[test]
    fn a_number_with_a_point_beside_a_remainder_is_exact() {
        check("5.5 % x", "CAST('5.5' AS NUMERIC(2,1)) % x");
        check("7 % 02.250", "7 % CAST('02.250' AS NUMERIC(4,3))");
        check("(-.5) % 1e2 + 1.5", "(-CAST('.5' AS NUMERIC(1,1))) % 1e2 + 1.5");
        check("1.5e2 % 2", "1.5e2 % 2");
        check("1.5 * 2", "1.5 * 2");
    }

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_loses_digits_and_divides_by_zero() {
        let rest = answer("SELECT 123456789.123456789 % 1");
        assert_eq!(rest.as_deref(), Ok("0.12345679104328156"));
        assert_eq!(answer("SELECT 5.5 % 0").as_deref(), Ok("NaN"));
        let by_one =
            "SELECT coalesce(x, 7.5::numeric(3, 1)) % 1 FROM (VALUES (1.5::numeric(3, 1))) AS t(x)";
        assert_eq!(answer(by_one).as_deref(), Ok("0.0"));
    }
}
