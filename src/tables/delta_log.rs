//! Delta log of one table: its files at a version, and commits.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{
    Action, Add, DataType as DeltaType, MetadataExt, PrimitiveType, StructField, StructType,
    Version,
};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, logstore_with};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableError, ensure_table_uri};
use object_store::local::LocalFileSystem;

use super::parquet_files::{NewFile, format_date, parse_date, sync_folder};
use super::schema::Table;
use super::snapshot_cache;
use crate::error::{Error, Result};

/// Folder of the commits of a table.
const LOG: &str = "_delta_log";

/// Parquet file in a version of a table.
#[derive(Clone, Debug)]
pub struct TableFile {
    pub path: PathBuf,
    pub size_bytes: u64,
    /// Partition, as days since 1970-01-01.
    pub day: Option<i64>,
    /// Upper bound of `polled_at` in microseconds UTC; `None` if unknown, and for other tables.
    pub last_at: Option<i64>,
    /// Number of rows; `None` if unknown.
    pub rows: Option<usize>,
    add: Add,
}

impl TableFile {
    fn from_add(table: Table, folder: &Path, add: Add) -> Self {
        let day = table
            .partition_column()
            .and_then(|column| add.partition_values.get(column)?.as_deref().and_then(parse_date));
        let stats = add.stats.as_deref();
        let stats = stats.and_then(|text| serde_json::from_str(text).ok());
        // The path is percent-encoded, as in a URI.
        let path = object_store::path::Path::from_url_path(&add.path);
        Self {
            path: folder.join(path.as_ref().map_or(add.path.as_str(), AsRef::as_ref)),
            size_bytes: add.size.unsigned_abs(),
            day,
            last_at: stats.as_ref().and_then(last_at),
            rows: stats.as_ref().and_then(rows),
            add,
        }
    }
}

fn by_day(mut files: Vec<TableFile>) -> Vec<TableFile> {
    files.sort_by(|left, right| (left.day, &left.path).cmp(&(right.day, &right.path)));
    files
}

/// Files of a version, sorted by day, from the snapshot cache; `None` if it is not cached.
pub fn cached_files(data: &Path, table: Table, version: Version) -> Option<Vec<TableFile>> {
    let folder = data.join(table.name());
    let files = snapshot_cache::read(&folder, version)?.into_iter();
    Some(by_day(files.map(|add| TableFile::from_add(table, &folder, add)).collect()))
}

/// Version of the last commit, from the names of the log's files; `None` if there is none. The log
/// keeps all of its files.
pub fn newest_version(data: &Path, table: Table) -> Option<Version> {
    let commits = std::fs::read_dir(data.join(table.name()).join(LOG)).ok()?.flatten();
    commits.filter_map(|commit| version_of(commit.file_name().to_str()?)).max()
}

/// Version that a file of the log commits; `None` if it is not a commit.
fn version_of(name: &str) -> Option<Version> {
    let digits = name.strip_suffix(".json")?;
    let is_version = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_version.then(|| digits.parse().ok()).flatten()
}

/// Table at one version.
pub struct TableLog {
    table: Table,
    folder: PathBuf,
    delta: DeltaTable,
}

impl TableLog {
    /// Opens the given version, or else the newest one; `None` if there is no such table.
    pub async fn open(data: &Path, table: Table, version: Option<Version>) -> Result<Option<Self>> {
        let folder = data.join(table.name());
        if !folder.join(LOG).is_dir() {
            return Ok(None);
        }
        let store = log_store(&folder).map_err(|error| unreadable(&folder, error))?;
        let mut delta = DeltaTable::new(store);
        let loaded = match version {
            Some(version) => delta.load_version(version).await,
            None => delta.load().await,
        };
        match loaded {
            Ok(()) => Ok(Some(Self { table, folder, delta })),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(unreadable(&folder, error)),
        }
    }

    /// True if the version was committed.
    pub fn has_version(data: &Path, table: Table, version: Version) -> bool {
        data.join(table.name()).join(LOG).join(format!("{version:020}.json")).exists()
    }

