//! Business hours and time zones: tables that a load replaces, entirely or for the stores it names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Int8Type, Int32Type};

use super::file_kind::FileKind;
use super::file_reader::{Content, ReadFile};
use super::rejects::Reject;
use super::store_index::StoreIndex;
use crate::error::{Error, Result, counted};
use crate::rules::HoursRow;
use crate::tables::{Dataset, Table};

/// Treatment of the hours or zones of stores that the files do not mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplaceMode {
    /// Drops them, unless more than half of the stores that had some would lose them.
    #[default]
    Careful,
    /// Drops them.
    Replace,
    /// Keeps them.
    Merge,
}

/// Effect of a load on business hours or time zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    pub rows_before: u64,
    pub rows: u64,
    /// Stores that had rows before, and stores that the files have rows for.
    pub stores_before: u64,
    pub stores_given: u64,
    /// Stores that had rows and lost them, sorted by id.
    pub lost: Vec<String>,
}

/// Rows of a table as of the next version.
pub enum Snapshot<Row> {
    Known(Option<RecordBatch>),
    New(NewRows<Row>),
}

pub struct NewRows<Row> {
    /// Sorted by store.
    rows: Vec<(String, Row)>,
    pub replaced: Replaced,
    /// True if the table already holds exactly these rows.
    pub is_unchanged: bool,
}

impl<Row: Clone + PartialEq> Snapshot<Row> {
    /// `given` and `before` must be sorted by store.
    fn from_rows(given: Vec<(String, Row)>, before: Vec<(String, Row)>, mode: ReplaceMode) -> Self {
        let stores = |rows: &[(String, Row)]| rows.chunk_by(|a, b| a.0 == b.0).count() as u64;
        let mut replaced = Replaced {
            rows_before: before.len() as u64,
            stores_before: stores(&before),
            stores_given: stores(&given),
            ..Replaced::default()
        };
        let named: HashSet<&str> = given.iter().map(|(id, _)| id.as_str()).collect();
        let others: Vec<_> = before.iter().filter(|(id, _)| !named.contains(id.as_str())).collect();
        drop(named);
        let mut rows = given;
        if mode == ReplaceMode::Merge {
            rows.extend(others.into_iter().cloned());
            rows.sort_by(|left, right| left.0.cmp(&right.0));
        } else {
            replaced.lost = others.into_iter().map(|(id, _)| id.clone()).collect();
            replaced.lost.dedup();
        }
        replaced.rows = rows.len() as u64;
        Self::New(NewRows { is_unchanged: rows == before, rows, replaced })
    }
}

impl<Row> Snapshot<Row> {
    /// Stores with a row, possibly repeated.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let (known, new) = match self {
            Self::Known(rows) => (rows.as_ref(), &[][..]),
            Self::New(new) => (None, new.rows.as_slice()),
        };
        let known = known.into_iter().flat_map(|rows| rows.column(0).as_string::<i32>().iter());
        known.flatten().chain(new.iter().map(|(id, _)| id.as_str()))
    }

    /// Effect of the load; `None` if it has no such rows.
    pub fn replaced(&self) -> Option<&Replaced> {
        self.new_rows().map(|new| &new.replaced)
    }

    pub fn is_unchanged(&self) -> bool {
        self.new_rows().is_some_and(|new| new.is_unchanged)
    }

    fn new_rows(&self) -> Option<&NewRows<Row>> {
        match self {
            Self::Known(_) => None,
            Self::New(new) => Some(new),
        }
    }
}

/// Business hours and time zones as of the next version.
pub struct Snapshots {
    pub hours: Snapshot<HoursRow>,
    /// Rows are IANA names.
    pub zones: Snapshot<String>,
    /// Stores with several, differing time zones in the files.
    pub zone_conflicts: Vec<String>,
}

