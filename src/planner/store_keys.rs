//! Stores on the build side of a join, collected while it is built and known before probing starts.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{StreamExt, stream};
use tokio::sync::watch;

use super::StoreDirectory;
use super::few_stores::FEW_STORES_MAX;

/// Ascending numbers of few stores; `None` if there are too many.
pub type FewStores = Option<Arc<[i32]>>;

/// Keys of a build side, awaited by the scans of the probe side.
#[derive(Debug)]
pub struct StoreKeys {
    stores: Arc<StoreDirectory>,
    /// Keys seen so far; `None` once there are too many.
    seen: Mutex<Option<BTreeSet<i32>>>,
    /// Number of partitions that have not ended.
    open: AtomicUsize,
    collected: watch::Sender<Option<FewStores>>,
}

impl StoreKeys {
    /// Expects keys from this number of partitions; ids refer to the directory `stores`.
    pub fn new(stores: &Arc<StoreDirectory>, partitions: usize) -> Self {
        Self {
            stores: Arc::clone(stores),
            seen: Mutex::new(Some(BTreeSet::new())),
            open: AtomicUsize::new(partitions),
            collected: watch::Sender::new(None),
        }
    }

    pub fn stores(&self) -> &Arc<StoreDirectory> {
        &self.stores
    }

    /// Waits until all keys are collected, or there are too many.
    pub async fn collected(&self) -> FewStores {
        let mut collected = self.collected.subscribe();
        let known = collected.wait_for(Option::is_some).await;
        known.ok().and_then(|known| known.clone()).flatten()
    }

    /// Adds the keys of a batch, which are store ids or numbers.
    fn take(&self, keys: &ArrayRef) -> Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(numbers) = seen.as_mut() else { return Ok(()) };
        // Unknown ids do not match any row.
        let number = |id: &str| self.stores.number_of(id);
        match keys.data_type() {
            DataType::Int32 => numbers.extend(keys.as_primitive::<Int32Type>().iter().flatten()),
            DataType::Utf8 => {
                numbers.extend(keys.as_string::<i32>().iter().flatten().filter_map(number));
            }
            DataType::Utf8View => {
                numbers.extend(keys.as_string_view().iter().flatten().filter_map(number));
            }
            other => return internal_err!("{other} is not a type of store keys"),
        }
        if numbers.len() > FEW_STORES_MAX {
            *seen = None;
            drop(seen);
            self.give_up();
        }
        Ok(())
    }

    fn end_partition(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(numbers) = seen.as_ref() {
            self.collected.send_replace(Some(Some(numbers.iter().copied().collect())));
        }
    }

    fn give_up(&self) {
        self.collected.send_if_modified(|known| known.is_none() && known.replace(None).is_none());
    }
}

/// Gives up the collection when a partition is dropped before its end, so that no scan waits
/// forever.
struct OpenPartition {
    keys: Arc<StoreKeys>,
    has_ended: bool,
}

impl Drop for OpenPartition {
    fn drop(&mut self) {
        if !self.has_ended {
            self.keys.give_up();
        }
    }
}

/// Passes its input on unchanged and collects the stores in one of its columns.
///
/// ```text
/// HashJoinExec
///   CollectKeysExec ── keys ──┐
///     build side              │
///   PartitionedScanExec ◀─────┘ waits, then reads the pages of those stores
/// ```
#[derive(Debug)]
pub struct CollectKeysExec {
    input: Arc<dyn ExecutionPlan>,
    column: usize,
    keys: Arc<StoreKeys>,
}

impl CollectKeysExec {
    /// Collects from `column`, which holds store ids or numbers.
    pub fn new(
        input: &Arc<dyn ExecutionPlan>,
        column: usize,
        stores: &Arc<StoreDirectory>,
    ) -> Self {
        let partitions = input.output_partitioning().partition_count();
        let keys = Arc::new(StoreKeys::new(stores, partitions));
        Self { input: Arc::clone(input), column, keys }
    }

    pub fn keys(&self) -> &Arc<StoreKeys> {
        &self.keys
    }
}

impl DisplayAs for CollectKeysExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "CollectKeysExec: {}", self.input.schema().field(self.column).name())
    }
}

impl ExecutionPlan for CollectKeysExec {
    without_expressions!();

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (column, keys) = (self.column, Arc::clone(&self.keys));
        Ok(Arc::new(Self { input: inputs.swap_remove(0), column, keys }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let column = self.column;
        let open = OpenPartition { keys: Arc::clone(&self.keys), has_ended: false };
        let rows = stream::unfold((rows, open), move |(mut rows, mut open)| async move {
            let Some(batch) = rows.next().await else {
                open.has_ended = true;
                open.keys.end_partition();
                return None;
            };
            let taken = batch.and_then(|batch| {
                open.keys.take(batch.column(column))?;
                Ok(batch)
            });
            Some((taken, (rows, open)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use datafusion::datasource::memory::MemorySourceConfig;
    use futures::TryStreamExt;

    use super::*;

    /// Collects the keys of the partitions, reading only the first `read` of them.
    async fn collected(partitions: &[&[&[i32]]], read: usize) -> FewStores {
        let batch = |numbers: &&[i32]| {
            let numbers: ArrayRef = Arc::new(Int32Array::from(numbers.to_vec()));
            RecordBatch::try_from_iter([("store_no", numbers)]).unwrap()
        };
        let partitions: Vec<Vec<_>> =
            partitions.iter().map(|batches| batches.iter().map(batch).collect()).collect();
        let schema = batch(&&[0][..]).schema();
        let input = MemorySourceConfig::try_new_exec(&partitions, schema, None).unwrap();
        let input = input as Arc<dyn ExecutionPlan>;
        let stores = Arc::new(StoreDirectory::empty());
        let collect = CollectKeysExec::new(&input, 0, &stores);
        for partition in 0..partitions.len() {
            let rows = collect.execute(partition, Arc::default()).unwrap();
            if partition < read {
                rows.try_collect::<Vec<_>>().await.unwrap();
            }
        }
        collect.keys().collected().await
    }

    #[tokio::test]
    async fn keys_are_known_once_every_partition_has_ended() {
        let keys = collected(&[&[&[7, 2], &[2]], &[], &[&[1]]], 3).await;
        assert_eq!(keys.as_deref(), Some(&[1, 2, 7][..]));
        assert_eq!(collected(&[&[]], 1).await.as_deref(), Some(&[][..]));
    }

    #[tokio::test]
    async fn waiting_ends_with_too_many_keys_or_a_dropped_partition() {
        let many: Vec<i32> = (0..=FEW_STORES_MAX as i32).collect();
        assert_eq!(collected(&[&[&many[..]]], 1).await, None);
        assert_eq!(collected(&[&[&[1]], &[&[2]]], 1).await, None);
    }
}
