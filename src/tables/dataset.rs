//! Dataset: all tables at one version, and the commit of the next one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{FieldRef, Int64Type, TimestampMicrosecondType};
use futures::future::try_join_all;
use tokio::task::JoinSet;

use super::delta_log::{TableFile, TableLog, cached_files, newest_version};
use super::parquet_files::{NewFile, read_all, read_columns, write_sorted};
use super::schema::Table;
use super::write_lock::WriteLock;
use super::zone_rules::read_zone_rules;
use crate::error::{Error, Result};
use crate::rules::ZoneRules;

/// File of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Version that the load made.
    pub version: u64,
    /// Instant of the load in microseconds UTC.
    pub loaded_at: i64,
    /// Kind of the rows: `polls`, `business_hours` or `time_zones`.
    pub kind: String,
    pub file: String,
    /// BLAKE3 of the decompressed content, in hexadecimal.
    pub content_hash: String,
    /// Data rows read, including rejected ones.
    pub rows: u64,
    pub rejected: u64,
    /// Edition of the version's zone rules; `None` if written by a program before they were stored.
    pub zone_rules: Option<String>,
}

/// All tables, pinned to one version. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dataset {
    folder: PathBuf,
    version: u64,
    loads: Arc<[Load]>,
    table_versions: Arc<HashMap<Table, u64>>,
    files: Arc<HashMap<Table, Vec<TableFile>>>,
    zone_rules: Arc<OnceLock<ZoneRules>>,
}

impl Dataset {
    /// Opens the newest version or `as_of`; `None` if nothing was ever loaded.
    ///
    /// # Errors
    /// The folder cannot be read, or has no such version.
    pub async fn open(folder: &Path, as_of: Option<u64>) -> Result<Option<Self>> {
        // Engines identify files by absolute paths.
        let folder =
            std::path::absolute(folder).map_err(|error| Error::io("read", folder, error))?;
        let Some((version, loads)) = open_loads(&folder, as_of).await? else {
            return Ok(None);
        };
        let rows = read_loads(&loads)?;
        let mut files = HashMap::from([(Table::Loads, loads)]);
        let table_versions = table_versions(&rows);
        let mut logs = JoinSet::new();
        for (&table, &version) in &table_versions {
            match cached_files(&folder, table, version) {
                Some(listed) => drop(files.insert(table, listed)),
                None => drop(logs.spawn(read_log(folder.clone(), table, version))),
            }
        }
        while let Some(read) = logs.join_next().await {
            let (table, read) = read.map_err(|error| Error::bug(error.to_string()))??;
            files.insert(table, read);
        }
        Ok(Some(Self {
            folder,
            version,
            loads: parse_loads(&rows).into(),
            table_versions: Arc::new(table_versions),
            files: Arc::new(files),
            zone_rules: Arc::default(),
        }))
    }

    /// Version number; increases by one with every load.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// True if there is no later version at this moment; costs one file system call.
    pub fn is_newest(&self) -> bool {
        !TableLog::has_version(&self.folder, Table::Loads, self.version + 1)
    }

    /// True if the commit of this version is still on disk; costs one file system call.
    pub fn exists(&self) -> bool {
        TableLog::has_version(&self.folder, Table::Loads, self.version)
    }

    /// All files ever loaded, oldest first.
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// Files of a table, sorted by day; empty if the table was never written.
    pub fn files(&self, table: Table) -> &[TableFile] {
        self.files.get(&table).map_or(&[], Vec::as_slice)
    }

