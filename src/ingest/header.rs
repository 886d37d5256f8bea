//! Headers: tell the kind of a file and the position of its columns.

use super::blocks::{BLOCK_BYTES_MAX, Block};
use super::file_kind::FileKind;
use super::record_fields::{BrokenRecord, Fields, each_record};
use super::records::{Fault, Record, count_line_ends, first_record};
use crate::error::{Error, Result};

/// Positions of the columns in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: FileKind,
    /// Positions in a row, in the order of [`FileKind::columns`].
    pub positions: Vec<usize>,
    /// Number of fields of a row, including extra columns.
    pub width: usize,
    /// Names of all columns, trimmed and in lower case.
    names: Vec<String>,
}

impl Header {
    /// Removes the header from the start of a block; `None` if the block has only blank rows. Skips
    /// a line such as `sep=,`, by which spreadsheets name the delimiter.
    ///
    /// # Errors
    /// The first row is not a header, or a column is missing or occurs twice.
    pub fn take_from(label: &str, block: &mut Block) -> Result<Option<Self>> {
        let (mut found, mut start) = (None, 0);
        while found.is_none() && start < block.bytes.len() {
            let rest = &block.bytes[start..];
            let (Record::Whole { next, .. } | Record::Broken { next, .. }) =
                first_record(rest, true, |_| ())
            else {
                break;
            };
            let first = Block { bytes: rest[..next].to_vec(), ..*block };
            each_record(&first, |fields, raw, line| {
                let is_blank = fields.is_ok_and(Fields::are_blank);
                if !is_blank && separator(raw) != Some(b",") {
                    found = Some(Self::read(label, line, fields, raw));
                }
            });
            block.line += count_line_ends(&first.bytes);
            start += next;
        }
        block.bytes.drain(..start);
        found.transpose()
    }

    fn read(
        label: &str,
        line: u64,
        fields: std::result::Result<Fields, BrokenRecord>,
        raw: &[u8],
    ) -> Result<Self> {
        let place = format!("{label:?}, line {line}");
        if let Some(delimiter) = separator(raw) {
            return Err(other_delimiter(&place, delimiter));
        }
        let name = |field| String::from_utf8_lossy(field).trim().to_ascii_lowercase();
        let broken = match fields {
            Ok(fields) => return Self::from_names(&place, fields.iter().map(name).collect()),
            Err(broken) => broken.fault,
        };
        let names = String::from_utf8_lossy(raw).to_ascii_lowercase();
        if broken != Fault::TooLong
            && let Some(delimiter) = delimiter_of(&names)
        {
            return Err(other_delimiter(&place, delimiter.to_string().as_bytes()));
        }
        Err(Error::File(match broken {
            Fault::QuoteNotClosed => {
                format!("{place}: a quote in the header does not close; close it")
            }
            Fault::TextBehindQuote => {
                format!("{place}: text follows a closing quote in the header; remove it")
            }
            Fault::TooLong => format!(
                "{place}: the line does not end within {BLOCK_BYTES_MAX} bytes; \
                 check that the file is CSV"
            ),
        }))
    }

    /// `place` names the file and line for errors; names are trimmed and in lower case.
    fn from_names(place: &str, names: Vec<String>) -> Result<Self> {
        let kind = likeliest_kind(&names).ok_or_else(|| unknown(place, &names))?;
        let mut positions = Vec::new();
        for aliases in kind.columns() {
            let of_alias = |alias: &&&str| names.iter().any(|name| name == **alias);
            let found = aliases.iter().find(of_alias).ok_or_else(|| {
                let wanted = kind.columns().iter().map(|names| names[0]).collect::<Vec<_>>();
                Error::File(format!(
                    "{place}: column {:?} is missing; {} need {}",
                    aliases[0],
                    kind.plural(),
                    wanted.join(", ")
                ))
            })?;
            let mut places = (0..names.len()).filter(|&at| names[at] == **found);
            positions.extend(places.next());
            if let Some(again) = places.next() {
                return Err(Error::File(format!(
                    "{place}: column {found:?} occurs twice, again as field {}; remove one",
                    again + 1
                )));
            }
        }
        Ok(Self { kind, positions, width: names.len(), names })
    }

    /// Name of the column at a position in a row; `None` beyond the last one.
    pub fn column(&self, position: usize) -> Option<&str> {
        let proper = self.positions.iter().position(|at| *at == position);
        let proper = proper.map(|column| self.kind.columns()[column][0]);
        proper.or_else(|| self.names.get(position).map(String::as_str))
    }

    /// True if the row repeats the header, as in concatenated exports.
    pub fn is_repeated_by(&self, fields: Fields) -> bool {
        let is_name = |place: usize| {
            let name = self.names[place].as_bytes();
            let field = fields.field(place).trim_ascii();
            field.eq_ignore_ascii_case(name)
        };
        fields.len() == self.width && is_name(self.positions[0]) && (0..self.width).all(is_name)
    }
}

/// Delimiter named by a line such as `sep=;`.
fn separator(raw: &[u8]) -> Option<&[u8]> {
    let line = raw.trim_ascii();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, delimiter) = line.split_at_checked(4)?;
    let delimiter = if delimiter.is_empty() && raw.ends_with(b"\t") { b"\t" } else { delimiter };
    (name.eq_ignore_ascii_case(b"sep=") && delimiter.len() <= 1).then_some(delimiter)
}

fn other_delimiter(place: &str, delimiter: &[u8]) -> Error {
    let named = match delimiter {
        b";" => "semicolons".to_owned(),
        b"\t" => "tabs".to_owned(),
        b"|" => "vertical bars".to_owned(),
        other => format!("{:?}", String::from_utf8_lossy(other)),
    };
    Error::File(format!("{place}: fields are separated by {named}; export the file with commas"))
}

