//! Semi-join reduction by store: if one side of a join has few stores, the scans of the other side
//! read only those.
//!
//! ```text
//! HashJoin on store_no                          HashJoin on store_no
//!   FewStores: stores, store 7          ──▶       FewStores: stores, store 7
//!   Aggregate by store_no                         Aggregate by store_no
//!     PartitionedScan: polls                        FewStores: polls, store 7
//! ```
//!
//! Stores named by literals are known while planning. The keys of any other build side are
//! collected while it is built, and the scans of the other side wait for them.
//!
//! DataFusion's dynamic filters (apache/datafusion#7955, #25255) prune by row statistics and do not
//! pass through aggregates. Remove this when they do, and prune pages as well.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};

use super::StoreDirectory;
use super::few_stores::FewStoresExec;
use super::lineage::{is_on_left, origin, traced_input};
use super::node_rule::NodeRule;
use super::nullable::HIDE_CONSTANTS;
use super::partitioned_scan::PartitionedScanExec;
use super::store_columns::{STORE_ID, STORE_NO};
use super::store_keys::{CollectKeysExec, StoreKeys};
use crate::tables::Table;

/// Physical optimizer rules of DataFusion, extended: the build side of joins is chosen before rows
/// are repartitioned, and constants below outer joins are hidden first of all.
pub fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let chosen = rules.iter().position(|rule| rule.name() == "join_selection");
    rules.insert(chosen.map_or(0, |place| place + 1), Arc::new(BUILD_SIDE_BY_POLLS));
    rules.insert(0, Arc::new(HIDE_CONSTANTS));
    rules
}

/// Builds joins by store from the side that reads fewer polls. DataFusion cannot estimate the
/// number of rows of a table function.
const BUILD_SIDE_BY_POLLS: NodeRule = NodeRule {
    name: "build_side_by_polls",
    replace: |node| {
        let Some(join) = node.downcast_ref::<HashJoinExec>() else {
            return Ok(Transformed::no(node));
        };
        let may_swap = matches!(join.join_type(), JoinType::Inner | JoinType::LeftSemi)
            && *join.partition_mode() != PartitionMode::Auto;
        let is_by_store =
            || join.on().iter().any(|(left, _)| store_key(join.left(), left).is_some());
        if may_swap && is_by_store() && polls_read(join.left()) > polls_read(join.right()) {
            return join.swap_inputs(*join.partition_mode()).map(Transformed::yes);
        }
        Ok(Transformed::no(node))
    },
};

/// Number of rows in the files of polls that the plan scans.
fn polls_read(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let files =
        match (plan.downcast_ref::<PartitionedScanExec>(), plan.downcast_ref::<FewStoresExec>()) {
            (Some(scan), _) => scan.reducible_files(),
            (_, Some(_)) => return 0,
            _ => return plan.children().into_iter().map(polls_read).sum(),
        };
    let files = files.filter(|files| files.table == Table::Polls);
    files.map_or(0, |files| files.files.iter().filter_map(|file| file.rows).sum())
}

/// Restricts the scans on one side of a join to the stores of the other side.
#[derive(Debug)]
pub struct SemiJoinReduction;