    /// Zone rules of this version, read on first use.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn zone_rules(&self) -> Result<ZoneRules> {
        if let Some(known) = self.zone_rules.get() {
            return Ok(known.clone());
        }
        let read = read_zone_rules(self.files(Table::ZoneRules))?;
        Ok(self.zone_rules.get_or_init(|| read).clone())
    }

    /// Edition of the zone rules of this version or an earlier one, without reading any file.
    pub fn zone_edition(&self, version: u64) -> String {
        let of_version = self.loads.iter().rev().find(|load| load.version <= version);
        let edition = of_version.and_then(|load| load.zone_rules.clone());
        edition.unwrap_or_else(|| ZoneRules::built_in().edition().to_owned())
    }

    /// Reads all rows of a table; they must fit in memory.
    pub fn rows(&self, table: Table) -> Result<RecordBatch> {
        read_all(table, self.files(table).iter().map(|file| file.path.as_path()))
    }

    /// Reads some columns of all rows, in the order of the table.
    pub fn columns(&self, table: Table, columns: &[&str]) -> Result<RecordBatch> {
        read_columns(table, columns, self.files(table).iter().map(|file| file.path.as_path()))
    }
}

/// Opens the table `loads` at the newest version or `as_of`; `None` if nothing was ever loaded.
async fn open_loads(folder: &Path, as_of: Option<u64>) -> Result<Option<(u64, Vec<TableFile>)>> {
    if let Some(newest) = newest_version(folder, Table::Loads)
        && newest > 0
        && as_of.is_none_or(|asked| asked == newest)
        && let Some(listed) = cached_files(folder, Table::Loads, newest)
    {
        return Ok(Some((newest, listed)));
    }
    let Some(newest) = TableLog::open(folder, Table::Loads, None).await? else {
        return as_of.map_or(Ok(None), |version| Err(no_version(version, 0)));
    };
    let log = match as_of {
        Some(version) if version == 0 || version > newest.version() => {
            return Err(no_version(version, newest.version()));
        }
        Some(version) if version < newest.version() => {
            TableLog::open(folder, Table::Loads, Some(version)).await?.unwrap_or(newest)
        }
        _ => newest,
    };
    if log.version() == 0 {
        return Ok(None);
    }
    Ok(Some((log.version(), log.files()?)))
}

/// Files of a table at a version, replayed from its log.
async fn read_log(folder: PathBuf, table: Table, version: u64) -> Result<(Table, Vec<TableFile>)> {
    let log = TableLog::open(&folder, table, Some(version)).await?;
    let log = log.ok_or_else(|| missing(&folder, table))?;
    Ok((table, log.files()?))
}

/// Changes of a load: for each table written, the files to keep and the new ones.
#[derive(Default)]
pub struct Change {
    tables: Vec<(Table, Vec<TableFile>, Vec<NewFile>)>,
}

impl Change {
    /// Sets the complete files of the table's next version.
    pub fn set(&mut self, table: Table, kept: Vec<TableFile>, new: Vec<NewFile>) {
        self.tables.push((table, kept, new));
    }

    /// Commits the change atomically as the next version of the dataset, and returns its number.
    /// Sets it in `loads`.
    pub async fn commit(
        self,
        before: Option<&Dataset>,
        lock: &WriteLock,
        mut loads: Vec<Load>,
    ) -> Result<u64> {
        let folder = lock.folder();
        let mut versions =
            before.map(|dataset| HashMap::clone(&dataset.table_versions)).unwrap_or_default();
        let committed = self.tables.into_iter().map(|(table, kept, new)| async move {
            let log = open_or_create(folder, table).await?;
            let version = log.commit(&kept, &new.iter().collect::<Vec<_>>()).await?;
            new.into_iter().for_each(NewFile::keep);
            Ok::<_, Error>((table, version))
        });
        versions.extend(try_join_all(committed).await?);
        let log = open_or_create(folder, Table::Loads).await?;
        let version = log.version() + 1;
        loads.iter_mut().for_each(|load| load.version = version);
        let rows = loads_batch(&loads, &versions)?;
        let earlier = before.map(|dataset| read_loads(dataset.files(Table::Loads)));
        let earlier = earlier.transpose()?;
        let batches = earlier.into_iter().chain([rows]).map(Ok);
        let file = write_sorted(folder, Table::Loads, None, batches)?;
        let committed = log.commit(&[], &[&file]).await?;
        file.keep();
        Ok(committed)
    }
}

