//! Translation of DataFusion's errors to sentences for users, each of a kind ([`Fault`]).
//!
//! DataFusion's wording is known to this module only, and none of it reaches users unless it reads
//! like ours. [`messages`] translates the messages that analysts meet and [`sql_types`] gives types
//! their SQL names. Any other message is logged and replaced by a general sentence. Our own errors
//! of a kind pass through the engine as [`QueryError`]s ([`error`]).

mod debug_format;
mod message_patterns;
mod messages;
mod sql_types;
mod unknown_names;
mod wording;

use arrow::error::ArrowError;
use datafusion::common::Location;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use parquet::errors::ParquetError;

pub use self::sql_types::{in_sql as types_in_sql, type_name as sql_type_name};
pub use self::unknown_names::with_suggestions;
use self::wording::{is_code, is_plain, lower_first, plain};
pub use crate::error::query_fault as error;
use crate::error::{Error, Fault, Limit, LimitError, QueryError};
use crate::limits::Limits;

/// Translates an error of planning or execution.
pub fn query_error(error: DataFusionError) -> Error {
    translate(error, |wanted| {
        Error::limit(Limit::Memory, format!("the query needs more memory than there is: {wanted}"))
    })
}

/// Same as [`query_error`], for a query with limits: a memory error names the limit.
pub fn query_error_within(error: DataFusionError, limits: &Limits) -> Error {
    translate(error, |wanted| limits.memory_exceeded(wanted))
}

fn translate(error: DataFusionError, out_of_memory: impl FnOnce(&str) -> Error) -> Error {
    tracing::debug!(%error, "a question failed");
    let cause = match lost_column(&error) {
        true => Cause::Question(unknown_names::correlation_error()),
        false => cause(error.find_root()),
    };
    match cause {
        Cause::Question(wrong) => Error::Query(wrong),
        Cause::Memory(wanted) => out_of_memory(&wanted),
        Cause::Resource(what, found) => Error::Resource { what, source: found.into() },
        Cause::Ours(what) => Error::bug(what),
        Cause::Bug => {
            tracing::error!(%error, "the SQL engine failed");
            Error::bug("the SQL engine failed")
        }
    }
}

/// Returns whether an optimizer rule lost a column that planning had resolved.
fn lost_column(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::Context(words, within) => {
            let is_of_rule = words.starts_with("Optimizer rule ");
            let is_of_columns = matches!(within.find_root(), DataFusionError::SchemaError(..));
            (is_of_rule && is_of_columns) || lost_column(within)
        }
        DataFusionError::Diagnostic(_, within) => lost_column(within),
        _ => false,
    }
}

/// Cause of an engine error.
enum Cause {
    Question(QueryError),
    /// Memory limit exceeded; holds the purpose of the allocation.
    Memory(String),
    /// A resource is unavailable: what, and the system's reason.
    Resource(String, String),
    /// A broken invariant of ours.
    Ours(String),
    Bug,
}

fn file(found: impl Into<String>) -> Cause {
    Cause::Resource("cannot read a file of the tables".to_owned(), found.into())
}

fn cause(root: &DataFusionError) -> Cause {
    use DataFusionError as E;
    match root {
        E::ArrowError(wrong, _) => arrow_cause(wrong),
        E::ParquetError(wrong) => parquet_cause(wrong),
        E::ObjectStore(wrong) => file(system_error(wrong.as_ref())),
        E::IoError(wrong) => file(wrong.to_string()),
        E::SQL(wrong, _) => Cause::Question(match &**wrong {
            ParserError::ParserError(words) | ParserError::TokenizerError(words) => {
                syntax_error(words)
            }
            ParserError::RecursionLimitExceeded => {
                QueryError::new(Fault::Syntax, "the statement nests too deep")
            }
        }),
        E::NotImplemented(words) => Cause::Question(not_supported(words)),
        E::Internal(words) => {
            let known =
                messages::translate(&plain(words)).filter(|wrong| is_plain(&wrong.sentence));
            Cause::Question(known.unwrap_or_else(unexplained))
        }
        E::SchemaError(wrong, _) => Cause::Question(unknown_names::schema_error(wrong)),
        E::Plan(words)
        | E::Execution(words)
        | E::Configuration(words)
        | E::Substrait(words)
        | E::Ffi(words) => Cause::Question(error_from_message(&plain(words))),
        E::ExecutionJoin(_) => Cause::Bug,
        E::ResourcesExhausted(words) => Cause::Memory(memory_purpose(words)),
        E::External(other) => external_cause(other.as_ref()),
        E::Context(_, error) | E::Diagnostic(_, error) => cause(error),
        E::Shared(error) => cause(error),
        E::Collection(errors) => {
            errors.first().map_or(Cause::Bug, |first| cause(first.find_root()))
        }
    }
}

