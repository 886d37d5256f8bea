//! Integers in `ROLLUP`, `CUBE` and `GROUPING SETS` are positions in the select list, as in `GROUP
//! BY`; the engine treats them as constants there.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Select, SelectItem, Statement, Value, Visit as _, VisitMut as _, Visitor,
    VisitorMut,
};

use super::into_result;
use crate::error::Fault;
use crate::sql::errors;

/// Replaces positions by the expressions that they denote.
///
/// # Errors
/// Fails if a position is out of range or denotes a constant.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Groups))
}

struct Groups;

impl VisitorMut for Groups {
    type Break = DataFusionError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        let GroupByExpr::Expressions(by, _) = &mut select.group_by else {
            return ControlFlow::Continue(());
        };
        for expr in by {
            let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = expr else {
                continue;
            };
            for by in sets.iter_mut().flatten() {
                match select_item_at(by, &select.projection) {
                    Ok(Some(expr)) => *by = expr,
                    Ok(None) => {}
                    Err(error) => return ControlFlow::Break(error),
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Select item at the position that an integer denotes; `None` for other expressions.
fn select_item_at(by: &Expr, items: &[SelectItem]) -> Result<Option<Expr>> {
    let Expr::Value(value) = by else { return Ok(None) };
    let Value::Number(digits, _) = &value.value else { return Ok(None) };
    let Ok(position) = digits.parse::<usize>() else { return Ok(None) };
    match position.checked_sub(1).and_then(|at| items.get(at)) {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
            match has_column(expr) {
                true => Ok(Some(expr.clone())),
                false => {
                    let sentence = format!("position {position} of GROUP BY is that of a constant");
                    Err(errors::error(Fault::NotSupported, sentence + "; expected a column"))
                }
            }
        }
        // An asterisk expands to an unknown number of columns.
        Some(_) => {
            let sentence = "a position in ROLLUP, CUBE or GROUPING SETS is not counted behind *";
            Err(errors::error(Fault::NotSupported, sentence))
        }
        None => {
            let sentence = format!("GROUP BY position {position} is not in the select list");
            Err(errors::error(Fault::Position, sentence))
        }
    }
}

fn has_column(expr: &Expr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Columns).is_break()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_by, is_refused_by};
    use super::*;

    #[test]
    fn a_position_is_the_expression_that_stands_there() {
        for (said, meant) in [
            (
                "SELECT a + 1 AS b, c, count(*) FROM t GROUP BY ROLLUP (1, c)",
                "SELECT a + 1 AS b, c, count(*) FROM t GROUP BY ROLLUP (a + 1, c)",
            ),
            (
                "SELECT a, b, count(*) FROM t GROUP BY CUBE (1, 2)",
                "SELECT a, b, count(*) FROM t GROUP BY CUBE (a, b)",
            ),
            (
                "SELECT a, b FROM t GROUP BY GROUPING SETS ((1, 2), (b), ())",
                "SELECT a, b FROM t GROUP BY GROUPING SETS ((a, b), (b), ())",
            ),
            ("SELECT a FROM t GROUP BY 1", "SELECT a FROM t GROUP BY 1"),
        ] {
            check_by(rewrite, said, meant);
        }
    }

    #[test]
    fn positions_beyond_the_list_are_refused() {
        for said in [
            "SELECT a FROM t GROUP BY ROLLUP (2)",
            "SELECT a FROM t GROUP BY CUBE (0)",
            "SELECT 1 AS a FROM t GROUP BY ROLLUP (1)",
            "SELECT * FROM t GROUP BY ROLLUP (1)",
        ] {
            is_refused_by(rewrite, said);
        }
    }
}