    pub async fn create(data: &Path, table: Table) -> Result<Self> {
        let folder = data.join(table.name());
        std::fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
        let store = log_store(&folder).map_err(|error| unwritable(&folder, error))?;
        let delta = CreateBuilder::new()
            .with_log_store(store)
            .with_table_name(table.name())
            .with_columns(delta_columns(table))
            .with_partition_columns(table.partition_column())
            // Keep all versions: reports as of an old one must remain possible.
            .with_configuration([("delta.enableExpiredLogCleanup", Some("false"))])
            .await
            .map_err(|error| unwritable(&folder, error))?;
        let log = Self { table, folder, delta };
        log.sync()?;
        sync_folder(data)?;
        Ok(log)
    }

    pub fn version(&self) -> Version {
        self.delta.version().unwrap_or_default()
    }

    /// Files of this version, sorted by day.
    pub fn files(&self) -> Result<Vec<TableFile>> {
        let state = self.delta.snapshot().map_err(|error| unreadable(&self.folder, error))?;
        let adds = state.log_data().into_iter().map(|view| Add {
            path: view.path().into_owned(),
            partition_values: view.partition_values_map(),
            size: view.size(),
            modification_time: view.modification_time(),
            data_change: true,
            stats: view.stats(),
            ..Default::default()
        });
        Ok(by_day(adds.map(|add| TableFile::from_add(self.table, &self.folder, add)).collect()))
    }

    /// Commits a version that holds exactly `kept` and `new`, regardless of this one's files. This
    /// undoes a load that was interrupted between its commit here and the one to `loads`.
    pub async fn commit(&self, kept: &[TableFile], new: &[&NewFile]) -> Result<Version> {
        let state = self.delta.snapshot().map_err(|error| unreadable(&self.folder, error))?;
        let held: HashSet<_> =
            state.log_data().iter().map(|view| view.path().into_owned()).collect();
        let wanted: HashSet<_> = kept.iter().map(|file| file.add.path.as_str()).collect();
        let mut actions: Vec<_> = state
            .log_data()
            .iter()
            .filter(|view| !wanted.contains(view.path().as_ref()))
            .map(|view| Action::Remove(view.remove_action(true)))
            .collect();
        let restored = kept.iter().filter(|file| !held.contains(&file.add.path));
        actions.extend(restored.map(|file| Action::Add(file.add.clone())));
        actions.extend(new.iter().map(|file| Action::Add(to_add(file))));
        actions.extend(self.new_columns(state)?);
        let operation = DeltaOperation::Write {
            mode: SaveMode::Overwrite,
            partition_by: self.table.partition_column().map(|column| vec![column.to_owned()]),
            predicate: None,
        };
        let committed = CommitBuilder::from(CommitProperties::default())
            .with_actions(actions)
            .build(Some(state), self.delta.log_store(), operation)
            .await
            .map_err(|error| unwritable(&self.folder, error))?;
        self.sync()?;
        let version = committed.version();
        let files = kept.iter().map(|file| file.add.clone());
        let files = files.chain(new.iter().map(|file| to_add(file))).collect();
        if let Err(error) = snapshot_cache::write(&self.folder, version, files) {
            tracing::debug!("{:?}: cannot cache the list of files: {error}", self.folder);
        }
        Ok(version)
    }

    /// Action that adds columns missing from a table that an earlier program created.
    fn new_columns(&self, state: &DeltaTableState) -> Result<Option<Action>> {
        let (known, columns) = (state.schema(), delta_columns(self.table));
        if columns.iter().all(|column| known.field(column.name()).is_some()) {
            return Ok(None);
        }
        let schema =
            StructType::try_new(columns).map_err(|error| unwritable(&self.folder, error.into()))?;
        let metadata = state.metadata().clone().with_schema(&schema);
        let metadata = metadata.map_err(|error| unwritable(&self.folder, error.into()))?;
        Ok(Some(Action::Metadata(metadata)))
    }

    /// Syncs the newest commit, which the object store does not, so that it survives a power loss.
    fn sync(&self) -> Result<()> {
        let log = self.folder.join(LOG);
        let entries = std::fs::read_dir(&log).map_err(|error| Error::io("read", &log, error))?;
        let newest = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .max();
        if let Some(path) = newest {
            std::fs::File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| Error::io("sync", &path, error))?;
        }
        sync_folder(&log)?;
        sync_folder(&self.folder)
    }
}

