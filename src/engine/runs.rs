//! Groups by store rows that come in order of stores: a group ends where the next store begins, so
//! that none is looked up and few are held at a time.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::InterleaveExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use futures::stream::try_unfold;

use super::merge::merged;
use super::ranges::StoreRangesExec;

/// Groups that are held before those that are whole are handed on.
const GROUPS_HELD: usize = 256;

/// Groups by runs in the place of aggregates by store over what can come in order of stores.
#[derive(Debug)]
pub struct GroupByRuns;

impl PhysicalOptimizerRule for GroupByRuns {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let by_runs = plan.transform_up(|node| {
            Ok(match StoreRunsExec::in_place_of(&node)? {
                Some(by_runs) => Transformed::yes(Arc::new(by_runs) as _),
                None => Transformed::no(node),
            })
        });
        by_runs.map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "group_by_runs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The plan with its rows in order of the column, which holds numbers of stores; `None` where that
/// would take more than merging.
fn in_store_order(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = plan.downcast_ref::<StoreRangesExec>() {
        return Ok(scan.in_order(column).map(|scan| Arc::new(scan) as _));
    }
    let below = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        Some(filter.projection().as_ref().map_or(column, |kept| kept[column]))
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let kept = &projection.expr()[column].expr;
        kept.downcast_ref::<Column>().map(Column::index)
    } else if plan.is::<InterleaveExec>() {
        Some(column)
    } else {
        None
    };
    let Some(below) = below else { return Ok(None) };
    let inputs = plan.children().into_iter().map(|input| in_store_order(input, below));
    let Some(inputs) = inputs.collect::<Result<Option<Vec<_>>>>()? else { return Ok(None) };
    Ok(Some(match plan.is::<InterleaveExec>() {
        true => {
            Arc::new(StoreMergeExec { properties: Arc::clone(plan.properties()), inputs, column })
        }
        false => replace_children_if_necessary(Arc::clone(plan), inputs)?,
    }))
}

/// Inputs that are divided alike by ranges of stores, each in their order: merged.
#[derive(Debug)]
struct StoreMergeExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    column: usize,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for StoreMergeExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "StoreMergeExec")
    }
}

impl ExecutionPlan for StoreMergeExec {
    fn name(&self) -> &str {
        "StoreMergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let properties = Arc::clone(&self.properties);
        Ok(Arc::new(Self { inputs, column: self.column, properties }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.inputs.iter().map(|input| input.execute(partition, Arc::clone(&context)));
        Ok(merged(self.schema(), self.column, rows.collect::<Result<_>>()?))
    }
}

/// An aggregate by store over rows in order of stores.
#[derive(Debug)]
pub struct StoreRunsExec {
    /// What it says about groups and aggregates holds; it does not run itself.
    aggregate: AggregateExec,
    /// In order of [`Self::column`].
    input: Arc<dyn ExecutionPlan>,
    column: usize,
}

impl StoreRunsExec {
    fn in_place_of(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Self>> {
        let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
        let whole =
            matches!(aggregate.mode(), AggregateMode::Single | AggregateMode::SinglePartitioned);
        let of_runs = aggregate.aggr_expr().iter().all(|fold| {
            fold.groups_accumulator_supported()
                && !fold.is_distinct()
                && fold.order_bys().is_empty()
        });
        let [(key, _)] = aggregate.group_expr().expr() else { return Ok(None) };
        let single = aggregate.group_expr().is_single() && aggregate.limit_options().is_none();
        let number = |key: &Column| {
            let schema = aggregate.input().schema();
            (schema.field(key.index()).data_type() == &DataType::Int32).then(|| key.index())
        };
        let Some(column) = key.downcast_ref::<Column>().and_then(number) else { return Ok(None) };
        if !(whole && of_runs && single) {
            return Ok(None);
        }
        let input = in_store_order(aggregate.input(), column)?;
        Ok(input.map(|input| Self { aggregate: aggregate.clone(), input, column }))
    }
}

impl DisplayAs for StoreRunsExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let folds = self.aggregate.aggr_expr().iter().map(|fold| fold.name());
        let [(_, key)] = self.aggregate.group_expr().expr() else { return Ok(()) };
        write!(out, "StoreRunsExec: gby=[{key}], aggr=[{}]", folds.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for StoreRunsExec {
    fn name(&self) -> &str {
        "StoreRunsExec"
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
        let folds = self.aggregate.aggr_expr().iter().zip(self.aggregate.filter_expr());
        let folds = folds.map(|(fold, filter)| {
            Ok(Fold {
                arguments: fold.expressions(),
                filter: filter.clone(),
                groups: fold.create_groups_accumulator()?,
            })
        });
        let memory = MemoryConsumer::new(format!("StoreRunsExec[{partition}]"));
        let runs = Runs {
            schema: self.schema(),
            column: self.column,
            rows: self.input.execute(partition, Arc::clone(&context))?,
            stores: Vec::new(),
            folds: folds.collect::<Result<_>>()?,
            memory: memory.register(context.memory_pool()),
        };
        let batches = try_unfold(runs, |mut runs| async move {
            Ok(runs.next_batch().await?.map(|batch| (batch, runs)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// An aggregate function on its way through the rows.
struct Fold {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    groups: Box<dyn GroupsAccumulator>,
}

fn column_of(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch)?.into_array(batch.num_rows())
}

/// The groups that are being made.
struct Runs {
    schema: SchemaRef,
    column: usize,
    rows: SendableRecordBatchStream,
    /// The store of each group that is held; rows of the last one may still come.
    stores: Vec<i32>,
    folds: Vec<Fold>,
    memory: MemoryReservation,
}

impl Runs {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.rows.next().await {
            self.take(&batch?)?;
            if self.stores.len() > GROUPS_HELD {
                return self.emitted(EmitTo::First(self.stores.len() - 1)).map(Some);
            }
        }
        (!self.stores.is_empty()).then(|| self.emitted(EmitTo::All)).transpose()
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut group_of = Vec::with_capacity(batch.num_rows());
        for &store in batch.column(self.column).as_primitive::<Int32Type>().values() {
            if self.stores.last() != Some(&store) {
                self.stores.push(store);
            }
            group_of.push(self.stores.len() - 1);
        }
        let mut held_bytes = 0;
        for fold in &mut self.folds {
            let values = fold.arguments.iter().map(|argument| column_of(argument, batch));
            let values = values.collect::<Result<Vec<_>>>()?;
            let filter = fold.filter.as_ref().map(|filter| column_of(filter, batch)).transpose()?;
            let filter = filter.as_ref().map(|filter| filter.as_boolean());
            fold.groups.update_batch(&values, &group_of, filter, self.stores.len())?;
            held_bytes += fold.groups.size();
        }
        self.memory.try_resize(held_bytes)
    }

    fn emitted(&mut self, emit_to: EmitTo) -> Result<RecordBatch> {
        let stores = emit_to.take_needed(&mut self.stores);
        let mut columns = vec![Arc::new(Int32Array::from(stores)) as _];
        for fold in &mut self.folds {
            columns.push(fold.groups.evaluate(emit_to)?);
        }
        Ok(RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?)
    }
}