async fn open_or_create(folder: &Path, table: Table) -> Result<TableLog> {
    match TableLog::open(folder, table, None).await? {
        Some(log) => Ok(log),
        None => TableLog::create(folder, table).await,
    }
}

/// Reads the rows of `loads`; columns missing in older files are null.
fn read_loads(files: &[TableFile]) -> Result<RecordBatch> {
    let rows = read_all(Table::Loads, files.iter().map(|file| file.path.as_path()))?;
    let schema = Table::Loads.file_schema();
    let column = |field: &FieldRef| match rows.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), rows.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn table_versions(rows: &RecordBatch) -> HashMap<Table, u64> {
    let last = rows.num_rows().wrapping_sub(1);
    let version = |table: Table| {
        let column = rows.column_by_name(&table.version_column())?.as_primitive::<Int64Type>();
        // A table that was never written has no version.
        let version = (last < column.len() && column.is_valid(last)).then(|| column.value(last))?;
        Some((table, u64::try_from(version).ok()?))
    };
    Table::VERSIONED.into_iter().filter_map(version).collect()
}

fn parse_loads(rows: &RecordBatch) -> Vec<Load> {
    let count = |name: &str, row: usize| {
        rows.column_by_name(name).map_or(0, |column| column.as_primitive::<Int64Type>().value(row))
            as u64
    };
    let text = |name: &str, row: usize| {
        rows.column_by_name(name)
            .map_or("", |column| column.as_string::<i32>().value(row))
            .to_owned()
    };
    let loaded_at = |row: usize| {
        rows.column_by_name("loaded_at")
            .map_or(0, |column| column.as_primitive::<TimestampMicrosecondType>().value(row))
    };
    let edition = |row: usize| {
        let column = rows.column_by_name("zone_rules")?.as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    (0..rows.num_rows())
        .map(|row| Load {
            version: count("version", row),
            loaded_at: loaded_at(row),
            kind: text("kind", row),
            file: text("file", row),
            content_hash: text("content_hash", row),
            rows: count("rows", row),
            rejected: count("rejected", row),
            zone_rules: edition(row),
        })
        .collect()
}

fn loads_batch(loads: &[Load], versions: &HashMap<Table, u64>) -> Result<RecordBatch> {
    let count = |of: fn(&Load) -> u64| -> ArrayRef {
        Arc::new(loads.iter().map(|load| of(load) as i64).collect::<Int64Array>())
    };
    let text = |of: fn(&Load) -> &String| -> ArrayRef {
        Arc::new(loads.iter().map(|load| Some(of(load))).collect::<StringArray>())
    };
    let loaded_at = loads.iter().map(|load| load.loaded_at).collect::<Vec<_>>();
    let mut columns: Vec<ArrayRef> = vec![
        count(|load| load.version),
        Arc::new(TimestampMicrosecondArray::from(loaded_at).with_timezone("UTC")),
        text(|load| &load.kind),
        text(|load| &load.file),
        text(|load| &load.content_hash),
        count(|load| load.rows),
        count(|load| load.rejected),
    ];
    for table in Table::VERSIONED {
        let version = versions.get(&table).map_or(-1, |&version| version as i64);
        columns.push(Arc::new(Int64Array::from(vec![version; loads.len()])));
    }
    let editions = loads.iter().map(|load| load.zone_rules.as_deref());
    columns.push(Arc::new(editions.collect::<StringArray>()));
    Ok(RecordBatch::try_new(Table::Loads.file_schema(), columns)?)
}

fn no_version(asked: u64, newest: u64) -> Error {
    Error::Argument(match newest {
        0 => format!("there is no version {asked}: no data loaded"),
        newest => format!("there is no version {asked}; expected 1 to {newest}"),
    })
}

fn missing(folder: &Path, table: Table) -> Error {
    Error::io("read", &folder.join(table.name()), "the table that a load wrote is gone")
}
