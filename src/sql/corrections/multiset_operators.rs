//! `EXCEPT ALL` and `INTERSECT ALL` ignore multiplicity: a row on the right removes all equal rows
//! on the left, or keeps them all. Equal rows of each side are numbered, and the numbers are
//! compared as well:
//!
//! ```text
//! a  a  a   EXCEPT ALL   a      (a 1) (a 2) (a 3)   EXCEPT   (a 1)
//! ```
//!
//! Upstream: `datafusion-expr`, `intersect_or_except` in `builder.rs`, as of 55.2.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder,
};

/// Numbers equal rows on both sides of `EXCEPT ALL` and `INTERSECT ALL`.
pub fn number_duplicates(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if is_set_operation_all(&join) => {
            counting(join).map(Transformed::yes)
        }
        plan => Ok(Transformed::no(plan)),
    }
}

/// Only set operations are planned as such a join: joins of a user treat nulls as unequal.
fn is_set_operation_all(join: &Join) -> bool {
    let is_set = matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == join.left.schema().fields().len();
    // Without `ALL` the left side has no duplicates.
    is_set && !matches!(&*join.left, LogicalPlan::Distinct(Distinct::All(_)))
}

fn counting(join: Join) -> Result<LogicalPlan> {
    let columns: Vec<_> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    let (left_keys, right_keys): (Vec<_>, Vec<_>) = join.on.iter().cloned().unzip();
    let (left, left_number) = numbered(&join.left, left_keys)?;
    let (right, right_number) = numbered(&join.right, right_keys)?;
    let mut on = join.on;
    on.push((left_number, right_number));
    let joined = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns)?.build()
}

/// Numbers each row among its equals; returns the plan and the column of numbers.
fn numbered(rows: &LogicalPlan, keys: Vec<Expr>) -> Result<(LogicalPlan, Expr)> {
    let number = row_number().partition_by(keys).build()?;
    let numbered = LogicalPlanBuilder::from(rows.clone()).window([number])?.build()?;
    let column = numbered.schema().columns().pop().map(Expr::Column);
    let column = column.ok_or_else(|| crate::error::broken("a window adds no column"))?;
    Ok((numbered, column))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{corrected, raw};

    const ROWS: &str = "SELECT * FROM (VALUES (1), (1), (1), (2), (NULL), (NULL)) AS a";

    #[tokio::test]
    async fn the_engine_still_does_not_count() {
        assert_eq!(raw(&format!("{ROWS} EXCEPT ALL SELECT 1 ORDER BY 1")).await, "2, , ");
        assert_eq!(raw(&format!("{ROWS} INTERSECT ALL SELECT 1 ORDER BY 1")).await, "1, 1, 1");
    }

    #[tokio::test]
    async fn equals_are_counted() {
        for (said, expected) in [
            (format!("{ROWS} EXCEPT ALL SELECT 1 ORDER BY 1"), "1, 1, 2, , "),
            (format!("{ROWS} EXCEPT ALL VALUES (1), (NULL), (1) ORDER BY 1"), "1, 2, "),
            (format!("{ROWS} INTERSECT ALL VALUES (1), (NULL), (1), (3) ORDER BY 1"), "1, 1, "),
            (format!("{ROWS} EXCEPT SELECT 1 ORDER BY 1"), "2, "),
            (format!("{ROWS} INTERSECT SELECT 1 ORDER BY 1"), "1"),
            (format!("{ROWS} EXCEPT ALL {ROWS}"), ""),
            (format!("SELECT count(*) FROM ({ROWS} INTERSECT ALL {ROWS}) AS c"), "6"),
            ("SELECT 1, 'a' UNION ALL SELECT 1, 'a' EXCEPT ALL SELECT 1, 'a'".to_owned(), "1 a"),
            (format!("SELECT 1 UNION ALL ({ROWS} INTERSECT ALL SELECT 1)"), "1, 1"),
            (format!("SELECT (SELECT count(*) FROM ({ROWS} EXCEPT ALL SELECT 1) AS c)"), "5"),
            (format!("{ROWS} EXCEPT ALL SELECT 1::bigint ORDER BY 1"), "1, 1, 2, , "),
        ] {
            assert_eq!(corrected(&said).await, expected, "{said}");
        }
    }
}
