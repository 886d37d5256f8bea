//! Scan that is partitioned by store: each partition reads its stores' rows from every file.
//!
//! ```text
//!              stores 0–99    stores 100–…
//! 2023-01-24   ███████████    ░░░░░░░░░░░░    █ partition 0
//! 2023-01-25   ███████████    ░░░░░░░░░░░░    ░ partition 1
//! ```
//!
//! The plan declares range partitioning by `store_no`, so DataFusion groups and joins by store
//! without repartitioning.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, StatisticsArgs,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::few_stores::{
    FewStoresExec, StoreFiles, file_column_indices, read_stores_stream, to_scan_schema,
};
use super::merge::merge_streams;
use super::store_columns::{RowsPerStore, STORE_ID, STORE_NO};
use super::store_keys::StoreKeys;
use super::store_ranges::StoreRanges;
use crate::error::Error;
use crate::tables::read_range;

/// Largest number of files that are merged; more files are sorted instead.
const FILES_MERGED_MAX: usize = 64;
/// Largest number of files that a partition reads concurrently by row group; if there are more,
/// each one is read page by page.
const FILES_HELD_MAX: usize = 64;
/// Rows per batch of a file that is read page by page.
const PAGE_BATCH_ROWS: usize = 4_096;

/// Order in which a partition reads several files.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// File after file.
    Sequential,
    /// All files, merged by store.
    Merged,
    /// A single file, by index.
    SingleFile(usize),
}

/// Range-partitioned scan: one input scan per range, whose rows outside the range are filtered out.
///
/// A batch that lies within the range, as most do, is passed on without copying. With `keys`, a
/// partition waits until the build side of a join has collected its stores; if they are few, it
/// reads only their pages.
#[derive(Debug)]
pub struct PartitionedScanExec {
    scans: Vec<Arc<dyn ExecutionPlan>>,
    ranges: StoreRanges,
    rows: RowsPerStore,
    reading: Reading,
    properties: Arc<PlanProperties>,
    /// Files for a scan of few stores; `None` if the table has no store directory.
    files: Option<StoreFiles>,
    /// Stores that the rest of the plan needs, known while it runs; `None` for all stores.
    keys: Option<Arc<StoreKeys>>,
}

impl PartitionedScanExec {
    /// Creates the scan. Each partition of a scan in `scans` reads one file; the scans must have a
    /// column [`STORE_NO`] without nulls, and there must be one scan per range.
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

    /// Allows this scan to be restricted to few stores.
    pub fn reducible(self, files: StoreFiles) -> Self {
        Self { files: Some(files), ..self }
    }

    /// `None` if the scan cannot be restricted to few stores, or already waits for join keys.
    pub fn reducible_files(&self) -> Option<&StoreFiles> {
        self.files.as_ref().filter(|_| self.keys.is_none())
    }

    /// A scan of the given stores only, ascending; `None` if this scan cannot be restricted.
    pub fn restricted_to_stores(&self, numbers: &Arc<[i32]>) -> Result<Option<FewStoresExec>> {
        let Some(files) = self.files.clone() else { return Ok(None) };
        FewStoresExec::try_new(files, Arc::clone(numbers), self.ranges.clone()).map(Some)
    }

    /// This scan, waiting for join keys and restricted to them if they are few; `None` if it cannot
    /// be restricted.
    pub fn restricted_by_keys(&self, keys: &Arc<StoreKeys>) -> Option<Self> {
        self.reducible_files()?;
        let same = self.with_reading(self.reading, Arc::clone(&self.properties));
        Some(Self { keys: Some(Arc::clone(keys)), ..same })
    }

    /// True if each partition has at most one row per store, ascending by `column`, and all stores
    /// of a partition precede those of the next one.
    pub fn is_unique_by_store(&self, column: usize) -> bool {
        let schema = self.schema();
        let is_key = [STORE_NO, STORE_ID].contains(&schema.field(column).name().as_str());
        let files = self.scans[0].output_partitioning().partition_count();
        is_key && files <= 1 && self.rows == RowsPerStore::One && self.ranges.is_in_order_of_ids()
    }

    /// Scans of the single files, each sorted by `column`; `None` if that is not [`STORE_NO`] or
    /// the files are not sorted by it.
    pub fn files_in_order(&self, column: usize) -> Option<Vec<Self>> {
        let is_key = self.schema().field(column).name() == STORE_NO;
        let files = self.scans[0].output_partitioning().partition_count();
        let of_file =
            |file| self.with_reading(Reading::SingleFile(file), Arc::clone(&self.properties));
        (is_key && self.ranges.is_in_order_of_ids()).then(|| (0..files).map(of_file).collect())
    }

    /// This scan with sorted partitions; `None` if the files are not sorted by the `keys`.
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

    /// Rows of all stores of a partition.
    fn read_partition(
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
                Ok(merge_streams(schema, column, (0..files).map(rows_of).collect::<Result<_>>()?))
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
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.scans.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.scans.len()]
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

    /// Every input scan covers all files, so the statistics of the first one hold for all
    /// partitions together.
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
            return self.read_partition(partition, context);
        };
        // Rows of few stores are sorted in a way that satisfies every reading, so the scan of the
        // first file returns all of them.
        let is_first =
            matches!(self.reading, Reading::Sequential | Reading::Merged | Reading::SingleFile(0));
        let (files, keys, ranges) = (files.clone(), Arc::clone(keys), self.ranges.clone());
        let all = self.with_reading(self.reading, Arc::clone(&self.properties));
        let rows = stream::once(async move {
            match keys.collected().await {
                None => all.read_partition(partition, context),
                Some(numbers) => {
                    let numbers: Arc<[i32]> =
                        if is_first { ranges.within(partition, &numbers) } else { Arc::default() };
                    Ok(read_stores_stream(files, numbers, (partition, &context)))
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.try_flatten())))
    }
}

/// Reads the rows of a file that lie in the range, page by page.
fn read_range_by_page(
    StoreFiles { table, files, schema, .. }: StoreFiles,
    file: usize,
    range: (Option<i32>, Option<i32>),
) -> Result<SendableRecordBatchStream> {
    let column = schema.index_of(STORE_NO)?;
    let of_scan_schema = Arc::clone(&schema);
    let rows = stream::once(async move {
        let (path, day) = (&files[file].path, files[file].day);
        let columns = file_column_indices(table, &schema);
        let batches = read_range(path, &columns, range, PAGE_BATCH_ROWS).map_err(external)?;
        let rows = batches.map(move |batch| {
            filter_to_range(to_scan_schema(batch.map_err(external)?, &schema, day)?, column, range)
        });
        Ok::<_, DataFusionError>(stream::iter(rows))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(of_scan_schema, rows.try_flatten())))
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Keeps the rows in the range; returns the batch itself if that is all of them.
fn filter_to_range(
    batch: RecordBatch,
    column: usize,
    (from, to): (Option<i32>, Option<i32>),
) -> Result<RecordBatch> {
    let numbers = batch.column(column).as_primitive::<Int32Type>().values();
    let (from, last) = (from.unwrap_or(i32::MIN), to.map_or(i32::MAX, |to| to - 1));
    let (least, most) = match numbers[..] {
        // Sorted in most cases, which is faster to check than computing the minimum.
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
    fn ranges_partition_the_stores() {
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
