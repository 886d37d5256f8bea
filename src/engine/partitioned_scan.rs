//! Scans that are divided by stores: each partition holds stores of its own, from every file.
//!
//! Ranges of `store_no` are declared to the planner as such. It then groups and joins by store
//! without passing a row from one thread to another.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, StatisticsArgs,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::few_stores::{FewStoresExec, StoreFiles, of_scan, places_in_file, stream_of};
use super::merge::merged;
use super::store_keys::StoreKeys;
use super::store_ranges::StoreRanges;
use super::table_files::STORE_ID;
use crate::error::Error;
use crate::tables::{Table, read_range};

/// Files that are merged at once; more are sorted.
const FILES_MERGED_MAX: usize = 64;
/// Files up to which one that is read beside others is read at once; of more, each holds a page.
const FILES_HELD_MAX: usize = 64;
/// Rows of a batch of a file of which a page is held.
const PAGE_BATCH_ROWS: usize = 4_096;

/// Column by whose ranges scans are divided.
pub const STORE_NO: &str = "store_no";

/// How a partition takes the rows of several files.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// One file after another.
    Sequential,
    /// All of them, by store.
    Merged,
    /// One file alone.
    SingleFile(usize),
}

/// How many rows a store has in a table, and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsPerStore {
    One,
    /// In order of the column, file after file.
    SortedBy(&'static str),
    Any,
}

impl RowsPerStore {
    pub fn in_table(table: Table) -> Self {
        match table {
            // A file is a day.
            Table::Polls => Self::SortedBy("polled_at"),
            Table::Stores | Table::TimeZones => Self::One,
            _ => Self::Any,
        }
    }
}

/// One scan for each range, of which partitions take the rows that are in it.
#[derive(Debug)]
pub struct PartitionedScanExec {
    scans: Vec<Arc<dyn ExecutionPlan>>,
    ranges: StoreRanges,
    rows: RowsPerStore,
    reading: Reading,
    properties: Arc<PlanProperties>,
    /// What a scan of few stores reads; none where the table does not know its stores.
    files: Option<StoreFiles>,
    /// Stores without which the rest of the plan does as well; all where there are none.
    keys: Option<Arc<StoreKeys>>,
}

impl PartitionedScanExec {
    /// Each partition of the `scans` is of one file; they have a column [`STORE_NO`] without nulls.
    pub fn try_new(
        scans: Vec<Arc<dyn ExecutionPlan>>,
        ranges: StoreRanges,
        rows: RowsPerStore,
    ) -> Result<Self> {
        if scans.len() != ranges.count() {
            return plan_err!("{} scans for {} ranges of stores", scans.len(), ranges.count());
        }
        let schema = scans[0].schema();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            ranges.partitioning(&schema)?,
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (reading, properties) = (Reading::Sequential, Arc::new(properties));
        Ok(Self { scans, ranges, rows, reading, properties, files: None, keys: None })
    }

    /// The same, which may be reduced to few stores.
    pub fn reducible(self, files: StoreFiles) -> Self {
        Self { files: Some(files), ..self }
    }

    /// None where it cannot be reduced, or was already.
    pub fn reducible_files(&self) -> Option<&StoreFiles> {
        self.files.as_ref().filter(|_| self.keys.is_none())
    }

    /// The scan of those stores alone, whose numbers ascend; `None` where it cannot be reduced.
    pub fn restricted_to_stores(&self, numbers: &Arc<[i32]>) -> Result<Option<FewStoresExec>> {
        let Some(files) = self.files.clone() else { return Ok(None) };
        FewStoresExec::try_new(files, Arc::clone(numbers), self.ranges.clone()).map(Some)
    }

    /// The same scan, which waits for the keys and reads those stores alone where they are few;
    /// `None` where it cannot be reduced.
    pub fn restricted_by_keys(&self, keys: &Arc<StoreKeys>) -> Option<Self> {
        self.reducible_files()?;
        let same = self.with_reading(self.reading, Arc::clone(&self.properties));
        Some(Self { keys: Some(Arc::clone(keys)), ..same })
    }