/// Kind that most columns match; `None` if no column other than the store's is known.
fn likeliest_kind(names: &[String]) -> Option<FileKind> {
    let known =
        |aliases: &&&[&str]| aliases.iter().any(|alias| names.iter().any(|name| name == alias));
    let present = |kind: FileKind| kind.columns()[1..].iter().filter(known).count();
    let missing = |kind: FileKind| kind.columns().len() - 1 - present(kind);
    FileKind::ALL
        .into_iter()
        .filter(|&kind| present(kind) > 0)
        .min_by_key(|&kind| (missing(kind), usize::MAX - present(kind)))
}

/// Delimiter, other than a comma, that makes the header a known one.
fn delimiter_of(header: &str) -> Option<char> {
    let is_known = |delimiter: &char| {
        let name = |name: &str| name.trim_matches([' ', '"']).to_owned();
        let names: Vec<_> = header.split(*delimiter).map(name).collect();
        names.len() > 1 && likeliest_kind(&names).is_some()
    };
    [';', '\t', '|', ':', ' '].into_iter().find(is_known)
}

fn unknown(place: &str, names: &[String]) -> Error {
    let header = names.join(",");
    if let Some(delimiter) = delimiter_of(&header) {
        return other_delimiter(place, delimiter.to_string().as_bytes());
    }
    let kind =
        |kind: FileKind| kind.columns().iter().map(|names| names[0]).collect::<Vec<_>>().join(",");
    Error::File(format!(
        "{place}: header {header:?} is not known; expected {}",
        FileKind::ALL.map(kind).join(" or ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: std::result::Result<(FileKind, &[usize]), &str>) {
        let mut block = Block::new(header.as_bytes().to_vec(), 1);
        let found = Header::take_from("x.csv", &mut block).map_err(|error| error.to_string());
        let found = found.as_ref().map(|header| {
            let header = header.as_ref().unwrap();
            (header.kind, header.positions.as_slice())
        });
        assert_eq!(found.map_err(String::as_str), expected);
    }

    #[test]
    fn a_header_tells_the_kind_in_any_order_and_case() {
        check("store_id,status,timestamp_utc", Ok((FileKind::Polls, &[0, 2, 1])));
        check("Status, Store_ID ,TIMESTAMP,note", Ok((FileKind::Polls, &[1, 2, 0])));
        check(
            "store_id,day,start_time_local,end_time_local",
            Ok((FileKind::BusinessHours, &[0, 1, 2, 3])),
        );
        check(
            "dayOfWeek,store_id,end_time_local,start_time_local",
            Ok((FileKind::BusinessHours, &[1, 0, 3, 2])),
        );
        check("store_id,tz", Ok((FileKind::TimeZones, &[0, 1])));
        check("store_id,status,timestamp_utc,timezone", Ok((FileKind::Polls, &[0, 2, 1])));
    }

    #[test]
    fn a_header_that_lacks_or_doubles_a_column_is_refused() {
        check(
            "store_id,timestamp_utc",
            Err("\"x.csv\", line 1: column \"status\" is missing; polls need store_id, \
                 timestamp_utc, status"),
        );
        check(
            "status,timestamp_utc",
            Err("\"x.csv\", line 1: column \"store_id\" is missing; polls need store_id, \
                 timestamp_utc, status"),
        );
        check(
            "store_id,status,timestamp_utc,Status",
            Err("\"x.csv\", line 1: column \"status\" occurs twice, again as field 4; remove one"),
        );
        check(
            "a,b",
            Err("\"x.csv\", line 1: header \"a,b\" is not known; expected \
                 store_id,timestamp_utc,status or \
                 store_id,day_of_week,start_time_local,end_time_local \
                 or store_id,timezone_str"),
        );
    }

    #[test]
    fn another_delimiter_is_named() {
        for (header, delimiter) in [
            ("store_id;status;timestamp_utc", "semicolons"),
            ("store_id\tstatus\ttimestamp_utc\tnote", "tabs"),
            ("\"store_id\"|\"timezone_str\"", "vertical bars"),
            ("sep=;\nstore_id;status;timestamp_utc", "semicolons"),
            ("SEP=\t\nstore_id\ttz", "tabs"),
        ] {
            let said = format!(
                "\"x.csv\", line 1: fields are separated by {delimiter}; export the file with \
                 commas"
            );
            check(header, Err(&said));
        }
        check("sep=,\nstore_id,tz", Ok((FileKind::TimeZones, &[0, 1])));
    }

    #[test]
    fn blank_rows_before_the_header_are_skipped_and_rows_keep_their_lines() {
        let text = "\u{feff}\r\n,,\r\n\"\", ,\r\n\u{feff}Store_ID,\"tz\",note\r\n\r\na,UTC,\r\n";
        let mut block = Block::new(text.as_bytes().to_vec(), 1);
        let header = Header::take_from("x.csv", &mut block).unwrap().unwrap();
        assert_eq!((block.bytes.as_slice(), block.line), (&b"\r\na,UTC,\r\n"[..], 5));
        let mut repeated = Vec::new();
        let again = Block::new(b"a,b,c\nstore_id, TZ ,note\nstore_id,tz\n".to_vec(), 1);
        each_record(&again, |fields, _, _| {
            repeated.push(fields.is_ok_and(|fields| header.is_repeated_by(fields)));
        });
        assert_eq!(repeated, [false, true, false]);
    }
}
