//! Which kind of rows a file holds, told by its header.

use csv::ByteRecord;

use crate::error::{Error, Result};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Polls,
    BusinessHours,
    TimeZones,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Polls, Kind::BusinessHours, Kind::TimeZones];

    /// As it is written in `loads`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Polls => "polls",
            Kind::BusinessHours => "business_hours",
            Kind::TimeZones => "time_zones",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::Polls => "polls",
            Kind::BusinessHours => "business hours",
            Kind::TimeZones => "time zones",
        }
    }

    /// Names of each column, the proper one first.
    pub fn columns(self) -> &'static [&'static [&'static str]] {
        match self {
            Kind::Polls => &[&["store_id"], &["timestamp_utc", "timestamp"], &["status"]],
            Kind::BusinessHours => &[
                &["store_id"],
                &["day_of_week", "dayofweek", "day"],
                &["start_time_local"],
                &["end_time_local"],
            ],
            Kind::TimeZones => &[&["store_id"], &["timezone_str", "timezone", "tz"]],
        }
    }
}

/// Where a file keeps the columns of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    /// Position in a row, in the order of [`Kind::columns`].
    pub positions: Vec<usize>,
    /// Fields of a row, extra columns among them.
    pub width: usize,
}

impl Header {
    /// # Errors
    /// Where the record is no header, or one that lacks a column or has one twice.
    pub fn of(label: &str, record: &ByteRecord) -> Result<Self> {
        let name = |field| String::from_utf8_lossy(field).trim().to_ascii_lowercase();
        let names: Vec<_> = record.iter().map(name).collect();
        let kind = likeliest_kind(&names).ok_or_else(|| unknown(label, &names))?;
        let mut positions = Vec::new();
        for aliases in kind.columns() {
            let of_alias = |alias: &&&str| names.iter().any(|name| name == **alias);
            let found = aliases.iter().find(of_alias).ok_or_else(|| {
                let wanted = kind.columns().iter().map(|names| names[0]).collect::<Vec<_>>();
                Error::File(format!(
                    "{label:?}, line 1: column {:?} is missing; {} need {}",
                    aliases[0],
                    kind.words(),
                    wanted.join(", ")
                ))
            })?;
            let mut places = (0..names.len()).filter(|&at| names[at] == **found);
            positions.extend(places.next());
            if let Some(again) = places.next() {
                return Err(Error::File(format!(
                    "{label:?}, line 1: column {found:?} stands twice, also as field {}; expected once",
                    again + 1
                )));
            }
        }
        Ok(Self { kind, positions, width: names.len() })
    }
}

/// The kind that most columns speak for; `None` where nothing but a store does.
fn likeliest_kind(names: &[String]) -> Option<Kind> {
    let known =
        |aliases: &&&[&str]| aliases.iter().any(|alias| names.iter().any(|name| name == alias));
    let present = |kind: Kind| kind.columns()[1..].iter().filter(known).count();
    let missing = |kind: Kind| kind.columns().len() - 1 - present(kind);
    Kind::ALL
        .into_iter()
        .filter(|&kind| present(kind) > 0)
        .min_by_key(|&kind| (missing(kind), usize::MAX - present(kind)))
}

fn unknown(label: &str, names: &[String]) -> Error {
    let kind =
        |kind: Kind| kind.columns().iter().map(|names| names[0]).collect::<Vec<_>>().join(",");
    Error::File(format!(
        "{label:?}, line 1: header {:?} is none that is known; expected {}",
        names.join(","),
        Kind::ALL.map(kind).join(" or ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: std::result::Result<(Kind, &[usize]), &str>) {
        let record = ByteRecord::from(header.split(',').collect::<Vec<_>>());
        let found = Header::of("x.csv", &record).map_err(|error| error.to_string());
        let found = found.as_ref().map(|header| (header.kind, header.positions.as_slice()));
        assert_eq!(found.map_err(String::as_str), expected);
    }

    #[test]
    fn a_header_tells_the_kind_in_any_order_and_case() {
        check("store_id,status,timestamp_utc", Ok((Kind::Polls, &[0, 2, 1])));
        check("Status, Store_ID ,TIMESTAMP,note", Ok((Kind::Polls, &[1, 2, 0])));
        check(
            "store_id,day,start_time_local,end_time_local",
            Ok((Kind::BusinessHours, &[0, 1, 2, 3])),
        );
        check(
            "dayOfWeek,store_id,end_time_local,start_time_local",
            Ok((Kind::BusinessHours, &[1, 0, 3, 2])),
        );
        check("store_id,tz", Ok((Kind::TimeZones, &[0, 1])));
        check("store_id,status,timestamp_utc,timezone", Ok((Kind::Polls, &[0, 2, 1])));
    }

    #[test]
    fn a_header_that_lacks_or_doubles_a_column_is_refused() {
        check(
            "store_id,timestamp_utc",
            Err(
                "\"x.csv\", line 1: column \"status\" is missing; polls need store_id, timestamp_utc, status",
            ),
        );
        check(
            "status,timestamp_utc",
            Err(
                "\"x.csv\", line 1: column \"store_id\" is missing; polls need store_id, timestamp_utc, status",
            ),
        );
        check(
            "store_id,status,timestamp_utc,Status",
            Err(
                "\"x.csv\", line 1: column \"status\" stands twice, also as field 4; expected once",
            ),
        );
        check(
            "a,b",
            Err("\"x.csv\", line 1: header \"a,b\" is none that is known; expected \
                 store_id,timestamp_utc,status or store_id,day_of_week,start_time_local,end_time_local \
                 or store_id,timezone_str"),
        );
    }
}
