//! Ranges of store numbers that partition the scans.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{SplitPoint, plan_err};
use datafusion::error::Result;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr, RangePartitioning};
use datafusion::scalar::ScalarValue;

use super::store_columns::STORE_NO;

/// Adjacent ranges that cover all store numbers. Each start in `starts` begins a range; the first
/// range holds all lower numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreRanges {
    starts: Vec<i32>,
    in_order_of_ids: bool,
}

impl StoreRanges {
    /// `starts` must ascend. `in_order_of_ids` states that the numbers of all stores ascend with
    /// their ids, so that files sorted by id are also sorted by number.
    pub fn from_starts(starts: Vec<i32>, in_order_of_ids: bool) -> Self {
        debug_assert!(starts.is_sorted_by(|left, right| left < right));
        Self { starts, in_order_of_ids }
    }

    pub fn count(&self) -> usize {
        self.starts.len() + 1
    }

    /// First number of a range, and the number after its last one; `None` for an open end.
    pub fn range(&self, place: usize) -> (Option<i32>, Option<i32>) {
        (place.checked_sub(1).map(|before| self.starts[before]), self.starts.get(place).copied())
    }

    pub fn is_in_order_of_ids(&self) -> bool {
        self.in_order_of_ids
    }

    /// Returns the `numbers`, which must ascend, that lie in the range at index `place`.
    pub fn within(&self, place: usize, numbers: &[i32]) -> Arc<[i32]> {
        let (from, to) = self.range(place);
        let at = |bound: i32| numbers.partition_point(|number| *number < bound);
        numbers[from.map_or(0, at)..to.map_or(numbers.len(), at)].into()
    }

    pub fn partitioning(&self, schema: &SchemaRef) -> Result<Partitioning> {
        let key = PhysicalSortExpr::new_default(col(STORE_NO, schema)?);
        let Some(key) = LexOrdering::new([key]) else { return plan_err!("no partition key") };
        let point = |start: &i32| SplitPoint::new(vec![ScalarValue::Int32(Some(*start))]);
        let points = self.starts.iter().map(point).collect();
        RangePartitioning::try_new(key, points).map(Partitioning::Range)
    }
}
