//! Column lineage: traces columns with store ids or numbers down to the scans that produce them.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::unnest::UnnestExec;

use super::StoreDirectory;
use super::few_stores::FewStoresExec;
use super::nullable::NullableExec;
use super::partitioned_scan::PartitionedScanExec;
use super::store_columns::{STORE_ID, STORE_NO};

/// Scan that produces a column of store ids or numbers.
pub struct Origin<'p> {
    scan: &'p Arc<dyn ExecutionPlan>,
    stores: &'p Arc<StoreDirectory>,
    /// Joins and aggregates between the plan and the scan. Two columns of one scan belong to the
    /// same row only if their paths are equal.
    path: Vec<*const ()>,
    /// True if the plan sees every row of the scan, and no others.
    pub is_whole: bool,
}

impl<'p> Origin<'p> {
    pub fn few(&self) -> Option<&'p FewStoresExec> {
        self.scan.downcast_ref()
    }

    pub fn stores(&self) -> &'p Arc<StoreDirectory> {
        self.stores
    }

    /// True if both columns come from the same row of the same scan, and so name the same store.
    pub fn is_same_row(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.scan, other.scan) && self.path == other.path
    }
}

/// Traces a column to the scan whose store ids or numbers it holds; rows added by outer joins are
/// excluded. `None` if the column holds anything else.
pub fn origin(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<Origin<'_>> {
    let is_key = [STORE_NO, STORE_ID].contains(&plan.schema().field(column).name().as_str());
    if let Some(scan) = plan.downcast_ref::<PartitionedScanExec>() {
        let stores = &scan.reducible_files()?.stores;
        return is_key.then(|| Origin { scan: plan, stores, path: Vec::new(), is_whole: true });
    }
    if let Some(scan) = plan.downcast_ref::<FewStoresExec>() {
        let stores = &scan.files().stores;
        return is_key.then(|| Origin { scan: plan, stores, path: Vec::new(), is_whole: false });
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let (is_left, column) = is_on_left(join, column)?;
        let side = if is_left { join.left() } else { join.right() };
        let mut origin = origin(side, column)?;
        origin.path.push(Arc::as_ptr(side).cast());
        origin.is_whole &=
            *join.join_type() == if is_left { JoinType::Left } else { JoinType::Right };
        return Some(origin);
    }
    let (input, column) = traced_input(plan, column)?;
    let mut origin = origin(input, column)?;
    origin.is_whole &=
        !(plan.is::<FilterExec>() || plan.is::<AggregateExec>() || plan.is::<UnnestExec>());
    Some(origin)
}

/// Side of a join that a column comes from, true for the left one, and its index there. `None` if
/// the join may pad that side with nulls, or the column comes from neither side.
pub fn is_on_left(join: &HashJoinExec, column: usize) -> Option<(bool, usize)> {
    use JoinType::{Inner, Left, LeftAnti, LeftSemi, Right, RightAnti, RightSemi};
    let column = join.projection.as_ref().map_or(column, |kept| kept[column]);
    let kind = join.join_type();
    let of_left = join.left().schema().fields().len();
    match kind {
        LeftSemi | LeftAnti => Some((true, column)),
        RightSemi | RightAnti => Some((false, column)),
        Inner | Left | Right => match column.checked_sub(of_left) {
            None => matches!(kind, Inner | Left).then_some((true, column)),
            Some(column) => matches!(kind, Inner | Right).then_some((false, column)),
        },
        _ => None,
    }
}

/// Returns the only input of a plan and the column there, if removing a store's rows from the input
/// removes exactly that store's rows from the output; `None` otherwise.
pub fn traced_input(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
) -> Option<(&Arc<dyn ExecutionPlan>, usize)> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let kept = filter.projection().as_ref().map_or(column, |kept| kept[column]);
        return filter.fetch().is_none().then(|| (filter.input(), kept));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let kept = projection.expr()[column].expr.downcast_ref::<Column>()?;
        return Some((projection.input(), kept.index()));
    }
    if let Some(unnest) = plan.downcast_ref::<UnnestExec>() {
        return Some((unnest.input(), input_index(unnest, column)?));
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let groups = aggregate.group_expr();
        let is_plain = groups.is_single() && aggregate.limit_options().is_none();
        let (key, _) = groups.expr().get(column).filter(|_| is_plain)?;
        return Some((aggregate.input(), key.downcast_ref::<Column>()?.index()));
    }
    let is_passed = plan.is::<CooperativeExec>()
        || plan.is::<NullableExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>();
    let input = plan.children().first().copied()?;
    (is_passed && plan.fetch().is_none()).then_some((input, column))
}

/// Input index of a column that is not unnested.
fn input_index(unnest: &UnnestExec, column: usize) -> Option<usize> {
    let (schema, input) = (unnest.schema(), unnest.input().schema());
    let name = schema.field(column).name();
    let mut named = input.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
    let ((place, _), None) = (named.next()?, named.next()) else { return None };
    let is_once = schema.fields().iter().filter(|field| field.name() == name).count() == 1;
    let lists = unnest.list_column_indices();
    let is_unnested = lists.iter().any(|list| list.index_in_input_schema == place)
        || unnest.struct_column_indices().contains(&place);
    (is_once && !is_unnested).then_some(place)
}
