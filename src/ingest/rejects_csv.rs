//! Rejects as CSV, for the user.

use super::fallbacks::Unmatched;
use super::file_kind::FileKind;
use super::outcome::LoadOutcome;
use super::rejects::Reject;
use crate::error::{Error, Result};

/// Texts of the default hours and zone, for stores without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultTexts {
    pub hours: String,
    pub zone: String,
}

impl DefaultTexts {
    /// Default for stores without rows of the kind; empty for polls, which have none.
    pub fn for_kind(&self, kind: FileKind) -> &str {
        match kind {
            FileKind::Polls => "",
            FileKind::BusinessHours => &self.hours,
            FileKind::TimeZones => &self.zone,
        }
    }
}

/// Formats the rejects as CSV with a header. Each row of a store that falls back to a default names
/// the default. Ids that match no polled store follow, if they are most of a file.
///
/// # Errors
/// Fails only because of a bug.
pub fn rejects_csv(outcome: &LoadOutcome, defaults: &DefaultTexts) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::bug(format!("rejects do not fit into CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["file", "line", "column", "reason", "text", "store_id", "falls_back_to"];
    writer.write_record(header).map_err(failed)?;
    for reject in &outcome.rejects {
        let line = reject.line.to_string();
        let store = reject.store.as_deref().unwrap_or("");
        let falls_back_to = reject.falls_back.map_or("", |kind| defaults.for_kind(kind));
        let Reject { file, column, reason, text, .. } = reject;
        let row: [&str; 7] = [file, &line, column, reason, text, store, falls_back_to];
        writer.write_record(row).map_err(failed)?;
    }
    for Unmatched { file, ids, likely_cause, .. } in &outcome.unmatched {
        let reason = format!("matches no polled store; {likely_cause}");
        for id in ids {
            writer.write_record([file, "", "store_id", &reason, "", id, ""]).map_err(failed)?;
        }
    }
    writer.into_inner().map_err(|error| Error::bug(format!("rejects do not fit into CSV: {error}")))
}
