//! Failure of a query, in a form that crosses processes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Fault, LimitError, QueryError};

/// [`Error`] without the sources that exist only in the process where it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    File(String),
    Argument(String),
    Query(Fault, String),
    Limit(LimitError),
    Busy(String),
    /// Description of the resource, and the system's error.
    Resource(String, String),
    Bug(String),
    Interrupted,
    /// Error response for a PostgreSQL client.
    Postgres {
        code: String,
        sentence: String,
        position: Option<String>,
    },
}

impl Failure {
    /// Returns true if the query is at fault or exceeds a limit: the process can run others.
    pub fn is_client_error(&self) -> bool {
        /// SQLSTATE classes and codes of such failures.
        const CLIENT_ERROR_CODES: [&str; 9] =
            ["08", "0A", "20", "21", "22", "25", "42", "53", "57014"];
        match self {
            Self::Argument(_) | Self::Query(..) | Self::Busy(_) => true,
            Self::Limit(exceeded) => !exceeded.limit.is_of_time(),
            Self::Postgres { code, .. } => {
                CLIENT_ERROR_CODES.iter().any(|class| code.starts_with(class))
            }
            _ => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::File(sentence) => Self::File(sentence),
            Error::Argument(sentence) => Self::Argument(sentence),
            Error::Query(wrong) => Self::Query(wrong.fault, wrong.sentence),
            Error::Limit(exceeded) => Self::Limit(exceeded),
            Error::Busy(sentence) => Self::Busy(sentence),
            Error::Resource { what, source } => {
                let mut causes = vec![source.to_string()];
                let mut cause = source.source();
                while let Some(error) = cause {
                    causes.push(error.to_string());
                    cause = error.source();
                }
                Self::Resource(what, causes.join(": "))
            }
            Error::Bug { what, source } => {
                let cause = source.map(|cause| format!(": {cause}")).unwrap_or_default();
                Self::Bug(what + &cause)
            }
            Error::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::File(sentence) => Self::File(sentence),
            Failure::Argument(sentence) => Self::Argument(sentence),
            Failure::Query(fault, sentence) => Self::Query(QueryError::new(fault, sentence)),
            Failure::Limit(exceeded) => Self::Limit(exceeded),
            Failure::Busy(sentence) => Self::Busy(sentence),
            Failure::Resource(what, source) => Self::Resource { what, source: source.into() },
            Failure::Bug(what) => Self::bug(what),
            Failure::Interrupted => Self::Interrupted,
            Failure::Postgres { sentence, .. } => Self::bug(format!(
                "an error for a PostgreSQL client reached another one: {sentence}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limit;

    #[test]
    fn an_error_comes_out_as_it_went_in() {
        let missing = || std::io::Error::other("no space left");
        for error in [
            Error::Argument("a".into()),
            Error::Query(QueryError::new(Fault::DivisionByZero, "b")),
            Error::limit(Limit::Memory, "c"),
            Error::limit(Limit::Time, "c"),
            Error::Busy("later".into()),
            Error::Resource { what: "d".into(), source: missing().into() },
            Error::bug("e"),
            Error::Interrupted,
        ] {
            let sentence = error.sentence();
            let failure = Failure::from(error);
            let text = serde_json::to_string(&failure).unwrap();
            let read: Failure = serde_json::from_str(&text).unwrap();
            assert_eq!(read, failure);
            let error = Error::from(read);
            assert_eq!(error.sentence(), sentence);
            assert_eq!(Failure::from(error), failure);
        }
    }

    #[test]
    fn faults_of_a_query_differ_from_faults_of_the_server() {
        let postgres = |code: &str| Failure::Postgres {
            code: code.into(),
            sentence: String::new(),
            position: None,
        };
        for (failure, expected) in [
            (Failure::Query(Fault::Syntax, String::new()), true),
            (Error::limit(Limit::Spool, "").into(), true),
            (Error::limit(Limit::IdleTime, "").into(), false),
            (Failure::Resource(String::new(), String::new()), false),
            (Failure::Bug(String::new()), false),
            (postgres("42P01"), true),
            (postgres("2201W"), true),
            (postgres("57014"), true),
            (postgres("53000"), true),
            (postgres("53200"), true),
            (postgres("57P03"), false),
            (postgres("XX000"), false),
        ] {
            assert_eq!(failure.is_client_error(), expected, "{failure:?}");
        }
    }
}
