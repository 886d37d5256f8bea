//! Formats and compressions by file name extension. Does not access files.

use std::borrow::Cow;
use std::path::Path;

use crate::report::Format;
use crate::rules::keyword::Keywords;

/// Compression of a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

const COMPRESSIONS: Keywords<Compression> = &[
    ("gz", Compression::Gzip),
    ("gzip", Compression::Gzip),
    ("zst", Compression::Zstd),
    ("zstd", Compression::Zstd),
];

/// Extensions of formats that are not supported, so that a file would mislead other programs.
const FOREIGN: [&str; 25] = [
    "avro", "db", "duckdb", "h5", "hdf5", "htm", "html", "ods", "orc", "pdf", "pickle", "pkl",
    "psv", "rds", "sqlite", "sqlite3", "tab", "tsv", "xls", "xlsb", "xlsm", "xlsx", "xml", "yaml",
    "yml",
];
const FOREIGN_COMPRESSIONS: [&str; 17] = [
    "7z", "br", "bz2", "lz", "lz4", "lzma", "lzo", "rar", "snappy", "sz", "tar", "tbz2", "tgz",
    "txz", "xz", "z", "zip",
];

/// Longest extension; `tmp.hU3kXq92Lz` of `mktemp` has none.
const EXTENSION_CHARS_MAX: usize = 8;

/// Format and compression implied by a file name.
struct NamedFile {
    format: Option<Format>,
    /// Extension of the format as written, without its dot.
    ending: String,
    compression: Compression,
}

/// Compression implied by the file name.
pub fn compression(file: &Path) -> Compression {
    let name = file_name(file);
    let ending = split(&name).1;
    let found = COMPRESSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    found.map_or(Compression::None, |(_, compression)| *compression)
}

impl NamedFile {
    /// Extension that belongs to no format; `None` for a name without any, or a known one.
    fn unknown_ending(&self) -> Option<&str> {
        let is_extension = self.ending.len() <= EXTENSION_CHARS_MAX
            && self.ending.starts_with(|first: char| first.is_ascii_alphabetic())
            && self.ending.chars().all(|char| char.is_ascii_alphanumeric());
        (self.format.is_none() && is_extension).then_some(self.ending.as_str())
    }
}

/// Format of the rows in a file: the requested one, else that of the extension, else `default` for
/// a name without extension.
///
/// # Errors
/// When the extension contradicts the format, is that of an unsupported format, or is unknown and
/// no format was requested.
pub fn format_for(
    file: &Path,
    requested: Option<Format>,
    default: Format,
) -> std::result::Result<Format, String> {
    let named = parse_name(file)?;
    match named.unknown_ending() {
        Some(unknown) if requested.is_none() => {
            Err(format!("{}, or --format for any name", not_written(file, unknown)))
        }
        _ => choose(file, &named, requested, default),
    }
}

/// Format of the extension, else `default` for a name without extension.
///
/// # Errors
/// When the extension is not that of a format.
pub fn format_of_name(file: &Path, default: Format) -> std::result::Result<Format, String> {
    let named = parse_name(file)?;
    match named.unknown_ending() {
        Some(unknown) => Err(not_written(file, unknown)),
        None => choose(file, &named, None, default),
    }
}

fn choose(
    file: &Path,
    named: &NamedFile,
    requested: Option<Format>,
    default: Format,
) -> std::result::Result<Format, String> {
    let format = match (named.format, requested) {
        (Some(ending), Some(requested)) if !may_have_ending(requested, ending) => {
            return Err(format!(
                "{file:?} ends in .{}, which is not {requested}; leave --format out, or name a .{} file",
                named.ending,
                requested.ending()
            ));
        }
        (_, Some(requested)) => requested,
        (Some(ending), None) => ending,
        (None, None) => default,
    };
    if format.is_binary() && named.compression != Compression::None {
        return Err(format!(
            "{file:?}: files of format {format} are not compressed as a whole; name a .{} file",
            format.ending()
        ));
    }
    Ok(format)
}

/// Checks the name of a file with a fixed format; `what` begins the message, like "rejects are".
///
/// # Errors
/// When the extension contradicts the format.
pub fn check_format(what: &str, format: Format, file: &Path) -> std::result::Result<(), String> {
    match parse_name(file)?.format {
        Some(ending) if !may_have_ending(format, ending) => {
            Err(format!("{file:?}: {what} written as {format}; name a .{} file", format.ending()))
        }
        _ => Ok(()),
    }
}

fn parse_name(file: &Path) -> std::result::Result<NamedFile, String> {
    let name = file_name(file);
    let (stem, last) = split(&name);
    let is_one_of =
        |known: &[&str], given: &str| known.iter().any(|it| it.eq_ignore_ascii_case(given));
    if is_one_of(&FOREIGN_COMPRESSIONS, last) {
        return Err(format!("{file:?}: nothing is compressed as .{last}; expected .gz or .zst"));
    }
    let compression = compression(file);
    let ending = match compression {
        Compression::None => last,
        _ => split(stem).1,
    };
    if is_one_of(&FOREIGN, ending) {
        return Err(not_written(file, ending));
    }
    Ok(NamedFile { format: Format::from_ending(ending), ending: ending.to_owned(), compression })
}