fn external_cause(other: &(dyn std::error::Error + Send + Sync + 'static)) -> Cause {
    if let Some(wrong) = other.downcast_ref::<QueryError>() {
        return Cause::Question(wrong.clone());
    }
    if let Some(error) = other.downcast_ref::<DataFusionError>() {
        return cause(error.find_root());
    }
    if let Some(error) = other.downcast_ref::<ArrowError>() {
        return arrow_cause(error);
    }
    if let Some(error) = other.downcast_ref::<ParquetError>() {
        return parquet_cause(error);
    }
    if let Some(error) = other.downcast_ref::<std::io::Error>() {
        return file(error.to_string());
    }
    match other.downcast_ref::<Error>() {
        Some(Error::Query(wrong)) => Cause::Question(wrong.clone()),
        Some(Error::Bug { what, .. }) => Cause::Ours(what.clone()),
        Some(Error::Resource { what, source }) => Cause::Resource(what.clone(), source.to_string()),
        Some(Error::File(sentence)) => file(sentence),
        Some(Error::Limit(LimitError { sentence, .. }) | Error::Argument(sentence)) => {
            Cause::Question(QueryError::new(Fault::Other, sentence.clone()))
        }
        Some(Error::Interrupted | Error::Busy(_)) | None => {
            Cause::Question(error_from_message(&plain(&other.to_string())))
        }
    }
}

fn arrow_cause(wrong: &ArrowError) -> Cause {
    use ArrowError as A;
    Cause::Question(match wrong {
        A::DivideByZero => division_by_zero(),
        A::ArithmeticOverflow(words) => {
            QueryError { fault: Fault::OutOfRange, ..error_from_message(&plain(words)) }
        }
        A::DictionaryKeyOverflowError | A::RunEndIndexOverflowError | A::OffsetOverflowError(_) => {
            let sentence = "the values of a column are too long together; select fewer at once";
            QueryError::new(Fault::OutOfRange, sentence)
        }
        A::CastError(words) | A::ParseError(words) => match error_from_message(&plain(words)) {
            wrong @ QueryError { fault: Fault::OutOfRange, .. } => wrong,
            wrong => QueryError { fault: Fault::Value, ..wrong },
        },
        A::NotYetImplemented(words) => not_supported(words),
        A::InvalidArgumentError(words)
        | A::ComputeError(words)
        | A::SchemaError(words)
        | A::CsvError(words)
        | A::JsonError(words)
        | A::AvroError(words)
        | A::IpcError(words)
        | A::CDataInterface(words) => match words.strip_prefix(debug_format::FILTER_PREFIX) {
            Some(printed) => return filter_cause(printed),
            None => error_from_message(&plain(words)),
        },
        A::ParquetError(words) => match words.contains(debug_format::FILTER_PREFIX) {
            true => return parquet_cause(&ParquetError::ArrowError(words.clone())),
            false => return file("it is damaged"),
        },
        A::IoError(_, error) => return file(error.to_string()),
        A::MemoryError(words) => return Cause::Memory(memory_purpose(words)),
        A::ExternalError(other) => return external_cause(other.as_ref()),
    })
}

/// A predicate evaluated during a Parquet scan fails as if the file were faulty.
fn parquet_cause(wrong: &ParquetError) -> Cause {
    match wrong {
        ParquetError::External(other) => external_cause(other.as_ref()),
        ParquetError::General(words) | ParquetError::ArrowError(words) => {
            match words.split_once(debug_format::FILTER_PREFIX) {
                Some((_, printed)) => filter_cause(printed),
                None => file("it is damaged"),
            }
        }
        _ => file("it is damaged"),
    }
}

fn filter_cause(printed: &str) -> Cause {
    match debug_format::parse(printed) {
        Some(error) => cause(error.find_root()),
        None => Cause::Question(unexplained()),
    }
}

/// The operating system's reason for a file error, without the engine's context.
fn system_error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref::<std::io::Error>() {
            return found.to_string();
        }
        cause = found.source();
    }
    "it is not there, or cannot be read".to_owned()
}

/// Classifies an error that consists of a message alone.
fn error_from_message(words: &str) -> QueryError {
    if let Some(wrong) = unknown_names::unknown_function(words) {
        return wrong;
    }
    let quoted = |before: &str, after: &str| {
        let (name, rest) = words.strip_prefix(before)?.split_once('\'')?;
        rest.starts_with(after).then_some(name)
    };
    if let Some(name) = quoted("table '", " not found") {
        let sentence = format!("there is no table {:?}", unknown_names::short(name));
        return QueryError::new(Fault::UnknownTable, sentence);
    }
    if let Some(name) = quoted("table function '", " not found") {
        let sentence = format!("there is no table function {name:?}");
        return QueryError::new(Fault::UnknownFunction, sentence);
    }
    if let Some(name) = quoted("Placeholder '", " was not provided") {
        return missing_value(name);
    }
    if let Some(name) = words.strip_prefix("No value found for placeholder with ") {
        let name = name.trim_start_matches("name ").trim_start_matches("id ");
        return missing_value(name);
    }
    if words.starts_with("Divide by zero") {
        return division_by_zero();
    }
    let known = messages::translate(words).filter(|wrong| is_plain(&wrong.sentence));
    known.unwrap_or_else(|| {
        let said = sql_types::in_sql(&words.replace('\n', " "));
        // Plan nodes are quoted in the message, as user text may be.
        if !is_plain(&said) || words.starts_with("Plan: [") {
            return unexplained();
        }
        QueryError::new(kind_of_message(words), lower_first(&said))
    })
}