impl Snapshots {
    /// Moves the rows out of the files.
    pub fn from_files(
        files: &mut [ReadFile],
        dataset: Option<&Dataset>,
        mode: ReplaceMode,
    ) -> Result<Self> {
        let (mut hours, mut zones) = (None, None);
        for file in files {
            match &mut file.content {
                Content::Polls(_) => {}
                Content::BusinessHours(rows) => {
                    hours.get_or_insert_with(Vec::new).append(rows);
                }
                Content::TimeZones(rows) => zones.get_or_insert_with(Vec::new).append(rows),
            }
        }
        let known = |table| dataset.map(|dataset| dataset.rows(table)).transpose();
        let hours_before = known(Table::BusinessHours)?;
        let hours = match hours {
            None => Snapshot::Known(hours_before),
            Some(mut given) => {
                given.sort_unstable();
                given.dedup();
                Snapshot::from_rows(given, openings_of(hours_before.as_ref())?, mode)
            }
        };
        let zones_before = known(Table::TimeZones)?;
        let mut zone_conflicts = BTreeSet::new();
        let zones = match zones {
            None => Snapshot::Known(zones_before),
            Some(given) => {
                let mut last = BTreeMap::new();
                for (id, zone) in given {
                    if last.get(&id).is_some_and(|before| *before != zone) {
                        zone_conflicts.insert(id.clone());
                    }
                    last.insert(id, zone);
                }
                let given = last.into_iter().map(|(id, zone)| (id, zone.name().to_owned()));
                Snapshot::from_rows(given.collect(), zones_of(zones_before.as_ref()), mode)
            }
        };
        Ok(Self { hours, zones, zone_conflicts: zone_conflicts.into_iter().collect() })
    }

    pub fn is_unchanged(&self, kind: FileKind) -> bool {
        match kind {
            FileKind::Polls => false,
            FileKind::BusinessHours => self.hours.is_unchanged(),
            FileKind::TimeZones => self.zones.is_unchanged(),
        }
    }

    /// # Errors
    /// Most stores that had hours or a zone would lose them, and `mode` is careful.
    pub fn check_losses(&self, mode: ReplaceMode) -> Result<()> {
        if mode != ReplaceMode::Careful {
            return Ok(());
        }
        for (what, them, replaced) in [
            ("business hours", "them", self.hours.replaced()),
            ("a time zone", "it", self.zones.replaced()),
        ] {
            let Some(Replaced { stores_before, lost, .. }) = replaced else { continue };
            if lost.len() as u64 * 2 > *stores_before {
                let lost = lost.len();
                let stores = counted(*stores_before, "store that has", "stores that have");
                return Err(Error::File(format!(
                    "{lost} of the {stores} {what} would lose {them}, since the files replace those \
                     of all stores; nothing was loaded; give --merge to replace only those of the \
                     stores in the files, or --replace to drop the others"
                )));
            }
        }
        Ok(())
    }
}

fn openings_of(table: Option<&RecordBatch>) -> Result<Vec<(String, HoursRow)>> {
    let Some(table) = table else { return Ok(Vec::new()) };
    let ids = table.column(0).as_string::<i32>();
    let days = table.column(2).as_primitive::<Int8Type>();
    let [starts, ends] = [3, 4].map(|at| table.column(at).as_primitive::<Int32Type>());
    let opening = |row| HoursRow::from_columns(days.value(row), starts.value(row), ends.value(row));
    let broken = |row| Error::bug(format!("row {row} of \"business_hours\" is invalid"));
    let row = |row| Ok((ids.value(row).to_owned(), opening(row).ok_or_else(|| broken(row))?));
    (0..table.num_rows()).map(row).collect()
}

fn zones_of(table: Option<&RecordBatch>) -> Vec<(String, String)> {
    let rows = table.into_iter().flat_map(|table| {
        let [ids, zones] = [0, 2].map(|at| table.column(at).as_string::<i32>());
        ids.iter().flatten().zip(zones.iter().flatten())
    });
    rows.map(|(id, zone)| (id.to_owned(), zone.to_owned())).collect()
}

