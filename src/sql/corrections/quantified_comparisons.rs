//! `x > ANY (SELECT …)` and `ALL` confuse a column of the outer query with one of the subquery if
//! both read a table of one name. They are rewritten with the minimum and maximum, or with `IN`.
//!
//! Upstream: `datafusion-optimizer`, `rewrite_set_comparison.rs`, as of 55.2.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Statement, UnaryOperator, VisitMut as _, VisitorMut,
};

use super::aggregate_subqueries::{Copies, aggregate, binary, three_valued};
use super::{into_result, unsupported};
use crate::sql::dialect::ast_nodes::call;

/// Rewrites `ANY` and `ALL` with extremes, or with `IN`.
///
/// # Errors
/// Fails if subqueries would be copied too often, or if the operator is not a comparison.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Quantified::default()))
}

#[derive(Default)]
struct Quantified {
    copies: Copies,
}

impl VisitorMut for Quantified {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        match self.bounded(expr) {
            Ok(Some(bounded)) => *expr = bounded,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Quantified {
    fn bounded(&mut self, expr: &Expr) -> Result<Option<Expr>> {
        use BinaryOperator as B;
        let (value, op, right, is_all) = match expr {
            Expr::AnyOp { left, compare_op, right, .. } => (left, compare_op, right, false),
            Expr::AllOp { left, compare_op, right } => (left, compare_op, right, true),
            _ => return Ok(None),
        };
        let Some(query) = subquery(right) else { return Ok(None) };
        if let (B::Eq, false) | (B::NotEq, true) = (op, is_all) {
            let (expr, subquery) = (value.clone(), Box::new(query.clone()));
            return Ok(Some(Expr::InSubquery { expr, subquery, negated: is_all }));
        }
        self.copies.take(query)?;
        self.copies.take(&**value)?;
        let compared = |bound: &str| -> Result<Expr> {
            let bound = aggregate(query, |column| call(bound, [column]))?;
            Ok(binary(Expr::Nested(value.clone()), op.clone(), bound))
        };
        // The bound that is hardest to satisfy for `ALL`, and easiest for `ANY`.
        let holds = match (op, is_all) {
            (B::Gt | B::GtEq, false) | (B::Lt | B::LtEq, true) => compared("min")?,
            (B::Lt | B::LtEq, false) | (B::Gt | B::GtEq, true) => compared("max")?,
            (B::NotEq, false) => binary(compared("min")?, B::Or, compared("max")?),
            (B::Eq, true) => binary(compared("min")?, B::And, compared("max")?),
            _ => return Err(unsupported(format!("there is no {op} of ANY or ALL"))),
        };
        let is_settled = match is_all {
            false => holds,
            true => {
                let expr = Box::new(Expr::Nested(Box::new(holds)));
                Expr::UnaryOp { op: UnaryOperator::Not, expr }
            }
        };
        three_valued(is_settled, !is_all, value, query)
            .map(|said| Some(Expr::Nested(Box::new(said))))
    }
}

fn subquery(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Subquery(query) => Some(query),
        Expr::Nested(inner) => subquery(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected, raw};
    use super::*;

    const NUMBERS: &str = "(SELECT * FROM (VALUES (1), (2), (3)) AS v (a)) AS t";

    #[tokio::test]
    async fn the_engine_still_takes_one_column_for_the_other() {
        let sql = format!(
            "WITH t AS (SELECT * FROM {NUMBERS}) \
            SELECT count(*) FROM t WHERE a > ANY (SELECT a FROM t)"
        );
        assert_eq!(raw(&sql).await, "0");
    }

    #[test]
    fn equality_is_said_by_in() {
        check(
            rewrite,
            "SELECT a = ANY (SELECT b FROM u) FROM t WHERE a <> ALL (SELECT b FROM u)",
            "SELECT a IN (SELECT b FROM u) FROM t WHERE a NOT IN (SELECT b FROM u)",
        );
        let of_array = "SELECT a > ANY(ARRAY[1]) FROM t";
        check(rewrite, of_array, of_array);
    }

    #[tokio::test]
    async fn every_operator_compares_as_postgres_does() {
        let lists = [
            "SELECT a FROM t",
            "SELECT 2",
            "SELECT NULL::bigint",
            "SELECT 1 WHERE false",
            "SELECT a FROM t UNION ALL SELECT NULL",
            "SELECT max(a) FROM t",
        ];
        // Comparisons of 1, 2, 3 and null with each list, as PostgreSQL 15 answers.
        for (op, expected) in [
            ("> ANY", ["fttN", "fftN", "NNNN", "ffff", "NttN", "fffN"]),
            (">= ALL", ["fftN", "fttN", "NNNN", "tttt", "ffNN", "fftN"]),
            ("<= ANY", ["tttN", "ttfN", "NNNN", "ffff", "tttN", "tttN"]),
            ("< ALL", ["fffN", "tffN", "NNNN", "tttt", "fffN", "ttfN"]),
            ("<> ANY", ["tttN", "tftN", "NNNN", "ffff", "tttN", "ttfN"]),
            ("= ALL", ["fffN", "ftfN", "NNNN", "tttt", "fffN", "fftN"]),
            ("= ANY", ["tttN", "ftfN", "NNNN", "ffff", "tttN", "fftN"]),
            ("<> ALL", ["fffN", "tftN", "NNNN", "tttt", "fffN", "ttfN"]),
        ] {
            for (list, expected) in lists.iter().zip(expected) {
                let sql = format!(
                    "WITH t AS (SELECT * FROM {NUMBERS}), u AS (SELECT a FROM t UNION ALL SELECT NULL) \
                     SELECT string_agg(said, '' ORDER BY a) FROM (SELECT a, CASE WHEN a {op} ({list}) \
                     THEN 't' WHEN NOT (a {op} ({list})) THEN 'f' ELSE 'N' END AS said FROM u) AS s"
                );
                assert_eq!(corrected(&sql).await, expected, "{op} ({list})");
            }
        }
    }

    #[test]
    fn copies_are_bounded() {
        let deep = (0..9).fold("SELECT 1".to_owned(), |inner, _| {
            format!("SELECT a FROM t WHERE a > ANY ({inner})")
        });
        super::super::tests::is_refused(rewrite, &deep);
    }
}
