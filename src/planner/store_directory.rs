//! Directory of the stores: lookup by id or number, selection, and division into ranges.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::store_ranges::StoreRanges;
use crate::error::{Error, Result};
use crate::tables::{Dataset, Table};

/// Number of stores, and number of those that lack hours, a time zone or polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    pub stores: usize,
    pub without_hours: usize,
    pub without_time_zone: usize,
    pub without_polls: usize,
}

/// Stores in ascending order of ids, without the ids, which are the largest column.
#[derive(Clone, Debug)]
pub struct NumberedStores {
    /// [Columns](Self::COLUMNS) of the `stores` table.
    rows: RecordBatch,
    /// True if the numbers of all stores in the dataset, not just of these, ascend with their ids.
    in_order_of_ids: bool,
}

impl NumberedStores {
    const COLUMNS: [&str; 5] =
        ["store_no", "last_polled_at", "polls", "has_business_hours", "has_time_zone"];

    /// Reads all stores of a dataset.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn read(dataset: &Dataset) -> Result<Self> {
        Self::from_rows(&dataset.columns(Table::Stores, &Self::COLUMNS)?)
    }

    fn from_rows(all: &RecordBatch) -> Result<Self> {
        let places = Self::COLUMNS.map(|name| all.schema_ref().index_of(name));
        let places = places.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
        let stores = Self { rows: all.project(&places)?, in_order_of_ids: false };
        Ok(Self { in_order_of_ids: stores.numbers().is_sorted(), ..stores })
    }

    pub fn numbers(&self) -> &[i32] {
        self.rows.column(0).as_primitive::<Int32Type>().values()
    }

    /// Latest poll of these stores, microseconds UTC; `None` if they were never polled.
    pub fn last_polled_at(&self) -> Option<i64> {
        arrow::compute::max(self.rows.column(1).as_primitive::<TimestampMicrosecondType>())
    }

    pub fn counts(&self) -> StoreCounts {
        let none = |column: usize| {
            let has = self.rows.column(column).as_boolean();
            has.len() - has.true_count()
        };
        StoreCounts {
            stores: self.rows.num_rows(),
            without_hours: none(3),
            without_time_zone: none(4),
            without_polls: self.rows.column(1).null_count(),
        }
    }

    /// Divides the stores into at most `ranges_max` ranges with similar numbers of polls.
    pub fn divided(&self, ranges_max: usize) -> StoreRanges {
        // Cost of a store with hardly any polls, in polls.
        const STORE_COST: i64 = 64;
        let polls = self.rows.column(2).as_primitive::<Int64Type>().values();
        let costs = polls.iter().map(|polls| polls + STORE_COST);
        let mut costs: Vec<_> = self.numbers().iter().copied().zip(costs).collect();
        costs.sort_unstable();
        let total: i64 = costs.iter().map(|(_, cost)| cost).sum();
        let (mut starts, mut passed) = (Vec::new(), 0);
        for (number, cost) in costs {
            if passed > 0 && passed * ranges_max as i64 >= total * (starts.len() as i64 + 1) {
                starts.push(number);
            }
            passed += cost;
        }
        StoreRanges::from_starts(starts, self.in_order_of_ids)
    }
}

/// All stores of a dataset with their ids.
#[derive(Clone, Debug)]
pub struct StoreDirectory {
    ids: StringArray,
    numbered: NumberedStores,
    /// Row of each number, null for numbers without a store; computed on first use.
    row_of_number: Arc<OnceLock<UInt32Array>>,
}

