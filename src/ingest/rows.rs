//! Rows of a block; turns faulty ones into rejects.

use super::blocks::{BLOCK_BYTES_MAX, Block};
use super::fields;
use super::header::Header;
use super::record_fields::{BrokenRecord, Fields, each_record};
use super::records::Fault;
use super::rejects::Reject;
use crate::error::counted;

/// Row of a file.
pub struct Row<'a> {
    file: &'a str,
    header: &'a Header,
    fields: Fields<'a>,
    /// Text of the row, without its line end.
    raw: &'a [u8],
    /// Line on which it starts, from 1.
    line: u64,
}

impl<'a> Row<'a> {
    /// Parses the column at an index of [`FileKind::columns`](super::file_kind::FileKind::columns).
    pub fn read<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&'a [u8]) -> Result<T, String>,
    ) -> Result<T, Reject> {
        parse(self.fields.field(self.header.positions[column]))
            .map_err(|reason| self.reject(self.header.kind.columns()[column][0], reason))
    }

    /// Line on which the row starts, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    pub fn reject(&self, column: &str, reason: String) -> Reject {
        let mut reject = Reject::new(self.file, self.line, column, reason, self.raw);
        reject.store = self.store();
        reject
    }

    /// Store id of the row; `None` if it cannot be parsed.
    fn store(&self) -> Option<Box<str>> {
        let place = *self.header.positions.first()?;
        let field = (place < self.fields.len()).then(|| self.fields.field(place))?;
        fields::store_id(field).ok().map(Box::from)
    }

    fn check_width(&self) -> Result<(), Reject> {
        let (fields, expected) = (self.fields.len(), self.header.width);
        if fields == expected {
            return Ok(());
        }
        let fields = counted(fields, "field", "fields");
        let reason = format!("the row has {fields}; expected {expected} as in the header");
        Err(self.reject("", reason))
    }
}

/// Passes each row with as many fields as the header to `take`. Returns the number of rows, without
/// blank ones and repetitions of the header.
pub fn each_row(
    file: &str,
    header: &Header,
    block: &Block,
    rejects: &mut Vec<Reject>,
    mut take: impl FnMut(&Row) -> Result<(), Reject>,
) -> u64 {
    let mut rows = 0;
    each_record(block, |record, raw, line| {
        let reject = match record {
            Ok(fields) => {
                let row = Row { file, header, fields, raw, line };
                let taken = row.check_width().and_then(|()| take(&row));
                // Blank rows and repeated headers fail every kind's checks, so that valid rows need
                // no look.
                let is_row =
                    taken.is_ok() || !(fields.are_blank() || header.is_repeated_by(fields));
                rows += u64::from(is_row);
                taken.err().filter(|_| is_row)
            }
            Err(broken) => {
                rows += 1;
                Some(reject_of_broken((file, line), header, broken, raw))
            }
        };
        rejects.extend(reject);
    });
    rows
}

fn reject_of_broken(
    (file, line): (&str, u64),
    header: &Header,
    broken: BrokenRecord,
    raw: &[u8],
) -> Reject {
    let whole = broken.whole;
    let of_field = |reason: &str| match header.column(whole.len()) {
        Some(column) => (column, reason.to_owned()),
        None => ("", format!("a field {reason}")),
    };
    let (column, reason) = match broken.fault {
        Fault::QuoteNotClosed => of_field(
            "opens with a quote that does not close; close it, and double the quotes in the field",
        ),
        Fault::TextBehindQuote => of_field(
            "has text behind its closing quote; remove it, or double the quotes within the field",
        ),
        Fault::TooLong => (
            "",
            format!(
                "the row does not end within {BLOCK_BYTES_MAX} bytes; check where its line ends"
            ),
        ),
    };
    Row { file, header, fields: whole, raw, line }.reject(column, reason)
}
