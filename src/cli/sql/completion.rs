//! Completion of commands, tables, columns, functions and keywords.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::SchemaProvider;
use datafusion::sql::sqlparser::tokenizer::Token;
use reedline::{Completer, Span, Suggestion};

use super::commands::COMMANDS;
use super::function_help;
use super::statement_reader::tokens;
use crate::report::Format;
use crate::rules::keyword::words;
use crate::sql::Session;

/// Keywords of queries; those of other statements are not suggested.
const KEYWORDS: [&str; 62] = [
    "ALL",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CURRENT ROW",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FALSE",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FROM",
    "FULL JOIN",
    "GROUP BY",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER JOIN",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OVER",
    "PARTITION BY",
    "PRECEDING",
    "RANGE",
    "RIGHT JOIN",
    "ROWS",
    "SELECT",
    "SEMI",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION ALL",
    "USING",
    "WHEN",
    "WHERE",
];

/// Names of a session to suggest.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Tables with their columns.
    pub tables: Vec<(String, Vec<String>)>,
    pub functions: Vec<String>,
}

impl Names {
    pub async fn from_session(session: &Session) -> Self {
        let context = session.context();
        let functions = function_help::names(&context.state());
        let mut tables = Vec::new();
        let catalogs =
            context.catalog_names().into_iter().filter_map(|name| context.catalog(&name));
        for catalog in catalogs {
            for name in catalog.schema_names() {
                if name == "information_schema" {
                    tables.push((name, Vec::new()));
                } else if let Some(schema) = catalog.schema(&name) {
                    tables.extend(tables_of(&schema).await);
                }
            }
        }
        Self { tables, functions }
    }
}

async fn tables_of(schema: &Arc<dyn SchemaProvider>) -> Vec<(String, Vec<String>)> {
    let mut tables = Vec::new();
    for name in schema.table_names() {
        // A table that cannot be opened contributes no columns.
        let table = schema.table(&name).await.ok().flatten();
        let schema = table.map(|table| table.schema());
        let columns = schema.iter().flat_map(|schema| schema.fields().iter());
        let columns = columns.map(|field| field.name().clone()).collect();
        tables.push((name, columns));
    }
    tables
}

/// Start of the word before the byte offset `at`, and its completions, in order.
pub fn suggestions(names: &Names, text: &str, at: usize) -> (usize, Vec<String>) {
    let Some(text) = text.get(..at) else { return (at, Vec::new()) };
    if text.trim_start().starts_with(['.', '\\']) {
        return command_suggestions(names, text);
    }
    let found = tokens(text);
    let is_whole = found.last().is_some_and(|(_, _, end)| *end == at);
    let word_at = match found.last() {
        // Within an unterminated quote there is nothing to suggest.
        None if at > 0 => return (at, Vec::new()),
        Some(_) if !is_whole => return (at, Vec::new()),
        Some((Token::Word(_), start, _)) => *start,
        _ => at,
    };
    let before: Vec<_> = found
        .iter()
        .filter(|(token, start, _)| *start < word_at && !matches!(token, Token::Whitespace(_)))
        .map(|(token, ..)| token)
        .collect();
    let word = &text[word_at..];
    let found = match before.as_slice() {
        [.., Token::Word(table), Token::Period] => columns_of(names, &table.value, &before),
        [.., Token::Word(from)]
            if ["FROM", "JOIN"].contains(&from.value.to_uppercase().as_str()) =>
        {
            names
                .tables
                .iter()
                .map(|(table, _)| table.clone())
                .chain(names.functions.clone())
                .collect()
        }
        // Without a prefix, everything would be suggested.
        _ if word.is_empty() => Vec::new(),
        _ => all_names(names),
    };
    (word_at, starting_with(word, found))
}

