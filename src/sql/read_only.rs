//! Checks that a plan only reads, and whether it can give the same rows again.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::{errors, report_tables};
use crate::error::Fault;
use crate::limits::check_plan_size;

/// Returns the plan unchanged if it only reads.
///
/// # Errors
/// Fails if the plan would create, change, copy or set anything.
pub fn check_read_only(plan: LogicalPlan) -> Result<LogicalPlan> {
    let options =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    match options.verify_plan(&plan) {
        Ok(()) => Ok(plan),
        Err(_) => Err(not_read_only()),
    }
}

/// Error of a statement that would do more than read.
pub fn not_read_only() -> DataFusionError {
    let sentence = "the tables are read-only: expected a statement that reads them, like SELECT";
    errors::error(Fault::ReadOnly, sentence)
}

/// Checks a freshly planned statement: it must only read, and stay within the size limits.
///
/// # Errors
/// Same as [`check_read_only`] and [`check_plan_size`].
pub fn check_plan(plan: LogicalPlan) -> Result<LogicalPlan> {
    check_plan_size(&plan)?;
    check_read_only(plan)
}

/// Returns whether the plan has the same rows whenever it runs over the same data.
pub fn is_repeatable(plan: &LogicalPlan) -> bool {
    let mut is_repeatable = true;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            is_repeatable &= !report_tables::NAMES.contains(&scan.table_name.table());
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(function) = expr {
                    let volatility = function.func.signature().volatility;
                    is_repeatable &= volatility == Volatility::Immutable;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.is_ok() && is_repeatable
}
