//! A report as it is remembered: what was asked, and how it ended.
//!
//! Pure data; [`super::database`] keeps it on disk.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::report_request::ReportRequest;
use crate::engine::StoreCounts;
use crate::rules::ZoneRules;

/// A question that has one answer: of which data, and looking back from when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRequest {
    pub version: u64,
    /// Of the data: a version of the same number may be another's.
    pub fingerprint: [u8; 32],
    /// Edition of the version's zone rules.
    pub zone_rules: String,
    /// Microseconds UTC.
    pub now: i64,
    pub request: ReportRequest,
}

impl ResolvedRequest {
    /// What makes two reports the same one.
    pub fn key(&self) -> [u8; 32] {
        let said = format!("{} {} {}", self.version, self.now, self.request.to_json());
        let mut hasher = blake3::Hasher::new();
        *hasher.update(&self.fingerprint).update(said.as_bytes()).finalize().as_bytes()
    }
}

/// All that is on disk of a report, but its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The order of the list: more than that of every report that was there when it was asked for.
    /// What the newest had is given again once that is forgotten.
    pub sequence: u64,
    /// Microseconds UTC, as all instants here.
    pub created_at: i64,
    pub version: u64,
    pub fingerprint: [u8; 32],
    /// Earlier programs had no other than those built in.
    #[serde(default = "built_in_edition")]
    pub zone_rules: String,
    pub now: i64,
    /// As [`ReportRequest::to_json`] words it.
    pub options: Value,
    /// How it ended; a report without it is run again when the server starts.
    pub ending: Option<Ending>,
}

impl Record {
    /// The question; `None` where the words are none of this version of the program.
    pub fn resolved(&self) -> Option<ResolvedRequest> {
        let request = ReportRequest::from_fields(self.options.as_object()?).ok()?;
        let zone_rules = self.zone_rules.clone();
        let Self { version, fingerprint, now, .. } = *self;
        Some(ResolvedRequest { version, fingerprint, zone_rules, now, request })
    }
}

fn built_in_edition() -> String {
    ZoneRules::built_in().edition().to_owned()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Complete(Finished),
    Failed {
        finished_at: i64,
        /// A sentence for a person.
        detail: String,
    },
    Cancelled {
        finished_at: i64,
    },
}

impl Ending {
    pub fn finished_at(&self) -> i64 {
        match self {
            Ending::Complete(finished) => finished.finished_at,
            Ending::Failed { finished_at, .. } | Ending::Cancelled { finished_at } => *finished_at,
        }
    }
}

/// A report whose file is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub started_at: i64,
    pub finished_at: i64,
    pub size_bytes: u64,
    /// BLAKE3 of the file, in hexadecimal.
    pub checksum: String,
    pub stores: usize,
    pub without_hours: usize,
    pub without_time_zone: usize,
    pub without_polls: usize,
}

impl Finished {
    pub fn counts(&self) -> StoreCounts {
        StoreCounts {
            stores: self.stores,
            without_hours: self.without_hours,
            without_time_zone: self.without_time_zone,
            without_polls: self.without_polls,
        }
    }
}

/// A key that a client gave its request, so that sending it again is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Of what was asked with the key.
    pub fingerprint: [u8; 32],
    pub id: uuid::Uuid,
    /// When it was given, microseconds UTC.
    pub at: i64,
}
