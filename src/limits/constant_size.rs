//! Physical rule that refuses long constants which would be repeated for every row of a batch.
//!
//! A constant takes its length once until an operator expands it to a column. Every operator that
//! computes with rows may do so, one batch at a time, outside the memory pool.
//!
//! The memory limit of a worker process does not replace this: from 256 KiB on, the offsets of a
//! batch of texts overflow, which panics in Arrow (`OffsetBuffer::from_repeated_length`) before any
//! memory is taken, and the client would be told of a bug.

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

/// Maximum size of a constant that is expanded to one batch.
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
            // `PlaceholderRowExec` produces a single row.
            if !node.children().iter().any(|input| input.is::<PlaceholderRowExec>()) {
                node.apply_expressions(&mut |expr| check_constants(expr, bytes_max))?;
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

fn check_constants(expr: &Arc<dyn PhysicalExpr>, bytes_max: usize) -> Result<TreeNodeRecursion> {
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