    /// Whether each partition has one row a store in ascending order of the column, and all stores of
    /// a partition come before those of the next.
    pub fn is_unique_by_store(&self, column: usize) -> bool {
        let schema = self.schema();
        let is_key = [STORE_NO, STORE_ID].contains(&schema.field(column).name().as_str());
        let files = self.scans[0].output_partitioning().partition_count();
        is_key && files <= 1 && self.rows == RowsPerStore::One && self.ranges.is_in_order_of_ids()
    }

    /// The same file by file, each with its rows in order of the column; `None` where that is not
    /// [`STORE_NO`], or files are not in its order.
    pub fn files_in_order(&self, column: usize) -> Option<Vec<Self>> {
        let is_key = self.schema().field(column).name() == STORE_NO;
        let files = self.scans[0].output_partitioning().partition_count();
        let of_file =
            |file| self.with_reading(Reading::SingleFile(file), Arc::clone(&self.properties));
        (is_key && self.ranges.is_in_order_of_ids()).then(|| (0..files).map(of_file).collect())
    }

    /// The same with the rows of a partition in order of the columns; `None` where files are not.
    pub fn in_order(&self, keys: &[usize]) -> Result<Option<Self>> {
        let schema = self.schema();
        let names: Vec<_> = keys.iter().map(|&key| schema.field(key).name().as_str()).collect();
        let is_kept = match names[..] {
            [STORE_NO] => true,
            [STORE_NO, second] => matches!(self.rows, RowsPerStore::SortedBy(by) if by == second),
            _ => false,
        };
        let few = self.scans[0].output_partitioning().partition_count() <= FILES_MERGED_MAX;
        if !(is_kept && few && self.ranges.is_in_order_of_ids()) {
            return Ok(None);
        }
        let order = names.iter().map(|name| Ok(PhysicalSortExpr::new_default(col(name, &schema)?)));
        let order = LexOrdering::new(order.collect::<Result<Vec<_>>>()?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), order),
            self.properties.partitioning.clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Some(self.with_reading(Reading::Merged, Arc::new(properties))))
    }

    fn with_reading(&self, reading: Reading, properties: Arc<PlanProperties>) -> Self {
        let (scans, ranges) = (self.scans.clone(), self.ranges.clone());
        let (files, keys) = (self.files.clone(), self.keys.clone());
        Self { scans, ranges, rows: self.rows, reading, properties, files, keys }
    }

    /// The rows of the range, of all its stores.
    fn rows_of_range(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let column = schema.index_of(STORE_NO)?;
        let range = self.ranges.range(partition);
        let scan = Arc::clone(&self.scans[partition]);
        let files = scan.output_partitioning().partition_count();
        let rows_of = move |file: usize| -> Result<SendableRecordBatchStream> {
            let rows = scan.execute(file, Arc::clone(&context))?;
            let rows = rows.map(move |batch| filter_to_range(batch?, column, range));
            Ok(Box::pin(RecordBatchStreamAdapter::new(scan.schema(), rows)))
        };
        match (self.reading, &self.files) {
            (Reading::SingleFile(file), Some(of_table)) if files > FILES_HELD_MAX => {
                read_range_by_page(of_table.clone(), file, range)
            }
            (Reading::SingleFile(file), _) => rows_of(file),
            (Reading::Merged, _) => {
                Ok(merged(schema, column, (0..files).map(rows_of).collect::<Result<_>>()?))
            }
            (Reading::Sequential, _) => {
                let rows = stream::iter(0..files).map(rows_of).try_flatten();
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
            }
        }
    }
}

impl DisplayAs for PartitionedScanExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        let merged = if matches!(self.reading, Reading::Merged) { ", merged" } else { "" };
        let keys = if self.keys.is_some() { ", filtered by join keys" } else { "" };
        write!(out, "PartitionedScanExec: {}{merged}{keys}", self.properties.partitioning)
    }
}

