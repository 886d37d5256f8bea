//! Ingestion: loads CSV files into the next version of the tables, all or nothing.
//!
//! Each file is read into checked rows and rejects. Polls are merged into the days of the tables;
//! business hours and time zones replace earlier ones. Knows no engine.

mod blocks;
mod carried_polls;
mod conflicts;
mod day_merge;
mod day_poll;
mod encoding;
mod fallbacks;
mod fields;
mod file_kind;
mod file_reader;
mod header;
mod load_control;
mod outcome;
mod poll_batch;
mod poll_files;
mod record_fields;
mod records;
mod rejects;
mod rejects_csv;
mod rows;
mod snapshots;
mod source;
mod spill_file;
mod store_index;
mod store_search;
mod zone_rules;
mod zoneinfo;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

pub use conflicts::CONFLICTS_MAX;
pub use day_merge::MergeCounts;
pub use fallbacks::{Fallback, Unmatched};
pub use file_kind::FileKind;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use file_reader::read_bytes;
pub use load_control::LoadControl;
pub use outcome::{FileOutcome, LoadOutcome};
pub use rejects::Reject;
pub use rejects_csv::{DefaultTexts, rejects_csv};
pub use snapshots::{ReplaceMode, Replaced};
pub use source::sources;
pub use zone_rules::{RulesChange, differing_zones, update_zone_rules};
pub use zoneinfo::read_zoneinfo;

use self::conflicts::{PollFile, conflicts_batch};
use self::file_reader::{Content, ReadContext, ReadFile, read_file};
use self::poll_batch::PollBatch;
use self::snapshots::{Snapshot, Snapshots, business_hours, rejects_batch, time_zones};
use self::spill_file::SpillFile;
use self::store_index::{PolledStores, StoreIndex};
use crate::error::{Error, Result, counted};
use crate::rules::ZoneRules;
use crate::rules::calendar::DAY_US;
use crate::tables::{Change, Dataset, Load, Table, WriteLock, write_sorted};

/// Files to load, and how.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// CSV files, folders of them, or `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// Largest share of a file's rows that may be rejected, from 0 to 1.
    pub max_reject_rate: f64,
    /// Current time in microseconds UTC; polls more than 24 hours later are rejected.
    pub loaded_at: i64,
    /// Zone rules to adopt if they are newer than those of the dataset.
    pub zone_rules: ZoneRules,
    /// Treatment of the hours and zones of stores that the files do not mention.
    pub mode: ReplaceMode,
}

/// An empty load with the bundled zone rules.
impl Default for LoadRequest {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            max_reject_rate: 0.0,
            loaded_at: 0,
            zone_rules: ZoneRules::bundled(),
            mode: ReplaceMode::default(),
        }
    }
}

/// Loads the files into the folder as one new version.
///
/// `rejected` is called with the rejects and their effects before the reject rate is checked.
///
/// # Errors
/// A file cannot be read or has too many rejects, more stores would lose hours or zones than `mode`
/// allows, or the folder cannot be written. The tables stay unchanged.
pub async fn load(
    request: &LoadRequest,
    lock: &WriteLock,
    control: &LoadControl<'_>,
    rejected: impl FnOnce(&LoadOutcome) -> Result<()>,
) -> Result<LoadOutcome> {
    let dataset = Dataset::open(lock.folder(), None).await?;
    let dataset = dataset.as_ref();
    let spill = SpillFile::new_in(lock.folder());
    let zone_rules = &zone_rules::choose(dataset, &request.zone_rules)?;
    let latest_at = request.loaded_at + DAY_US;
    let context = ReadContext { latest_at, zone_rules, spill: &spill, control };
    let mut files = Vec::new();
    for source in sources(&request.paths)? {
        files.push(read_file(source.repeatable(lock.folder(), control)?, context)?);
        PollBatch::spill_all_if_large(files.iter_mut().flat_map(ReadFile::poll_batches), &spill)?;
    }
    let stores = dataset.map(|dataset| dataset.rows(Table::Stores)).transpose()?;
    let unmatched = unmatched(&files, stores.as_ref(), dataset)?;
    let snapshots = Snapshots::from_files(&mut files, dataset, request.mode)?;
    let known = unchanged_files(&files, dataset, &snapshots);
    let mut outcome = LoadOutcome::from_reading(&files, &known, dataset.map(Dataset::version));
    outcome.zone_rules = zone_rules.edition().to_owned();
    let mut known = known.into_iter();
    files.retain(|_| !known.next().unwrap_or(false));
    outcome.add_rows(&files, &snapshots, unmatched);
    rejected(&outcome)?;
    check_reject_rate(&files, request.max_reject_rate)?;
    if files.is_empty() {
        return Ok(outcome);
    }
    snapshots.check_losses(request.mode)?;
    let mut loads: Vec<_> = files.iter().map(|file| load_row(file, request.loaded_at)).collect();
    loads.iter_mut().for_each(|load| load.zone_rules = Some(zone_rules.edition().to_owned()));
    let tables = Tables { dataset, stores, snapshots, folder: lock.folder() };
    let mut change = tables.prepare(files, context, &mut outcome)?;
    zone_rules::write_if_changed(zone_rules, dataset, lock, &mut change)?;
    control.check()?;
    outcome.version = Some(change.commit(dataset, lock, loads).await?);
    if let Some(before) =
        dataset.filter(|before| before.zone_edition(before.version()) != zone_rules.edition())
        && let Some(after) = Dataset::open(lock.folder(), outcome.version).await?
    {
        outcome.rules_change = zone_rules::rules_change(before, &after)?;
    }
    Ok(outcome)
}