/// Log store rooted at the table's folder. URLs contain only our own names then, so that the path
/// to the folder may contain any character.
fn log_store(folder: &Path) -> std::result::Result<LogStoreRef, DeltaTableError> {
    let store = LocalFileSystem::new_with_prefix(folder)?;
    logstore_with(Arc::new(store), &ensure_table_uri("file:///")?, StorageConfig::default())
}

/// Upper bound of `polled_at` in a file's statistics. `None` unless exact to the microsecond;
/// statistics rewritten by a Delta library are truncated to the millisecond.
fn last_at(stats: &serde_json::Value) -> Option<i64> {
    let last_at = stats.get("maxValues")?.get("polled_at")?.as_str()?;
    let (_, fraction) = last_at.rsplit_once('.')?;
    if fraction.bytes().take_while(u8::is_ascii_digit).count() < 6 {
        return None;
    }
    chrono::DateTime::parse_from_rfc3339(last_at).ok().map(|at| at.timestamp_micros())
}

fn rows(stats: &serde_json::Value) -> Option<usize> {
    usize::try_from(stats.get("numRecords")?.as_u64()?).ok()
}

fn to_add(file: &NewFile) -> Add {
    let partition_values = match (file.table.partition_column(), file.day) {
        (Some(column), Some(day)) => HashMap::from([(column.to_owned(), Some(format_date(day)))]),
        _ => HashMap::new(),
    };
    let mut stats = serde_json::json!({ "numRecords": file.rows });
    if let (Some(stats), Some(serde_json::Value::Object(bounds))) =
        (stats.as_object_mut(), &file.stats)
    {
        stats.extend(bounds.clone());
    }
    Add {
        path: file.name.clone(),
        partition_values,
        size: file.size_bytes as i64,
        modification_time: chrono::Utc::now().timestamp_millis(),
        data_change: true,
        stats: Some(stats.to_string()),
        ..Default::default()
    }
}

fn delta_columns(table: Table) -> Vec<StructField> {
    let schema = table.schema();
    let column = |field: &arrow::datatypes::FieldRef| {
        let primitive = match field.data_type() {
            DataType::Boolean => PrimitiveType::Boolean,
            DataType::Int8 => PrimitiveType::Byte,
            DataType::Int32 => PrimitiveType::Integer,
            DataType::Int64 => PrimitiveType::Long,
            DataType::Date32 => PrimitiveType::Date,
            DataType::Binary => PrimitiveType::Binary,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => PrimitiveType::Timestamp,
            _ => PrimitiveType::String,
        };
        StructField::new(field.name(), DeltaType::Primitive(primitive), field.is_nullable())
    };
    schema.fields().iter().map(column).collect()
}

fn unreadable(folder: &Path, error: DeltaTableError) -> Error {
    Error::io("read the table", folder, error)
}

fn unwritable(folder: &Path, error: DeltaTableError) -> Error {
    Error::io("write the table", folder, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(polled_at: &str, expected: Option<i64>) {
        let stats = serde_json::json!({ "numRecords": 1, "maxValues": { "polled_at": polled_at } });
        assert_eq!(last_at(&stats), expected, "{polled_at}");
        assert_eq!(rows(&stats), Some(1));
    }

    #[test]
    fn versions_come_from_the_names_of_commits() {
        for (name, version) in [
            ("00000000000000000012.json", Some(12)),
            ("00000000000000000012.checkpoint.parquet", None),
            ("00000000000000000012.checkpoint.json", None),
            ("00000000000000000012.crc", None),
            ("_commit_00000000000000000012.json.tmp", None),
            ("_last_checkpoint", None),
            ("12.json", None),
            ("0000000000000000001x.json", None),
        ] {
            assert_eq!(version_of(name), version, "{name}");
        }
    }

    #[test]
    fn a_bound_counts_only_if_it_is_exact() {
        check("1970-01-01T00:00:01.000002Z", Some(1_000_002));
        check("1969-12-31T23:59:59.999999Z", Some(-1));
        check("1970-01-01T00:00:01.002Z", None);
        check("1970-01-01T00:00:01Z", None);
        check("yesterday", None);
        let none = serde_json::json!({});
        assert_eq!((last_at(&none), rows(&none)), (None, None));
    }
}
