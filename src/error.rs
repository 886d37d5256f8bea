//! What can go wrong, by what a person can do about it.

use std::error::Error as StdError;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fix the file: what is wrong, where, and what was expected.
    #[error("{0}")]
    File(String),
    /// Fix the argument.
    #[error("{0}")]
    Argument(String),
    /// Fix the query.
    #[error("{0}")]
    Query(Wrong),
    /// Ask for less, or raise the limit that it names.
    #[error("{0}")]
    Limit(String),
    /// The same of a limit of time, which may be met later or not at all.
    #[error("{0}")]
    Timeout(String),
    /// Ask again later: others take up what it needs.
    #[error("{0}")]
    Busy(String),
    /// Free the resource: disk, permission, lock.
    #[error("{what}")]
    Resource {
        what: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Report a bug: something that the tables or the engine promise did not hold.
    #[error("{what}; this is a bug in uptally")]
    Bug {
        what: String,
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// Somebody asked to stop.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

/// What is wrong with a query: a sentence for a person, and of which kind it is for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Wrong {
    pub fault: Fault,
    pub sentence: String,
}

impl Wrong {
    pub fn new(fault: Fault, sentence: impl Into<String>) -> Self {
        Self { fault, sentence: sentence.into() }
    }
}

/// A sentence of no particular kind.
impl From<String> for Wrong {
    fn from(sentence: String) -> Self {
        Self::new(Fault::Other, sentence)
    }
}

/// The kinds of what may be wrong with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Fault {
    /// It is not SQL.
    Syntax,
    UnknownTable,
    UnknownColumn,
    AmbiguousColumn,
    DuplicateColumn,
    UnknownFunction,
    /// It would do more than read.
    ReadOnly,
    /// A value is not of its type, or not among those that are taken.
    Value,
    DivisionByZero,
    OutOfRange,
    /// A value of a parameter is missing, or there is one too many.
    Parameter,
    NotSupported,
    /// An aggregate or a column stands where the groups do not allow it.
    Grouping,
    /// A window function stands where none may, or a window is defined anew.
    Window,
    UnknownWindow,
    /// A position in `ORDER BY` or `GROUP BY` that is not in the select list.
    Position,
    /// A subquery gives several rows where a value is expected.
    SeveralRows,
    /// A negative number of rows.
    Limit,
    /// A power or root that is no real number.
    Power,
    Other,
}

impl Error {
    /// Something that cannot be done with a file, and why.
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

    /// The sentence with its causes, for a person.
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

impl From<datafusion::error::DataFusionError> for Error {
    fn from(source: datafusion::error::DataFusionError) -> Self {
        match resource_in(&source) {
            Some(resource) => resource,
            None => Self::Bug { what: "the SQL engine failed".into(), source: Some(source.into()) },
        }
    }
}

/// Something that we promise the SQL engine and that does not hold: a bug, whatever was asked.
pub fn broken(what: impl Into<String>) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(Error::bug(what)))
}

/// What could not be had, where that is what an engine's error began with.
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
