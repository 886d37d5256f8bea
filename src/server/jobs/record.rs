//! Record of a report: its request, and how it ended.
//!
//! Pure data; [`super::database`] stores it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::report_request::ReportRequest;
use crate::engine::StoreCounts;
use crate::rules::ZoneRules;

/// Request with the version and *now* fixed, so that it has a single answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedRequest {
    pub version: u64,
    /// Fingerprint of the data: other data may count to the same version.
    pub fingerprint: [u8; 32],
    /// Edition of the zone rules of that version.
    pub zone_rules: String,
    /// Microseconds UTC.
    pub now: i64,
    pub request: ReportRequest,
}

impl ResolvedRequest {
    /// Key that is equal for equal reports.
    pub fn key(&self) -> [u8; 32] {
        let said = format!("{} {} {}", self.version, self.now, self.request.to_json());
        let mut hasher = blake3::Hasher::new();
        *hasher.update(&self.fingerprint).update(said.as_bytes()).finalize().as_bytes()
    }
}

/// Everything on disk about a report, except its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Position in the list: greater than that of all reports at the time of the trigger. The
    /// newest one's is reused once it is forgotten.
    pub sequence: u64,
    /// Microseconds UTC, like all instants here.
    pub created_at: i64,
    pub version: u64,
    pub fingerprint: [u8; 32],
    /// Versions of the program without the field had only the built-in edition.
    #[serde(default = "built_in_edition")]
    pub zone_rules: String,
    pub now: i64,
    /// As from [`ReportRequest::to_json`].
    pub options: Value,
    /// Outcome; a report without it runs again when the server starts.
    pub ending: Option<Ending>,
}

impl Record {
    /// Resolved request; `None` if this version of the program cannot parse the options.
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
        /// Sentence for a person.
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

/// Facts of a report whose file is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub started_at: i64,
    pub finished_at: i64,
    pub size_bytes: u64,
    /// BLAKE3 of the file, as hexadecimal digits.
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

/// Idempotency key of a request, so that repeating it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Fingerprint of the request that came with the key.
    pub fingerprint: [u8; 32],
    pub id: uuid::Uuid,
    /// Instant of that request, microseconds UTC.
    pub at: i64,
}