fn not_written(file: &Path, ending: &str) -> String {
    let known = Format::ALL.iter().map(|format| format!(".{}", format.ending()));
    let known = known.collect::<Vec<_>>().join(", ");
    format!("{file:?}: nothing is written as .{ending}; expected one of {known}")
}

fn file_name(file: &Path) -> Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}

/// Splits off the extension, which is empty if nothing precedes the dot.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, ""))
}

/// Returns true if a file of the format may have the extension of `ending`: .txt fits any text.
fn may_have_ending(format: Format, ending: Format) -> bool {
    format == ending || (ending == Format::Table && !format.is_binary())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, requested: Option<Format>, expected: Result<Format, &str>) {
        let found = format_for(Path::new(file), requested, Format::Csv);
        match (found, expected) {
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{file}: {found}"),
            (found, expected) => {
                assert_eq!(found, expected.map_err(str::to_owned), "{file} {requested:?}");
            }
        }
    }

    #[test]
    fn the_extension_selects_the_format() {
        for (file, format) in [
            ("r.csv", Format::Csv),
            ("a/r.PARQUET", Format::Parquet),
            ("r.pq", Format::Parquet),
            ("r.json", Format::Json),
            ("r.jsonl", Format::Ndjson),
            ("r.ndjson", Format::Ndjson),
            ("r.2023.arrow", Format::Arrow),
            ("r.feather", Format::Arrow),
            ("r.ipc", Format::Arrow),
            ("r.arrows", Format::ArrowStream),
            ("r.md", Format::Markdown),
            ("r.txt", Format::Table),
            ("r.json.gz", Format::Json),
            ("r.ndjson.ZST", Format::Ndjson),
            ("r.gz", Format::Csv),
            ("r", Format::Csv),
            ("r.2023", Format::Csv),
            ("r_2023-01-24T18.09Z", Format::Csv),
            ("tmp.hU3kXq92Lz", Format::Csv),
            ("2023.01.24.gz", Format::Csv),
            (".parquet", Format::Csv),
            ("parquet", Format::Csv),
            ("", Format::Csv),
            ("..", Format::Csv),
        ] {
            check(file, None, Ok(format));
        }
        check("r.dat", Some(Format::Parquet), Ok(Format::Parquet));
        check("r.pq", Some(Format::Parquet), Ok(Format::Parquet));
        check("r.txt", Some(Format::Csv), Ok(Format::Csv));
    }

    #[test]
    fn a_name_never_contradicts_the_format() {
        let csv = Some(Format::Csv);
        check("r.parquet", csv, Err("ends in .parquet, which is not csv; leave --format out"));
        check("r.JSON", Some(Format::Ndjson), Err("ends in .JSON, which is not ndjson"));
        check(
            "r.csv",
            Some(Format::Table),
            Err("which is not table; leave --format out, or name a .txt"),
        );
        check("r.arrow", Some(Format::ArrowStream), Err("name a .arrows file"));
        check("r.txt", Some(Format::Parquet), Err("which is not parquet"));
        check("r.csv.gz", Some(Format::Json), Err("ends in .csv, which is not json"));
        check("r.parquet.gz", None, Err("not compressed as a whole; name a .parquet file"));
        check("r.gz", Some(Format::Arrow), Err("not compressed as a whole; name a .arrow file"));
        check("r.csv.xz", None, Err("nothing is compressed as .xz; expected .gz or .zst"));
        check("r.zip", csv, Err("nothing is compressed as .zip"));
        check("r.xlsx", None, Err("nothing is written as .xlsx; expected one of .csv, .json"));
        check("r.tsv.gz", csv, Err("nothing is written as .tsv"));
    }

    #[test]
    fn an_unknown_extension_needs_a_format() {
        for file in ["r.xyz", "r.csvv", "r.parquett", "r.dat.gz", "a.b/r.log"] {
            check(file, None, Err("expected one of .csv, .json"));
            check(file, None, Err(", or --format for any name"));
            check(file, Some(Format::Csv), Ok(Format::Csv));
            let found = format_of_name(Path::new(file), Format::Csv).unwrap_err();
            assert!(found.contains("expected one of .csv") && !found.contains("--format"));
        }
        check("r.xlsx", None, Err("expected one of .csv, .json, .ndjson"));
    }

    #[test]
    fn rejects_have_the_name_of_a_csv_file() {
        let check = |file| check_format("rejects are", Format::Csv, Path::new(file));
        assert!(
            ["r", "r.csv", "r.csv.gz", "r.txt", "r.log"]
                .into_iter()
                .all(|file| check(file).is_ok())
        );
        let expected = "\"r.parquet\": rejects are written as csv; name a .csv file";
        assert_eq!(check("r.parquet"), Err(expected.to_owned()));
    }
}
