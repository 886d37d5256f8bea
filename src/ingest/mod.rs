//! From CSV files to the next version of the tables, all or nothing.
//!
//! Each file is read into checked rows and rejects; polls are merged into the
//! days of the tables, hours and zones replace those before. Knows no engine.

mod blocks;
mod carry;
mod days;
mod encoding;
mod fields;
mod header;
mod poll_files;
mod polls;
mod read;
mod records;
mod rejects;
mod rows;
mod snapshots;
mod source;
mod spill;
mod stores;
mod zone_rules;
mod zoneinfo;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

pub use days::Merged;
pub use fields::daily_hours_of_text;
pub use header::Kind;
pub use read::Watch;
pub use rejects::{Reject, rejects_csv};
pub use source::{Source, sources};
pub use zone_rules::{RulesChange, differing_zones, update_zone_rules};
pub use zoneinfo::read_zoneinfo;

use self::polls::PollBatch;
use self::read::{Content, Intake, ReadFile, read_file};
use self::snapshots::{Snapshot, business_hours, rejects_batch, time_zones};
use self::spill::Spill;
use self::stores::{Ids, PolledStores};
use crate::error::{Error, Result};
use crate::rules::ZoneRules;
use crate::rules::calendar::DAY_US;
use crate::tables::{Change, Dataset, Load, Table, WriteLock, write_sorted};

/// What is to be loaded, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// CSV files, or folders of them.
    pub paths: Vec<PathBuf>,
    /// The largest share of a file's rows that may be rejected, 0 to 1.
    pub max_reject_rate: f64,
    /// The wall clock, microseconds UTC: polls more than 24 hours later are rejected.
    pub loaded_at: i64,
    /// The newest rules of time zones at hand; the version keeps its own where these are not newer.
    pub zone_rules: ZoneRules,
}

/// What a load did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The dataset's version; `None` where there is none yet and nothing was loaded.
    pub version: Option<u64>,
    pub files: Vec<FileOutcome>,
    pub polls: Merged,
    /// Rows of business hours and of time zones, where those were replaced.
    pub hours_rows: Option<u64>,
    pub zone_rows: Option<u64>,
    /// Stores whose time zone was given more than once, and differently.
    pub zone_conflicts: Vec<String>,
    pub rejects: Vec<Reject>,
    /// Edition of the version's zone rules, and what it changed where there were others before.
    pub zone_rules: String,
    pub rules_change: Option<RulesChange>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOutcome {
    pub file: String,
    pub kind: Kind,
    pub rows: u64,
    pub rejected: u64,
    /// The same content was loaded before, so that there was nothing to do.
    pub known: bool,
}

/// Loads the files into the folder as one new version.
///
/// `rejected` hears every reject before it is decided whether they are too many.
///
/// # Errors
/// Nothing is changed where a file cannot be read, has too many rejects, or the folder cannot be
/// written.
pub async fn load(
    request: &Request,
    lock: &WriteLock,
    watch: &Watch<'_>,
    rejected: impl FnOnce(&[Reject]) -> Result<()>,
) -> Result<Outcome> {
    let dataset = Dataset::open(lock.folder(), None).await?;
    let spill = Spill::beside(lock.folder());
    let zone_rules = &zone_rules::adopted(dataset.as_ref(), &request.zone_rules)?;
    let latest_at = request.loaded_at + DAY_US;
    let intake = Intake { latest_at, zone_rules, spill: &spill, watch };
    let mut files = Vec::new();
    for source in sources(&request.paths)? {
        files.push(read_file(&source, intake)?);
        PollBatch::make_room_in(files.iter_mut().flat_map(ReadFile::poll_batches), &spill)?;
    }
    let known = known_contents(&files, dataset.as_ref());
    let mut outcome = Outcome {
        version: dataset.as_ref().map(Dataset::version),
        zone_rules: zone_rules.edition().to_owned(),
        ..Default::default()
    };
    outcome.files =
        files.iter().zip(&known).map(|(file, &known)| file_outcome(file, known)).collect();
    let mut known = known.into_iter();
    files.retain(|_| !known.next().unwrap_or(false));
    outcome.rejects = files.iter().flat_map(|file| file.rejects.iter().cloned()).collect();
    rejected(&outcome.rejects)?;
    check_reject_rate(&files, request.max_reject_rate)?;
    if files.is_empty() {
        return Ok(outcome);
    }
    let mut loads: Vec<_> = files.iter().map(|file| load_row(file, request.loaded_at)).collect();
    loads.iter_mut().for_each(|load| load.zone_rules = Some(zone_rules.edition().to_owned()));
    let mut change = prepare(files, dataset.as_ref(), lock.folder(), intake, &mut outcome)?;
    zone_rules::keep(zone_rules, dataset.as_ref(), lock, &mut change)?;
    watch.check()?;
    outcome.version = Some(change.commit(dataset.as_ref(), lock, loads).await?);
    if let Some(before) =
        dataset.filter(|before| before.zone_edition(before.version()) != zone_rules.edition())
        && let Some(after) = Dataset::open(lock.folder(), outcome.version).await?
    {
        outcome.rules_change = zone_rules::rules_change(&before, &after)?;
    }
    Ok(outcome)
}