impl PhysicalOptimizerRule for SemiJoinReduction {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // A recursive term is executed repeatedly, with other keys each time.
        if plan.exists(|node| Ok(node.is::<RecursiveQueryExec>()))? {
            return Ok(plan);
        }
        let by_constants = plan.transform_up(|node| match node.downcast_ref::<HashJoinExec>() {
            Some(join) => reduce_by_literals(&node, join),
            None => Ok(Transformed::no(node)),
        })?;
        let by_keys = by_constants.data.transform_down(|node| {
            Ok(match node.downcast_ref::<HashJoinExec>() {
                Some(join) => reduce_by_build_keys(&node, join)?
                    .map_or(Transformed::no(node), Transformed::yes),
                None => Transformed::no(node),
            })
        });
        by_keys.map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "semi_join_reduction"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Stores to which a plan is reduced; rows of other stores are not needed.
#[derive(Clone)]
enum Reduction {
    /// Ascending numbers, and the directory that they refer to.
    To(Arc<[i32]>, Arc<StoreDirectory>),
    ToKeys(Arc<StoreKeys>),
}

impl Reduction {
    fn stores(&self) -> &Arc<StoreDirectory> {
        match self {
            Self::To(_, stores) => stores,
            Self::ToKeys(keys) => keys.stores(),
        }
    }
}

/// Index of a join key that holds store ids or numbers; `None` for other keys.
fn store_key(plan: &Arc<dyn ExecutionPlan>, key: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let column = key.downcast_ref::<Column>()?.index();
    origin(plan, column).map(|_| column)
}

fn column_of(key: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    key.downcast_ref::<Column>().map(Column::index)
}

/// True if the join drops the rows of a side that have no match on the other side.
fn drops_unmatched(join: &HashJoinExec, is_left: bool) -> bool {
    use JoinType::{Inner, Left, LeftAnti, LeftSemi, Right, RightAnti, RightSemi};
    let kind = join.join_type();
    !join.null_aware
        && match is_left {
            true => matches!(kind, Inner | Right | RightSemi | LeftSemi | RightAnti),
            false => matches!(kind, Inner | Left | LeftSemi | RightSemi | LeftAnti),
        }
}

/// Reduces each side to the few stores that scans of the other side name.
fn reduce_by_literals(
    node: &Arc<dyn ExecutionPlan>,
    join: &HashJoinExec,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let mut sides = [Arc::clone(join.left()), Arc::clone(join.right())];
    for (left, right) in join.on() {
        let (Some(left), Some(right)) = (column_of(left), column_of(right)) else { continue };
        for (from, to, from_key, to_key) in [(0, 1, left, right), (1, 0, right, left)] {
            let known = origin(&sides[from], from_key);
            let Some(scan) = known.as_ref().and_then(|known| known.few()) else { continue };
            if drops_unmatched(join, to == 0) {
                let (numbers, stores) =
                    (Arc::clone(scan.numbers()), Arc::clone(&scan.files().stores));
                sides[to] = reduce(&sides[to], to_key, &Reduction::To(numbers, stores))?;
            }
        }
    }
    let is_same = Arc::ptr_eq(&sides[0], join.left()) && Arc::ptr_eq(&sides[1], join.right());
    if is_same {
        return Ok(Transformed::no(Arc::clone(node)));
    }
    replace_children_if_necessary(Arc::clone(node), sides.into()).map(Transformed::yes)
}

/// Makes the scans of the probe side wait for the keys of the build side; `None` if that cannot
/// save reading polls.
fn reduce_by_build_keys(
    node: &Arc<dyn ExecutionPlan>,
    join: &HashJoinExec,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if !drops_unmatched(join, false) || polls_read(join.right()) == 0 {
        return Ok(None);
    }
    for (left, right) in join.on() {
        let (Some(left), Some(right)) = (column_of(left), column_of(right)) else { continue };
        let Some(probed) = origin(join.right(), right) else { continue };
        // A build side with all stores does not exclude any.
        let built = origin(join.left(), left);
        let leaves_out = built.is_none_or(|built| !built.is_whole);
        let same_type = |plan: &Arc<dyn ExecutionPlan>, column: usize| {
            plan.schema().field(column).data_type().clone()
        };
        if !leaves_out || same_type(join.left(), left) != same_type(join.right(), right) {
            continue;
        }
        let collect = CollectKeysExec::new(join.left(), left, probed.stores());
        let keys = Reduction::ToKeys(Arc::clone(collect.keys()));
        let probe = reduce(join.right(), right, &keys)?;
        if !Arc::ptr_eq(&probe, join.right()) {
            let sides = vec![Arc::new(collect) as _, probe];
            return replace_children_if_necessary(Arc::clone(node), sides).map(Some);
        }
    }
    Ok(None)
}

/// Restricts the plan to stores of the reduction, by `column`; returns the same plan if that does
/// not save reads. Rows of other stores may remain.
fn reduce(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    to: &Reduction,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(scan) = plan.downcast_ref::<PartitionedScanExec>() {
        let stores = scan.reducible_files().map(|files| &files.stores);
        if !is_key(plan, column, stores, to) {
            return Ok(Arc::clone(plan));
        }
        let reduced = match to {
            Reduction::To(numbers, _) => {
                scan.restricted_to_stores(numbers)?.map(|scan| Arc::new(scan) as _)
            }
            Reduction::ToKeys(keys) => {
                scan.restricted_by_keys(keys).map(|scan| Arc::new(scan) as _)
            }
        };
        return Ok(reduced.unwrap_or_else(|| Arc::clone(plan)));
    }
    if let Some(scan) = plan.downcast_ref::<FewStoresExec>() {
        return Ok(match to {
            Reduction::To(numbers, _) if is_key(plan, column, Some(&scan.files().stores), to) => {
                Arc::new(scan.intersect(numbers)?)
            }
            _ => Arc::clone(plan),
        });
    }
    if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
        let inputs = plan.children().into_iter().map(|input| reduce(input, column, to));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        return replace_children_if_necessary(Arc::clone(plan), inputs);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return reduce_join(plan, join, column, to);
    }
    match traced_input(plan, column) {
        Some((input, column)) => {
            let input = reduce(input, column, to)?;
            replace_children_if_necessary(Arc::clone(plan), vec![input])
        }
        None => Ok(Arc::clone(plan)),
    }
}

/// Reduces the side that the column comes from, and the other side through the join keys.
fn reduce_join(
    plan: &Arc<dyn ExecutionPlan>,
    join: &HashJoinExec,
    column: usize,
    to: &Reduction,
) -> Result<Arc<dyn ExecutionPlan>> {
    let (Some((is_left, column)), None) = (is_on_left(join, column), join.fetch()) else {
        return Ok(Arc::clone(plan));
    };
    let [side, other] = match is_left {
        true => [join.left(), join.right()],
        false => [join.right(), join.left()],
    };
    let mut reduced_other = Arc::clone(other);
    if drops_unmatched(join, !is_left) {
        for (left, right) in join.on() {
            let (here, there) = if is_left { (left, right) } else { (right, left) };
            let (Some(here), Some(there)) = (column_of(here), column_of(there)) else { continue };
            if here == column || names_same_store(side, here, column) {
                reduced_other = reduce(&reduced_other, there, to)?;
            }
        }
    }
    let reduced_side = reduce(side, column, to)?;
    let sides = match is_left {
        true => vec![reduced_side, reduced_other],
        false => vec![reduced_other, reduced_side],
    };
    replace_children_if_necessary(Arc::clone(plan), sides)
}

/// True if both columns hold the id or number of the same store in every row.
fn names_same_store(plan: &Arc<dyn ExecutionPlan>, left: usize, right: usize) -> bool {
    let (left, right) = (origin(plan, left), origin(plan, right));
    left.zip(right).is_some_and(|(left, right)| left.is_same_row(&right))
}

/// True if the column of a scan holds store numbers of the reduction, or the ids of the same
/// directory.
fn is_key(
    scan: &Arc<dyn ExecutionPlan>,
    column: usize,
    stores: Option<&Arc<StoreDirectory>>,
    to: &Reduction,
) -> bool {
    match scan.schema().field(column).name().as_str() {
        STORE_NO => true,
        STORE_ID => stores.is_some_and(|stores| Arc::ptr_eq(stores, to.stores())),
        _ => false,
    }
}
