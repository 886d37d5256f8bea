//! What a load did, for whoever asked for it.

use std::collections::HashSet;

use super::days::Merged;
use super::fallbacks::{Fallback, Unmatched, fallbacks};
use super::header::Kind;
use super::read::ReadFile;
use super::rejects::Reject;
use super::snapshots::{Replaced, Snapshots};
use super::zone_rules::RulesChange;

/// What a load did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The dataset's version; `None` where there is none yet and nothing was loaded.
    pub version: Option<u64>,
    pub files: Vec<FileOutcome>,
    pub polls: Merged,
    /// What became of business hours and of time zones, where the load brings some.
    pub hours: Option<Replaced>,
    pub zones: Option<Replaced>,
    /// Stores whose time zone was given more than once, and differently.
    pub zone_conflicts: Vec<String>,
    pub rejects: Vec<Reject>,
    /// Stores that count with a default because all their rows were rejected.
    pub fallbacks: Vec<Fallback>,
    /// Files of hours and zones that speak of other stores than the polls do.
    pub unmatched: Vec<Unmatched>,
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

impl Outcome {
    /// Starts from what was read, before anything is loaded. `known` tells which files have a content
    /// that was loaded before.
    pub(super) fn from_reading(files: &[ReadFile], known: &[bool], version: Option<u64>) -> Self {
        let file_outcome = |(file, &known): (&ReadFile, &bool)| {
            let (rows, rejected) = (file.rows, file.rejects.len() as u64);
            let kind = file.content.kind();
            FileOutcome { file: file.label.clone(), kind, rows, rejected, known }
        };
        let files = files.iter().zip(known).map(file_outcome).collect();
        Self { version, files, ..Self::default() }
    }

    /// What the files say that were not known before.
    pub(super) fn tell_rows(
        &mut self,
        files: &[ReadFile],
        snapshots: &Snapshots,
        unmatched: Vec<Unmatched>,
    ) {
        let has = |kind| files.iter().any(|file| file.content.kind() == kind);
        if has(Kind::BusinessHours) {
            self.hours = snapshots.hours.replaced().cloned();
        }
        if has(Kind::TimeZones) {
            self.zones = snapshots.zones.replaced().cloned();
            self.zone_conflicts = snapshots.zone_conflicts.clone();
        }
        self.fallbacks = fallbacks(files, snapshots);
        let without: HashSet<(Kind, &str)> = self
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
