//! The ranges of store numbers by which scans are divided into partitions.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{SplitPoint, plan_err};
use datafusion::error::Result;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr, RangePartitioning};
use datafusion::scalar::ScalarValue;

use super::partitioned_scan::STORE_NO;

/// Ranges of store numbers without gaps: each but the first begins at its number in `starts`, and the
/// first holds all lower ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreRanges {
    starts: Vec<i32>,
    in_order_of_ids: bool,
}

impl StoreRanges {
    /// `starts` ascend. `in_order_of_ids` tells whether the numbers of all stores ascend as their
    /// ids do, so that files in order of the one are in order of the other.
    pub fn from_starts(starts: Vec<i32>, in_order_of_ids: bool) -> Self {
        debug_assert!(starts.is_sorted_by(|left, right| left < right));
        Self { starts, in_order_of_ids }
    }

    pub fn count(&self) -> usize {
        self.starts.len() + 1
    }

    /// The range of that place: first number, and the one after the last; `None` where it is open.
    pub fn range(&self, place: usize) -> (Option<i32>, Option<i32>) {
        (place.checked_sub(1).map(|before| self.starts[before]), self.starts.get(place).copied())
    }

    pub fn is_in_order_of_ids(&self) -> bool {
        self.in_order_of_ids
    }

    /// The part of ascending `numbers` that lies in the range at `place`.
    pub fn within(&self, place: usize, numbers: &[i32]) -> Arc<[i32]> {
        let (from, to) = self.range(place);
        let at = |bound: i32| numbers.partition_point(|number| *number < bound);
        numbers[from.map_or(0, at)..to.map_or(numbers.len(), at)].into()
    }

    pub fn partitioning(&self, schema: &SchemaRef) -> Result<Partitioning> {
        let key = PhysicalSortExpr::new_default(col(STORE_NO, schema)?);
        let Some(key) = LexOrdering::new([key]) else { return plan_err!("no key to divide by") };
        let point = |start: &i32| SplitPoint::new(vec![ScalarValue::Int32(Some(*start))]);
        let points = self.starts.iter().map(point).collect();
        RangePartitioning::try_new(key, points).map(Partitioning::Range)
    }
}