impl StoreDirectory {
    /// Reads all stores of a dataset.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn read(dataset: &Dataset) -> Result<Self> {
        Self::from_rows(&dataset.rows(Table::Stores)?)
    }

    fn from_rows(rows: &RecordBatch) -> Result<Self> {
        let ids = rows.column(0).as_string::<i32>().clone();
        Ok(Self { ids, numbered: NumberedStores::from_rows(rows)?, row_of_number: Arc::default() })
    }

    /// A directory without stores.
    #[cfg(test)]
    pub fn empty() -> Self {
        let rows = RecordBatch::new_empty(Table::Stores.file_schema());
        Self::from_rows(&rows).unwrap()
    }

    pub fn numbered(&self) -> &NumberedStores {
        &self.numbered
    }

    /// Selects stores by id; `ids` must not be empty. Duplicates count once.
    ///
    /// # Errors
    /// [`Error::Argument`] if an id is unknown.
    pub fn select(&self, ids: &[String]) -> Result<NumberedStores> {
        let mut rows = HashSet::new();
        for id in ids {
            let row = self.row_of(id);
            let unknown = || Error::Argument(format!("there is no store {id:?} in the data"));
            rows.insert(row.ok_or_else(unknown)? as i32);
        }
        let mut rows: Vec<i32> = rows.into_iter().collect();
        rows.sort_unstable();
        let all = &self.numbered;
        let rows = arrow::compute::take_record_batch(&all.rows, &Int32Array::from(rows))?;
        Ok(NumberedStores { rows, in_order_of_ids: all.in_order_of_ids })
    }

    pub fn count(&self) -> usize {
        self.ids.len()
    }

    pub fn has(&self, id: &str) -> bool {
        self.row_of(id).is_some()
    }

    /// Number of the store; `None` if the id is unknown.
    pub fn number_of(&self, id: &str) -> Option<i32> {
        self.row_of(id).map(|row| self.numbered.numbers()[row])
    }

    /// Ids of the numbers; null for a null or unknown number.
    ///
    /// # Errors
    /// If the ids exceed the size of one array.
    pub fn ids_of(&self, numbers: &Int32Array) -> arrow::error::Result<ArrayRef> {
        let known = self.row_of_number.get_or_init(|| {
            let last = self.numbered.numbers().iter().max();
            let mut rows = vec![None; last.map_or(0, |last| *last as usize + 1)];
            for (row, &number) in self.numbered.numbers().iter().enumerate() {
                rows[number as usize] = Some(row as u32);
            }
            rows.into()
        });
        let row_of = |number: i32| {
            let number = usize::try_from(number).ok().filter(|number| *number < known.len())?;
            known.is_valid(number).then(|| known.value(number))
        };
        let rows: UInt32Array = numbers.iter().map(|number| number.and_then(row_of)).collect();
        arrow::compute::take(&self.ids, &rows, None)
    }

    fn row_of(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.ids.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.ids.value(middle) < id { low = middle + 1 } else { high = middle }
        }
        (low < self.ids.len() && self.ids.value(low) == id).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, TimestampMicrosecondArray};

    use super::*;

    /// Stores named `a`, `b` and so on, given as number and number of polls.
    fn stores(rows: &[(i32, i64)]) -> StoreDirectory {
        let ids = (b'a'..).map(|letter| char::from(letter).to_string());
        let instants = || {
            let polled = rows.iter().map(|(_, polls)| (*polls > 0).then_some(*polls));
            Arc::new(polled.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.take(rows.len()).map(Some).collect::<StringArray>()),
            Arc::new(rows.iter().map(|(number, _)| *number).collect::<Int32Array>()),
            instants(),
            instants(),
            Arc::new(rows.iter().map(|(_, polls)| *polls).collect::<Int64Array>()),
            Arc::new(BooleanArray::from(vec![true; rows.len()])),
            Arc::new(BooleanArray::from(vec![false; rows.len()])),
        ];
        StoreDirectory::from_rows(
            &RecordBatch::try_new(Table::Stores.file_schema(), columns).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn numbers_have_the_ids_of_their_stores() {
        let stores = stores(&[(3, 900), (0, 900), (1, 900)]);
        let numbers = [Some(1), None, Some(3), Some(2), Some(0), Some(4), Some(-1), Some(1)];
        let ids = stores.ids_of(&numbers.into_iter().collect()).unwrap();
        let expected = [Some("c"), None, Some("a"), None, Some("b"), None, None, Some("c")];
        assert_eq!(ids.as_string::<i32>(), &StringArray::from_iter(expected));
        let of_none = super::tests::stores(&[]).ids_of(&[None, Some(0)].into_iter().collect());
        assert_eq!(of_none.unwrap().null_count(), 2);
    }

    #[test]
    fn ranges_have_similar_numbers_of_polls() {
        let even = stores(&[(3, 900), (0, 900), (1, 900), (2, 900)]);
        assert_eq!(even.numbered().divided(2), StoreRanges::from_starts(vec![2], false));
        assert_eq!(even.numbered().divided(9), StoreRanges::from_starts(vec![1, 2, 3], false));
        let heavy = stores(&[(0, 90_000), (1, 900), (2, 900), (7, 0)]);
        assert_eq!(heavy.numbered().divided(2), StoreRanges::from_starts(vec![1], true));
    }

    #[test]
    fn indivisible_stores_are_a_single_range() {
        for (rows, ranges_max) in [(&[][..], 2), (&[(5, 900)], 2), (&[(0, 9), (1, 9)], 1)] {
            assert_eq!(
                stores(rows).numbered().divided(ranges_max),
                StoreRanges::from_starts(vec![], true)
            );
        }
    }

    #[test]
    fn an_unknown_store_is_an_error() {
        let known = stores(&[(4, 7), (2, 0)]);
        let asked =
            |ids: &[&str]| known.select(&ids.iter().map(|id| id.to_string()).collect::<Vec<_>>());
        assert_eq!(asked(&["b", "a", "b"]).unwrap().numbers(), [4, 2]);
        let counts = asked(&["b"]).unwrap().counts();
        assert_eq!((counts.stores, counts.without_polls, counts.without_time_zone), (1, 1, 1));
        assert!(asked(&["a", "c"]).is_err() && asked(&[""]).is_err());
    }
}
