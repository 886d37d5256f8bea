//! All stores of a load, numbered in the order of their ids, with counts of their polls.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::day_poll::STORES_MAX;
use crate::error::{Error, Result};
use crate::tables::Table;

/// Ids in ascending byte order; the position is the store's number within the load.
pub struct StoreIndex {
    ids: Vec<String>,
    /// `store_no` of each store in the dataset.
    store_nos: Vec<i32>,
}

impl StoreIndex {
    /// Indexes the stores of the table `stores`, which keep their `store_no`, and new ones.
    ///
    /// # Errors
    /// There are too many stores.
    pub fn new<'a>(
        table: Option<&'a RecordBatch>,
        new: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let known = table.into_iter().flat_map(|table| {
            let (ids, numbers) = (table.column(0).as_string::<i32>(), table.column(1));
            ids.iter().flatten().zip(numbers.as_primitive::<Int32Type>().values().iter().copied())
        });
        // Ids repeat a lot: deduplicate before sorting.
        let new: HashSet<&str> = new.collect();
        let mut numbered: BTreeMap<&str, Option<i32>> =
            new.into_iter().map(|id| (id, None)).collect();
        numbered.extend(known.map(|(id, number)| (id, Some(number))));
        if numbered.len() >= STORES_MAX as usize {
            let stores = numbered.len();
            return Err(Error::File(format!(
                "there are {stores} stores; expected fewer than {STORES_MAX}"
            )));
        }
        let mut next_no = numbered.values().flatten().max().map_or(0, |last| last + 1);
        let store_nos = numbered.values().map(|known| {
            known.unwrap_or_else(|| {
                next_no += 1;
                next_no - 1
            })
        });
        let store_nos = store_nos.collect();
        Ok(Self { ids: numbered.into_keys().map(str::to_owned).collect(), store_nos })
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn id(&self, number: u32) -> &str {
        &self.ids[number as usize]
    }

    pub fn store_no(&self, number: u32) -> i32 {
        self.store_nos[number as usize]
    }

    /// Numbers by id, for many look-ups.
    pub fn numbers(&self) -> HashMap<&str, u32> {
        self.ids.iter().map(String::as_str).zip(0..).collect()
    }

    pub fn number(&self, id: &str) -> Option<u32> {
        self.ids.binary_search_by(|known| known.as_str().cmp(id)).ok().map(|number| number as u32)
    }
}

/// First poll, last poll and number of polls of each store, by its number.
pub struct PolledStores(Vec<Polled>);

#[derive(Clone, Copy)]
struct Polled {
    first_at: i64,
    last_at: i64,
    polls: u64,
}

impl PolledStores {
    /// Starts from the table `stores`.
    pub fn new(ids: &StoreIndex, table: Option<&RecordBatch>) -> Self {
        let never = Polled { first_at: i64::MAX, last_at: i64::MIN, polls: 0 };
        let mut stores = Self(vec![never; ids.len()]);
        let Some(table) = table else { return stores };
        let known = table.column(0).as_string::<i32>();
        let first = table.column(2).as_primitive::<TimestampMicrosecondType>();
        let last = table.column(3).as_primitive::<TimestampMicrosecondType>();
        let polls = table.column(4).as_primitive::<Int64Type>();
        for row in 0..table.num_rows() {
            if let (Some(number), 1..) = (ids.number(known.value(row)), polls.value(row)) {
                let (first_at, last_at) = (first.value(row), last.value(row));
                let polls = polls.value(row).unsigned_abs();
                stores.0[number as usize] = Polled { first_at, last_at, polls };
            }
        }
        stores
    }

    /// Counts a poll that is new to the tables.
    pub fn count(&mut self, number: u32, polled_at: i64) {
        let polled = &mut self.0[number as usize];
        polled.first_at = polled.first_at.min(polled_at);
        polled.last_at = polled.last_at.max(polled_at);
        polled.polls += 1;
    }

    /// Rows of the table `stores`: stores that have polls, hours or a zone.
    pub fn rows(
        &self,
        ids: &StoreIndex,
        hours: &HashSet<&str>,
        zones: &HashSet<&str>,
    ) -> Result<RecordBatch> {
        let is_listed = |at: &usize| {
            let id = ids.ids[*at].as_str();
            self.0[*at].polls > 0 || hours.contains(id) || zones.contains(id)
        };
        let listed: Vec<usize> = (0..ids.len()).filter(is_listed).collect();
        let is_in = |named: &HashSet<&str>| -> ArrayRef {
            let named = listed.iter().map(|&at| Some(named.contains(ids.ids[at].as_str())));
            Arc::new(named.collect::<BooleanArray>())
        };
        let instants = |of: fn(Polled) -> i64| -> ArrayRef {
            let polled = |at: &usize| Some(self.0[*at]).filter(|polled| polled.polls > 0);
            let values = listed.iter().map(|at| polled(at).map(of));
            Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(listed.iter().map(|&at| Some(&ids.ids[at])).collect::<StringArray>()),
            Arc::new(listed.iter().map(|&at| ids.store_nos[at]).collect::<Int32Array>()),
            instants(|polled| polled.first_at),
            instants(|polled| polled.last_at),
            Arc::new(listed.iter().map(|&at| self.0[at].polls as i64).collect::<Int64Array>()),
            is_in(hours),
            is_in(zones),
        ];
        Ok(RecordBatch::try_new(Table::Stores.file_schema(), columns)?)
    }
}
