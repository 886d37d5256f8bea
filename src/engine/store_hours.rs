//! Reads the hours and the time zone of every store, for functions that take a store id.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};

use super::single_store::{week, zone};
use crate::error::{Error, Result};
use crate::functions::{KnownHours, StoreHours};
use crate::tables::{Dataset, Table};

/// Reads the hours of all stores. Blocks on file reads.
pub fn hours_of_stores(dataset: &Dataset) -> Result<KnownHours> {
    let mut weeks = HashMap::new();
    for (store, rows) in split_by_store(&dataset.rows(Table::BusinessHours)?)? {
        weeks.extend(week(&rows)?.map(|week| (store, week)));
    }
    let rules = dataset.zone_rules()?;
    let mut zones = HashMap::new();
    for (store, rows) in split_by_store(&dataset.rows(Table::TimeZones)?)? {
        zones.extend(zone(&rows, &rules)?.map(|zone| (store, zone)));
    }
    let stores = split_by_store(&dataset.rows(Table::Stores)?)?;
    let hours = stores.into_iter().map(|(store, _)| {
        let (week, zone) = (weeks.remove(&store), zones.remove(&store));
        (store, StoreHours { week, zone })
    });
    Ok(KnownHours { stores: hours.collect(), zones: rules })
}

/// Splits a table that is sorted by store into the rows of each store.
fn split_by_store(rows: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
    let ids = rows.column_by_name("store_id").and_then(|ids| ids.as_string_opt::<i32>());
    let ids = ids.ok_or_else(|| Error::bug("the tables have no column \"store_id\""))?;
    let (mut stores, mut start) = (Vec::new(), 0);
    for row in 0..ids.len() {
        if row + 1 == ids.len() || ids.value(row + 1) != ids.value(row) {
            stores.push((ids.value(row).to_owned(), rows.slice(start, row + 1 - start)));
            start = row + 1;
        }
    }
    Ok(stores)
}
