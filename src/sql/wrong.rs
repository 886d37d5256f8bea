//! What is wrong with a question: the engine's errors as a sentence for a person, and its kind.
//!
//! Here alone is known how DataFusion words what it says. Errors of our own that have a kind go
//! through it as [`Wrong`]s ([`error`]).

use arrow::error::ArrowError;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, Diagnostic, Location, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::parser::ParserError;

use super::database::{CATALOG, SCHEMA};
use crate::error::{Error, Fault, Wrong};

/// An error of a kind, on its way through DataFusion.
pub fn error(fault: Fault, sentence: impl Into<String>) -> DataFusionError {
    DataFusionError::External(Box::new(Wrong::new(fault, sentence)))
}

/// What is wrong with a question that could not be planned or answered.
pub fn asked_wrongly(error: DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::Internal(_) => error.into(),
        root => Error::Query(wrong(root)),
    }
}

fn wrong(root: &DataFusionError) -> Wrong {
    use DataFusionError as E;
    match root {
        E::External(cause) => match cause.downcast_ref::<Wrong>() {
            Some(wrong) => wrong.clone(),
            None => Wrong::new(Fault::Other, cause.to_string()),
        },
        E::SQL(wrong, _) => match &**wrong {
            ParserError::ParserError(words) | ParserError::TokenizerError(words) => {
                Wrong::new(Fault::Syntax, of_syntax(words))
            }
            ParserError::RecursionLimitExceeded => {
                Wrong::new(Fault::Syntax, "the statement nests too deep")
            }
        },
        E::SchemaError(wrong, _) => of_columns(wrong),
        E::ArrowError(wrong, _) => of_arrow(wrong),
        E::NotImplemented(words) => {
            Wrong::new(Fault::NotSupported, format!("not supported: {}", plain(words)))
        }
        E::Plan(words) | E::Execution(words) | E::Configuration(words) => of_words(&plain(words)),
        other => of_words(&plain(&other.message())),
    }
}

/// Without a trace, the causes that are told again, and the names of kinds of errors.
fn plain(words: &str) -> String {
    const KINDS: [&str; 12] = [
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "Schema error: ",
        "Arrow error: ",
        "SQL error: ",
        "This feature is not implemented: ",
        "Parser error: ",
        "Cast error: ",
        "Invalid argument error: ",
        "Compute error: ",
        "Arithmetic overflow: ",
    ];
    let words = words.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    let words = words.rsplit("\ncaused by\n").next().unwrap_or_default();
    // The words of the function whose arguments are wrong are enough.
    let words = words.split_once(" coercion failed with: ").map_or(words, |(_, words)| words);
    let mut words = words.trim();
    while let Some(rest) = KINDS.iter().find_map(|kind| words.strip_prefix(kind)) {
        words = rest;
    }
    let words =
        words.split_once(" No function matches the given").map_or(words, |(words, _)| words);
    words.trim().trim_end_matches('.').replace('\n', " ")
}

/// What is told by words alone.
fn of_words(words: &str) -> Wrong {
    let quoted = |before: &str, after: &str| {
        let (name, rest) = words.strip_prefix(before)?.split_once('\'')?;
        Some((name.to_owned(), rest.strip_prefix(after)?.to_owned()))
    };
    if let Some((name, rest)) = quoted("Invalid function '", "") {
        let nearest = rest.split('\'').nth(1).map(|name| format!("; did you mean {name}?"));
        let sentence = format!("there is no function {name:?}{}", nearest.unwrap_or_default());
        return Wrong::new(Fault::UnknownFunction, sentence);
    }
    if let Some((name, _)) = quoted("table '", " not found") {
        return Wrong::new(Fault::UnknownTable, format!("there is no table {:?}", short(&name)));
    }
    if let Some((name, _)) = quoted("table function '", " not found") {
        let sentence = format!("there is no table function {name:?}");
        return Wrong::new(Fault::UnknownFunction, sentence);
    }
    if let Some((name, _)) = quoted("Placeholder '", " was not provided") {
        return no_value(&name);
    }
    if let Some(name) = words.strip_prefix("No value found for placeholder with ") {
        let name = name.trim_start_matches("name ").trim_start_matches("id ");
        return no_value(name);
    }
    let fault = match () {
        () if words.starts_with("Divide by zero") => return division_by_zero(),
        () if words.contains("require unique expression names") => Fault::DuplicateColumn,
        () if words.contains("verflow") => Fault::OutOfRange,
        () if words.contains("laceholder") => Fault::Parameter,
        () if words.starts_with("Cannot cast") || words.starts_with("Error parsing") => {
            Fault::Value
        }
        () => Fault::Other,
    };
    Wrong::new(fault, words)
}

