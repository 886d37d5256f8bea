//! Which statements may run: those that read the tables, and nothing else.

use datafusion::error::Result;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;

/// The plan, if it only reads.
///
/// # Errors
/// Where it would create, change, copy or set anything.
pub fn read_only(plan: LogicalPlan) -> Result<LogicalPlan> {
    let options =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&plan)?;
    Ok(plan)
}