/// Writes the files of the next version; no log names them yet.
fn prepare(
    files: Vec<ReadFile>,
    dataset: Option<&Dataset>,
    folder: &Path,
    intake: Intake,
    outcome: &mut Outcome,
) -> Result<Change> {
    let (mut batches, mut hours, mut zones) = (Vec::new(), None, None);
    for file in files {
        match file.content {
            Content::Polls(polls) => batches.extend(polls),
            Content::BusinessHours(rows) => hours.get_or_insert_with(Vec::new).extend(rows),
            Content::TimeZones(rows) => zones.get_or_insert_with(Vec::new).extend(rows),
        }
    }
    let mut change = Change::default();
    let rows_of = |table| dataset.map(|dataset| dataset.rows(table)).transpose();
    let hours = Snapshot::of(hours, rows_of(Table::BusinessHours)?);
    let zones = Snapshot::of(zones, rows_of(Table::TimeZones)?);
    let known_stores = rows_of(Table::Stores)?;
    let (with_hours, with_zone): (HashSet<_>, HashSet<_>) =
        (hours.ids().collect(), zones.ids().collect());
    let ids =
        batches.iter().flat_map(|batch| batch.ids.iter()).chain(hours.ids()).chain(zones.ids());
    let ids = Ids::new(known_stores.as_ref(), ids)?;
    let mut polled = PolledStores::new(&ids, known_stores.as_ref());
    outcome.polls =
        days::merge((batches, intake), dataset, (&ids, &mut polled), folder, &mut change)?;
    let stores = polled.rows(&ids, &with_hours, &with_zone)?;
    if known_stores.as_ref() != Some(&stores) {
        replace(&mut change, folder, Table::Stores, stores)?;
    }
    if let Snapshot::New(rows) = hours {
        let rows = business_hours(rows, &ids)?;
        outcome.hours_rows = Some(rows.num_rows() as u64);
        replace(&mut change, folder, Table::BusinessHours, rows)?;
    }
    if let Snapshot::New(rows) = zones {
        let (rows, conflicts) = time_zones(rows, &ids)?;
        outcome.zone_conflicts = conflicts;
        outcome.zone_rows = Some(rows.num_rows() as u64);
        replace(&mut change, folder, Table::TimeZones, rows)?;
    }
    if !outcome.rejects.is_empty() {
        let version = dataset.map_or(0, Dataset::version) + 1;
        let rows = rejects_batch(&outcome.rejects, version)?;
        let file = write_sorted(folder, Table::Rejects, None, [Ok(rows)])?;
        let kept = dataset.map_or(&[][..], |dataset| dataset.files(Table::Rejects)).to_vec();
        change.set(Table::Rejects, kept, vec![file]);
    }
    Ok(change)
}

fn replace(change: &mut Change, folder: &Path, table: Table, rows: RecordBatch) -> Result<()> {
    let file = write_sorted(folder, table, None, [Ok(rows)])?;
    change.set(table, Vec::new(), vec![file]);
    Ok(())
}

/// Which files say nothing new: polls that were loaded at any time, and hours or zones whose files
/// are, together, those of the snapshot in force.
fn known_contents(files: &[ReadFile], dataset: Option<&Dataset>) -> Vec<bool> {
    let loads = dataset.map_or(&[][..], Dataset::loads);
    let loaded = |kind: Kind| loads.iter().filter(move |load| load.kind == kind.name());
    let mut polls: HashSet<&str> =
        loaded(Kind::Polls).map(|load| load.content_hash.as_str()).collect();
    let in_force = |kind: Kind| {
        let newest = loaded(kind).map(|load| load.version).max();
        let current: HashSet<_> = loaded(kind)
            .filter(|load| Some(load.version) == newest)
            .map(|load| load.content_hash.as_str())
            .collect();
        let given: HashSet<_> = files
            .iter()
            .filter(|file| file.content.kind() == kind)
            .map(|file| file.content_hash.as_str())
            .collect();
        current == given
    };
    let (same_hours, same_zones) = (in_force(Kind::BusinessHours), in_force(Kind::TimeZones));
    files
        .iter()
        .map(|file| match file.content.kind() {
            Kind::Polls => !polls.insert(&file.content_hash),
            Kind::BusinessHours => same_hours,
            Kind::TimeZones => same_zones,
        })
        .collect()
}

fn check_reject_rate(files: &[ReadFile], max_reject_rate: f64) -> Result<()> {
    const SHOWN: usize = 5;
    for file in files {
        let (rejected, rows) = (file.rejects.len(), file.rows);
        if rejected as f64 <= rows as f64 * max_reject_rate {
            continue;
        }
        let shown: String =
            file.rejects.iter().take(SHOWN).map(|reject| format!("\n  {reject}")).collect();
        let more = rejected.saturating_sub(SHOWN);
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        return Err(Error::File(format!(
            "{:?}: {rejected} of {rows} rows break a rule, more than the {} % that --max-reject-rate allows; \
             nothing was loaded:{shown}{more}\nsee them all with --rejects FILE, \
             or load the sound rows with a higher --max-reject-rate",
            file.label,
            max_reject_rate * 100.0
        )));
    }
    Ok(())
}

fn file_outcome(file: &ReadFile, known: bool) -> FileOutcome {
    let (rows, rejected) = (file.rows, file.rejects.len() as u64);
    FileOutcome { file: file.label.clone(), kind: file.content.kind(), rows, rejected, known }
}

fn load_row(file: &ReadFile, loaded_at: i64) -> Load {
    Load {
        version: 0,
        loaded_at,
        kind: file.content.kind().name().to_owned(),
        file: file.label.clone(),
        content_hash: file.content_hash.clone(),
        rows: file.rows,
        rejected: file.rejects.len() as u64,
        ..Load::default()
    }
}
