//! Tables that a load replaces whole: business hours and time zones; and the batch of its rejects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use chrono_tz::Tz;

use super::rejects::Reject;
use crate::error::Result;
use crate::rules::Opening;
use crate::tables::Table;

/// A table's rows, as they are or as the load makes them.
pub enum Snapshot {
    Known(Option<RecordBatch>),
    New(RecordBatch),
}

impl Snapshot {
    /// The new rows where the load brings some, else the known ones.
    pub fn of<Row>(
        new: Option<Vec<Row>>,
        known: Option<RecordBatch>,
        batch: impl FnOnce(Vec<Row>) -> Result<RecordBatch>,
    ) -> Result<Self> {
        match new {
            Some(rows) => batch(rows).map(Self::New),
            None => Ok(Self::Known(known)),
        }
    }

    /// Stores with a row; some more than once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let rows = match self {
            Self::Known(rows) => rows.as_ref(),
            Self::New(rows) => Some(rows),
        };
        rows.into_iter().flat_map(|rows| rows.column(0).as_string::<i32>().iter().flatten())
    }
}

/// Rows in order, each once.
pub fn business_hours(mut rows: Vec<(String, Opening)>) -> Result<RecordBatch> {
    rows.sort_unstable();
    rows.dedup();
    let openings = || rows.iter().map(|(_, opening)| opening);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|(id, _)| Some(id)).collect::<StringArray>()),
        Arc::new(openings().map(|row| row.weekday().to_monday_zero() as i8).collect::<Int8Array>()),
        Arc::new(openings().map(|row| row.start_s() as i32).collect::<Int32Array>()),
        Arc::new(openings().map(|row| row.end_s() as i32).collect::<Int32Array>()),
    ];
    Ok(RecordBatch::try_new(Table::BusinessHours.file_schema(), columns)?)
}

/// One row a store, the last one given; and the stores of which another was given as well.
pub fn time_zones(rows: Vec<(String, Tz)>) -> Result<(RecordBatch, Vec<String>)> {
    let (mut zones, mut conflicts) = (BTreeMap::new(), BTreeSet::new());
    for (id, zone) in rows {
        if zones.get(&id).is_some_and(|before| *before != zone) {
            conflicts.insert(id.clone());
        }
        zones.insert(id, zone);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(zones.keys().map(Some).collect::<StringArray>()),
        Arc::new(zones.values().map(|zone| Some(zone.name())).collect::<StringArray>()),
    ];
    let batch = RecordBatch::try_new(Table::TimeZones.file_schema(), columns)?;
    Ok((batch, conflicts.into_iter().collect()))
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
