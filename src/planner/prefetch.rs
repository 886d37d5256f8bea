//! Starts executing a sub-plan once it is planned, overlapping with planning the rest of the query.
//!
//! ```text
//! planning   timelines ──▶ tallies ──▶ report ─┐
//! executing            └──▶ timelines ─────────┴──▶ report reads the batches that are ready
//! ```
//!
//! DataFusion plans a query as a whole before it executes any of it. Remove this when planning the
//! rest of the report no longer shows in its total time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::broken;

/// Number of batches per partition that may be ready before one is read.
const BATCHES_AHEAD: usize = 16;

/// Sub-plan whose partitions execute in tasks of their own, each of which can be read once.
///
/// A task waits while [`BATCHES_AHEAD`] batches are unread. Dropping the operator or a partition's
/// stream cancels the task. An error is returned to the reader, after the batches before it.
#[derive(Debug)]
pub struct PrefetchExec {
    plan: Arc<dyn ExecutionPlan>,
    /// Partitions that are not read yet.
    partitions: Mutex<Vec<Option<Partition>>>,
}

/// Batches of a partition, and the task that produces them.
#[derive(Debug)]
struct Partition {
    batches: Receiver<RecordBatch>,
    task: SpawnedTask<Result<()>>,
}

impl PrefetchExec {
    /// Wraps a plan without starting it.
    pub fn new(plan: Arc<dyn ExecutionPlan>) -> Self {
        Self { plan, partitions: Mutex::default() }
    }

    /// Starts each partition of the plan in a task of its own. Call it once, before any partition
    /// is executed.
    ///
    /// # Errors
    /// If a partition of the plan cannot be executed.
    pub fn start(&self, context: &Arc<TaskContext>) -> Result<()> {
        let start = |partition| {
            let rows = self.plan.execute(partition, Arc::clone(context))?;
            let (sender, batches) = channel(BATCHES_AHEAD);
            let task = SpawnedTask::spawn(send_all(rows, sender));
            Ok(Some(Partition { batches, task }))
        };
        let partitions = self.plan.output_partitioning().partition_count();
        let partitions = (0..partitions).map(start).collect::<Result<_>>()?;
        *self.partitions() = partitions;
        Ok(())
    }

    fn partitions(&self) -> MutexGuard<'_, Vec<Option<Partition>>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sub-plan.
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }
}

async fn send_all(mut rows: SendableRecordBatchStream, into: Sender<RecordBatch>) -> Result<()> {
    while let Some(batch) = rows.try_next().await? {
        if into.send(batch).await.is_err() {
            // The reader was dropped.
            break;
        }
    }
    Ok(())
}

impl DisplayAs for PrefetchExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let schema = self.schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(out, "PrefetchExec: [{}]", names.join(", "))
    }
}

/// A leaf, so that optimizer rules do not change a plan that is already running.
impl ExecutionPlan for PrefetchExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let unread = self.partitions().get_mut(partition).and_then(Option::take);
        let Some(Partition { mut batches, task }) = unread else {
            return Err(broken(format!(
                "partition {partition} was not started or was already read"
            )));
        };
        let made = stream::poll_fn(move |context| batches.poll_recv(context)).map(Ok);
        // An error follows the batches before it.
        let failed = stream::once(task.join_unwind()).filter_map(async |ended| match ended {
            Ok(ended) => ended.err().map(Err),
            Err(error) => Some(Err(DataFusionError::ExecutionJoin(Box::new(error)))),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), made.chain(failed))))
    }
}

/// Table provider through which a query reads a prefetched plan.
#[derive(Debug)]
pub struct Prefetched(pub Arc<PrefetchExec>);

#[async_trait]
impl TableProvider for Prefetched {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let started = Arc::clone(&self.0) as Arc<dyn ExecutionPlan>;
        let schema = started.schema();
        let Some(asked) = projection else { return Ok(started) };
        if asked.iter().copied().eq(0..schema.fields().len()) {
            return Ok(started);
        }
        let column = |at: &usize| {
            let name = schema.field(*at).name();
            ProjectionExpr::new(Arc::new(Column::new(name, *at)), name)
        };
        Ok(Arc::new(ProjectionExec::try_new(asked.iter().map(column), started)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn started(query: &str) -> (Arc<PrefetchExec>, SessionContext) {
        let session = SessionContext::new();
        let plan = session.sql(query).await.unwrap().create_physical_plan().await.unwrap();
        let started = PrefetchExec::new(plan);
        started.start(&session.task_ctx()).unwrap();
        (Arc::new(started), session)
    }

    #[tokio::test]
    async fn a_query_reads_a_subset_of_the_columns_once() {
        let (made, session) =
            started("SELECT column1 AS a, column1 * 2 AS b FROM (VALUES (1), (2))").await;
        session.register_table("made", Arc::new(Prefetched(made))).unwrap();
        let rows = session.sql("SELECT b FROM made WHERE b > 2").await.unwrap();
        let rows = rows.collect().await.unwrap();
        let rows = rows.iter().flat_map(|rows| rows.column(0).as_primitive::<Int64Type>().values());
        assert_eq!(rows.copied().collect::<Vec<_>>(), [4]);
        let again = session.sql("SELECT a FROM made").await.unwrap().collect().await;
        assert!(again.unwrap_err().to_string().contains("already read"));
    }

    #[tokio::test]
    async fn an_error_is_returned_to_the_reader() {
        let (made, session) = started("SELECT 6 / (3 - column1) AS a FROM (VALUES (1), (3))").await;
        let rows = made.execute(0, session.task_ctx()).unwrap();
        let error = rows.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.to_string().contains("ivide by zero"), "{error}");
    }
}
