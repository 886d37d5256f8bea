//! Optimizer rules that replace operators one by one.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// An operator, with whether it is another than before.
type Replaced = Transformed<Arc<dyn ExecutionPlan>>;

/// Rule that replaces operators from the leaves up. The schema of the plan stays the same.
#[derive(Debug)]
pub struct NodeRule {
    pub name: &'static str,
    pub replace: fn(Arc<dyn ExecutionPlan>) -> Result<Replaced>,
}

impl PhysicalOptimizerRule for NodeRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(self.replace).map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        self.name
    }

    fn schema_check(&self) -> bool {
        true
    }
}
