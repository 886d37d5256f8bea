//! Job records on disk, in redb: one file, changed in transactions that are synced at commit.
//!
//! redb rather than SQLite: the data is a map from id to record, without queries; redb is that map
//! and no more, in safe Rust, without C or SQL. Commits are atomic and synced by default, and a
//! file lock keeps a second server out of the folder. Knows nothing of what a report is.

use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};
use uuid::Uuid;

use super::file_identity::FileIdentity;
use super::record::{Record, Remembered};
use crate::error::{Error, Result};

/// Records by id.
const REPORTS: TableDefinition<u128, &[u8]> = TableDefinition::new("reports");
/// Ids of forgotten reports with the instant: they are answered with 410, never 404.
const GONE: TableDefinition<u128, i64> = TableDefinition::new("gone");
/// Fingerprint of the request and id of its report, by idempotency key.
const IDEMPOTENCY_KEYS: TableDefinition<&str, &[u8]> = TableDefinition::new("idempotency_keys");

pub struct JobDatabase {
    path: PathBuf,
    /// File that was opened; `None` for a database in memory.
    identity: Option<FileIdentity>,
    /// `None` once closed, and while reopening fails.
    database: RwLock<Option<Database>>,
    is_closed: AtomicBool,
    is_failing: AtomicBool,
}

type Redb<T> = std::result::Result<T, redb::Error>;

/// Mutation of the records.
#[derive(Clone, Debug)]
pub enum Entry {
    Put(Uuid, Record),
    Remember(String, Remembered),
    Unremember(String),
    /// Replaces the record by the instant of its removal, and removes its keys.
    Bury(Uuid, i64, Vec<String>),
}

/// Contents of the database.
#[derive(Default)]
pub struct StoredRecords {
    pub reports: Vec<(Uuid, Record)>,
    /// Reports whose records this version of the program cannot parse.
    pub unreadable: Vec<Uuid>,
    /// Oldest first.
    pub remembered: Vec<(String, Remembered)>,
}

impl JobDatabase {
    /// Opens the database, and creates it if it is missing.
    ///
    /// # Errors
    /// If the file cannot be written, is not a redb database, or a server has it open.
    pub fn open(path: &Path) -> Result<Self> {
        let (database, identity) = create(path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => {
                Error::io("open", path, "another uptally serves this folder")
            }
            error => Error::io("open", path, error),
        })?;
        let jobs = Self::new(path, Some(identity), database);
        jobs.create_tables().map_err(|error| Error::io("write", path, error))?;
        Ok(jobs)
    }

    fn new(path: &Path, identity: Option<FileIdentity>, database: Database) -> Self {
        Self {
            path: path.to_owned(),
            identity,
            database: RwLock::new(Some(database)),
            is_closed: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }
    }

    fn create_tables(&self) -> Redb<()> {
        let change = self.begin_write()?;
        change.open_table(REPORTS)?;
        change.open_table(GONE)?;
        change.open_table(IDEMPOTENCY_KEYS)?;
        Ok(change.commit()?)
    }

    fn begin_write(&self) -> Redb<WriteTransaction> {
        let database = self.database.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let database = database.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        Ok(database.begin_write()?)
    }

    fn begin_read(&self) -> Redb<ReadTransaction> {
        let database = self.database.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let database = database.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        Ok(database.begin_read()?)
    }

    /// Closes the file, so that another server may open it; later reads and writes fail.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        *self.database.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }

    /// Commits all entries or none; they are synced to disk on return.
    ///
    /// # Errors
    /// If the disk fails, or [`check_file`](Self::check_file) does.
    pub fn write(&self, entries: &[Entry]) -> Result<()> {
        let written = self.check_file().and_then(|()| {
            let written = self.commit(entries).or_else(|error| {
                tracing::warn!(%error, "the records of reports are being reopened");
                self.reopen()?;
                self.commit(entries)
            });
            written.map_err(unwritten)
        });
        self.is_failing.store(written.is_err(), Ordering::Relaxed);
        written
    }

    /// Returns true if the last write failed.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Checks that the path still names the open file: a removed or replaced file accepts writes
    /// while it is open, and loses them.
    ///
    /// # Errors
    /// If the path names no file, or another one.
    pub fn check_file(&self) -> Result<()> {
        let Some(opened) = self.identity else { return Ok(()) };
        match std::fs::metadata(&self.path) {
            Ok(named) if FileIdentity::new(&named) == opened => Ok(()),
            Ok(_) => Err(replaced(format!("{:?} is another file than the open one", self.path))),
            Err(error) => Err(replaced(format!("{:?}: {error}", self.path))),
        }
    }

    /// Reopens the database: after one failure redb refuses everything else.
    fn reopen(&self) -> Redb<()> {
        let mut database = self.database.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(redb::Error::DatabaseClosed);
        }
        // The old handle holds the file lock until it is dropped.
        *database = None;
        *database = Some(create(&self.path)?.0);
        Ok(())
    }

    fn commit(&self, entries: &[Entry]) -> Redb<()> {
        let change = self.begin_write()?;
        {
            let mut reports = change.open_table(REPORTS)?;
            let mut gone = change.open_table(GONE)?;
            let mut keys = change.open_table(IDEMPOTENCY_KEYS)?;
            for entry in entries {
                match entry {
                    Entry::Put(id, record) => {
                        let record = serde_json::to_vec(record).unwrap_or_default();
                        reports.insert(id.as_u128(), record.as_slice())?;
                    }
                    Entry::Remember(key, remembered) => {
                        keys.insert(key.as_str(), bytes_of(remembered).as_slice())?;
                    }
                    Entry::Unremember(key) => drop(keys.remove(key.as_str())?),
                    Entry::Bury(id, at, of_report) => {
                        reports.remove(id.as_u128())?;
                        gone.insert(id.as_u128(), *at)?;
                        for key in of_report {
                            keys.remove(key.as_str())?;
                        }
                    }
                }
            }
        }
        Ok(change.commit()?)
    }

    /// Instant at which the report was forgotten; `None` if it never existed, or still does.
    pub fn gone_at(&self, id: Uuid) -> Result<Option<i64>> {
        let read = || -> Redb<_> {
            let gone = self.begin_read()?.open_table(GONE)?;
            Ok(gone.get(id.as_u128())?.map(|at| at.value()))
        };
        read().map_err(unread)
    }

    /// Reads everything; reports are in no order.
    pub fn read_all(&self) -> Result<StoredRecords> {
        let mut records = StoredRecords::default();
        self.begin_read().and_then(|read| read_into(&read, &mut records)).map_err(unread)?;
        Ok(records)
    }
}

