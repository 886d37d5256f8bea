//! Formats of reports and of rows.

use crate::rules::keyword::{Keywords, listed, spelled_by_keywords};

listed! {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
