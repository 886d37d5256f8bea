//! Sorted aggregation by store.
//!
//! The input files are sorted by store, so the group of a store is complete, and emitted, once
//! every file has moved past that store. There is no hash table, and only the open groups are in
//! memory.
//!
//! ```text
//! day 1   3 3 5 7  ┐                   ┌ group 3: complete once no file is at 3 any more
//! day 2   3 5 5 9  ├─ furthest behind ─┤ group 5
//! day 3   5 7      ┘      first        └ groups 7 and 9: open
//! ```
//!
//! DataFusion's counterpart is `AggregateExec` over ordered input (`GroupOrdering::Full`), which
//! needs one merged, sorted stream. Remove this when that is as fast without copying rows for the
//! merge.

mod runs;
mod sorted_inputs;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, new_empty_array,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::InterleaveExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::scalar::ScalarValue;
use futures::TryFutureExt;
use futures::stream::try_unfold;

use self::runs::{equal_runs, without_empty_groups};
use self::sorted_inputs::SortedInputs;
use super::few_stores::FewStoresExec;
use super::node_rule::NodeRule;
use super::partitioned_scan::PartitionedScanExec;
use crate::error::broken;
use crate::functions::{GroupRun, add_runs};

/// Smallest number of complete groups that is emitted as a batch, except for the last batch.
const EMITTED_GROUPS_MIN: usize = 1_024;
/// Largest number of files read at once by a partition; with more files the hash aggregate stays.
const INPUTS_MAX: usize = 512;

/// Replaces aggregates by store with `SortedGroupExec` where the input is sorted by store.
pub const GROUP_BY_STORE: NodeRule = NodeRule {
    name: "group_by_store",
    replace: |node| {
        Ok(match SortedGroupExec::try_from_aggregate(&node)? {
            Some(grouped) => Transformed::yes(Arc::new(grouped) as _),
            None => Transformed::no(node),
        })
    },
};

/// Splits a plan into inputs that are each sorted by `column`, which holds store numbers. `None` if
/// the plan does not read files in that order.
fn split_sorted(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
) -> Result<Option<Vec<Arc<dyn ExecutionPlan>>>> {
    if let Some(scan) = plan.downcast_ref::<PartitionedScanExec>() {
        let files = scan.files_in_order(column);
        return Ok(files.map(|files| files.into_iter().map(|file| Arc::new(file) as _).collect()));
    }
    if let Some(scan) = plan.downcast_ref::<FewStoresExec>() {
        return Ok(scan.is_in_order(&[column]).then(|| vec![Arc::clone(plan)]));
    }
    if plan.is::<InterleaveExec>() {
        let inputs = plan.children().into_iter().map(|input| split_sorted(input, column));
        let inputs = inputs.collect::<Result<Option<Vec<_>>>>()?;
        return Ok(inputs.map(|inputs| inputs.into_iter().flatten().collect()));
    }
    let below = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        Some(filter.projection().as_ref().map_or(column, |kept| kept[column]))
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let kept = &projection.expr()[column].expr;
        kept.downcast_ref::<Column>().map(Column::index)
    } else {
        None
    };
    let input = plan.children().first().copied();
    let (Some(below), Some(input)) = (below, input) else { return Ok(None) };
    let Some(inputs) = split_sorted(input, below)? else { return Ok(None) };
    let over = |input| replace_children_if_necessary(Arc::clone(plan), vec![input]);
    inputs.into_iter().map(over).collect::<Result<_>>().map(Some)
}

/// Aggregates by store over the [sorted inputs](split_sorted) of its input.
///
/// Output: one row per store with rows, ascending by store number; nulls and values as in the
/// replaced [`AggregateExec`]. Fails if an input is out of order. Memory of the open groups is
/// reserved in the pool and cannot be spilled.
#[derive(Debug)]
pub struct SortedGroupExec {
    /// Source of the expressions, schema and properties; it is never executed.
    aggregate: AggregateExec,
    input: Arc<dyn ExecutionPlan>,
    column: usize,
}