/// A parameter without a value.
pub fn no_value(name: &str) -> Wrong {
    let name = name.trim_start_matches('$');
    Wrong::new(Fault::Parameter, format!("no value is given for ${name}"))
}

/// What is wrong with the value of a parameter.
pub fn of_parameter(name: &str, error: Error) -> Wrong {
    let name = name.trim_start_matches('$');
    let fault = match &error {
        Error::Query(wrong) => wrong.fault,
        _ => Fault::Value,
    };
    Wrong::new(fault, format!("${name}: {}", error.sentence()))
}

fn division_by_zero() -> Wrong {
    Wrong::new(Fault::DivisionByZero, "division by zero")
}

fn of_arrow(wrong: &ArrowError) -> Wrong {
    match wrong {
        ArrowError::DivideByZero => division_by_zero(),
        ArrowError::ArithmeticOverflow(words) => Wrong::new(Fault::OutOfRange, plain(words)),
        ArrowError::CastError(words) | ArrowError::ParseError(words) => {
            Wrong::new(Fault::Value, plain(words))
        }
        ArrowError::InvalidArgumentError(words) | ArrowError::ComputeError(words) => {
            of_words(&plain(words))
        }
        other => of_words(&plain(&other.to_string())),
    }
}

/// `Expected: an expression, found: FROM at Line: 1, Column: 8` in the words of a person.
fn of_syntax(words: &str) -> String {
    let words = words
        .replace("Expected: ", "expected ")
        .replace(", found: ", ", found ")
        .replace(" at Line: ", " at line ")
        .replace(", Column: ", ", column ");
    format!("not SQL: {words}")
}

fn of_columns(wrong: &SchemaError) -> Wrong {
    let name = |column: &Column| column.quoted_flat_name();
    match wrong {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<_> = valid_fields.iter().map(|field| field.name().to_owned()).collect();
            let sentence = match nearest(field.name(), &known) {
                Some(near) => {
                    let near = valid_fields.iter().find(|field| field.name() == near);
                    let near = near.map(name).unwrap_or_default();
                    format!("there is no column {}; did you mean {near}?", name(field))
                }
                None if known.is_empty() => format!("there is no column {}", name(field)),
                None => {
                    let known: Vec<_> = valid_fields.iter().map(name).collect();
                    format!("there is no column {}; expected one of {}", name(field), some(&known))
                }
            };
            Wrong::new(Fault::UnknownColumn, sentence)
        }
        SchemaError::AmbiguousReference { field } => Wrong::new(
            Fault::AmbiguousColumn,
            format!("there are several columns {}; expected TABLE.{}", name(field), field.name()),
        ),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => Wrong::new(
            Fault::DuplicateColumn,
            format!("there would be two columns {name:?}; expected AS and another name for one"),
        ),
    }
}

/// The first few of many.
fn some(names: &[String]) -> String {
    const SHOWN_MAX: usize = 20;
    let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
    names[..names.len().min(SHOWN_MAX)].join(", ") + more
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distances = known.iter().map(|other| (levenshtein(&name, &other.to_lowercase()), other));
    let (distance, other) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 2 < name.chars().count().max(2)).then_some(other)
}

/// Tells of a table or table function that is not there which ones are; other errors stay as they are.
pub fn with_names(error: DataFusionError, session: &SessionContext) -> DataFusionError {
    let DataFusionError::Plan(words) = error.find_root() else { return error };
    let words = plain(words);
    let unknown = of_words(&words);
    let name = words.split('\'').nth(1).map(short).unwrap_or_default().to_owned();
    let is_function = match unknown.fault {
        Fault::UnknownTable => false,
        Fault::UnknownFunction if words.starts_with("table function '") => true,
        _ => return error,
    };
    let sentence = match is_file(&name) {
        true => format!("{name:?} is no table: files are not read; {}", tables(session).1),
        false => suggested(&unknown.sentence, &name, is_function, session),
    };
    let told = self::error(unknown.fault, sentence.clone());
    match error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        Some(span) => told.with_diagnostic(Diagnostic::new_error(sentence, Some(span))),
        None => told,
    }
}