impl ExecutionPlan for PartitionedScanExec {
    fn name(&self) -> &str {
        "PartitionedScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.scans.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.scans.len()]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        scans: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            scans,
            ..self.with_reading(self.reading, Arc::clone(&self.properties))
        }))
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        let mut requests = vec![ChildStats::Skip; self.scans.len()];
        requests[0] = ChildStats::At(None);
        requests
    }

    /// Each scan is of all files, so that the first knows what all partitions have together.
    fn statistics_from_inputs(
        &self,
        scans: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut of_all = scans[0].as_ref().clone().to_inexact();
        if args.partition().is_some() {
            let rows = of_all.num_rows.get_value().map(|rows| rows / self.scans.len());
            of_all = Statistics::new_unknown(&self.schema());
            of_all.num_rows = rows.map_or(Precision::Absent, Precision::Inexact);
        }
        Ok(Arc::new(of_all))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (Some(files), Some(keys)) = (&self.files, &self.keys) else {
            return self.rows_of_range(partition, context);
        };
        // Rows of few stores come in the order of any reading, all of them by the first file's.
        let is_first =
            matches!(self.reading, Reading::Sequential | Reading::Merged | Reading::SingleFile(0));
        let (files, keys, ranges) = (files.clone(), Arc::clone(keys), self.ranges.clone());
        let all = self.with_reading(self.reading, Arc::clone(&self.properties));
        let rows = stream::once(async move {
            match keys.collected().await {
                None => all.rows_of_range(partition, context),
                Some(numbers) => {
                    let numbers: Arc<[i32]> =
                        if is_first { ranges.within(partition, &numbers) } else { Arc::default() };
                    Ok(stream_of(files, numbers, (partition, &context)))
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.try_flatten())))
    }
}

/// The rows of one of the files that are in the range, page by page.
fn read_range_by_page(
    StoreFiles { table, files, schema, .. }: StoreFiles,
    file: usize,
    range: (Option<i32>, Option<i32>),
) -> Result<SendableRecordBatchStream> {
    let column = schema.index_of(STORE_NO)?;
    let of_scan_schema = Arc::clone(&schema);
    let rows = stream::once(async move {
        let (path, day) = (&files[file].path, files[file].day);
        let columns = places_in_file(table, &schema);
        let batches = read_range(path, &columns, range, PAGE_BATCH_ROWS).map_err(external)?;
        let rows = batches.map(move |batch| {
            filter_to_range(of_scan(batch.map_err(external)?, &schema, day)?, column, range)
        });
        Ok::<_, DataFusionError>(stream::iter(rows))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(of_scan_schema, rows.try_flatten())))
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The rows of the batch that are in the range; mostly all of them, which are not copied then.
fn filter_to_range(
    batch: RecordBatch,
    column: usize,
    (from, to): (Option<i32>, Option<i32>),
) -> Result<RecordBatch> {
    let numbers = batch.column(column).as_primitive::<Int32Type>().values();
    let (from, last) = (from.unwrap_or(i32::MIN), to.map_or(i32::MAX, |to| to - 1));
    let (least, most) = match numbers[..] {
        // Mostly they ascend, which is quicker to see than which is the least.
        [first, .., most] if numbers.is_sorted() => (first, most),
        _ => numbers.iter().fold((i32::MAX, i32::MIN), |(least, most), &number| {
            (least.min(number), most.max(number))
        }),
    };
    if least >= from && most <= last {
        return Ok(batch);
    }
    let is_in = numbers.iter().map(|number| Some((from..=last).contains(number)));
    Ok(filter_record_batch(&batch, &is_in.collect::<BooleanArray>())?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array};

    use super::*;

    #[test]
    fn a_range_holds_its_own_stores_and_every_store_has_one() {
        let ranges = StoreRanges::from_starts(vec![3, 7], true);
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![9, 2, 3, 0, 6, 7]));
        let batch = RecordBatch::try_from_iter([(STORE_NO, numbers)]).unwrap();
        let held = |place: usize| {
            let rows = filter_to_range(batch.clone(), 0, ranges.range(place)).unwrap();
            rows.column(0).as_primitive::<Int32Type>().values().to_vec()
        };
        assert_eq!(
            (0..ranges.count()).map(held).collect::<Vec<_>>(),
            [vec![2, 0], vec![3, 6], vec![9, 7]]
        );
        assert_eq!(
            filter_to_range(batch.clone(), 0, StoreRanges::default().range(0)).unwrap(),
            batch
        );
    }
}
