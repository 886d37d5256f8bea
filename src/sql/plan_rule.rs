//! Analyzer rules made of a function, and rewrites of the expressions of a plan.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

type Rewrite = fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>;

#[derive(Debug)]
struct PlanRule {
    name: &'static str,
    rewrite: Rewrite,
}

impl AnalyzerRule for PlanRule {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(self.rewrite).map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        self.name
    }
}

/// Analyzer rule that rewrites each operator of a plan and of its subqueries, from the leaves up.
pub fn plan_rule(name: &'static str, rewrite: Rewrite) -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(PlanRule { name, rewrite })
}

/// Rewrites the expressions of one operator, given the schema of its inputs; columns keep their
/// names.
///
/// # Errors
/// Fails if the rewrite fails.
pub fn rewrite_expressions(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = rewrite(expr, &schema)?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    match rewritten.transformed {
        true => rewritten.map_data(LogicalPlan::recompute_schema),
        false => Ok(rewritten),
    }
}
