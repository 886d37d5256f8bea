//! Formats, and the encoding of a report in each of them.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

use arrow::array::RecordBatch;

use super::layout::{Layout, lay_out, with_doubles};
use super::text_encoding::{csv_header_into, csv_into};
use super::writer::Writer;
use crate::error::Result;
use crate::rules::keyword::{Keywords, spelled_by_keywords};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 4180 with `\n` line ends; fields are quoted only if necessary.
    #[default]
    Csv,
    /// Array of objects; times and percentages are numbers.
    Json,
    /// JSON objects, one per line.
    Ndjson,
    Parquet,
    /// Arrow IPC file format.
    Arrow,
    /// Arrow IPC streaming format.
    ArrowStream,
    /// Columns with borders, for terminals.
    Table,
    /// Table in GitHub Flavored Markdown.
    Markdown,
}

/// Row of the table of formats.
struct FileType {
    /// Name in options.
    name: &'static str,
    /// Endings of file names, without the dot; files are given the first one.
    endings: &'static [&'static str],
    /// Value of `Content-Type`.
    content_type: &'static str,
    /// Set if only programs can read it.
    is_binary: bool,
    /// Set if compression makes it smaller.
    packs: bool,
}

impl FileType {
    const fn text(
        name: &'static str,
        endings: &'static [&'static str],
        content_type: &'static str,
    ) -> Self {
        Self { name, endings, content_type, is_binary: false, packs: true }
    }

    const fn binary(
        name: &'static str,
        endings: &'static [&'static str],
        content_type: &'static str,
    ) -> Self {
        Self { name, endings, content_type, is_binary: true, packs: true }
    }
}

impl Format {
    /// All formats, in the order in which they are listed.
    pub const ALL: [Self; 8] = [
        Self::Csv,
        Self::Json,
        Self::Ndjson,
        Self::Parquet,
        Self::Arrow,
        Self::ArrowStream,
        Self::Table,
        Self::Markdown,
    ];

    /// Names in options.
    pub const KEYWORDS: Keywords<Self> = &NAMES;

    /// The table of formats.
    const fn file_type(self) -> FileType {
        match self {
            Self::Csv => FileType::text("csv", &["csv"], "text/csv; charset=utf-8"),
            Self::Json => FileType::text("json", &["json"], "application/json"),
            Self::Ndjson => FileType::text("ndjson", &["ndjson", "jsonl"], "application/x-ndjson"),
            Self::Parquet => FileType {
                // Its pages are compressed.
                packs: false,
                ..FileType::binary("parquet", &["parquet", "pq"], "application/vnd.apache.parquet")
            },
            Self::Arrow => FileType::binary(
                "arrow",
                &["arrow", "feather", "ipc"],
                "application/vnd.apache.arrow.file",
            ),
            Self::ArrowStream => {
                FileType::binary("arrows", &["arrows"], "application/vnd.apache.arrow.stream")
            }
            Self::Table => FileType::text("table", &["txt"], "text/plain; charset=utf-8"),
            Self::Markdown => {
                FileType::text("markdown", &["md", "markdown"], "text/markdown; charset=utf-8")
            }
        }
    }

    /// Format of a file by its ending without the dot, in any case.
    pub fn from_ending(ending: &str) -> Option<Self> {
        let is_one =
            |format: &Self| format.endings().iter().any(|known| known.eq_ignore_ascii_case(ending));
        Self::ALL.into_iter().find(is_one)
    }

    /// Name in options.
    pub const fn name(self) -> &'static str {
        self.file_type().name
    }

    /// Ending of the name of a file, without the dot.
    pub const fn ending(self) -> &'static str {
        self.file_type().endings[0]
    }

    /// Endings of the names of files that have the format.
    pub const fn endings(self) -> &'static [&'static str] {
        self.file_type().endings
    }

    /// Value of `Content-Type`: the media type and its charset.
    pub const fn content_type(self) -> &'static str {
        self.file_type().content_type
    }

    /// Media type without parameters, as `Accept` names it.
    pub fn media_type(self) -> &'static str {
        let content_type = self.content_type();
        content_type.split_once(';').map_or(content_type, |(media_type, _)| media_type)
    }

    /// True if only programs can read it.
    pub const fn is_binary(self) -> bool {
        self.file_type().is_binary
    }

    /// True if compression makes it smaller.
    pub const fn packs(self) -> bool {
        self.file_type().packs
    }
}

const NAMES: [(&str, Format); Format::ALL.len()] = {
    let mut names = [("", Format::Csv); Format::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = (Format::ALL[at].name(), Format::ALL[at]);
        at += 1;
    }
    names
};

spelled_by_keywords!(Format);

/// Encodes a report; equal reports give equal bytes.
pub fn render(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Csv => encode_csv(report, |part| Ok(part.clone())),
        _ => encode_report(report, format),
    }
}

/// Lays out an engine's figures and encodes the report.
pub fn render_figures(figures: &RecordBatch, layout: Layout, format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Csv => encode_csv(figures, |part| lay_out(part, layout)),
        _ => encode_report(&lay_out(figures, layout)?, format),
    }
}

