//! `-x` of durations and of unsigned numbers, which the engine's planner rejects.
//!
//! The planner resolves types during planning, so [`Negated`] replaces the sign in the statement.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::compute::cast;
use arrow::compute::kernels::numeric::neg;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Statement, UnaryOperator, VisitMut, VisitorMut,
};

use super::integer_overflow::out_of_range;
use super::interval::{by_columns, is_interval};
use crate::error::Fault;
use crate::sql::dialect::ast_nodes::call;
use crate::sql::errors;

pub const NEGATED: &str = "negated";

pub fn register(session: &SessionContext) {
    let signature = Signature::any(1, Volatility::Immutable);
    session.register_udf(ScalarUDF::from(Negated { signature }));
}

/// Replaces the sign by [`Negated`] if the type of the operand is not evident from the syntax.
pub fn rewrite(statement: &mut Statement) {
    let _ = statement.visit(&mut Signs);
}

struct Signs;

impl VisitorMut for Signs {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::UnaryOp { op: UnaryOperator::Minus, expr: inner } = expr
            && has_unknown_type(inner)
        {
            *expr = call(NEGATED, [(**inner).clone()]);
        }
        ControlFlow::Continue(())
    }
}

fn has_unknown_type(expr: &SqlExpr) -> bool {
    match expr {
        SqlExpr::Nested(inner) => has_unknown_type(inner),
        SqlExpr::Identifier(_)
        | SqlExpr::CompoundIdentifier(_)
        | SqlExpr::Function(_)
        | SqlExpr::BinaryOp { .. } => true,
        _ => false,
    }
}

/// Negates numbers, intervals and durations; unsigned numbers become `bigint`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Negated {
    signature: Signature,
}

impl ScalarUDFImpl for Negated {
    fn name(&self) -> &str {
        NEGATED
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("(- {})", args[0]))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("(- {})", args[0].schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match &given[0] {
            kind if kind.is_unsigned_integer() => Ok(DataType::Int64),
            kind if kind.is_numeric() || is_interval(kind) || kind.is_null() => Ok(kind.clone()),
            _ => {
                let sentence = "there is no - of such a value; expected a number or an interval";
                Err(errors::error(Fault::UnknownFunction, sentence))
            }
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let kind = self.return_type(&[args.arg_fields[0].data_type().clone()])?;
        Ok(Arc::new(Field::new(self.name(), kind, args.arg_fields[0].is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kind = args.return_type();
        if kind.is_null() {
            return Ok(args.args[0].clone());
        }
        let negated = by_columns(&args, |columns| Ok(neg(&cast(&columns[0], kind)?)?));
        negated.map_err(|error| out_of_range(error, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected};
    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    fn rewritten(statement: &mut Statement) -> Result<()> {
        rewrite(statement);
        Ok(())
    }

    #[test]
    fn a_sign_before_what_may_be_a_difference_is_a_call() {
        let called = "SELECT negated((a - b)), negated(f(x)), negated(t.a)";
        check(rewritten, "SELECT -(a - b), -f(x), -t.a", called);
        let constant = "SELECT -1, -(2.5), -INTERVAL '1 day'";
        check(rewritten, constant, constant);
    }

    #[tokio::test]
    async fn a_difference_has_an_opposite() {
        let negated = "SELECT date_part('day', -(TIMESTAMP '2023-01-02' - TIMESTAMP '2023-01-01'))";
        assert_eq!(corrected(negated).await, "-1");
        assert_eq!(corrected("SELECT -row_number() OVER ()").await, "-1");
    }

    /// When this fails, remove this file.
    #[test]
    fn the_engine_still_negates_no_difference() {
        assert!(answer("SELECT -(TIMESTAMP '2023-01-02' - TIMESTAMP '2023-01-01')").is_err());
    }
}
