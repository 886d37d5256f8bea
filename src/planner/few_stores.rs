//! Scan of few stores: skips pages without their rows, and returns rows sorted by store.
//!
//! A year consists of hundreds of files with one or two relevant pages each. Tasks share the files,
//! and the rows of a partition become one batch.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Statistics};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, stream};

use super::StoreDirectory;
use super::store_columns::{RowsPerStore, STORE_ID, STORE_NO};
use super::store_ranges::StoreRanges;
use crate::tables::{Table, TableFile, read_stores};

/// Largest number of stores for which this scan is used. With more, most pages hold one of them.
pub const FEW_STORES_MAX: usize = 256;
/// Rows per output batch.
const BATCH_ROWS: usize = 8_192;
/// Number of files per task, so that the tasks of other queries run in between.
const FILES_PER_TASK: usize = 16;

/// Files of a table with a store directory, and the columns to read from them.
#[derive(Clone, Debug)]
pub struct StoreFiles {
    pub table: Table,
    pub files: Arc<[TableFile]>,
    /// Columns of the scan, including [`STORE_NO`].
    pub schema: SchemaRef,
    pub stores: Arc<StoreDirectory>,
}

impl StoreFiles {
    /// Reads the rows of the stores with these ascending `numbers`, sorted by number; rows of one
    /// store keep the order of the files.
    async fn rows(self, numbers: Arc<[i32]>) -> Result<RecordBatch> {
        let schema = Arc::clone(&self.schema);
        if numbers.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        let start = |files: &[TableFile]| {
            let (table, schema) = (self.table, Arc::clone(&self.schema));
            let (files, numbers) = (files.to_vec(), Arc::clone(&numbers));
            SpawnedTask::spawn(async move { read_files(table, &files, &schema, &numbers) })
        };
        let tasks: Vec<_> = self.files.chunks(FILES_PER_TASK).map(start).collect();
        let mut found = Vec::new();
        for task in tasks {
            let read = task.join_unwind().await;
            found.extend(read.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
        }
        let rows = concat_batches(&schema, &found)?;
        drop(found);
        sorted_by_store(rows)
    }

    fn column_index(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }

    fn rows_per_store(&self) -> RowsPerStore {
        RowsPerStore::in_table(self.table)
    }
}

/// Reads the rows of the stores from some of the files, with the columns of the scan.
fn read_files(
    table: Table,
    files: &[TableFile],
    schema: &SchemaRef,
    numbers: &[i32],
) -> Result<Vec<RecordBatch>> {
    let columns = file_column_indices(table, schema);
    let mut found = Vec::new();
    for file in files {
        let rows = read_stores(&file.path, &columns, numbers);
        for rows in rows.map_err(|error| DataFusionError::External(Box::new(error)))? {
            found.push(to_scan_schema(rows, schema, file.day)?);
        }
    }
    Ok(found)
}

/// Indices in the files of a scan's columns, except for the day, which is not stored in the files.
pub fn file_column_indices(table: Table, schema: &SchemaRef) -> Vec<usize> {
    let in_files = table.file_schema();
    let names = schema.fields().iter().map(|field| field.name());
    names.filter_map(|name| in_files.index_of(name).ok()).collect()
}

/// Converts rows of a file to the schema of a scan, adding the day if the schema has it.
pub fn to_scan_schema(
    rows: RecordBatch,
    schema: &SchemaRef,
    day: Option<i64>,
) -> Result<RecordBatch> {
    let count = rows.num_rows();
    let column = |name: &str| match rows.column_by_name(name) {
        Some(column) => Ok(Arc::clone(column)),
        None => ScalarValue::Date32(day.map(|day| day as i32)).to_array_of_size(count),
    };
    let columns = schema.fields().iter().map(|field| column(field.name()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn sorted_by_store(rows: RecordBatch) -> Result<RecordBatch> {
    let column = rows.schema_ref().index_of(STORE_NO)?;
    let numbers = rows.column(column).as_primitive::<Int32Type>().values();
    if numbers.is_sorted() {
        return Ok(rows);
    }
    let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
    places.sort_by_key(|place| numbers[*place as usize]);
    Ok(take_record_batch(&rows, &UInt32Array::from(places))?)
}

/// Streams the rows of one partition.
pub fn read_stores_stream(
    files: StoreFiles,
    numbers: Arc<[i32]>,
    (partition, context): (usize, &TaskContext),
) -> SendableRecordBatchStream {
    let schema = Arc::clone(&files.schema);
    let memory = MemoryConsumer::new(format!("FewStoresExec[{partition}]"));
    let memory = memory.register(context.memory_pool());
    let batches = stream::once(async move {
        let rows = files.rows(numbers).await?;
        memory.try_grow(get_record_batch_memory_size(&rows))?;
        let starts = (0..rows.num_rows()).step_by(BATCH_ROWS);
        let batches = starts.map(move |start| {
            // Keeps the reservation until the last row is emitted.
            let _held = &memory;
            Ok(rows.slice(start, BATCH_ROWS.min(rows.num_rows() - start)))
        });
        Ok::<_, DataFusionError>(stream::iter(batches))
    });
    let batches = batches.flat_map(|batches| match batches {
        Ok(batches) => batches.boxed(),
        Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Scan of few stores, partitioned by ranges of all stores.
///
/// ```text
/// polls of 2023-01-24 ──page of store 7──┐
/// polls of 2023-01-25 ──page of store 7──┴─▶ rows of store 7, sorted by time
/// ```
///
/// Rows are sorted by store number, and those of one store by file. A partition is read as a whole;
/// its memory is reserved in the pool.
#[derive(Debug)]
pub struct FewStoresExec {
    files: StoreFiles,
    /// Ascending.
    numbers: Arc<[i32]>,
    ranges: StoreRanges,
    properties: Arc<PlanProperties>,
}

impl FewStoresExec {
    /// Creates a scan; `numbers` must ascend.
    pub fn try_new(files: StoreFiles, numbers: Arc<[i32]>, ranges: StoreRanges) -> Result<Self> {
        let schema = &files.schema;
        let mut order = vec![PhysicalSortExpr::new_default(col(STORE_NO, schema)?)];
        if let RowsPerStore::SortedBy(second) = files.rows_per_store()
            && schema.index_of(second).is_ok()
        {
            order.push(PhysicalSortExpr::new_default(col(second, schema)?));
        }
        let order = LexOrdering::new(order);
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(schema), order),
            ranges.partitioning(schema)?,
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let properties = properties.with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self { files, numbers, ranges, properties: Arc::new(properties) })
    }

    pub fn files(&self) -> &StoreFiles {
        &self.files
    }

    pub fn numbers(&self) -> &Arc<[i32]> {
        &self.numbers
    }

    /// Restricts the scan further, to the stores that are also in `numbers`.
    pub fn intersect(&self, numbers: &[i32]) -> Result<Self> {
        let both = self.numbers.iter().copied();
        let both = both.filter(|number| numbers.binary_search(number).is_ok()).collect();
        Self::try_new(self.files.clone(), both, self.ranges.clone())
    }

    /// True if the rows are sorted by the columns `keys`.
    pub fn is_in_order(&self, keys: &[usize]) -> bool {
        let place = |name| self.files.column_index(name);
        let RowsPerStore::SortedBy(second) = self.files.rows_per_store() else {
            return matches!(*keys, [key] if Some(key) == place(STORE_NO));
        };
        match *keys {
            [key] => Some(key) == place(STORE_NO),
            [key, next] => Some(key) == place(STORE_NO) && Some(next) == place(second),
            _ => false,
        }
    }

    /// True if each partition has at most one row per store, ascending by `column`, and all stores
    /// of a partition precede those of the next one.
    pub fn is_unique_by_store(&self, column: usize) -> bool {
        let is_id =
            Some(column) == self.files.column_index(STORE_ID) && self.ranges.is_in_order_of_ids();
        let is_key = Some(column) == self.files.column_index(STORE_NO) || is_id;
        is_key && self.files.files.len() <= 1 && self.files.rows_per_store() == RowsPerStore::One
    }
}

impl DisplayAs for FewStoresExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let names = self.files.schema.fields().iter().map(|field| field.name().as_str());
        let days = self.files.files.iter().filter_map(|file| file.day);
        let (table, files) = (self.files.table.name(), self.files.files.len());
        write!(out, "FewStoresExec: {table}, stores={}, files={files}", self.numbers.len())?;
        if let (Some(first), Some(last)) = (days.clone().min(), days.max()) {
            let date = |day: i64| ScalarValue::Date32(Some(day as i32));
            write!(out, ", days={}..={}", date(first), date(last))?;
        }
        write!(out, ", columns=[{}]", names.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for FewStoresExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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

    /// Estimates the average number of rows per store.
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.files.schema);
        let rows = self.files.files.iter().map(|file| file.rows).sum::<Option<usize>>();
        let of_store = rows.map(|rows| rows.div_ceil(self.files.stores.count().max(1)));
        let rows = of_store.map(|rows| rows * self.numbers.len());
        statistics.num_rows = rows.map_or(Precision::Absent, Precision::Inexact);
        Ok(Arc::new(statistics))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let numbers = self.ranges.within(partition, &self.numbers);
        Ok(read_stores_stream(self.files.clone(), numbers, (partition, &context)))
    }
}
