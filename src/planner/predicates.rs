//! Extracts the values and days to which the filters of a scan restrict a column.

use std::ops::RangeInclusive;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use crate::rules::calendar::day_of;

/// Values to which the filter restricts the column `name`; `None` for other filters.
pub fn literal_values<'f>(filter: &'f Expr, name: &str) -> Option<Vec<&'f ScalarValue>> {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name() == name);
    let value = |expr: &'f Expr| match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let given = if is_column(left) { right } else { is_column(right).then_some(left)? };
            Some(vec![value(given)?])
        }
        // The optimizer rewrites a short list to this form.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut either = literal_values(left, name)?;
            either.extend(literal_values(right, name)?);
            Some(either)
        }
        Expr::InList(list) if is_column(&list.expr) && !list.negated => {
            list.list.iter().map(value).collect()
        }
        _ => None,
    }
}

/// UTC days of the instants that satisfy a comparison of the column `name` with a literal; `None`
/// for other filters.
pub fn day_range(filter: &Expr, name: &str) -> Option<RangeInclusive<i64>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name() == name);
    let (op, value) = match (left.as_ref(), right.as_ref()) {
        (column, Expr::Literal(value, _)) if is_column(column) => (*op, value),
        (Expr::Literal(value, _), column) if is_column(column) => (op.swap()?, value),
        _ => return None,
    };
    let ScalarValue::TimestampMicrosecond(Some(at), _) = *value else { return None };
    match op {
        Operator::Eq => Some(day_of(at)..=day_of(at)),
        Operator::Gt => Some(day_of(at.saturating_add(1))..=i64::MAX),
        Operator::GtEq => Some(day_of(at)..=i64::MAX),
        Operator::Lt => Some(i64::MIN..=day_of(at.saturating_sub(1))),
        Operator::LtEq => Some(i64::MIN..=day_of(at)),
        _ => None,
    }
}

/// Removes table qualifiers from the columns of a filter.
pub fn unqualified(filter: Expr) -> Result<Expr> {
    let bare = filter.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
            other => Transformed::no(other),
        })
    });
    bare.map(|bare| bare.data)
}
