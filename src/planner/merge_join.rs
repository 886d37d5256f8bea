//! Merge join of stores with a relation that has at most one row per store, both sorted by store.
//!
//! ```text
//! stores   others          output
//! 1        1 ▶ a           1  a
//! 3        2 ▶ b           3  null
//! 4        4 ▶ c           4  c
//! ```
//!
//! There is no hash table. A batch is emitted as soon as both inputs have moved past it, and list
//! columns keep their values without copying. DataFusion's `SortMergeJoinExec` supports any keys
//! and copies matched rows. Remove this operator when that costs less than 5 % of a report.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use datafusion::common::JoinType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;
use futures::stream::try_unfold;

use super::few_stores::FewStoresExec;
use super::group_by_store::SortedGroupExec;
use super::node_rule::NodeRule;
use super::partitioned_scan::PartitionedScanExec;
use super::prefetch::PrefetchExec;
use crate::error::broken;

/// Replaces hash joins of stores with `StoreMergeJoinExec` if both sides are unique and sorted.
pub const MERGE_JOIN_BY_STORE: NodeRule = NodeRule {
    name: "merge_join_by_store",
    replace: |node| {
        Ok(match StoreMergeJoinExec::try_from_hash_join(&node) {
            Some(join) => Transformed::yes(Arc::new(join) as _),
            None => Transformed::no(node),
        })
    },
};

/// True if each partition has at most one row per store, ascending by `column`, and all stores of a
/// partition precede those of the next one.
pub fn is_unique_by_store(plan: &Arc<dyn ExecutionPlan>, column: usize) -> bool {
    if let Some(scan) = plan.downcast_ref::<PartitionedScanExec>() {
        return scan.is_unique_by_store(column);
    }
    if let Some(scan) = plan.downcast_ref::<FewStoresExec>() {
        return scan.is_unique_by_store(column);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let column = filter.projection().as_ref().map_or(column, |kept| kept[column]);
        return filter.fetch().is_none() && is_unique_by_store(filter.input(), column);
    }
    if let Some(prefetch) = plan.downcast_ref::<PrefetchExec>() {
        return is_unique_by_store(prefetch.plan(), column);
    }
    if plan.is::<SortedGroupExec>() {
        return column == 0;
    }
    if let Some(join) = plan.downcast_ref::<StoreMergeJoinExec>() {
        return match join.columns[column] {
            Source::Store(column) => is_unique_by_store(&join.stores, column),
            Source::Other(_) => false,
        };
    }
    let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return false };
    let kept = projection.expr()[column].expr.downcast_ref::<Column>();
    kept.is_some_and(|kept| is_unique_by_store(projection.input(), kept.index()))
}

/// Input and index of an output column.
#[derive(Clone, Copy, Debug)]
enum Source {
    Store(usize),
    Other(usize),
}

/// Left join: all rows of `stores`, each with the row of `others` for the same store, or nulls.
///
/// Sorted by store like `stores`. Both inputs must be sorted by an `Int32` key without duplicates;
/// otherwise execution fails. Buffers one batch of each input.
#[derive(Debug)]
pub struct StoreMergeJoinExec {
    stores: Arc<dyn ExecutionPlan>,
    others: Arc<dyn ExecutionPlan>,
    /// Indices of the join keys in `stores` and `others`.
    on: [usize; 2],
    columns: Vec<Source>,
    properties: Arc<PlanProperties>,
}

