//! Limit on the size of a plan.

use datafusion::common::plan_err;
use datafusion::common::tree_node::{TreeNodeRecursion, TreeNodeVisitor};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

/// Maximum number of nodes of a plan, and of relations that a statement reads.
pub const STEPS_MAX: usize = 4_000;

/// Checks the number of nodes and the depth of a plan. Inlined CTEs make a plan far larger than its
/// text, and optimisation time grows with it.
///
/// # Errors
/// Fails if the plan has too many nodes or is too deep.
pub fn check_plan_size(plan: &LogicalPlan) -> Result<()> {
    plan.visit_with_subqueries(&mut PlanSize::default()).map(drop)
}

/// Nodes of a plan visited so far, and the current depth.
#[derive(Default)]
struct PlanSize {
    all: usize,
    deep: usize,
}

impl PlanSize {
    const DEPTH_MAX: usize = 400;
}

impl<'n> TreeNodeVisitor<'n> for PlanSize {
    type Node = LogicalPlan;

    fn f_down(&mut self, _: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        (self.all, self.deep) = (self.all + 1, self.deep + 1);
        if self.all > STEPS_MAX {
            return plan_err!("the query has more than {} steps, the limit", STEPS_MAX);
        }
        if self.deep > Self::DEPTH_MAX {
            let max = Self::DEPTH_MAX;
            return plan_err!("the query has more than {max} steps one after another, the limit");
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &'n LogicalPlan) -> Result<TreeNodeRecursion> {
        self.deep -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}