impl SortedGroupExec {
    fn try_from_aggregate(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Self>> {
        let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
        let complete =
            matches!(aggregate.mode(), AggregateMode::Single | AggregateMode::SinglePartitioned);
        let is_supported = aggregate.aggr_expr().iter().all(|expr| {
            expr.groups_accumulator_supported()
                && !expr.is_distinct()
                && expr.order_bys().is_empty()
        });
        let [(key, _)] = aggregate.group_expr().expr() else { return Ok(None) };
        let single = aggregate.group_expr().is_single() && aggregate.limit_options().is_none();
        let number = |key: &Column| {
            let schema = aggregate.input().schema();
            (schema.field(key.index()).data_type() == &DataType::Int32).then(|| key.index())
        };
        let Some(column) = key.downcast_ref::<Column>().and_then(number) else { return Ok(None) };
        if !(complete && is_supported && single) {
            return Ok(None);
        }
        let input = Arc::clone(aggregate.input());
        let is_sorted =
            split_sorted(&input, column)?.is_some_and(|inputs| inputs.len() <= INPUTS_MAX);
        Ok(is_sorted.then(|| Self { aggregate: aggregate.clone(), input, column }))
    }
}

impl DisplayAs for SortedGroupExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let aggregates = self.aggregate.aggr_expr().iter().map(|expr| expr.name());
        let [(_, key)] = self.aggregate.group_expr().expr() else { return Ok(()) };
        write!(
            out,
            "SortedGroupExec: gby=[{key}], aggr=[{}]",
            aggregates.collect::<Vec<_>>().join(", ")
        )
    }
}