impl StoreMergeJoinExec {
    /// Converts an equivalent hash join; `None` unless both sides are [unique](is_unique_by_store)
    /// and the join is a plain left join.
    pub fn try_from_hash_join(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let join = plan.downcast_ref::<HashJoinExec>()?;
        let partitions =
            |plan: &Arc<dyn ExecutionPlan>| plan.output_partitioning().partition_count();
        let is_aligned = match join.partition_mode() {
            PartitionMode::Partitioned => true,
            // Mode that the planner chooses for a single partition.
            PartitionMode::CollectLeft => {
                partitions(join.left()) == 1 && partitions(join.right()) == 1
            }
            PartitionMode::Auto => false,
        };
        let is_plain = *join.join_type() == JoinType::Left
            && is_aligned
            && join.filter().is_none()
            && join.fetch().is_none();
        let [(store, other)] = join.on() else { return None };
        let number_in = |plan: &Arc<dyn ExecutionPlan>, key: &Arc<dyn PhysicalExpr>| {
            let column = key.downcast_ref::<Column>()?.index();
            let is_number = plan.schema().field(column).data_type() == &DataType::Int32;
            (is_number && is_unique_by_store(plan, column)).then_some(column)
        };
        let on = [number_in(join.left(), store)?, number_in(join.right(), other)?];
        let of_stores = join.left().schema().fields().len();
        let source = |column: usize| match column.checked_sub(of_stores) {
            None => Source::Store(column),
            Some(column) => Source::Other(column),
        };
        let joined = 0..join.join_schema().fields().len();
        let columns: Vec<_> = match &join.projection {
            Some(kept) => kept.iter().copied().map(source).collect(),
            None => joined.map(source).collect(),
        };
        is_plain.then(|| Self {
            stores: Arc::clone(join.left()),
            others: Arc::clone(join.right()),
            on,
            columns,
            properties: Arc::clone(join.properties()),
        })
    }
}