/// Parts of the next version, except for the polls of the files.
struct Tables<'a> {
    dataset: Option<&'a Dataset>,
    /// Rows of the table `stores`.
    stores: Option<RecordBatch>,
    snapshots: Snapshots,
    folder: &'a Path,
}

impl Tables<'_> {
    /// Writes the files of the next version, without committing them.
    fn prepare(
        &self,
        files: Vec<ReadFile>,
        context: ReadContext,
        outcome: &mut LoadOutcome,
    ) -> Result<Change> {
        let (mut batches, mut poll_files) = (Vec::new(), Vec::new());
        for file in files {
            if let Content::Polls(polls) = file.content {
                let days = polls.iter().flat_map(PollBatch::days).collect();
                let (source, content_hash) = (file.source, file.content_hash);
                poll_files.push(PollFile { source, content_hash, days });
                batches.extend(polls);
            }
        }
        let Snapshots { hours, zones, .. } = &self.snapshots;
        let (with_hours, with_zone): (HashSet<_>, HashSet<_>) =
            (hours.ids().collect(), zones.ids().collect());
        let of_batches = batches.iter().flat_map(|batch| batch.ids.iter());
        let ids = of_batches.chain(hours.ids()).chain(zones.ids());
        let ids = StoreIndex::new(self.stores.as_ref(), ids)?;
        let mut polled = PolledStores::new(&ids, self.stores.as_ref());
        let mut change = Change::default();
        let (merged, conflicts) = day_merge::merge(
            (batches, context),
            self.dataset,
            (&ids, &mut polled),
            self.folder,
            &mut change,
        )?;
        outcome.polls = merged;
        let stores = polled.rows(&ids, &with_hours, &with_zone)?;
        if self.stores.as_ref() != Some(&stores) {
            replace(&mut change, self.folder, Table::Stores, stores)?;
        }
        if let Snapshot::New(new) = hours
            && !new.is_unchanged
        {
            let rows = business_hours(new, &ids)?;
            replace(&mut change, self.folder, Table::BusinessHours, rows)?;
        }
        if let Snapshot::New(new) = zones
            && !new.is_unchanged
        {
            replace(&mut change, self.folder, Table::TimeZones, time_zones(new, &ids)?)?;
        }
        let version = self.dataset.map_or(0, Dataset::version) + 1;
        if !outcome.rejects.is_empty() {
            self.append(&mut change, Table::Rejects, rejects_batch(&outcome.rejects, version)?)?;
        }
        if !conflicts.is_empty() {
            let origin = (version, only_polls_before(self.dataset));
            let rows = conflicts_batch(&conflicts, &poll_files, &ids, origin, context)?;
            self.append(&mut change, Table::Conflicts, rows)?;
        }
        Ok(change)
    }

    fn append(&self, change: &mut Change, table: Table, rows: RecordBatch) -> Result<()> {
        let file = write_sorted(self.folder, table, None, [Ok(rows)])?;
        let kept = self.dataset.map_or(&[][..], |dataset| dataset.files(table)).to_vec();
        change.set(table, kept, vec![file]);
        Ok(())
    }
}

