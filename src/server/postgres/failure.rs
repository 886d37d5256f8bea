//! What a PostgreSQL client hears when it cannot have what it asked for: a code of SQLSTATE, a
//! sentence, and the place in its text where there is one.

use datafusion::common::{Location, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};

use super::super::problem::Refusal;
use crate::error::Error;
use crate::sql::Limits;

pub fn error(code: &str, sentence: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".into(), code.into(), sentence.into())))
}

/// After which the connection is closed.
pub fn fatal(code: &str, sentence: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".into(), code.into(), sentence.into())))
}

/// The client reads what it can mend itself; what it cannot is logged, once.
pub fn of(failed: Error) -> PgWireError {
    match failed {
        Error::Limit(sentence) if Limits::is_of_time(&sentence) => error("57014", sentence),
        Error::Limit(sentence) => error("53200", sentence),
        Error::Argument(sentence) | Error::Query(sentence) => error(code_of(&sentence), sentence),
        other => of_refusal(Refusal::from(other)),
    }
}

pub fn of_refusal(refused: Refusal) -> PgWireError {
    let code = if refused.status.as_u16() == 503 { "57P03" } else { "XX000" };
    error(code, refused.detail)
}

/// What is wrong with a text that cannot be planned, and where.
pub fn of_planning(failed: DataFusionError, text: &str) -> PgWireError {
    let place = place_of(&failed);
    let code = match failed.find_root() {
        DataFusionError::SQL(..) => Some("42601"),
        DataFusionError::NotImplemented(_) => Some("0A000"),
        DataFusionError::SchemaError(schema, _) => Some(match **schema {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42701",
        }),
        _ => None,
    };
    // The parser's own words, without the names of its types around them.
    let words = match failed.find_root() {
        DataFusionError::SQL(wrong, _) => match &**wrong {
            ParserError::ParserError(words) | ParserError::TokenizerError(words) => {
                Some(words.clone())
            }
            ParserError::RecursionLimitExceeded => None,
        },
        _ => None,
    };
    let mut wrong = match crate::sql::asked_wrongly(failed) {
        Error::Query(sentence) => {
            let code = code.unwrap_or_else(|| code_of(&sentence));
            ErrorInfo::new("ERROR".into(), code.into(), words.unwrap_or(sentence))
        }
        other => return of(other),
    };
    wrong.position = place.and_then(|place| position(text, place)).map(|place| place.to_string());
    PgWireError::UserError(Box::new(wrong))
}

/// The code of a sentence that carries none, by its words; those of a wrong question if by none.
fn code_of(sentence: &str) -> &'static str {
    const WORDS: &[(&str, &str)] = &[
        ("DDL not supported", "25006"),
        ("DML not supported", "25006"),
        ("Statement not supported", "25006"),
        ("table '", "42P01"),
        ("Invalid function", "42883"),
        ("Invalid table function", "42883"),
        ("table function '", "42883"),
        ("No field named", "42703"),
        ("Divide by zero", "22012"),
        ("Overflow", "22003"),
        ("Cast error", "22P02"),
        ("Parser error", "22P02"),
        ("not implemented", "0A000"),
        ("Placeholder", "08P01"),
        ("placeholder", "08P01"),
    ];
    let found = WORDS.iter().find(|(words, _)| sentence.contains(words));
    found.map_or("42000", |(_, code)| code)
}

/// Where in its text a question is wrong; `None` where it was not read from one.
pub fn place_of(failed: &DataFusionError) -> Option<Location> {
    if let Some(span) = failed.diagnostic().and_then(|diagnostic| diagnostic.span) {
        return Some(span.start).filter(|start| start.line > 0);
    }
    // The parser says it in words alone.
    let sentence = failed.to_string();
    let (_, place) = sentence.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(column.len());
    Some(Location { line: line.parse().ok()?, column: column[..digits].parse().ok()? })
}

/// The place as the protocol counts: characters from 1 on.
fn position(text: &str, place: Location) -> Option<usize> {
    let before = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let lines: usize =
        text.split_inclusive('\n').take(before).map(|line| line.chars().count()).sum();
    Some(lines + usize::try_from(place.column).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters() {
        let place = |line, column| Location { line, column };
        assert_eq!(position("SELECT é, x", place(1, 11)), Some(11));
        assert_eq!(position("SELECT 'é'\n  x", place(2, 3)), Some(14));
        assert_eq!(position("SELECT", place(0, 0)), None);
    }
}
