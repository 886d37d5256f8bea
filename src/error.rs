//! Errors, classified by what a person can do about them.

use std::error::Error as StdError;
use std::fmt::Display;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fix the file. Says what is wrong, where, and what to do.
    #[error("{0}")]
    File(String),
    /// Fix the argument.
    #[error("{0}")]
    Argument(String),
    /// Fix the query.
    #[error("{0}")]
    Query(QueryError),
    /// Ask for less, or raise the limit.
    #[error("{0}")]
    Limit(LimitError),
    /// Try again later: others use the resource, or it is not there yet.
    #[error("{0}")]
    Busy(String),
    /// Free the resource: disk space, permission or lock.
    #[error("{what}")]
    Resource {
        what: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Report a bug: an invariant of the tables or the engine does not hold.
    #[error("{what}; this is a bug in uptally")]
    Bug {
        what: String,
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The user cancelled the operation.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

/// Fault of a query: a sentence for people and a kind for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct QueryError {
    pub fault: Fault,
    pub sentence: String,
}

impl QueryError {
    pub fn new(fault: Fault, sentence: impl Into<String>) -> Self {
        Self { fault, sentence: sentence.into() }
    }
}

/// Fault without a particular kind.
impl From<String> for QueryError {
    fn from(sentence: String) -> Self {
        Self::new(Fault::Other, sentence)
    }
}

/// Kinds of faults of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Fault {
    /// Not valid SQL.
    Syntax,
    UnknownTable,
    UnknownColumn,
    AmbiguousColumn,
    DuplicateColumn,
    UnknownFunction,
    /// Would change data.
    ReadOnly,
    /// Value of the wrong type or outside of the accepted values.
    Value,
    DivisionByZero,
    OutOfRange,
    /// Missing or superfluous value of a parameter.
    Parameter,
    NotSupported,
    /// Aggregate or column that the grouping does not allow.
    Grouping,
    /// Window function or window definition in the wrong place.
    Window,
    UnknownWindow,
    /// Position in `ORDER BY` or `GROUP BY` beyond the select list.
    Position,
    /// Scalar subquery with several rows.
    SeveralRows,
    /// Negative number of rows.
    Limit,
    /// Power or root that is not a real number.
    Power,
    Other,
}

/// Limit that was exceeded: a sentence for people, with the amount, and a kind for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{sentence}")]
pub struct LimitError {
    pub limit: Limit,
    pub sentence: String,
}

/// Kinds of limits of a query. Interfaces have a status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Limit {
    /// From receiving a statement until its last row is computed.
    Time,
    /// In which a client takes no row that is ready.
    IdleTime,
    /// Rows of a result.
    Rows,
    /// Bytes of one row.
    RowSize,
    /// Memory of operators, or of the process.
    Memory,
    /// Disk for rows that the client has not read yet.
    Spool,
    /// Bytes and messages of the values of a statement.
    Values,
}

impl Limit {
    /// True if the same query may keep within the limit at another time.
    pub const fn is_of_time(self) -> bool {
        match self {
            Self::Time | Self::IdleTime => true,
            Self::Rows | Self::RowSize | Self::Memory | Self::Spool | Self::Values => false,
        }
    }
}

impl Error {
    /// A limit that was exceeded.
    pub fn limit(limit: Limit, sentence: impl Into<String>) -> Self {
        Self::Limit(LimitError { limit, sentence: sentence.into() })
    }

    /// Failure to do something with a file.
    pub fn io(
        doing: &str,
        path: &Path,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Resource { what: format!("{path:?}: cannot {doing}"), source: source.into() }
    }

    pub fn bug(what: impl Into<String>) -> Self {
        Self::Bug { what: what.into(), source: None }
    }

    /// Message with its causes, for people.
    pub fn sentence(&self) -> String {
        let mut sentence = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !sentence.contains(&text) {
                sentence = format!("{sentence}: {text}");
            }
            cause = error.source();
        }
        sentence
    }
}

/// Count with its noun, for sentences: `1 row`, `2 rows`.
pub fn counted<N>(count: N, one: &str, several: &str) -> String
where
    N: Display + From<u8> + PartialEq,
{
    let noun = if count == N::from(1) { one } else { several };
    format!("{count} {noun}")
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(source: datafusion::error::DataFusionError) -> Self {
        match resource_in(&source) {
            Some(resource) => resource,
            None => Self::Bug { what: "the SQL engine failed".into(), source: Some(source.into()) },
        }
    }
}

/// Engine error for a fault of a query that our own code finds. Its kind and sentence reach the
/// client as they are.
pub fn query_fault(
    fault: Fault,
    sentence: impl Into<String>,
) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(QueryError::new(fault, sentence)))
}

/// `Err` of a `query_fault` without a particular kind; the arguments are those of `format!`.
macro_rules! query_err {
    ($($sentence:tt)+) => {
        Err($crate::error::query_fault($crate::error::Fault::Other, format!($($sentence)+)))
    };
}

pub(crate) use query_err;

/// Engine error for a broken invariant of ours: a bug, whatever the query.
pub fn broken(what: impl Into<String>) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(Error::bug(what)))
}

/// Resource error within the chain of an engine's error.
fn resource_in(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(found) = cause {
        if let Some(Error::Resource { what, source }) = found.downcast_ref::<Error>() {
            let source = source.to_string().into();
            return Some(Error::Resource { what: what.clone(), source });
        }
        cause = found.source();
    }
    None
}

impl From<polars::error::PolarsError> for Error {
    fn from(source: polars::error::PolarsError) -> Self {
        if matches!(source, polars::error::PolarsError::IO { .. }) {
            let what = "cannot read a file of the tables".into();
            return Self::Resource { what, source: source.into() };
        }
        Self::Bug { what: "the dataframe engine failed".into(), source: Some(source.into()) }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(source: arrow::error::ArrowError) -> Self {
        Self::Bug {
            what: "a batch of columns does not fit together".into(),
            source: Some(source.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_follows_its_count() {
        for (count, expected) in [(0_usize, "0 rows"), (1, "1 row"), (2, "2 rows")] {
            assert_eq!(counted(count, "row", "rows"), expected);
        }
        assert_eq!(counted(1_u64, "store was", "stores were"), "1 store was");
    }
}
