//! Optimizer rule that removes sorts by store, or by store and instant, over files in that order.
//!
//! ```text
//! SortPreservingMergeExec: store_id        ProgressiveEvalExec: store_id
//!   SortExec: store_id               ──▶     StoreMergeJoinExec
//!     StoreMergeJoinExec
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::few_stores::FewStoresExec;
use super::merge_join::is_unique_by_store;
use super::node_rule::NodeRule;
use super::partitioned_scan::PartitionedScanExec;
use super::progressive_eval::ProgressiveEvalExec;

/// Removes sorts whose input is already in the requested order, or can be read in it.
pub const REMOVE_SORTS: NodeRule = NodeRule {
    name: "remove_sorts",
    replace: |node| {
        let replaced = if let Some(sort) = node.downcast_ref::<SortExec>() {
            without_sort(sort)?
        } else if let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() {
            progressive_eval(merge)
        } else {
            None
        };
        Ok(replaced.map_or(Transformed::no(node), Transformed::yes))
    },
};

/// Returns the sort's input in the requested order; `None` if the files do not have that order.
fn without_sort(sort: &SortExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    // Top-k sorts are cheap. A sort that merges several partitions has input that does not follow
    // store ranges.
    let is_alone = sort.input().output_partitioning().partition_count() == 1;
    if sort.fetch().is_some() || !(is_alone || sort.preserve_partitioning()) {
        return Ok(None);
    }
    let by = sort.expr().first();
    let column = by.expr.downcast_ref::<Column>().map(Column::index);
    // Stores are unique, so only the first key matters.
    let is_ordered = column.is_some_and(|column| is_unique_by_store(sort.input(), column));
    if is_alone && is_ordered && !by.options.descending {
        return Ok(Some(Arc::clone(sort.input())));
    }
    let schema = sort.input().schema();
    let key = |by: &datafusion::physical_expr::PhysicalSortExpr| {
        let column = by.expr.downcast_ref::<Column>()?.index();
        (!by.options.descending && !schema.field(column).is_nullable()).then_some(column)
    };
    let Some(keys) = sort.expr().iter().map(key).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    sorted_by_files(sort.input(), &keys)
}

/// Replaces a merge of sorted partitions with their concatenation, if the partitions are sorted by
/// store and their store ranges ascend.
fn progressive_eval(merge: &SortPreservingMergeExec) -> Option<Arc<dyn ExecutionPlan>> {
    let sort = merge.input().downcast_ref::<SortExec>()?;
    let by = sort.expr().first();
    let column = by.expr.downcast_ref::<Column>()?.index();
    // Stores are unique, so only the first key matters.
    let is_ordered = !by.options.descending && is_unique_by_store(sort.input(), column);
    let is_all = merge.fetch().is_none() && sort.fetch().is_none() && sort.preserve_partitioning();
    let progressive_eval =
        || ProgressiveEvalExec::new(Arc::clone(sort.input()), merge.expr().clone());
    (is_ordered && is_all).then(|| Arc::new(progressive_eval()) as _)
}

fn sorted_by_files(
    plan: &Arc<dyn ExecutionPlan>,
    keys: &[usize],
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<PartitionedScanExec>() {
        return Ok(scan.in_order(keys)?.map(|scan| Arc::new(scan) as _));
    }
    if let Some(scan) = plan.downcast_ref::<FewStoresExec>() {
        return Ok(scan.is_in_order(keys).then(|| Arc::clone(plan)));
    }
    let below: Option<Vec<_>> = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let kept = filter.projection();
        Some(keys.iter().map(|&key| kept.as_ref().map_or(key, |kept| kept[key])).collect())
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let column = |key: &usize| projection.expr()[*key].expr.downcast_ref::<Column>();
        keys.iter().map(|key| column(key).map(Column::index)).collect()
    } else {
        None
    };
    let input = plan.children().first().copied();
    let (Some(below), Some(input)) = (below, input) else { return Ok(None) };
    let Some(input) = sorted_by_files(input, &below)? else { return Ok(None) };
    replace_children_if_necessary(Arc::clone(plan), vec![input]).map(Some)
}