impl ExecutionPlan for SortedGroupExec {
    fn name(&self) -> &str {
        "SortedGroupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(visit)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (aggregate, column) = (self.aggregate.clone(), self.column);
        Ok(Arc::new(Self { aggregate, input: inputs.swap_remove(0), column }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let aggregates = self.aggregate.aggr_expr().iter().zip(self.aggregate.filter_expr());
        let aggregates = aggregates.map(|(expr, filter)| {
            Ok(AggregateState {
                arguments: expr.expressions().into_iter().map(Argument::new).collect(),
                filter: filter.clone(),
                groups: expr.create_groups_accumulator()?,
            })
        });
        let Some(inputs) = split_sorted(&self.input, self.column)? else {
            return Err(broken("the input of a sorted aggregation is no longer sorted by store"));
        };
        let rows = inputs.iter().map(|input| input.execute(partition, Arc::clone(&context)));
        // Opens files and reads first rows while other operators compute what these rows are joined
        // with.
        let inputs =
            SpawnedTask::spawn(SortedInputs::open(rows.collect::<Result<_>>()?, self.column));
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let memory = MemoryConsumer::new(format!("SortedGroupExec[{partition}]"));
        let memory = memory.register(context.memory_pool());
        let schema = self.schema();
        let grouped = move |inputs| GroupedStream {
            schema,
            inputs,
            first: i32::MIN,
            has_rows: Vec::new(),
            aggregates,
            memory,
        };
        let batches = async move {
            let inputs = inputs.join_unwind().await;
            let inputs =
                inputs.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            Ok(try_unfold(grouped(inputs), |mut grouped| async move {
                Ok(grouped.next_batch().await?.map(|batch| (batch, grouped)))
            }))
        };
        let batches = batches.try_flatten_stream();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Accumulator of one aggregate function, with its arguments and filter.
struct AggregateState {
    arguments: Vec<Argument>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    groups: Box<dyn GroupsAccumulator>,
}

fn evaluate(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch)?.into_array(batch.num_rows())
}

enum Argument {
    Computed(Arc<dyn PhysicalExpr>),
    /// Same value in every row; holds the longest array that was needed so far.
    Constant(ScalarValue, ArrayRef),
}

impl Argument {
    fn new(expr: Arc<dyn PhysicalExpr>) -> Self {
        match expr.downcast_ref::<Literal>() {
            Some(literal) => Self::Constant(
                literal.value().clone(),
                new_empty_array(&literal.value().data_type()),
            ),
            None => Self::Computed(expr),
        }
    }

    fn column(&mut self, batch: &RecordBatch) -> Result<ArrayRef> {
        match self {
            Self::Computed(expr) => evaluate(expr, batch),
            Self::Constant(value, column) => {
                if column.len() < batch.num_rows() {
                    *column = value.to_array_of_size(batch.num_rows())?;
                }
                Ok(column.slice(0, batch.num_rows()))
            }
        }
    }
}

/// Open groups: one per store number from `first` on, including numbers without rows, so that the
/// group of a store is found by subtraction.
struct GroupedStream {
    schema: SchemaRef,
    inputs: SortedInputs,
    /// Store number of the first open group.
    first: i32,
    /// True for each open group that has rows.
    has_rows: Vec<bool>,
    aggregates: Vec<AggregateState>,
    memory: MemoryReservation,
}

impl GroupedStream {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let min_open_store = self.inputs.min_open_store();
            let complete =
                min_open_store.map_or(self.has_rows.len(), |open| self.group_of_store(open));
            let complete = complete.min(self.has_rows.len());
            if complete >= EMITTED_GROUPS_MIN || min_open_store.is_none() && complete > 0 {
                return self.emitted(complete).map(Some);
            }
            let Some((batch, stores)) = self.inputs.next().await? else {
                match self.has_rows.is_empty() {
                    true => return Ok(None),
                    false => continue,
                }
            };
            if self.has_rows.is_empty() {
                self.first = stores[0];
            }
            self.take(&batch, &stores)?;
        }
    }

    fn group_run(&self, store: i32, rows: Range<usize>) -> GroupRun {
        GroupRun { group: self.group_of_store(store), rows }
    }

    /// Index of the group of a store that is not less than `first`.
    fn group_of_store(&self, store: i32) -> usize {
        store.abs_diff(self.first) as usize
    }

    fn take(&mut self, batch: &RecordBatch, stores: &[i32]) -> Result<()> {
        let runs: Vec<_> =
            equal_runs(stores).map(|rows| self.group_run(stores[rows.start], rows)).collect();
        let groups = runs.last().map_or(0, |last| last.group + 1).max(self.has_rows.len());
        self.has_rows.resize(groups, false);
        runs.iter().for_each(|run| self.has_rows[run.group] = true);
        let mut group_of = Vec::new();
        let mut held_bytes = 0;
        for aggregate in &mut self.aggregates {
            let values = aggregate.arguments.iter_mut().map(|argument| argument.column(batch));
            let values = values.collect::<Result<Vec<_>>>()?;
            let filter =
                aggregate.filter.as_ref().map(|filter| evaluate(filter, batch)).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            let is_added =
                filter.is_none() && add_runs(aggregate.groups.as_mut(), &values, &runs, groups)?;
            if !is_added {
                if group_of.is_empty() {
                    runs.iter().for_each(|run| group_of.resize(run.rows.end, run.group));
                }
                aggregate.groups.update_batch(&values, &group_of, filter, groups)?;
            }
            held_bytes += aggregate.groups.size();
        }
        self.memory.try_resize(held_bytes)
    }

    /// Emits the first `groups` groups, without those that have no rows.
    fn emitted(&mut self, groups: usize) -> Result<RecordBatch> {
        let is_last = groups == self.has_rows.len();
        let emit_to = if is_last { EmitTo::All } else { EmitTo::First(groups) };
        let has_rows: BooleanArray = self.has_rows.drain(..groups).map(Some).collect();
        let stores = (self.first..).take(groups);
        let mut columns = vec![Arc::new(Int32Array::from_iter_values(stores)) as ArrayRef];
        for aggregate in &mut self.aggregates {
            columns.push(aggregate.groups.evaluate(emit_to)?);
        }
        self.first = self.first.saturating_add_unsigned(groups as u32);
        if has_rows.false_count() > 0 {
            let kept = columns.iter().map(|column| without_empty_groups(column, &has_rows));
            columns = kept.collect::<Result<_>>()?;
        }
        Ok(RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?)
    }
}