fn replace(change: &mut Change, folder: &Path, table: Table, rows: RecordBatch) -> Result<()> {
    let file = write_sorted(folder, table, None, [Ok(rows)])?;
    change.set(table, Vec::new(), vec![file]);
    Ok(())
}

/// File that all polls of the tables came from; `None` if there are several.
fn only_polls_before(dataset: Option<&Dataset>) -> Option<&str> {
    let mut polls = dataset?.loads().iter().filter(|load| load.kind == FileKind::Polls.name());
    let first = polls.next()?.file.as_str();
    polls.all(|load| load.file == first).then_some(first)
}

/// Files of hours or zones most of whose ids match no polled store. Covers the files of this load
/// and, if it brings the first polls, those loaded before.
fn unmatched(
    files: &[ReadFile],
    stores: Option<&RecordBatch>,
    dataset: Option<&Dataset>,
) -> Result<Vec<Unmatched>> {
    let is_polls = |file: &ReadFile| file.content.kind() == FileKind::Polls;
    let dataset = dataset.filter(|_| fallbacks::polled_stores(stores, &[]).is_empty());
    if dataset.is_none() && files.iter().all(is_polls) {
        return Ok(Vec::new());
    }
    let polled = fallbacks::polled_stores(stores, files);
    let mut found: Vec<_> =
        files.iter().filter_map(|file| fallbacks::unmatched(file, &polled)).collect();
    let Some(dataset) = dataset else { return Ok(found) };
    for (kind, table) in
        [(FileKind::BusinessHours, Table::BusinessHours), (FileKind::TimeZones, Table::TimeZones)]
    {
        let mut before = dataset.loads().iter().rev().filter(|load| load.kind == kind.name());
        let Some(load) = before.next() else { continue };
        if files.iter().all(|file| file.content.kind() != kind) {
            let known = Snapshot::<()>::Known(Some(dataset.rows(table)?));
            let ids: BTreeSet<&str> = known.ids().collect();
            found.extend(fallbacks::unmatched_ids(&load.file, kind, &ids, &polled));
        }
    }
    Ok(found)
}

/// Flags files without new content: polls that were loaded before, and hours or zones that leave
/// their table unchanged. Files with fewer rejects than before count as new.
fn unchanged_files(
    files: &[ReadFile],
    dataset: Option<&Dataset>,
    snapshots: &Snapshots,
) -> Vec<bool> {
    let loads = dataset.map_or(&[][..], Dataset::loads);
    let mut loaded: HashSet<(&str, &str, u64)> = loads
        .iter()
        .map(|load| (load.kind.as_str(), load.content_hash.as_str(), load.rejected))
        .collect();
    let is_repeated = |kind: FileKind| {
        let mut given = files.iter().filter(|file| file.content.kind() == kind);
        snapshots.is_unchanged(kind) && given.all(|file| loaded.contains(&content_key(file)))
    };
    let (hours, zones) = (is_repeated(FileKind::BusinessHours), is_repeated(FileKind::TimeZones));
    files
        .iter()
        .map(|file| match file.content.kind() {
            FileKind::Polls => !loaded.insert(content_key(file)),
            FileKind::BusinessHours => hours,
            FileKind::TimeZones => zones,
        })
        .collect()
}

/// Identity of a content: kind, hash and number of rejects, since a later program may accept more
/// rows of the same file.
fn content_key(file: &ReadFile) -> (&str, &str, u64) {
    (file.content.kind().name(), &file.content_hash, file.rejects.len() as u64)
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
            "{:?}: {rejected} of {} {} a rule, more than the {} % that --max-reject-rate allows; \
             nothing was loaded:{shown}{more}\nsee them all with --rejects FILE, or load the valid \
             rows with a higher --max-reject-rate",
            file.label,
            counted(rows, "row", "rows"),
            if rejected == 1 { "breaks" } else { "break" },
            max_reject_rate * 100.0
        )));
    }
    Ok(())
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