/// Rows of the table `business_hours`.
pub fn business_hours(new: &NewRows<HoursRow>, ids: &StoreIndex) -> Result<RecordBatch> {
    let openings = || new.rows.iter().map(|(_, opening)| opening);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(new.rows.iter().map(|(id, _)| Some(id)).collect::<StringArray>()),
        Arc::new(store_nos(new, ids)?),
        Arc::new(openings().map(|row| row.weekday().to_monday_zero() as i8).collect::<Int8Array>()),
        Arc::new(openings().map(|row| row.start_s() as i32).collect::<Int32Array>()),
        Arc::new(openings().map(|row| row.end_s() as i32).collect::<Int32Array>()),
    ];
    Ok(RecordBatch::try_new(Table::BusinessHours.file_schema(), columns)?)
}

/// Rows of the table `time_zones`.
pub fn time_zones(new: &NewRows<String>, ids: &StoreIndex) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(new.rows.iter().map(|(id, _)| Some(id)).collect::<StringArray>()),
        Arc::new(store_nos(new, ids)?),
        Arc::new(new.rows.iter().map(|(_, zone)| Some(zone)).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(Table::TimeZones.file_schema(), columns)?)
}

fn store_nos<Row>(new: &NewRows<Row>, ids: &StoreIndex) -> Result<Int32Array> {
    let numbers: HashMap<&str, u32> = ids.numbers();
    let store_no = |(id, _): &(String, Row)| {
        let number = numbers.get(id.as_str()).map(|number| ids.store_no(*number));
        number.ok_or_else(|| Error::bug(format!("store {id:?} is not numbered")))
    };
    new.rows.iter().map(store_no).collect()
}

pub fn rejects_batch(rejects: &[Reject], version: u64) -> Result<RecordBatch> {
    let text = |of: fn(&Reject) -> &str| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| Some(of(reject))).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![version as i64; rejects.len()])),
        text(|reject| &reject.file),
        Arc::new(rejects.iter().map(|reject| reject.line as i64).collect::<Int64Array>()),
        text(|reject| &reject.column),
        text(|reject| &reject.reason),
        text(|reject| &reject.text),
        Arc::new(rejects.iter().map(|reject| reject.store.as_deref()).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(Table::Rejects.file_schema(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads rows drawn as `a1 a2 b1`: a store of one letter and its row.
    fn drawn(rows: &str) -> Vec<(String, String)> {
        let row = |word: &str| (word[..1].to_owned(), word[1..].to_owned());
        rows.split_whitespace().map(row).collect()
    }

    #[track_caller]
    fn check(given: &str, before: &str, mode: ReplaceMode, expected: &str, lost: &[&str]) {
        let Snapshot::New(new) = Snapshot::from_rows(drawn(given), drawn(before), mode) else {
            panic!("rows were given")
        };
        assert_eq!(
            (new.rows, new.replaced.lost),
            (drawn(expected), lost.iter().map(|id| id.to_string()).collect())
        );
        assert_eq!(new.is_unchanged, expected == before);
        assert_eq!(new.replaced.rows_before, drawn(before).len() as u64);
    }

    #[test]
    fn a_load_replaces_all_stores_or_those_that_it_names() {
        for (mode, all, lost) in [
            (ReplaceMode::Careful, "b3 d1", ["a", "c"].as_slice()),
            (ReplaceMode::Replace, "b3 d1", &["a", "c"]),
            (ReplaceMode::Merge, "a1 a2 b3 c1 d1", &[]),
        ] {
            check("b3 d1", "a1 a2 b1 b2 c1", mode, all, lost);
            check("a1 b1", "a1 b1", mode, "a1 b1", &[]);
            check("a1", "", mode, "a1", &[]);
        }
        check("b1", "a1 b1", ReplaceMode::Merge, "a1 b1", &[]);
        check("", "a1 b1", ReplaceMode::Merge, "a1 b1", &[]);
    }
}
