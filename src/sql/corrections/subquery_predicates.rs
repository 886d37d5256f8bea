//! Subquery predicates that the engine cannot decorrelate, or for which it ignores three-valued
//! logic.
//!
//! The engine executes `EXISTS` and `IN (SELECT …)` only in `WHERE` and `HAVING`, and treats an
//! unknown `IN` as false: correct as a condition, wrong below `NOT`, `IS NULL` or `CASE`. Elsewhere
//! these predicates are rewritten with counts. So is `NOT IN` of a value that may be null though
//! none of its columns is: the engine checks only columns for nulls, and misses `nullif(a, 2)` or
//! `DATE '2023-01-24'`.
//!
//! Upstream: `datafusion-optimizer`, `decorrelate_predicate_subquery.rs`, as of 55.2.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, Statement,
    UnaryOperator, VisitMut, VisitorMut,
};

use super::aggregate_subqueries::{
    Copies, count_equal, count_rows, is_positive, rows_equal_to, three_valued,
};
use super::{into_result, unsupported};
use crate::sql::dialect::ast_nodes::number;

/// Rewrites subquery predicates with counts where needed.
///
/// # Errors
/// Fails if subqueries would be copied too often.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Places::default()))
}

/// Visits each expression of each query according to its place.
#[derive(Default)]
struct Places {
    copies: Copies,
}

impl VisitorMut for Places {
    type Break = DataFusionError;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(by) = &mut order_by.kind
        {
            for by in by {
                self.value(&mut by.expr, true)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.value(expr, true)?;
            }
        }
        if let GroupByExpr::Expressions(by, _) = &mut select.group_by {
            for expr in by {
                self.value(expr, true)?;
            }
        }
        for condition in [&mut select.selection, &mut select.having].into_iter().flatten() {
            self.condition(condition, true)?;
        }
        ControlFlow::Continue(())
    }
}

impl Places {
    /// Rewrites an expression whose value matters, including null.
    fn value(&mut self, expr: &mut Expr, with_exists: bool) -> ControlFlow<DataFusionError> {
        expr.visit(&mut Values { copies: &mut self.copies, with_exists, within: 0 })
    }

    /// Rewrites a condition, of which only truth matters; `is_alone` if only
    /// conjunctions are above it.
    fn condition(&mut self, expr: &mut Expr, is_alone: bool) -> ControlFlow<DataFusionError> {
        if let Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } = expr
            && let Some(Expr::InSubquery { expr: value, subquery, negated }) = bare(inner)
        {
            let (value, subquery, negated) = (value.clone(), subquery.clone(), !*negated);
            *expr = Expr::InSubquery { expr: value, subquery, negated };
        }
        if let Expr::InSubquery { expr: value, subquery, negated: false } = expr
            && let Expr::Tuple(values) = &**value
        {
            let found = same_row(values, subquery);
            *expr = found.map_or_else(ControlFlow::Break, ControlFlow::Continue)?;
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Nested(inner) => self.condition(inner, is_alone),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.condition(left, is_alone)?;
                self.condition(right, is_alone)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                self.condition(left, false)?;
                self.condition(right, false)
            }
            Expr::InSubquery { expr: value, negated, .. }
                if !*negated || is_alone && is_null_as_columns(value) =>
            {
                self.value(value, false)
            }
            other => self.value(other, false),
        }
    }
}

/// Condition that a row of the subquery equals these values; true, or false or null.
fn same_row(values: &[Expr], subquery: &Query) -> Result<Expr> {
    let subquery = Box::new(rows_equal_to(subquery, values)?);
    Ok(Expr::Exists { subquery, negated: false })
}

/// Returns whether the expression is null only if one of its columns is.
fn is_null_as_columns(value: &Expr) -> bool {
    match value {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(inner) => is_null_as_columns(inner),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, .. } => {
            is_null_as_columns(expr)
        }
        _ => false,
    }
}

fn bare(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => Some(other),
    }
}

/// Replaces predicates of an expression itself; nested queries are visited separately.
struct Values<'a> {
    copies: &'a mut Copies,
    with_exists: bool,
    within: usize,
}

