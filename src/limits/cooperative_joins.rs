//! Cancellation of joins, and of planning between two optimizer rules.
//!
//! DataFusion makes scans yield to the scheduler. A join may produce millions of rows from one
//! input batch without polling its input, and so never yields (apache/datafusion#19358); here each
//! such join is wrapped to yield as well. A nested loop join that compares all pairs and matches
//! none produces no batch to yield after: its condition checks the cancellation flag. Remove this
//! once that issue is closed.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use delegate::delegate;

use super::cancellation::CancellationFlag;
use crate::error::broken;

#[derive(Debug)]
pub struct CooperativeJoins;

impl PhysicalOptimizerRule for CooperativeJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let given_way = plan.transform_up(|node| {
            if !may_multiply_rows(node.as_ref()) {
                return Ok(Transformed::no(node));
            }
            let node = match node.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => with_cancellable_condition(join)?,
                None => node,
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as _))
        });
        given_way.map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "cooperative_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Returns whether the operator may produce many batches from one input batch.
fn may_multiply_rows(node: &dyn ExecutionPlan) -> bool {
    node.is::<HashJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<CrossJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<UnnestExec>()
}

/// Returns the join with a condition that fails once the query is cancelled.
fn with_cancellable_condition(join: &NestedLoopJoinExec) -> Result<Arc<dyn ExecutionPlan>> {
    let filter = join.filter().map(|filter| {
        let condition = Arc::new(CancellableCondition(Arc::clone(filter.expression())));
        JoinFilter::new(condition, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
    let same = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
        .with_projection_ref(join.projection().clone())
        .with_filter(filter);
    Ok(Arc::new(same.build()?))
}

/// Join condition that fails if the query has been cancelled.
#[derive(Debug, Eq)]
struct CancellableCondition(Arc<dyn PhysicalExpr>);

impl Hash for CancellableCondition {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

impl PartialEq for CancellableCondition {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl fmt::Display for CancellableCondition {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl PhysicalExpr for CancellableCondition {
    fn evaluate(&self, rows: &RecordBatch) -> Result<ColumnarValue> {
        CancellationFlag::current().check()?;
        self.0.evaluate(rows)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.0]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(condition) = children.pop() else { return Err(broken("no condition")) };
        Ok(Arc::new(Self(condition)))
    }

    delegate! {
        to self.0 {
            fn data_type(&self, input: &Schema) -> Result<DataType>;
            fn nullable(&self, input: &Schema) -> Result<bool>;
            fn fmt_sql(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result;
        }
    }
}

/// An optimizer rule, shared between sessions.
type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// Wraps the rules so that each fails, instead of starting, once planning is cancelled.
pub fn cancellable_rules(rules: Vec<Rule>) -> Vec<Rule> {
    rules.into_iter().map(|rule| Arc::new(CancellableRule(rule)) as Rule).collect()
}

#[derive(Debug)]
struct CancellableRule(Rule);

impl OptimizerRule for CancellableRule {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        CancellationFlag::current().check()?;
        self.0.rewrite(plan, config)
    }
}
