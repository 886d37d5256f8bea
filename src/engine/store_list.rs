//! In-memory list of all stores with the facts that are known without reading polls.
//!
//! Takes about fifty bytes per store. Knows nothing about the client that asks.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::single_store::column;
use crate::error::Result;
use crate::tables::{Dataset, Table};

/// All stores, sorted by id in ascending byte order.
pub struct StoreList {
    /// [Columns](Self::COLUMNS) of the `stores` table.
    rows: RecordBatch,
    /// Row of each store's time zone in `zones`; `None` for stores without one.
    zone_rows: Vec<Option<u32>>,
    zones: StringArray,
}

/// Store of the list. Instants are microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedStore<'a> {
    pub id: &'a str,
    /// `None` if the default applies.
    pub time_zone: Option<&'a str>,
    /// True if the store has business hours of its own.
    pub has_hours: bool,
    /// `None`, like `last_polled_at`, if the store was never polled.
    pub first_polled_at: Option<i64>,
    pub last_polled_at: Option<i64>,
    pub polls: i64,
}

impl StoreList {
    const COLUMNS: [&str; 5] =
        ["store_id", "first_polled_at", "last_polled_at", "polls", "has_business_hours"];

    /// Reads the list.
    ///
    /// # Errors
    /// If the tables cannot be read.
    pub fn read(dataset: &Dataset) -> Result<Self> {
        let stores = dataset.columns(Table::Stores, &Self::COLUMNS)?;
        let zones = dataset.columns(Table::TimeZones, &["store_id", "time_zone"])?;
        Self::join(&stores, &zones)
    }

    /// Joins stores with time zones; both are sorted by id. The last of several zones of a store
    /// wins.
    fn join(stores: &RecordBatch, zones: &RecordBatch) -> Result<Self> {
        let columns = Self::COLUMNS.map(|name| Ok((name, column(stores, name)?.clone())));
        let columns = columns.into_iter().collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_from_iter(columns)?;
        let zoned = column(zones, "store_id")?.as_string::<i32>();
        let mut at = 0;
        let zone_of = |id: &str| {
            while at < zoned.len() && zoned.value(at) < id {
                at += 1;
            }
            let mut found = None;
            while at < zoned.len() && zoned.value(at) == id {
                found = Some(at as u32);
                at += 1;
            }
            found
        };
        let zone_rows = rows.column(0).as_string::<i32>().iter().flatten().map(zone_of).collect();
        let zones = column(zones, "time_zone")?.as_string::<i32>().clone();
        Ok(Self { rows, zone_rows, zones })
    }

