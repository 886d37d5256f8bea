//! Records of a folder that no server has open. Reading never changes the file: what a copy of a
//! live folder or an interrupted server left unfinished is repaired in a private copy.

use std::fs::File;
use std::io::{ErrorKind, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, DatabaseError, ReadOnlyDatabase, ReadableDatabase};

use super::database::{StoredRecords, read_into};
use crate::error::{Error, Result};

/// Reads all records of the file.
///
/// # Errors
/// If a server has it open, or it is damaged.
pub fn read_records(path: &Path) -> Result<StoredRecords> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::io("read the reports", path, source)
    };
    let torn =
        "the file is damaged, as when it was copied while a server wrote to it; copy it again";
    // redb may panic on damage that its checksums do not cover.
    match catch_unwind(AssertUnwindSafe(|| read(path))) {
        Ok(Ok(records)) => Ok(records),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => {
            Err(failed("a server has them open; query it with POST /v1/sql".into()))
        }
        Ok(Err(redb::Error::Io(error)))
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            Err(failed(error.into()))
        }
        Ok(Err(error @ redb::Error::UpgradeRequired(_))) => Err(failed(error.into())),
        Ok(Err(error)) => {
            tracing::debug!(%error, "{path:?} is damaged");
            Err(failed(torn.into()))
        }
        Err(_) => Err(failed(torn.into())),
    }
}

fn read(path: &Path) -> std::result::Result<StoredRecords, redb::Error> {
    match ReadOnlyDatabase::open(path) {
        Ok(database) => records(&database),
        Err(DatabaseError::RepairAborted) => {
            let mut copy = tempfile::tempfile()?;
            std::io::copy(&mut File::open(path)?, &mut copy)?;
            copy.rewind()?;
            records(&Builder::new().create_with_backend(FileBackend::new(copy)?)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn records(database: &impl ReadableDatabase) -> std::result::Result<StoredRecords, redb::Error> {
    let mut records = StoredRecords::default();
    read_into(&database.begin_read()?, &mut records)?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::database::{Entry, JobDatabase};
    use super::super::record::Record;
    use super::*;

    fn record(sequence: u64) -> Record {
        let options = crate::server::report_request::ReportRequest::default().to_json();
        let fingerprint = [1; 32];
        Record {
            sequence,
            created_at: 5,
            version: 1,
            zone_rules: String::new(),
            fingerprint,
            now: 7,
            options,
            ending: None,
        }
    }

    /// File as it is while a server has it open, with so many records.
    fn live(folder: &Path, records: u64) -> (JobDatabase, Vec<u8>) {
        let path = folder.join("live.redb");
        let database = JobDatabase::open(&path).unwrap();
        for sequence in 0..records {
            database
                .write(&[Entry::Put(Uuid::from_u128(sequence.into()), record(sequence))])
                .unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        (database, bytes)
    }

    #[test]
    fn a_copy_of_a_live_file_is_read_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (database, bytes) = live(folder.path(), 20);
        let copy = folder.path().join("copy.redb");
        std::fs::write(&copy, &bytes).unwrap();
        for _ in 0..2 {
            assert_eq!(read_records(&copy).unwrap().reports.len(), 20);
            assert_eq!(std::fs::read(&copy).unwrap(), bytes);
        }
        let error = read_records(&folder.path().join("live.redb")).err().unwrap().sentence();
        assert!(error.contains("a server has them open"), "{error}");
        drop(database);
        assert_eq!(read_records(&folder.path().join("live.redb")).unwrap().reports.len(), 20);
        // The next server repairs its own file.
        assert_eq!(JobDatabase::open(&copy).unwrap().read_all().unwrap().reports.len(), 20);
    }

    #[test]
    fn a_damaged_copy_is_reported_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let (database, live) = live(folder.path(), 20);
        drop(database);
        let closed = std::fs::read(folder.path().join("live.redb")).unwrap();
        let copy = folder.path().join("copy.redb");
        for bytes in [live, closed] {
            for length in
                [0, 1, 64, 320, 4096, 5000, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1]
            {
                std::fs::write(&copy, &bytes[..length]).unwrap();
                if let Err(error) = read_records(&copy) {
                    let error = error.sentence();
                    assert!(error.contains("copy it again"), "{length}: {error}");
                }
                assert_eq!(std::fs::read(&copy).unwrap(), bytes[..length]);
            }
            for length in [0, 64, 4096, bytes.len() / 2] {
                std::fs::write(&copy, &bytes[..length]).unwrap();
                assert!(read_records(&copy).is_err(), "{length} bytes");
            }
        }
        std::fs::write(&copy, "no database at all, but a text").unwrap();
        assert!(read_records(&copy).err().unwrap().sentence().contains("copy it again"));
    }
}