/// Columns of a table; of all tables in the text if the name is an alias.
fn columns_of(names: &Names, table: &str, text: &[&Token]) -> Vec<String> {
    let is_table = names.tables.iter().any(|(name, _)| name == table);
    let is_in_text = |name: &str| {
        text.iter().any(|token| matches!(token, Token::Word(word) if word.value == name))
    };
    let is_meant = |name: &str| if is_table { name == table } else { is_in_text(name) };
    let tables = names.tables.iter().filter(|(name, _)| is_meant(name));
    tables.flat_map(|(_, columns)| columns.clone()).collect()
}

fn all_names(names: &Names) -> Vec<String> {
    let tables = names.tables.iter().map(|(table, _)| table.clone());
    let columns = names.tables.iter().flat_map(|(_, columns)| columns.clone());
    let keywords = KEYWORDS.map(str::to_owned);
    columns.chain(tables).chain(names.functions.clone()).chain(keywords).collect()
}

fn command_suggestions(names: &Names, text: &str) -> (usize, Vec<String>) {
    let word_at = text.rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let word = &text[word_at..];
    let found = match text[..word_at].trim() {
        "" => {
            COMMANDS.iter().flat_map(|syntax| syntax.names).map(|name| (*name).to_owned()).collect()
        }
        ".schema" | "\\d" => names.tables.iter().map(|(table, _)| table.clone()).collect(),
        "\\h" | "\\df" => names.functions.clone(),
        ".mode" => words(Format::KEYWORDS).map(str::to_owned).collect(),
        ".timer" => vec!["on".to_owned(), "off".to_owned()],
        _ => Vec::new(),
    };
    (word_at, starting_with(word, found))
}

/// Distinct names that start with the word, ignoring case; in lower case if the word is.
fn starting_with(word: &str, found: Vec<String>) -> Vec<String> {
    let is_small = !word.is_empty() && !word.contains(char::is_uppercase);
    let wanted = word.to_lowercase();
    let mut seen = BTreeSet::new();
    let found = found.into_iter().filter(|name| name.to_lowercase().starts_with(&wanted));
    found
        .map(|name| if is_small { name.to_lowercase() } else { name })
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

/// Completer for the line editor.
pub struct SqlCompleter(pub Names);

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, at: usize) -> Vec<Suggestion> {
        let (start, found) = suggestions(&self.0, line, at);
        let suggestion = |value| Suggestion {
            value,
            span: Span { start, end: at },
            append_whitespace: false,
            ..Suggestion::default()
        };
        found.into_iter().map(suggestion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks completions at the end of the text.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let table = |name: &str, columns: &[&str]| {
            (name.to_owned(), columns.iter().map(|column| (*column).to_owned()).collect())
        };
        let names = Names {
            tables: vec![
                table("polls", &["store_id", "polled_at"]),
                table("stores", &["store_id", "time_zone"]),
            ],
            functions: vec!["timeline".to_owned(), "time_in".to_owned()],
        };
        let (start, found) = suggestions(&names, text, text.len());
        assert_eq!(found, expected, "{text}");
        assert!(found.is_empty() || text.is_char_boundary(start));
    }

    #[test]
    fn words_are_completed_by_context() {
        check("sel", &["select"]);
        check("SEL", &["SELECT"]);
        check("SELECT time", &["time_zone", "timeline", "time_in", "timestamp"]);
        check("SELECT p", &["polled_at", "polls", "partition by", "preceding"]);
        check("SELECT * FROM p", &["polls"]);
        check("SELECT * FROM ", &["polls", "stores", "timeline", "time_in"]);
        check("SELECT polls.s", &["store_id"]);
        check("SELECT 1 FROM stores s WHERE s.t", &["time_zone"]);
        check("SELECT ", &[]);
        check("SELECT 'po", &[]);
        check("", &[]);
    }

    #[test]
    fn commands_and_their_arguments_are_completed() {
        check(".t", &[".tables", ".timer"]);
        check("\\d po", &["polls"]);
        check("\\h time", &["timeline", "time_in"]);
        check(".mode n", &["ndjson"]);
        check(".timer ", &["on", "off"]);
        check(".once ", &[]);
    }
}