impl DisplayAs for StoreMergeJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let [store, other] = self.on;
        let (stores, others) = (self.stores.schema(), self.others.schema());
        let (store, other) = (stores.field(store).name(), others.field(other).name());
        let names = self.schema();
        let names: Vec<_> = names.fields().iter().map(|field| field.name().as_str()).collect();
        write!(out, "StoreMergeJoinExec: on=[{store} = {other}], columns=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for StoreMergeJoinExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.stores, &self.others]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; 2]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([stores, others]) = <[_; 2]>::try_from(children) else {
            return Err(broken("a join has two inputs"));
        };
        let (columns, properties) = (self.columns.clone(), Arc::clone(&self.properties));
        Ok(Arc::new(Self { stores, others, on: self.on, columns, properties }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // Executed first, because prefetched input starts working before it is polled.
        let others = self.others.execute(partition, Arc::clone(&context))?;
        let stores = self.stores.execute(partition, context)?;
        let [store, other] = self.on;
        let join = MergeJoinStream {
            schema: self.schema(),
            columns: self.columns.clone(),
            stores: Side::new(stores, store),
            others: Side::new(others, other),
        };
        let batches = try_unfold(join, |mut join| async move {
            Ok(join.next_batch().await?.map(|batch| (batch, join)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

struct MergeJoinStream {
    schema: SchemaRef,
    columns: Vec<Source>,
    stores: Side,
    others: Side,
}

impl MergeJoinStream {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.stores.fill().await?;
            self.others.fill().await?;
            let Some(last_store) = self.stores.last() else { return Ok(None) };
            // Both inputs are complete up to this store, and one of the batches ends there.
            let last = self.others.last().map_or(last_store, |last| last.min(last_store));
            let (stores, others) = (self.stores.take_through(last), self.others.take_through(last));
            if let Some(stores) = stores.filter(|stores| stores.num_rows() > 0) {
                return self.joined(&stores, others.as_ref()).map(Some);
            }
        }
    }

    fn joined(&self, stores: &RecordBatch, others: Option<&RecordBatch>) -> Result<RecordBatch> {
        let places = others.map(|others| {
            matching_rows(&self.stores.stores_in(stores), &self.others.stores_in(others))
        });
        let schema = self.others.rows.schema();
        let column = |source: &Source| match (*source, others, &places) {
            (Source::Store(at), ..) => Ok(Arc::clone(stores.column(at))),
            (Source::Other(at), Some(others), Some(places)) => {
                take_matching(others.column(at), places)
            }
            (Source::Other(at), ..) => {
                Ok(new_null_array(schema.field(at).data_type(), stores.num_rows()))
            }
        };
        let columns = self.columns.iter().map(column).collect::<Result<_>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(stores.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?)
    }
}

/// For each store, the row of the same store in `others`, or null; both inputs ascend.
fn matching_rows(stores: &[i32], others: &[i32]) -> UInt32Array {
    let mut next = 0;
    let place = |store: &i32| {
        while others.get(next).is_some_and(|other| other < store) {
            next += 1;
        }
        (others.get(next) == Some(store)).then_some(next as u32)
    };
    stores.iter().map(place).collect()
}

/// Takes the rows at ascending `places`; null places yield nulls.
fn take_matching(column: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef> {
    let lists = column.as_list_opt::<i32>();
    match lists.and_then(|lists| take_matching_lists(lists, places)) {
        Some(lists) => Ok(Arc::new(lists?)),
        None => Ok(take(column, places, None)?),
    }
}

/// Takes lists without copying their values; `None` unless every list is taken.
fn take_matching_lists(lists: &ListArray, places: &UInt32Array) -> Option<Result<ListArray>> {
    let none_is_left_out = places.iter().flatten().eq(0..lists.len() as u32);
    none_is_left_out.then(|| {
        let offsets = lists.value_offsets();
        let mut passed = 0;
        let ends = places.iter().map(|place| {
            passed += usize::from(place.is_some());
            offsets[passed]
        });
        let offsets = [offsets[0]].into_iter().chain(ends).collect();
        let valid = places.iter().map(|place| place.is_some_and(|at| lists.is_valid(at as usize)));
        let (DataType::List(item), values) = (lists.data_type(), lists.values()) else {
            return Err(broken("lists have items"));
        };
        let valid = valid.collect::<NullBuffer>();
        let offsets = OffsetBuffer::new(offsets);
        Ok(ListArray::try_new(Arc::clone(item), offsets, Arc::clone(values), Some(valid))?)
    })
}

/// Input of a join.
struct Side {
    rows: SendableRecordBatchStream,
    column: usize,
    /// Rows that are not joined yet; `None` once the input has ended.
    next: Option<RecordBatch>,
    has_ended: bool,
    /// Store of the last row that was read.
    last: Option<i32>,
}

impl Side {
    fn new(rows: SendableRecordBatchStream, column: usize) -> Self {
        Self { rows, column, next: None, has_ended: false, last: None }
    }

    fn stores_in(&self, batch: &RecordBatch) -> ScalarBuffer<i32> {
        batch.column(self.column).as_primitive::<Int32Type>().values().clone()
    }

    async fn fill(&mut self) -> Result<()> {
        while self.next.is_none() && !self.has_ended {
            let Some(batch) = self.rows.next().await.transpose()? else {
                self.has_ended = true;
                return Ok(());
            };
            let numbers = self.stores_in(&batch);
            let Some(&last) = numbers.last() else { continue };
            let mut before = self.last;
            let is_out_of_order =
                |number: &&i32| before.replace(**number).is_some_and(|last| last >= **number);
            if let Some(number) = numbers.iter().find(is_out_of_order) {
                return Err(broken(format!(
                    "input is not sorted: store number {number} is repeated or follows a greater \
                     one"
                )));
            }
            (self.next, self.last) = (Some(batch), Some(last));
        }
        Ok(())
    }

    /// Last store of the unjoined rows.
    fn last(&self) -> Option<i32> {
        self.next.as_ref().and(self.last)
    }

    /// Takes the unjoined rows up to and including a store.
    fn take_through(&mut self, last: i32) -> Option<RecordBatch> {
        let batch = self.next.take()?;
        let taken = self.stores_in(&batch).partition_point(|number| *number <= last);
        let left = batch.num_rows() - taken;
        self.next = (left > 0).then(|| batch.slice(taken, left));
        Some(batch.slice(0, taken))
    }
}

#[cfg(test)]
mod tests;
