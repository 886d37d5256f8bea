//! Checks that a statement and its plan only read, and whether it can give the same rows again.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use super::{errors, report_tables};
use crate::error::Fault;
use crate::limits::check_plan_size;

const NO_TRANSACTIONS: &str = "there are no transactions: each statement reads one version of the \
    data and changes nothing; leave BEGIN, COMMIT and their like out";
const NO_SETTINGS: &str = "nothing is set by SQL: limits and formats are options of the program or \
    the request, and the time zone is UTC; leave SET and its like out";
const NO_PREPARE: &str = "PREPARE and EXECUTE are not supported; write $1 or $name in a query and \
    give its value beside it";
const NO_CURSORS: &str =
    "there are no cursors: rows can be read as they come; ask the query itself";

/// Checks a parsed statement before it is planned: it must ask for rows or for a plan.
///
/// # Errors
/// Fails if it is about the session, with what to do instead, or would change anything.
pub fn check_statement(statement: &Statement) -> Result<()> {
    use ast::Statement as S;
    let refused = |sentence: &str| Err(errors::error(Fault::NotSupported, sentence));
    match statement {
        Statement::Statement(plain) => match &**plain {
            S::Query(_) | S::Explain { .. } | S::ExplainTable { .. } => Ok(()),
            // The planner refuses those that it does not know.
            S::ShowCatalogs { .. }
            | S::ShowCharset(_)
            | S::ShowCollation { .. }
            | S::ShowColumns { .. }
            | S::ShowCreate { .. }
            | S::ShowDatabases { .. }
            | S::ShowFunctions { .. }
            | S::ShowObjects(_)
            | S::ShowSchemas { .. }
            | S::ShowStatus { .. }
            | S::ShowTables { .. }
            | S::ShowVariable { .. }
            | S::ShowVariables { .. }
            | S::ShowViews { .. } => Ok(()),
            S::StartTransaction { .. }
            | S::Commit { .. }
            | S::Rollback { .. }
            | S::Savepoint { .. }
            | S::ReleaseSavepoint { .. } => refused(NO_TRANSACTIONS),
            S::Set(_) | S::Reset(_) | S::Discard { .. } | S::Use(_) => refused(NO_SETTINGS),
            S::Prepare { .. } | S::Execute { .. } | S::Deallocate { .. } => refused(NO_PREPARE),
            S::Declare { .. } | S::Fetch { .. } | S::Close { .. } => refused(NO_CURSORS),
            _ => Err(not_read_only()),
        },
        Statement::Reset(_) => refused(NO_SETTINGS),
        // Refused before the planner looks at the file.
        Statement::CopyTo(_) | Statement::CreateExternalTable(_) => Err(not_read_only()),
        Statement::Explain(explained) => check_statement(&explained.statement),
    }
}

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
fn not_read_only() -> DataFusionError {
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
