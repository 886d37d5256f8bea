//! Tables that a load replaces whole: business hours and time zones; and the batch of its rejects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray,
};

use super::rejects::Reject;
use super::stores::Ids;
use crate::error::{Error, Result};
use crate::rules::{Opening, Zone};
use crate::tables::Table;

/// A table's rows, as they are or as the load brings them.
pub enum Snapshot<Row> {
    Known(Option<RecordBatch>),
    New(Vec<(String, Row)>),
}

impl<Row> Snapshot<Row> {
    /// The new rows where the load brings some, else the known ones.
    pub fn of(new: Option<Vec<(String, Row)>>, known: Option<RecordBatch>) -> Self {
        new.map_or(Self::Known(known), Self::New)
    }

    /// Stores with a row; some more than once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let (known, new) = match self {
            Self::Known(rows) => (rows.as_ref(), &[][..]),
            Self::New(rows) => (None, rows.as_slice()),
        };
        let known = known.into_iter().flat_map(|rows| rows.column(0).as_string::<i32>().iter());
        known.flatten().chain(new.iter().map(|(id, _)| id.as_str()))
    }
}

/// Rows in order, each once.
pub fn business_hours(rows: Vec<(String, Opening)>, ids: &Ids) -> Result<RecordBatch> {
    let numbers = ids.numbers();
    let numbered = rows.iter().map(|(id, opening)| Ok((number(&numbers, id)?, *opening)));
    let mut rows = numbered.collect::<Result<Vec<_>>>()?;
    rows.sort_unstable();
    rows.dedup();
    let openings = || rows.iter().map(|(_, opening)| opening);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|&(store, _)| Some(ids.id(store))).collect::<StringArray>()),
        Arc::new(rows.iter().map(|&(store, _)| ids.store_no(store)).collect::<Int32Array>()),
        Arc::new(openings().map(|row| row.weekday().to_monday_zero() as i8).collect::<Int8Array>()),
        Arc::new(openings().map(|row| row.start_s() as i32).collect::<Int32Array>()),
        Arc::new(openings().map(|row| row.end_s() as i32).collect::<Int32Array>()),
    ];
    Ok(RecordBatch::try_new(Table::BusinessHours.file_schema(), columns)?)
}

/// One row a store, the last one given; and the stores of which another was given as well.
pub fn time_zones(rows: Vec<(String, Zone)>, ids: &Ids) -> Result<(RecordBatch, Vec<String>)> {
    let (mut zones, mut conflicts) = (BTreeMap::new(), BTreeSet::new());
    for (id, zone) in rows {
        if zones.get(&id).is_some_and(|before| *before != zone) {
            conflicts.insert(id.clone());
        }
        zones.insert(id, zone);
    }
    let numbers = ids.numbers();
    let store_no = |id: &String| Ok(ids.store_no(number(&numbers, id)?));
    let store_nos = zones.keys().map(store_no).collect::<Result<Vec<_>>>()?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(zones.keys().map(Some).collect::<StringArray>()),
        Arc::new(Int32Array::from(store_nos)),
        Arc::new(zones.values().map(|zone| Some(zone.name())).collect::<StringArray>()),
    ];
    let batch = RecordBatch::try_new(Table::TimeZones.file_schema(), columns)?;
    Ok((batch, conflicts.into_iter().collect()))
}

fn number(numbers: &HashMap<&str, u32>, id: &str) -> Result<u32> {
    let number = numbers.get(id).copied();
    number.ok_or_else(|| Error::bug(format!("store {id:?} is not numbered")))
}

pub fn rejects_batch(rejects: &[Reject], version: u64) -> Result<RecordBatch> {
    let text = |of: fn(&Reject) -> &String| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| Some(of(reject))).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![version as i64; rejects.len()])),
        text(|reject| &reject.file),
        Arc::new(rejects.iter().map(|reject| reject.line as i64).collect::<Int64Array>()),
        text(|reject| &reject.column),
        text(|reject| &reject.reason),
        text(|reject| &reject.text),
    ];
    Ok(RecordBatch::try_new(Table::Rejects.file_schema(), columns)?)
}