    /// Stores with ids greater than `id`.
    pub fn after(&self, id: &str) -> impl Iterator<Item = ListedStore<'_>> {
        self.with_prefix("", Some(id))
    }

    /// Stores whose ids start with `prefix` and are greater than `after`; found by binary search.
    pub fn with_prefix(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl ExactSizeIterator<Item = ListedStore<'_>> {
        let first = self.first_row(|id| id >= prefix && after.is_none_or(|after| id > after));
        let end = self.first_row(|id| id >= prefix && !id.starts_with(prefix));
        (first.min(end)..end).map(|row| self.row(row))
    }

    /// Looks up a store; `None` if the id is unknown.
    pub fn store(&self, id: &str) -> Option<ListedStore<'_>> {
        self.with_prefix(id, None).next().filter(|store| store.id == id)
    }

    /// First row for which `is_past` is true, by binary search; `is_past` must be monotonic.
    fn first_row(&self, is_past: impl Fn(&str) -> bool) -> usize {
        let ids = self.ids();
        let (mut low, mut high) = (0, ids.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_past(ids.value(middle)) { high = middle } else { low = middle + 1 }
        }
        low
    }

    fn row(&self, row: usize) -> ListedStore<'_> {
        let instant = |place: usize| {
            let instants: &PrimitiveArray<TimestampMicrosecondType> =
                self.rows.column(place).as_primitive();
            instants.is_valid(row).then(|| instants.value(row))
        };
        ListedStore {
            id: self.ids().value(row),
            time_zone: self.zone_rows[row].map(|zone| self.zones.value(zone as usize)),
            has_hours: self.rows.column(4).as_boolean().value(row),
            first_polled_at: instant(1),
            last_polled_at: instant(2),
            polls: self.rows.column(3).as_primitive::<Int64Type>().value(row),
        }
    }

    fn ids(&self) -> &StringArray {
        self.rows.column(0).as_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Int64Array, TimestampMicrosecondArray};

    use super::*;

    /// Stores with as many polls as their position, and time zones for some of them.
    fn list(ids: &[&str], zones: &[(&str, &str)]) -> StoreList {
        let polls: Int64Array = (0..ids.len() as i64).collect();
        let polled = || {
            let instants = polls.iter().map(|polls| polls.filter(|polls| *polls > 0));
            Arc::new(instants.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let columns: [ArrayRef; 5] = [
            Arc::new(StringArray::from(ids.to_vec())),
            polled(),
            polled(),
            Arc::new(polls.clone()),
            Arc::new(BooleanArray::from(vec![true; ids.len()])),
        ];
        let stores = StoreList::COLUMNS.into_iter().zip(columns);
        let ids: StringArray = zones.iter().map(|(id, _)| Some(*id)).collect();
        let names: StringArray = zones.iter().map(|(_, name)| Some(*name)).collect();
        let zones = [("store_id", Arc::new(ids) as ArrayRef), ("time_zone", Arc::new(names))];
        let zones = RecordBatch::try_from_iter(zones).unwrap();
        StoreList::join(&RecordBatch::try_from_iter(stores).unwrap(), &zones).unwrap()
    }

    #[test]
    fn stores_are_found_after_an_id_and_by_the_start_of_it() {
        let stores = list(&["a", "aa", "ab", "b", "é", "🍕"], &[]);
        let ids = |found: Vec<ListedStore<'_>>| {
            found.iter().map(|store| store.id.to_owned()).collect::<Vec<_>>().join(" ")
        };
        for (after, expected) in
            [("", "a aa ab b é 🍕"), ("aa", "ab b é 🍕"), ("aaa", "ab b é 🍕"), ("🍕", "")]
        {
            assert_eq!(ids(stores.after(after).collect()), expected, "{after}");
        }
        for (prefix, after, expected) in [
            ("", None, "a aa ab b é 🍕"),
            ("", Some("aaa"), "ab b é 🍕"),
            ("a", None, "a aa ab"),
            ("a", Some("A"), "a aa ab"),
            ("a", Some("a"), "aa ab"),
            ("a", Some("ab"), ""),
            ("a", Some("b"), ""),
            ("ab", None, "ab"),
            ("c", None, ""),
            ("é", None, "é"),
        ] {
            let found = stores.with_prefix(prefix, after);
            let count = expected.split_whitespace().count();
            assert_eq!(found.len(), count, "{prefix} {after:?}");
            assert_eq!(ids(found.collect()), expected, "{prefix} {after:?}");
        }
        assert!(stores.store("aaa").is_none() && stores.store("").is_none());
    }

    #[test]
    fn the_last_zone_of_a_store_is_its_own() {
        let zones = [("0", "Asia/Tokyo"), ("b", "Asia/Tokyo"), ("b", "Europe/Berlin")];
        let stores = list(&["a", "b", "c"], &zones);
        let zones = ["a", "b", "c"].map(|id| stores.store(id).unwrap().time_zone);
        assert_eq!(zones, [None, Some("Europe/Berlin"), None]);
        let (first, second) = (stores.store("a").unwrap(), stores.store("b").unwrap());
        assert_eq!((first.first_polled_at, first.polls), (None, 0));
        assert_eq!((second.last_polled_at, second.polls), (Some(1), 1));
        assert!(list(&[], &[]).after("").next().is_none());
    }
}