/// Encodes a report as an Arrow file, with decimals, from which any other format can be made.
pub fn to_arrow_file(report: &RecordBatch) -> Result<Vec<u8>> {
    encode(report, Format::Arrow)
}

fn encode_report(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    if format.is_binary() {
        return encode(&with_doubles(report)?, format);
    }
    encode(report, format)
}

fn encode(report: &RecordBatch, format: Format) -> Result<Vec<u8>> {
    let mut writer = Writer::new(format, &report.schema())?;
    writer.write(report)?;
    writer.finish()?;
    Ok(writer.take())
}

/// Encodes the transformed rows as CSV, in chunks on all cores.
fn encode_csv(
    rows: &RecordBatch,
    transform: impl Fn(&RecordBatch) -> Result<RecordBatch> + Sync,
) -> Result<Vec<u8>> {
    // Fewer rows do not pay for starting a thread.
    const ROWS_MIN: usize = 4_096;
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let rows_each = rows.num_rows().div_ceil(threads).max(ROWS_MIN);
    let part = |first: usize| rows.slice(first, rows_each.min(rows.num_rows() - first));
    let first = part(0);
    let later: Vec<_> = (0..rows.num_rows()).step_by(rows_each).skip(1).map(part).collect();
    let lines = |part: &RecordBatch| -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        csv_into(&transform(part)?, &mut bytes)?;
        Ok(bytes)
    };
    thread::scope(|scope| {
        let later = later.iter().map(|part| {
            let thread = thread::Builder::new().spawn_scoped(scope, || lines(part));
            (part, thread)
        });
        let later: Vec<_> = later.collect();
        let first = transform(&first)?;
        let mut bytes = Vec::new();
        csv_header_into(&first.schema(), &mut bytes);
        csv_into(&first, &mut bytes)?;
        for (part, thread) in later {
            let lines = match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The thread could not be started.
                Err(_) => lines(part),
            };
            bytes.extend_from_slice(&lines?);
        }
        Ok(bytes)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Float64Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    use super::*;
    use crate::rules::Window;

    fn figures() -> RecordBatch {
        let kinds = ["uptime", "downtime", "unknown", "scheduled"];
        let columns = kinds.into_iter().flat_map(|kind| {
            let us = if kind == "scheduled" { 11_111_111_111 } else { 3_703_703_703 };
            Window::ALL.map(|window| (format!("{kind}_{}", window.name()), us))
        });
        let columns =
            columns.map(|(name, us)| (name, Arc::new(Int64Array::from(vec![us])) as ArrayRef));
        let id: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        RecordBatch::try_from_iter([("store_id".to_owned(), id)].into_iter().chain(columns))
            .unwrap()
    }

    fn read(layout: Layout) -> RecordBatch {
        let bytes = render_figures(&figures(), layout, Format::Parquet).unwrap();
        let bytes = bytes::Bytes::from(bytes);
        ParquetRecordBatchReader::try_new(bytes, 8).unwrap().next().unwrap().unwrap()
    }

    #[track_caller]
    fn check(rows: &RecordBatch, column: &str, unit: &str, expected: f64) {
        let field = rows.schema_ref().field_with_name(column).unwrap().clone();
        assert_eq!(field.metadata().get("unit").map(String::as_str), Some(unit), "{column}");
        let values = rows.column_by_name(column).unwrap();
        let found = match field.data_type() {
            DataType::Int64 => values.as_primitive::<Int64Type>().value(0) as f64,
            _ => values.as_primitive::<Float64Type>().value(0),
        };
        assert_eq!(found, expected, "{column}");
    }

    #[test]
    fn binary_formats_have_doubles_with_units() {
        let rows = read(Layout { extended: true, exact: false });
        check(&rows, "uptime_last_hour", "minutes", 61.73);
        check(&rows, "downtime_last_week", "hours", 1.03);
        check(&rows, "uptime_pct_last_day", "percent", 50.0);
        check(&rows, "coverage_pct_last_week", "percent", 66.67);
        let exact = read(Layout { extended: true, exact: true });
        check(&exact, "uptime_last_hour", "microseconds", 3_703_703_703.0);
        check(&exact, "uptime_pct_last_week", "percent", 50.0);
    }

    #[test]
    fn names_endings_and_media_types_tell_formats_apart() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>(), Ok(format));
            assert_eq!(format.to_string(), format.name());
            for ending in format.endings() {
                assert_eq!(Format::from_ending(ending), Some(format), "{ending}");
                assert_eq!(Format::from_ending(&ending.to_uppercase()), Some(format), "{ending}");
            }
            let same = |other: &Format| other.media_type() == format.media_type();
            assert_eq!(Format::ALL.into_iter().filter(same).count(), 1, "{format}");
            assert!(!format.media_type().contains([';', ' ']), "{format}");
        }
        assert_eq!(Format::from_ending(""), None);
    }

    #[test]
    fn csv_has_two_decimals() {
        let csv = render_figures(&figures(), Layout::default(), Format::Csv).unwrap();
        let expected = "a,61.73,1.03,1.03,61.73,1.03,1.03\n";
        assert_eq!(String::from_utf8(csv).unwrap().lines().nth(1), Some(expected.trim_end()));
    }
}
