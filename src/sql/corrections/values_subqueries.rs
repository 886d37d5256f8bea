//! The engine does not execute subqueries within `VALUES`: such rows are rewritten to selects.
//! `TABLE t` within a query loses its following clauses in the parser, and is refused.
//!
//! Upstream: `datafusion-physical-plan`, scalar subqueries below `VALUES`, as of 55.2; `sqlparser`,
//! `parse_as_table`, as of 0.62.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, Statement, Values,
    Visit as _, VisitMut as _, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::{into_result, unsupported};

/// Maximum number of rows of a `VALUES` with a subquery; a `UNION` nests as deeply as it has rows.
const ROWS_MAX: usize = 100;

/// Rewrites `VALUES` with subqueries to selects.
///
/// # Errors
/// Fails if there are more rows than [`ROWS_MAX`], or if `TABLE` stands within a query.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Bodies))
}

struct Bodies;

impl VisitorMut for Bodies {
    type Break = DataFusionError;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        body(&mut query.body).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }
}

fn body(of: &mut SetExpr) -> Result<()> {
    match of {
        SetExpr::SetOperation { left, right, .. } => {
            body(left)?;
            body(right)
        }
        SetExpr::Values(values) if has_query(values) => {
            *of = selects(values)?;
            Ok(())
        }
        SetExpr::Table(_) => {
            Err(unsupported("TABLE alone is not read here; write SELECT * FROM and the table"))
        }
        _ => Ok(()),
    }
}

fn has_query(values: &Values) -> bool {
    struct Any;
    impl Visitor for Any {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    values.visit(&mut Any).is_break()
}

fn selects(values: &Values) -> Result<SetExpr> {
    if values.rows.len() > ROWS_MAX {
        let sentence = format!("VALUES with a subquery has more than {ROWS_MAX} rows, the limit");
        return Err(unsupported(sentence));
    }
    let shape = Parser::new(&PostgreSqlDialect {}).try_with_sql("SELECT 1")?.parse_query()?;
    let SetExpr::Select(shape) = *shape.body else { return Err(unsupported("VALUES has no rows")) };
    let rows =
        values.rows.iter().map(|row| SetExpr::Select(Box::new(select(&shape, &row.content))));
    let united = rows.reduce(|left, right| SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::All,
        left: Box::new(left),
        right: Box::new(right),
    });
    united.ok_or_else(|| unsupported("VALUES has no rows"))
}

fn select(shape: &Select, row: &[Expr]) -> Select {
    let named = |(at, value): (usize, &Expr)| SelectItem::ExprWithAlias {
        expr: value.clone(),
        alias: Ident::new(format!("column{}", at + 1)),
    };
    Select { projection: row.iter().enumerate().map(named).collect(), ..shape.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected};
    use super::*;
    use datafusion::prelude::SessionContext;

    #[tokio::test]
    async fn the_engine_still_does_not_run_a_subquery_in_values() {
        let planned = SessionContext::new().sql("VALUES ((SELECT 42), 2)").await.unwrap();
        assert!(planned.collect().await.is_err());
    }

    #[tokio::test]
    async fn values_with_a_subquery_are_rows() {
        assert_eq!(corrected("VALUES ((SELECT 42), 2), (1, 3) ORDER BY 1").await, "1 3, 42 2");
        assert_eq!(corrected("SELECT a FROM (VALUES ((SELECT 42))) AS t (a)").await, "42");
        check(rewrite, "VALUES (1), (2)", "VALUES (1), (2)");
    }
}
