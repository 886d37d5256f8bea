//! Refuses `first_value()` and related functions without an argument, which make the planner panic.
//!
//! Upstream: `datafusion-functions-window`, `nth_value.rs`, as of 55.2.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{Expr, Statement, Visit as _, Visitor};

use super::into_result;
use crate::error::Fault;
use crate::sql::dialect::ast_nodes::called;
use crate::sql::errors;

/// Checks that window functions of a value have one.
///
/// # Errors
/// Fails if a function lacks its argument.
pub fn check_arguments(statement: &Statement) -> Result<()> {
    into_result(statement.visit(&mut Calls))
}

struct Calls;

impl Visitor for Calls {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<DataFusionError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        match called(function) {
            Some((name, arguments))
                if arguments.is_empty()
                    && matches!(&*name, "first_value" | "last_value" | "nth_value") =>
            {
                let sentence = format!("{name} takes a value, as in {name}(a) OVER (ORDER BY b)");
                ControlFlow::Break(errors::error(Fault::UnknownFunction, sentence))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parsed, raw};
    use super::*;
    use datafusion::sql::parser;

    #[tokio::test]
    #[should_panic(expected = "index out of bounds")]
    async fn the_engine_still_panics_for_want_of_a_value() {
        raw("SELECT first_value() OVER () FROM (SELECT 1) AS t").await;
    }

    #[test]
    fn a_value_is_asked_for() {
        for (said, is_complete) in [
            ("SELECT first_value() OVER () FROM t", false),
            ("SELECT LAST_VALUE() OVER () FROM t", false),
            ("SELECT first_value(a) OVER () FROM t", true),
            ("SELECT row_number() OVER () FROM t", true),
        ] {
            let parser::Statement::Statement(statement) = parsed(said) else { panic!("{said}") };
            assert_eq!(check_arguments(&statement).is_ok(), is_complete, "{said}");
        }
    }
}
