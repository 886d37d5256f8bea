//! Which statements may run: those that read the tables, and nothing else.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::{reports, wrong};
use crate::error::Fault;

/// The plan, if it only reads.
///
/// # Errors
/// Where it would create, change, copy or set anything.
pub fn read_only(plan: LogicalPlan) -> Result<LogicalPlan> {
    let options =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    match options.verify_plan(&plan) {
        Ok(()) => Ok(plan),
        Err(_) => Err(would_change()),
    }
}

/// What a statement hears that would do more than read.
pub fn would_change() -> DataFusionError {
    let sentence = "the tables are read-only: expected a statement that reads them, like SELECT";
    wrong::error(Fault::ReadOnly, sentence)
}

/// Whether the plan gives the same rows whenever it runs over the same data.
pub fn is_repeatable(plan: &LogicalPlan) -> bool {
    let mut is_repeatable = true;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            is_repeatable &= !reports::NAMES.contains(&scan.table_name.table());
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
