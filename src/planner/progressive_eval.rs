//! Progressive evaluation: concatenates partitions with ascending, disjoint key ranges.
//!
//! ```text
//! partition 0   1 2 3  ┐
//! partition 1   4 5    ├─ run concurrently ──▶  1 2 3 4 5 6
//! partition 2   6      ┘
//! ```
//!
//! A workaround for apache/datafusion#10316 and #15191; the pull request apache/datafusion#24546
//! adds this operator. Remove it once a release replaces `SortPreservingMergeExec` so.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, Partitioning};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};

/// Concatenates the partitions of its input in their order, without comparing keys.
///
/// All partitions run concurrently. Each one is buffered as a whole until those before it are
/// emitted. Buffered batches are reserved in the memory pool; exceeding it is an error, since they
/// do not spill. The first error, in the order of partitions, ends the output; dropping the stream
/// cancels all partitions.
#[derive(Debug)]
pub struct ProgressiveEvalExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
}

impl ProgressiveEvalExec {
    /// Every partition of `input` must be sorted by `order`, and so must their concatenation.
    pub fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering) -> Self {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.clear_per_partition_constants();
        equivalences.add_ordering(order.clone());
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            input.boundedness(),
        );
        Self { input, order, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ProgressiveEvalExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "ProgressiveEvalExec: [{}]", self.order)
    }
}

impl ExecutionPlan for ProgressiveEvalExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(inputs.swap_remove(0), self.order.clone())))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.input.output_partitioning().partition_count();
        let computed = (0..partitions).map(|partition| {
            let batches = self.input.execute(partition, Arc::clone(&context))?;
            let memory = MemoryConsumer::new(format!("ProgressiveEvalExec[{partition}]"));
            let memory = memory.register(context.memory_pool());
            Ok(SpawnedTask::spawn(PartitionBatches::collect(batches, memory)))
        });
        let computed = computed.collect::<Result<Vec<_>>>()?;
        let batches = stream::iter(computed).then(async |partition| -> Result<_> {
            let held = partition.join_unwind().await;
            Ok(held
                .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??
                .into_stream())
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches.try_flatten())))
    }
}

/// Buffered output of a partition.
struct PartitionBatches {
    batches: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl PartitionBatches {
    async fn collect(
        mut rows: SendableRecordBatchStream,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let mut batches = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            memory.try_grow(get_record_batch_memory_size(&batch))?;
            batches.push(batch);
        }
        Ok(Self { batches, memory })
    }

    fn into_stream(self) -> impl Stream<Item = Result<RecordBatch>> {
        stream::iter(self.batches).map(move |batch| {
            self.memory.shrink(get_record_batch_memory_size(&batch));
            Ok(batch)
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int32Array};
    use arrow::datatypes::Int32Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_expr::PhysicalSortExpr;
    use datafusion::physical_expr::expressions::col;

    use super::*;

    /// Output of the partitions under a memory limit, and the bytes still reserved afterwards.
    async fn progressive_eval(
        partitions: &[&[&[i32]]],
        memory_bytes: usize,
    ) -> Result<(Vec<Vec<i32>>, usize)> {
        let batch = |numbers: &&[i32]| {
            let numbers: ArrayRef = Arc::new(Int32Array::from(numbers.to_vec()));
            RecordBatch::try_from_iter([("store_no", numbers)]).unwrap()
        };
        let partitions: Vec<Vec<_>> =
            partitions.iter().map(|batches| batches.iter().map(batch).collect()).collect();
        let schema = batch(&&[0][..]).schema();
        let input = MemorySourceConfig::try_new_exec(&partitions, schema, None)?;
        let pool = Arc::new(GreedyMemoryPool::new(memory_bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(Arc::clone(&runtime)));
        let order = PhysicalSortExpr::new_default(col("store_no", &input.schema())?);
        let progressive_eval = ProgressiveEvalExec::new(input, [order].into());
        let rows: Vec<_> = progressive_eval.execute(0, context)?.try_collect().await?;
        let numbers = rows
            .iter()
            .map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec())
            .collect();
        Ok((numbers, runtime.memory_pool.reserved()))
    }

    #[tokio::test]
    async fn partitions_are_concatenated_in_order() {
        let partitions: &[&[&[i32]]] = &[&[&[1, 2], &[3]], &[], &[&[4], &[5, 6]]];
        let expected = vec![vec![1, 2], vec![3], vec![4], vec![5, 6]];
        assert_eq!(progressive_eval(partitions, 1 << 20).await.unwrap(), (expected, 0));
    }

    #[tokio::test]
    async fn buffered_batches_are_reserved_in_the_memory_pool() {
        let error = progressive_eval(&[&[&[1; 1_000]], &[&[2; 1_000]]], 6_000).await.unwrap_err();
        assert!(error.to_string().contains("ProgressiveEvalExec"), "{error}");
    }
}