fn suggested(unknown: &str, name: &str, is_function: bool, session: &SessionContext) -> String {
    let (tables, listed) = tables(session);
    let mut functions: Vec<_> = session.state().table_functions().keys().cloned().collect();
    functions.sort();
    if !is_function && functions.iter().any(|function| function == name) {
        return format!("{name} is a table function; expected {name}(…)");
    }
    if is_function && tables.iter().any(|table| table == name) {
        return format!("{name} is a table, not a function; expected it without parentheses");
    }
    let (alike, others) = if is_function { (&functions, &tables) } else { (&tables, &functions) };
    let near = nearest(name, alike).map(|near| (near, is_function));
    let near = near.or_else(|| nearest(name, others).map(|near| (near, !is_function)));
    let near = near.map(|(near, is_function)| {
        let call = if is_function { "(…)" } else { "" };
        format!("; did you mean {near}{call}?")
    });
    match near {
        Some(near) => format!("{unknown}{near}"),
        None if is_function => format!("{unknown}; there are {}", functions.join(", ")),
        None => format!("{unknown}; {listed}"),
    }
}

/// The tables that analysts see, and a sentence that names them.
fn tables(session: &SessionContext) -> (Vec<String>, String) {
    let schema = session.catalog(CATALOG).and_then(|catalog| catalog.schema(SCHEMA));
    let mut names = schema.map_or(Vec::new(), |schema| schema.table_names());
    names.sort();
    let listed = format!("the tables are {}", some(&names));
    (names, listed)
}

/// A name without the catalog and schema of every table.
fn short(name: &str) -> &str {
    let of_catalog = name.strip_prefix(CATALOG).and_then(|name| name.strip_prefix('.'));
    let name = of_catalog.unwrap_or(name);
    name.strip_prefix(SCHEMA).and_then(|name| name.strip_prefix('.')).unwrap_or(name)
}

fn is_file(name: &str) -> bool {
    const ENDINGS: [&str; 9] =
        ["csv", "tsv", "json", "ndjson", "parquet", "arrow", "gz", "zst", "txt"];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    name.contains(['/', '\\']) || ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: DataFusionError, fault: Fault, sentence: &str) {
        let expected = Wrong::new(fault, sentence);
        assert_eq!(wrong(error.find_root()), expected);
    }

    #[test]
    fn the_engines_errors_are_sentences_of_a_kind() {
        let plan = |words: &str| DataFusionError::Plan(words.to_owned());
        check(
            plan("Invalid function 'lenght'.\nDid you mean 'length'?"),
            Fault::UnknownFunction,
            "there is no function \"lenght\"; did you mean length?",
        );
        check(
            plan("table 'uptally.public.rejectss' not found").context("while planning"),
            Fault::UnknownTable,
            "there is no table \"rejectss\"",
        );
        check(
            DataFusionError::Execution(
                "Function 'is_open' user-defined coercion failed with: Error during planning: \
                 is_open(a): a has to be b No function matches the given name"
                    .to_owned(),
            ),
            Fault::Other,
            "is_open(a): a has to be b",
        );
        let parsed = ParserError::ParserError(
            "Expected: an expression, found: FROM at Line: 1, Column: 8".to_owned(),
        );
        check(
            DataFusionError::SQL(Box::new(parsed), None),
            Fault::Syntax,
            "not SQL: expected an expression, found FROM at line 1, column 8",
        );
        let divided = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
        check(divided, Fault::DivisionByZero, "division by zero");
        check(error(Fault::ReadOnly, "no").context("x"), Fault::ReadOnly, "no");
    }

    #[test]
    fn a_file_is_told_from_a_table() {
        for (name, expected) in
            [("/etc/passwd", true), ("a.csv", true), ("http://a/b", true), ("polls", false)]
        {
            assert_eq!(is_file(name), expected, "{name}");
        }
    }
}
