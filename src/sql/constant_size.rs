//! Refuses a long constant that every row of a batch would repeat.
//!
//! A constant costs its length once as long as nothing makes a column of it. Whatever computes with
//! rows may do so, a batch at a time, and no pool counts that.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::resources_err;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;

/// What a batch of one constant takes at most.
const BYTES_MAX: usize = 512 << 20;

#[derive(Debug)]
pub struct ConstantSizeLimit;

impl PhysicalOptimizerRule for ConstantSizeLimit {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let bytes_max = BYTES_MAX / config.execution.batch_size.get();
        plan.apply(|node| {
            // A row that is made of nothing is one row.
            if !node.children().iter().any(|input| input.is::<PlaceholderRowExec>()) {
                node.apply_expressions(&mut |expr| short_enough(expr, bytes_max))?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "constant_size_limit"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn short_enough(expr: &Arc<dyn PhysicalExpr>, bytes_max: usize) -> Result<TreeNodeRecursion> {
    expr.apply(|expr| {
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            let bytes = literal.value().size();
            if bytes > bytes_max {
                return resources_err!(
                    "a constant of {bytes} bytes for every row; expected one of at most {} KiB",
                    bytes_max >> 10
                );
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
}