/// Opens the file. A missing one is created empty, for its owner alone, which redb takes for new.
fn create(path: &Path) -> std::result::Result<(Database, FileIdentity), redb::DatabaseError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let identity = FileIdentity::new(&file.metadata()?);
    Ok((Database::builder().create_with_backend(FileBackend::new(file)?)?, identity))
}

/// Appends the records of a transaction.
pub(super) fn read_into(
    read: &ReadTransaction,
    records: &mut StoredRecords,
) -> std::result::Result<(), redb::Error> {
    for row in read.open_table(REPORTS)?.iter()? {
        let (id, record) = row?;
        let id = Uuid::from_u128(id.value());
        match serde_json::from_slice(record.value()) {
            Ok(record) => records.reports.push((id, record)),
            Err(error) => {
                tracing::error!(%id, %error, "a record cannot be read");
                records.unreadable.push(id);
            }
        }
    }
    for row in read.open_table(IDEMPOTENCY_KEYS)?.iter()? {
        let (key, remembered) = row?;
        if let Some(remembered) = remembered_of(remembered.value()) {
            records.remembered.push((key.value().to_owned(), remembered));
        }
    }
    records.remembered.sort_by_key(|(_, remembered)| remembered.at);
    Ok(())
}

fn bytes_of(remembered: &Remembered) -> [u8; 56] {
    let mut bytes = [0; 56];
    bytes[..32].copy_from_slice(&remembered.fingerprint);
    bytes[32..48].copy_from_slice(remembered.id.as_bytes());
    bytes[48..].copy_from_slice(&remembered.at.to_le_bytes());
    bytes
}

fn remembered_of(bytes: &[u8]) -> Option<Remembered> {
    let (fingerprint, rest) = bytes.split_at_checked(32)?;
    let (id, at) = rest.split_at_checked(16)?;
    Some(Remembered {
        fingerprint: fingerprint.try_into().ok()?,
        id: Uuid::from_slice(id).ok()?,
        // The first versions did not write it.
        at: at.try_into().map_or(0, i64::from_le_bytes),
    })
}

/// Clients see the sentence, which does not name the folder, and the log its cause.
fn replaced(cause: String) -> Error {
    Error::Resource {
        what: "reports cannot be recorded: the data folder was moved or replaced; put it back, or \
            restart the server"
            .into(),
        source: cause.into(),
    }
}

fn unwritten(error: redb::Error) -> Error {
    Error::Resource {
        what: "the records of reports cannot be written".into(),
        source: error.into(),
    }
}

fn unread(error: redb::Error) -> Error {
    Error::Resource { what: "the records of reports cannot be read".into(), source: error.into() }
}

#[cfg(test)]
mod tests;
