//! Outcome of a load, for reports to the user.

use std::collections::HashSet;

use super::day_merge::MergeCounts;
use super::fallbacks::{Fallback, Unmatched, fallbacks};
use super::file_kind::FileKind;
use super::file_reader::ReadFile;
use super::rejects::Reject;
use super::snapshots::{Replaced, Snapshots};
use super::zone_rules::RulesChange;

/// Outcome of a load.
#[derive(Clone, Debug, Default)]
pub struct LoadOutcome {
    /// Version of the dataset; `None` if there is none yet and nothing was loaded.
    pub version: Option<u64>,
    pub files: Vec<FileOutcome>,
    pub polls: MergeCounts,
    /// Effects on business hours and time zones, if the load has any.
    pub hours: Option<Replaced>,
    pub zones: Option<Replaced>,
    /// Stores with several, differing time zones in the files.
    pub zone_conflicts: Vec<String>,
    pub rejects: Vec<Reject>,
    /// Stores that use a default because all their rows were rejected.
    pub fallbacks: Vec<Fallback>,
    /// Files of hours or zones that mostly name stores without polls.
    pub unmatched: Vec<Unmatched>,
    /// Edition of the version's zone rules, and the change if there were others before.
    pub zone_rules: String,
    pub rules_change: Option<RulesChange>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOutcome {
    pub file: String,
    pub kind: FileKind,
    pub rows: u64,
    pub rejected: u64,
    /// True if the same content was loaded before, so that the file was skipped.
    pub known: bool,
}

impl LoadOutcome {
    /// Starts from the files as read, before anything is loaded. `known` flags files whose content
    /// was loaded before.
    pub(super) fn from_reading(files: &[ReadFile], known: &[bool], version: Option<u64>) -> Self {
        let file_outcome = |(file, &known): (&ReadFile, &bool)| {
            let (rows, rejected) = (file.rows, file.rejects.len() as u64);
            let kind = file.content.kind();
            FileOutcome { file: file.label.clone(), kind, rows, rejected, known }
        };
        let files = files.iter().zip(known).map(file_outcome).collect();
        Self { version, files, ..Self::default() }
    }

    /// Adds the effects of files that are not known.
    pub(super) fn add_rows(
        &mut self,
        files: &[ReadFile],
        snapshots: &Snapshots,
        unmatched: Vec<Unmatched>,
    ) {
        let has = |kind| files.iter().any(|file| file.content.kind() == kind);
        if has(FileKind::BusinessHours) {
            self.hours = snapshots.hours.replaced().cloned();
        }
        if has(FileKind::TimeZones) {
            self.zones = snapshots.zones.replaced().cloned();
            self.zone_conflicts = snapshots.zone_conflicts.clone();
        }
        self.fallbacks = fallbacks(files, snapshots);
        let without: HashSet<(FileKind, &str)> = self
            .fallbacks
            .iter()
            .map(|fallback| (fallback.kind, fallback.store.as_str()))
            .collect();
        for file in files {
            let kind = file.content.kind();
            let marked = file.rejects.iter().map(|reject| {
                let falls_back =
                    reject.store.as_deref().is_some_and(|store| without.contains(&(kind, store)));
                Reject { falls_back: falls_back.then_some(kind), ..reject.clone() }
            });
            self.rejects.extend(marked);
        }
        let is_known = |found: &Unmatched| {
            self.files
                .iter()
                .any(|file| file.known && (&file.file, file.kind) == (&found.file, found.kind))
        };
        self.unmatched = unmatched.into_iter().filter(|found| !is_known(found)).collect();
    }
}
