//! Kinds of files, and their columns.

/// Kind of the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    Polls,
    BusinessHours,
    TimeZones,
}

impl FileKind {
    pub const ALL: [FileKind; 3] = [FileKind::Polls, FileKind::BusinessHours, FileKind::TimeZones];

    /// Name of the kind in the table `loads`.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Polls => "polls",
            FileKind::BusinessHours => "business_hours",
            FileKind::TimeZones => "time_zones",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            FileKind::Polls => "polls",
            FileKind::BusinessHours => "business hours",
            FileKind::TimeZones => "time zones",
        }
    }

    /// Names of each column, the canonical one first.
    pub fn columns(self) -> &'static [&'static [&'static str]] {
        match self {
            FileKind::Polls => &[&["store_id"], &["timestamp_utc", "timestamp"], &["status"]],
            FileKind::BusinessHours => &[
                &["store_id"],
                &["day_of_week", "dayofweek", "day"],
                &["start_time_local"],
                &["end_time_local"],
            ],
            FileKind::TimeZones => &[&["store_id"], &["timezone_str", "timezone", "tz"]],
        }
    }
}