/// Kind of an engine error that has no type beside its message. Quoted text is the client's own and
/// tells nothing.
fn kind_of_message(words: &str) -> Fault {
    let bare = sql_types::unquoted(words);
    if bare.contains("verflow") || bare.contains("out of range") {
        Fault::OutOfRange
    } else if bare.contains("laceholder") {
        Fault::Parameter
    } else if bare.starts_with("Error parsing") {
        Fault::Value
    } else {
        Fault::Other
    }
}

/// Error for a message without a translation.
fn unexplained() -> QueryError {
    let sentence = "the SQL engine cannot carry out this statement; say it in another way, or in \
        several steps by WITH";
    QueryError::new(Fault::NotSupported, sentence)
}

fn not_supported(words: &str) -> QueryError {
    let words = plain(words);
    if let Some(wrong) = messages::translate(&words).filter(|wrong| is_plain(&wrong.sentence)) {
        return wrong;
    }
    let node = words.strip_prefix("Unsupported ast node ");
    let node = node.map(|node| node.strip_prefix("in sqltorel: ").unwrap_or(node));
    let node = node.and_then(|node| node.split(|sign: char| !sign.is_alphanumeric()).next());
    if let Some(node) = node.filter(|node| !node.is_empty() && !is_code(node)) {
        let sentence = format!("not supported: {}; say it in another way", node.to_uppercase());
        return QueryError::new(Fault::NotSupported, sentence);
    }
    match error_from_message(&words) {
        QueryError { fault: Fault::NotSupported, sentence } => {
            QueryError::new(Fault::NotSupported, sentence)
        }
        QueryError { sentence, .. } => {
            QueryError::new(Fault::NotSupported, format!("not supported: {sentence}"))
        }
    }
}

/// Purpose of a failed allocation, in the engine's words if these read like ours.
fn memory_purpose(words: &str) -> String {
    let words = plain(words);
    match is_plain(&words) && !words.contains('[') {
        true => words,
        false => "sort, group or join less at once".to_owned(),
    }
}

/// Error of an unbound parameter.
pub fn missing_value(name: &str) -> QueryError {
    let name = name.trim_start_matches('$');
    QueryError::new(Fault::Parameter, format!("no value is given for ${name}"))
}

/// Error of an invalid parameter value.
pub fn parameter_error(name: &str, error: Error) -> QueryError {
    let name = name.trim_start_matches('$');
    let fault = match &error {
        Error::Query(wrong) => wrong.fault,
        _ => Fault::Value,
    };
    QueryError::new(fault, format!("${name}: {}", error.sentence()))
}

fn division_by_zero() -> QueryError {
    QueryError::new(Fault::DivisionByZero, "division by zero")
}

/// Rewrites a parser error such as `Expected: an expression, found: FROM at Line: 1, Column: 8`.
fn syntax_error(words: &str) -> QueryError {
    let words = words
        .replace("Expected: ", "expected ")
        .replace(", found: ", ", found ")
        .replace(" at Line: ", " at line ")
        .replace(", Column: ", ", column ");
    if let Some(found) = messages::capture("No infix parser for token {} at {}", &words) {
        let sentence = format!("not SQL: the operator at {} is not known", found[1]);
        return QueryError::new(Fault::Syntax, sentence);
    }
    if words.contains("an SQL statement, found TABLE ") {
        let sentence = "TABLE alone is not read here; write SELECT * FROM and the table";
        return QueryError::new(Fault::Syntax, sentence);
    }
    QueryError::new(Fault::Syntax, format!("not SQL: {words}"))
}

/// Location of an error in the statement's text; `None` if the statement was not parsed from text.
pub fn error_location(failed: &DataFusionError) -> Option<Location> {
    if let Some(span) = failed.diagnostic().and_then(|diagnostic| diagnostic.span) {
        return Some(span.start).filter(|start| start.line > 0);
    }
    // The parser gives the location only in its message.
    let sentence = failed.to_string();
    let (_, place) = sentence.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(column.len());
    Some(Location { line: line.parse().ok()?, column: column[..digits].parse().ok()? })
}

#[cfg(test)]
mod tests;
