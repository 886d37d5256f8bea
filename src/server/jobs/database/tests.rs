//! Records that survive reopening, and a disk that fails.

use std::sync::Arc;

use super::*;

fn record(sequence: u64) -> Record {
    let options = crate::server::report_request::ReportRequest::default().to_json();
    Record {
        sequence,
        created_at: 5,
        version: 1,
        fingerprint: [1; 32],
        zone_rules: String::new(),
        now: 7,
        options,
        ending: None,
    }
}

#[test]
fn written_records_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let (kept, buried) = (Uuid::new_v4(), Uuid::new_v4());
    let remembered = Remembered { fingerprint: [3; 32], id: kept, at: 4 };
    let database = JobDatabase::open(&path).unwrap();
    database
        .write(&[
            Entry::Put(kept, record(1)),
            Entry::Put(buried, record(2)),
            Entry::Remember("a".into(), remembered),
            Entry::Remember("b".into(), Remembered { id: buried, ..remembered }),
        ])
        .unwrap();
    database.write(&[Entry::Bury(buried, 9, vec!["b".into()])]).unwrap();
    drop(database);
    let database = JobDatabase::open(&path).unwrap();
    let on_disk = database.read_all().unwrap();
    assert_eq!(on_disk.reports.len(), 1);
    assert_eq!((on_disk.reports[0].0, on_disk.reports[0].1.now), (kept, 7));
    assert_eq!(on_disk.remembered, [("a".to_owned(), remembered)]);
    assert_eq!(database.gone_at(buried).unwrap(), Some(9));
    assert_eq!(database.gone_at(kept).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let mode = || path.metadata().unwrap().mode() & 0o777;
    drop(JobDatabase::open(&path).unwrap());
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    drop(JobDatabase::open(&path).unwrap());
    assert_eq!(mode(), 0o640);
}

#[test]
fn a_second_server_is_kept_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let _first = JobDatabase::open(&path).unwrap();
    let error = JobDatabase::open(&path).err().unwrap();
    assert!(error.sentence().contains("another uptally serves this folder"), "{error:?}");
}

/// Disk that fails from some point on.
#[derive(Debug, Default)]
struct Disk {
    memory: redb::backends::InMemoryBackend,
    is_broken: Arc<AtomicBool>,
}

impl Disk {
    fn works(&self) -> std::io::Result<()> {
        match self.is_broken.load(Ordering::Relaxed) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.works()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.works()?;
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.works()?;
        self.memory.write(offset, data)
    }
}

#[test]
fn a_failed_write_is_repeated_in_the_reopened_file() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let is_broken = Arc::clone(&disk.is_broken);
    let database = Database::builder().create_with_backend(disk).unwrap();
    let path = folder.path().join("later/jobs.redb");
    let database = JobDatabase::new(&path, None, database);
    let entry = [Entry::Put(Uuid::from_u128(1), record(1))];
    database.write(&entry).unwrap();
    is_broken.store(true, Ordering::Relaxed);
    assert!(database.write(&entry).is_err() && database.is_failing());
    assert!(database.write(&[]).is_err() && database.is_failing());
    std::fs::create_dir(folder.path().join("later")).unwrap();
    database.write(&entry).unwrap();
    assert!(!database.is_failing());
    assert_eq!(database.read_all().unwrap().reports.len(), 1);
    database.close();
    assert!(database.write(&entry).is_err());
    JobDatabase::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn what_a_replaced_file_would_lose_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let [data, aside] = ["data", "aside"].map(|name| folder.path().join(name));
    std::fs::create_dir(&data).unwrap();
    let path = data.join("jobs.redb");
    let entry = [Entry::Put(Uuid::from_u128(1), record(1))];
    let database = JobDatabase::open(&path).unwrap();
    std::fs::rename(&data, &aside).unwrap();
    assert!(database.write(&entry).unwrap_err().to_string().contains("moved or replaced"));
    assert!(!path.exists());
    std::fs::create_dir(&data).unwrap();
    drop(JobDatabase::open(&path).unwrap());
    let error = database.write(&entry).unwrap_err().sentence();
    assert!(error.contains("is another file than the open one"), "{error}");
    assert!(database.is_failing());
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    database.write(&entry).unwrap();
    assert!(!database.is_failing());
    assert_eq!(database.read_all().unwrap().reports.len(), 1);
}
