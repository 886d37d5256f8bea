//! Business hours and time zones: tables that a load replaces, whole or for the stores it names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Int8Type, Int32Type};

use super::header::Kind;
use super::read::{Content, ReadFile};
use super::rejects::Reject;
use super::stores::Ids;
use crate::error::{Error, Result};
use crate::rules::{Opening, Weekday};
use crate::tables::{Dataset, Table};

/// What becomes of the hours or zones of stores that the files do not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are dropped, unless that is more than half of the stores that have any.
    #[default]
    Careful,
    /// They are dropped, however many they are.
    Replace,
    /// They stay.
    Merge,
}

/// What a load does to business hours or to time zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    pub rows_before: u64,
    pub rows: u64,
    /// Stores that had any before, and that the files have some for.
    pub stores_before: u64,
    pub stores_given: u64,
    /// Stores that had some and have none any more, in order of ids.
    pub lost: Vec<String>,
}

/// A table's rows as they will be after the load.
pub enum Snapshot<Row> {
    Known(Option<RecordBatch>),
    New(NewRows<Row>),
}

pub struct NewRows<Row> {
    /// In order of stores.
    rows: Vec<(String, Row)>,
    pub replaced: Replaced,
    /// Whether the table holds exactly these already.
    pub is_in_force: bool,
}

impl<Row: Clone + PartialEq> Snapshot<Row> {
    /// Both in order of stores.
    fn of(given: Vec<(String, Row)>, before: Vec<(String, Row)>, mode: Mode) -> Self {
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
        if mode == Mode::Merge {
            rows.extend(others.into_iter().cloned());
            rows.sort_by(|left, right| left.0.cmp(&right.0));
        } else {
            replaced.lost = others.into_iter().map(|(id, _)| id.clone()).collect();
            replaced.lost.dedup();
        }
        replaced.rows = rows.len() as u64;
        Self::New(NewRows { is_in_force: rows == before, rows, replaced })
    }
}

impl<Row> Snapshot<Row> {
    /// Stores with a row; some more than once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let (known, new) = match self {
            Self::Known(rows) => (rows.as_ref(), &[][..]),
            Self::New(new) => (None, new.rows.as_slice()),
        };
        let known = known.into_iter().flat_map(|rows| rows.column(0).as_string::<i32>().iter());
        known.flatten().chain(new.iter().map(|(id, _)| id.as_str()))
    }

    /// `None` where the load has no such rows.
    pub fn replaced(&self) -> Option<&Replaced> {
        self.new_rows().map(|new| &new.replaced)
    }

    pub fn is_in_force(&self) -> bool {
        self.new_rows().is_some_and(|new| new.is_in_force)
    }

    fn new_rows(&self) -> Option<&NewRows<Row>> {
        match self {
            Self::Known(_) => None,
            Self::New(new) => Some(new),
        }
    }
}

/// Both tables.
pub struct Snapshots {
    pub hours: Snapshot<Opening>,
    /// Rows are IANA names.
    pub zones: Snapshot<String>,
    /// Stores whose time zone was given more than once, and differently.
    pub zone_conflicts: Vec<String>,
}

impl Snapshots {
    /// Takes the rows of the files.
    pub fn of(files: &mut [ReadFile], dataset: Option<&Dataset>, mode: Mode) -> Result<Self> {
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
                Snapshot::of(given, openings_of(hours_before.as_ref())?, mode)
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
                Snapshot::of(given.collect(), zones_of(zones_before.as_ref()), mode)
            }
        };
        Ok(Self { hours, zones, zone_conflicts: zone_conflicts.into_iter().collect() })
    }

    pub fn is_in_force(&self, kind: Kind) -> bool {
        match kind {
            Kind::Polls => false,
            Kind::BusinessHours => self.hours.is_in_force(),
            Kind::TimeZones => self.zones.is_in_force(),
        }
    }

    /// # Errors
    /// Where more than half of the stores that had hours or a zone would lose them, unasked.
    pub fn check_losses(&self, mode: Mode) -> Result<()> {
        if mode != Mode::Careful {
            return Ok(());
        }
        for (what, them, replaced) in [
            ("business hours", "them", self.hours.replaced()),
            ("a time zone", "it", self.zones.replaced()),
        ] {
            let Some(Replaced { stores_before, lost, .. }) = replaced else { continue };
            if lost.len() as u64 * 2 > *stores_before {
                let lost = lost.len();
                return Err(Error::File(format!(
                    "{lost} of the {stores_before} stores that have {what} would lose {them}, since the files \
                     replace those of all stores; nothing was loaded; give --merge to replace only those of \
                     the stores in the files, or --replace to drop the others"
                )));
            }
        }
        Ok(())
    }
}

fn openings_of(table: Option<&RecordBatch>) -> Result<Vec<(String, Opening)>> {
    let Some(table) = table else { return Ok(Vec::new()) };
    let ids = table.column(0).as_string::<i32>();
    let days = table.column(2).as_primitive::<Int8Type>();
    let [starts, ends] = [3, 4].map(|at| table.column(at).as_primitive::<Int32Type>());
    let opening = |row: usize| {
        let weekday = Weekday::from_monday_zero(days.value(row).try_into().ok()?)?;
        let (start_s, end_s) =
            (starts.value(row).try_into().ok()?, ends.value(row).try_into().ok()?);
        Opening::new(weekday, start_s, end_s)
    };
    let broken = |row| Error::bug(format!("row {row} of \"business_hours\" holds no hours"));
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

/// The table of business hours.
pub fn business_hours(new: &NewRows<Opening>, ids: &Ids) -> Result<RecordBatch> {
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

/// The table of time zones.
pub fn time_zones(new: &NewRows<String>, ids: &Ids) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(new.rows.iter().map(|(id, _)| Some(id)).collect::<StringArray>()),
        Arc::new(store_nos(new, ids)?),
        Arc::new(new.rows.iter().map(|(_, zone)| Some(zone)).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(Table::TimeZones.file_schema(), columns)?)
}

fn store_nos<Row>(new: &NewRows<Row>, ids: &Ids) -> Result<Int32Array> {
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

    /// Draws rows as `a1 a2 b1`: a store of one letter and its row.
    fn drawn(rows: &str) -> Vec<(String, String)> {
        let row = |word: &str| (word[..1].to_owned(), word[1..].to_owned());
        rows.split_whitespace().map(row).collect()
    }

    #[track_caller]
    fn check(given: &str, before: &str, mode: Mode, expected: &str, lost: &[&str]) {
        let Snapshot::New(new) = Snapshot::of(drawn(given), drawn(before), mode) else {
            panic!("rows were given")
        };
        assert_eq!(
            (new.rows, new.replaced.lost),
            (drawn(expected), lost.iter().map(|id| id.to_string()).collect())
        );
        assert_eq!(new.is_in_force, expected == before);
        assert_eq!(new.replaced.rows_before, drawn(before).len() as u64);
    }

    #[test]
    fn a_load_replaces_all_stores_or_those_that_it_names() {
        for (mode, all, lost) in [
            (Mode::Careful, "b3 d1", ["a", "c"].as_slice()),
            (Mode::Replace, "b3 d1", &["a", "c"]),
            (Mode::Merge, "a1 a2 b3 c1 d1", &[]),
        ] {
            check("b3 d1", "a1 a2 b1 b2 c1", mode, all, lost);
            check("a1 b1", "a1 b1", mode, "a1 b1", &[]);
            check("a1", "", mode, "a1", &[]);
        }
        check("b1", "a1 b1", Mode::Merge, "a1 b1", &[]);
        check("", "a1 b1", Mode::Merge, "a1 b1", &[]);
    }
}
