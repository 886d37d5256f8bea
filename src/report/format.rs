//! Formats of reports and of rows.

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

impl Format {
    /// True if only programs can read it.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::ArrowStream)
    }
}
