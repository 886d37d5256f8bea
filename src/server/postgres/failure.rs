//! Errors for PostgreSQL clients: SQLSTATE, message, and position in the SQL text where known.

use datafusion::common::Location;
use datafusion::error::DataFusionError;
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};

use super::super::problem::Refusal;
use super::super::queries::Failure;
use crate::error::{Error, Fault, Limit, LimitError};
use crate::sql::error_location;

pub fn error(code: &str, sentence: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".into(), code.into(), sentence.into())))
}

/// Error of severity FATAL; the connection is closed after it.
pub fn fatal(code: &str, sentence: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".into(), code.into(), sentence.into())))
}

/// Converts an error into the form that crosses between processes.
pub fn to_failure(failed: PgWireError) -> Failure {
    let ErrorInfo { code, message: sentence, position, .. } = failed.into();
    Failure::Postgres { code, sentence, position }
}

/// Converts a failure of a worker or of this process into a protocol error.
pub fn from_failure(failure: Failure) -> PgWireError {
    match failure {
        Failure::Postgres { code, sentence, position } => {
            let mut info = ErrorInfo::new("ERROR".into(), code, sentence);
            info.position = position;
            PgWireError::UserError(Box::new(info))
        }
        other => from_error(other.into()),
    }
}

/// PostgreSQL's words for a query at its deadline. A query that a client cancels has the same
/// SQLSTATE; clients tell the two apart by the words.
const TIMED_OUT: &str = "canceling statement due to statement timeout";

/// SQLSTATE of success.
pub const SUCCESSFUL: &str = "00000";

/// SQLSTATE that the client receives.
pub fn sqlstate(failed: &PgWireError) -> &str {
    match failed {
        PgWireError::UserError(info) => &info.code,
        PgWireError::QueryCanceled => "57014",
        PgWireError::PortalNotFound(_) => "34000",
        _ => "XX000",
    }
}

/// Converts an error. The client gets the text of errors that it can fix; others are logged once.
pub fn from_error(failed: Error) -> PgWireError {
    match failed {
        Error::Limit(LimitError { limit: Limit::Time, sentence }) => {
            error(limit_sqlstate(Limit::Time), format!("{TIMED_OUT}: {sentence}"))
        }
        Error::Limit(exceeded) => error(limit_sqlstate(exceeded.limit), exceeded.sentence),
        // Others use the resource; 53200 is what a query itself uses up.
        Error::Busy(sentence) => error("53000", sentence),
        Error::Argument(sentence) => error(fault_sqlstate(Fault::Other), sentence),
        Error::Query(wrong) => error(fault_sqlstate(wrong.fault), wrong.sentence),
        other => from_refusal(Refusal::from(other)),
    }
}

fn limit_sqlstate(limit: Limit) -> &'static str {
    if limit.is_of_time() { "57014" } else { "53200" }
}

pub fn from_refusal(refused: Refusal) -> PgWireError {
    let code = if refused.status.as_u16() == 503 { "57P03" } else { "XX000" };
    error(code, refused.detail)
}

/// Converts a planning error of `text`, with its position.
pub fn from_planning_error(failed: DataFusionError, text: &str) -> PgWireError {
    let place = error_location(&failed);
    let mut wrong = match crate::sql::query_error(failed) {
        Error::Query(wrong) => {
            ErrorInfo::new("ERROR".into(), fault_sqlstate(wrong.fault).into(), wrong.sentence)
        }
        other => return from_error(other),
    };
    wrong.position = place.and_then(|place| position(text, place)).map(|place| place.to_string());
    PgWireError::UserError(Box::new(wrong))
}

fn fault_sqlstate(fault: Fault) -> &'static str {
    match fault {
        Fault::Syntax => "42601",
        Fault::UnknownTable => "42P01",
        Fault::UnknownColumn => "42703",
        Fault::AmbiguousColumn => "42702",
        Fault::DuplicateColumn => "42701",
        Fault::UnknownFunction => "42883",
        Fault::ReadOnly => "25006",
        Fault::Value => "22P02",
        Fault::DivisionByZero => "22012",
        Fault::OutOfRange => "22003",
        Fault::Parameter => "08P01",
        Fault::NotSupported => "0A000",
        Fault::Grouping => "42803",
        Fault::Window => "42P20",
        Fault::UnknownWindow => "42704",
        Fault::Position => "42P10",
        Fault::SeveralRows => "21000",
        Fault::Limit => "2201W",
        Fault::Power => "2201F",
        Fault::Other => "42000",
    }
}

/// Position as the protocol counts it: characters, from 1.
fn position(text: &str, place: Location) -> Option<usize> {
    let before = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let lines: usize =
        text.split_inclusive('\n').take(before).map(|line| line.chars().count()).sum();
    Some(lines + usize::try_from(place.column).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn what_others_use_differs_from_what_the_query_uses() {
        let limits = Limits::default();
        for (failed, expected) in [
            (limits.permits_taken(), "53000"),
            (crate::fair_semaphore::QueueFull.into(), "53000"),
            (limits.memory_exceeded("a sort"), "53200"),
            (limits.spool_exceeded(), "53200"),
        ] {
            assert_eq!(sqlstate(&from_error(failed)), expected);
        }
    }

    #[test]
    fn what_ends_a_query_early_has_one_code_and_words_of_its_own() {
        let limits = Limits::default();
        for (limit, expected, words) in [
            (limits.time_exceeded(), "57014", "due to statement timeout: the query takes longer"),
            (limits.idle_time_exceeded(), "57014", "no rows were taken for 1m"),
            (limits.memory_exceeded("for a column \"--sql-time\""), "53200", "512 MiB"),
        ] {
            let error = from_error(limit);
            assert_eq!(sqlstate(&error), expected);
            assert!(error.to_string().contains(words), "{error}");
        }
        let cancelled = PgWireError::QueryCanceled;
        assert_eq!(sqlstate(&cancelled), "57014");
        assert_eq!(cancelled.to_string(), "canceling statement due to user request");
    }

    #[test]
    fn a_place_is_counted_in_characters() {
        let place = |line, column| Location { line, column };
        assert_eq!(position("SELECT é, x", place(1, 11)), Some(11));
        assert_eq!(position("SELECT 'é'\n  x", place(2, 3)), Some(14));
        assert_eq!(position("SELECT", place(0, 0)), None);
    }
}
