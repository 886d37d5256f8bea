//! Names that are not there: what was probably meant, or what there is.

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::super::database::{CATALOG, SCHEMA};
use super::error_from_message;
use super::wording::plain;
use crate::error::{Fault, QueryError};

pub fn schema_error(wrong: &SchemaError) -> QueryError {
    let name = |column: &Column| column.quoted_flat_name();
    match wrong {
        // A name that the engine made while it took a subquery apart.
        SchemaError::FieldNotFound { field, .. } if is_generated(field) => cannot_refer(),
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
            QueryError::new(Fault::UnknownColumn, sentence)
        }
        SchemaError::AmbiguousReference { field } => QueryError::new(
            Fault::AmbiguousColumn,
            format!("there are several columns {}; expected TABLE.{}", name(field), field.name()),
        ),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => QueryError::new(
            Fault::DuplicateColumn,
            format!("there would be two columns {name:?}; expected AS and another name for one"),
        ),
    }
}

/// A subquery that the engine cannot take apart.
pub fn cannot_refer() -> QueryError {
    let sentence = "a subquery cannot refer so to the query around it; say it as a join";
    QueryError::new(Fault::NotSupported, sentence)
}

fn is_generated(column: &Column) -> bool {
    let table = column.relation.as_ref().map(|table| table.table());
    table.is_some_and(|table| table.starts_with("__"))
}

/// A function that is not there, and the one that was probably meant.
pub fn unknown_function(words: &str) -> Option<QueryError> {
    let (name, rest) = words.strip_prefix("Invalid function '")?.split_once('\'')?;
    let remedy = REMEDIES.iter().find(|(known, _)| *known == name).map(|(_, remedy)| *remedy);
    let nearest = rest.split('\'').nth(1).filter(|nearest| *nearest != name);
    let hint = match (remedy, nearest) {
        (Some(remedy), _) => format!("; {remedy}"),
        (None, Some(nearest)) => format!("; did you mean {nearest}?"),
        (None, None) => String::new(),
    };
    Some(QueryError::new(Fault::UnknownFunction, format!("there is no function {name:?}{hint}")))
}

const ROWS_AS_JSON: &str =
    "rows become JSON by the format of the answer, and array_agg makes arrays";
const WINDOW: &str = "a window function needs OVER (…)";

/// Functions of PostgreSQL that are not here, and what is.
const REMEDIES: [(&str, &str); 22] = [
    ("json_agg", ROWS_AS_JSON),
    ("jsonb_agg", ROWS_AS_JSON),
    ("json_build_object", ROWS_AS_JSON),
    ("jsonb_build_object", ROWS_AS_JSON),
    ("json_object_agg", ROWS_AS_JSON),
    ("row_to_json", ROWS_AS_JSON),
    ("to_json", ROWS_AS_JSON),
    ("to_jsonb", ROWS_AS_JSON),
    ("mode", "expected a subquery with GROUP BY, ORDER BY count(*) DESC and LIMIT 1"),
    ("values", "expected SELECT around it, as in (SELECT * FROM (VALUES (1), (2)) AS listed)"),
    ("setseed", "chance has no seed here"),
    ("make_interval", "expected INTERVAL '…'"),
    ("row_number", WINDOW),
    ("rank", WINDOW),
    ("dense_rank", WINDOW),
    ("percent_rank", WINDOW),
    ("cume_dist", WINDOW),
    ("ntile", WINDOW),
    ("lag", WINDOW),
    ("lead", WINDOW),
    ("pg_sleep", "a query does not wait"),
    ("width_bucket", "expected CASE, or floor of a division"),
];

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
pub fn with_suggestions(error: DataFusionError, session: &SessionContext) -> DataFusionError {
    let DataFusionError::Plan(words) = error.find_root() else { return error };
    let words = plain(words);
    let unknown = error_from_message(&words);
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
    let told = super::error(unknown.fault, sentence.clone());
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
pub fn short(name: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_table() {
        for (name, expected) in
            [("/etc/passwd", true), ("a.csv", true), ("http://a/b", true), ("polls", false)]
        {
            assert_eq!(is_file(name), expected, "{name}");
        }
    }

    #[test]
    fn a_function_that_is_not_here_has_a_remedy() {
        let sentence =
            |words| unknown_function(words).map(|wrong| wrong.sentence).unwrap_or_default();
        assert!(sentence("Invalid function 'json_agg'.\nDid you mean 'x'?").contains("array_agg"));
        assert!(sentence("Invalid function 'rank'.\nDid you mean 'rank'?").contains("OVER (…)"));
        assert_eq!(
            sentence("Invalid function 'f'.\nDid you mean 'f'?"),
            "there is no function \"f\""
        );
    }
}