impl VisitorMut for Values<'_> {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<DataFusionError> {
        self.within += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<DataFusionError> {
        self.within -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        if self.within > 0 {
            return ControlFlow::Continue(());
        }
        match self.counted(expr) {
            Ok(Some(counted)) => *expr = Expr::Nested(Box::new(counted)),
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Values<'_> {
    fn counted(&mut self, expr: &Expr) -> Result<Option<Expr>> {
        match expr {
            Expr::InSubquery { expr: value, .. } if matches!(**value, Expr::Tuple(_)) => {
                let sentence =
                    "a row is looked up in a subquery by IN in WHERE alone; expected EXISTS";
                Err(unsupported(sentence))
            }
            Expr::InSubquery { expr: value, subquery, negated } => {
                self.copies.take(&**subquery)?;
                self.copies.take(&**value)?;
                let is_found = is_positive(count_equal(subquery, value)?);
                three_valued(is_found, !*negated, value, subquery).map(Some)
            }
            Expr::Exists { subquery, negated } if self.with_exists => {
                let rows = Box::new(count_rows(subquery)?);
                let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
                Ok(Some(Expr::BinaryOp { left: rows, op, right: Box::new(number(0)) }))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected, raw};
    use super::*;
    use datafusion::prelude::SessionContext;

    const ROWS: &str = "FROM (VALUES (1), (2)) AS t (a)";
    const LIST: &str = "SELECT column1 FROM (VALUES (1), (NULL)) AS v";

    #[tokio::test]
    async fn the_engine_still_takes_unknown_for_false() {
        assert_eq!(raw(&format!("SELECT a {ROWS} WHERE a NOT IN ({LIST}) OR a = 5")).await, "2");
        assert_eq!(raw(&format!("SELECT a {ROWS} WHERE (a IN ({LIST})) IS NULL")).await, "");
    }

    #[tokio::test]
    async fn the_engine_still_finds_no_null_that_no_column_has() {
        let of_list = format!("SELECT a {ROWS} WHERE 5 NOT IN ({LIST}) ORDER BY a");
        assert_eq!(raw(&of_list).await, "1, 2");
        let of_value = format!("SELECT a {ROWS} WHERE nullif(a, 2) NOT IN (SELECT 5) ORDER BY a");
        assert_eq!(raw(&of_value).await, "1, 2");
    }

    #[tokio::test]
    async fn the_engine_still_cannot_look_up_in_a_list_of_columns() {
        for sql in ["SELECT EXISTS (SELECT 1)", "SELECT 1 IN (SELECT 1)"] {
            let context = SessionContext::new();
            let planned = context.sql(sql).await.unwrap();
            assert!(planned.collect().await.is_err(), "{sql}");
        }
    }

    #[tokio::test]
    async fn null_is_neither_true_nor_false() {
        for (said, expected) in [
            (format!("SELECT a {ROWS} WHERE a NOT IN ({LIST}) OR a = 5"), ""),
            (format!("SELECT a {ROWS} WHERE (a IN ({LIST})) IS NULL"), "2"),
            (format!("SELECT a {ROWS} WHERE NOT (a IN ({LIST}))"), ""),
            (format!("SELECT a {ROWS} WHERE a IN ({LIST}) OR a = 2 ORDER BY 1"), "1, 2"),
            (format!("SELECT a {ROWS} WHERE (a IN ({LIST})) = true"), "1"),
            (format!("SELECT a {ROWS} WHERE nullif(a, 2) NOT IN (SELECT 5)"), "1"),
            (format!("SELECT a {ROWS} WHERE NULL::int NOT IN (SELECT 5)"), ""),
            (format!("SELECT a {ROWS} WHERE NULL::int NOT IN (SELECT 5 WHERE false) ORDER BY 1"), "1, 2"),
            (format!("SELECT a {ROWS} WHERE 5 NOT IN ({LIST})"), ""),
            (format!("SELECT a {ROWS} WHERE NOT (a + 5 IN (SELECT 6))"), "2"),
            (format!("SELECT a {ROWS} WHERE (a, 7) IN (SELECT 1, 7 UNION ALL SELECT 2, NULL)"), "1"),
            (format!("SELECT a, a IN ({LIST}) {ROWS} ORDER BY 1"), "1 true, 2 "),
            (format!("SELECT a, a NOT IN ({LIST}) {ROWS} ORDER BY 1"), "1 false, 2 "),
            (
                "SELECT 1 IN (SELECT 2) AS a, NULL IN (SELECT 1) AS b, NULL IN (SELECT 1 WHERE false) AS c"
                    .into(),
                "false  false",
            ),
            (
                "SELECT EXISTS (SELECT 1) AS a, NOT EXISTS (SELECT 1) AS b, EXISTS (SELECT 1 WHERE false) AS c"
                    .into(),
                "true false false",
            ),
            ("SELECT EXISTS (SELECT count(*) FROM (SELECT 1 WHERE false) AS n)".into(), "true"),
            (
                "SELECT EXISTS (SELECT 1 LIMIT 0) AS a, EXISTS (SELECT 1 UNION SELECT 2) AS b".into(),
                "false true",
            ),
            (
                format!(
                    "SELECT a, EXISTS (SELECT 1 FROM (VALUES (1)) AS u (b) WHERE u.b = t.a) {ROWS} \
                ORDER BY 1"
                ),
                "1 true, 2 false",
            ),
            ("SELECT CASE WHEN EXISTS (SELECT 1) THEN 'y' END".into(), "y"),
        ] {
            assert_eq!(corrected(&said).await, expected, "{said}");
        }
    }

    #[test]
    fn conditions_stay_as_they_are() {
        for said in [
            "SELECT a FROM t WHERE a IN (SELECT b FROM u) AND EXISTS (SELECT 1 FROM u)",
            "SELECT a FROM t WHERE (a NOT IN (SELECT b FROM u)) AND NOT EXISTS (SELECT 1 FROM u)",
            "SELECT a FROM t WHERE a IN (SELECT b FROM u) OR EXISTS (SELECT 1 FROM u)",
            "SELECT a FROM t GROUP BY a HAVING a IN (SELECT b FROM u)",
            "SELECT (SELECT max(a) FROM t WHERE a IN (SELECT b FROM u))",
        ] {
            check(rewrite, said, said);
        }
    }
}
