//! Hides constants on the nullable sides of outer joins, so that they do not hold above the join.
//!
//! A workaround: DataFusion keeps a column of the nullable side constant above the join, although
//! rows without a match have nulls there, and then removes sorts that are needed. No upstream issue
//! is known. Remove this when `HashJoinExec`, `NestedLoopJoinExec` and `SortMergeJoinExec` drop
//! such constants from their equivalence properties.
//!
//! ```text
//! HashJoinExec: Left                     HashJoinExec: Left
//!   stores                         ──▶      stores
//!   FilterExec: zone = 'UTC'                NullableExec
//!                                             FilterExec: zone = 'UTC'
//! ```

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, Statistics};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    StatisticsArgs,
};

use super::node_rule::NodeRule;

/// Inserts [`NullableExec`] on nullable sides that have constants. Runs before sorts and
/// partitioning are planned.
pub const HIDE_CONSTANTS: NodeRule = NodeRule {
    name: "hide_constants",
    replace: |node| {
        let Some((left, right)) = join_type(&node).map(nullable_sides) else {
            return Ok(Transformed::no(node));
        };
        let has_constants =
            |side: &Arc<dyn ExecutionPlan>| !side.equivalence_properties().constants().is_empty();
        let sides: Vec<_> = node.children().into_iter().zip([left, right]).collect();
        if !sides.iter().any(|(side, is_nullable)| *is_nullable && has_constants(side)) {
            return Ok(Transformed::no(node));
        }
        let sides =
            sides.into_iter().map(|(side, is_nullable)| match is_nullable && has_constants(side) {
                true => Arc::new(NullableExec::new(side)) as _,
                false => Arc::clone(side),
            });
        let sides = sides.collect();
        replace_children_if_necessary(node, sides).map(Transformed::yes)
    },
};

fn join_type(plan: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let loops = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type());
    hash.or_else(loops).or_else(merge)
}

/// True for the left and for the right side if the join may pad its columns with nulls.
fn nullable_sides(join_type: JoinType) -> (bool, bool) {
    match join_type {
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        JoinType::Full => (true, true),
        _ => (false, false),
    }
}

/// Passes its input on unchanged, with equivalence properties that contain no constants.
#[derive(Debug)]
pub struct NullableExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl NullableExec {
    fn new(input: &Arc<dyn ExecutionPlan>) -> Self {
        let orderings = input.equivalence_properties().oeq_class().iter().cloned();
        let known = EquivalenceProperties::new_with_orderings(input.schema(), orderings);
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(known);
        Self { input: Arc::clone(input), properties: Arc::new(properties) }
    }
}

impl DisplayAs for NullableExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "NullableExec")
    }
}

impl ExecutionPlan for NullableExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(&inputs[0])))
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::clone(&inputs[0]))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
