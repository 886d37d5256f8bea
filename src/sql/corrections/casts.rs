//! The rule that goes through the casts that were written.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::optimizer::AnalyzerRule;

use super::rounding::cast_as_meant;

/// Rounds casts to integers, and reads texts that are cast to intervals.
#[derive(Debug)]
pub struct CastsAsMeant;

impl AnalyzerRule for CastsAsMeant {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            let cast = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| cast_as_meant(expr, &schema))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })?;
            match cast.transformed {
                true => cast.map_data(LogicalPlan::recompute_schema),
                false => Ok(Transformed::no(cast.data)),
            }
        });
        rewritten.map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "casts_as_meant"
    }
}
