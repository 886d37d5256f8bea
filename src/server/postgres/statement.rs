//! Parsing of a client's text into queries and session commands.
//!
//! A query of the system catalog has two readings: rewritten for compatibility with PostgreSQL, and
//! as written in case the first cannot be planned. Other queries are read as written, as by every
//! other entry point, because the rewrite could change their meaning.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::sql::parser::{DFParserBuilder, ResetStatement, Statement};
use datafusion::sql::sqlparser::ast::{self, DiscardObject, Expr, Set};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::pgwire::error::PgWireResult;
use serde::{Deserialize, Serialize};

use super::failure::{self, error, from_planning_error};
use super::rewrite::{self, ClientContext};
use super::settings;

#[derive(Clone, Debug)]
pub enum ParsedStatement {
    /// Readings of a query, the most likely first.
    Query(Vec<Statement>),
    /// `SHOW` of this name, which may be a session setting.
    Show(String, Vec<Statement>),
    Command(Command),
}

/// Statement about the session, not the data.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Changes a setting; `None` resets it.
    Set(String, Option<String>),
    Begin,
    /// Ends a transaction; holds the tag.
    End(&'static str),
    /// Deallocates the prepared statement of this name, or all.
    Deallocate(Option<String>),
    /// Deallocates all statements and closes all portals.
    Discard,
    /// No effect; holds the tag to answer with.
    NoOp(&'static str),
}

/// Serializable outline of a parsed statement, sent from a worker to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outline {
    /// Returns rows.
    Query,
    Set(String, Option<String>),
    Begin,
    End(String),
    Deallocate(Option<String>),
    Discard,
    NoOp(String),
}

/// Command tags.
const TAGS: [&str; 8] =
    ["CLOSE CURSOR", "COMMIT", "DISCARD", "RELEASE", "RESET", "ROLLBACK", "SAVEPOINT", "SET"];
const UNLISTEN: &str = "UNLISTEN";

impl Outline {
    pub fn from_parsed(parsed: &ParsedStatement) -> Self {
        let ParsedStatement::Command(command) = parsed else { return Self::Query };
        match command.clone() {
            Command::Set(name, value) => Self::Set(name, value),
            Command::Begin => Self::Begin,
            Command::End(tag) => Self::End(tag.to_owned()),
            Command::Deallocate(name) => Self::Deallocate(name),
            Command::Discard => Self::Discard,
            Command::NoOp(tag) => Self::NoOp(tag.to_owned()),
        }
    }

    /// Command to execute; `None` for a query.
    pub fn into_command(self) -> Option<Command> {
        let known = |tag: String| TAGS.into_iter().find(|it| *it == tag).unwrap_or(UNLISTEN);
        Some(match self {
            Self::Query => return None,
            Self::Set(name, value) => Command::Set(name, value),
            Self::Begin => Command::Begin,
            Self::End(tag) => Command::End(known(tag)),
            Self::Deallocate(name) => Command::Deallocate(name),
            Self::Discard => Command::Discard,
            Self::NoOp(tag) => Command::NoOp(known(tag)),
        })
    }
}

/// Parser of statements; that of catalog queries is built on first use.
pub struct StatementParser(LazyLock<PostgresCompatibilityParser>);

impl StatementParser {
    pub fn new() -> Self {
        Self(LazyLock::new(PostgresCompatibilityParser::new))
    }

    /// Parses all statements of a text.
    ///
    /// # Errors
    /// On a syntax error, with its position, or when nesting exceeds the limit.
    pub fn read(&self, text: &str) -> PgWireResult<Vec<ParsedStatement>> {
        crate::limits::check_depth(text).map_err(failure::from_error)?;
        let is_catalog_query = mentions_catalog(text);
        let written = parse(text);
        let rewritten = match &written {
            Ok(_) if !is_catalog_query => Vec::new(),
            _ => self.rewritten(text, is_catalog_query),
        };
        let alone = |statements: Vec<Statement>| -> PgWireResult<Vec<_>> {
            statements.into_iter().map(|it| classify(vec![it])).collect()
        };
        match written {
            Ok(written) if is_catalog_query && written.len() == rewritten.len() => {
                let both = written.into_iter().zip(rewritten);
                both.map(|(written, rewritten)| classify(vec![rewritten, written])).collect()
            }
            Ok(written) => alone(written),
            Err(_) if !rewritten.is_empty() => alone(rewritten),
            Err(wrong) => Err(from_planning_error(wrong, text)),
        }
    }

    /// Statements rewritten for compatibility; none if they cannot be parsed.
    fn rewritten(&self, text: &str, is_catalog_query: bool) -> Vec<Statement> {
        let statements = self.0.parse(text).unwrap_or_default().into_iter();
        let rewritten = statements.map(|it| {
            let mut statement = Statement::Statement(Box::new(it));
            if is_catalog_query {
                rewrite::rewrite_catalog_query(&mut statement);
            }
            statement
        });
        rewritten.collect()
    }
}

/// Returns true if the text mentions system tables or `reg*` types.
fn mentions_catalog(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("pg_") || text.contains("::reg") || text.contains("information_schema")
}

fn parse(text: &str) -> datafusion::error::Result<Vec<Statement>> {
    DFParserBuilder::new(text).build()?.parse_statements().map(Into::into)
}

fn classify(readings: Vec<Statement>) -> PgWireResult<ParsedStatement> {
    let command = match readings.first() {
        Some(Statement::Statement(statement)) => match &**statement {
            ast::Statement::ShowVariable { variable } => {
                let name = setting_name(variable);
                return Ok(ParsedStatement::Show(name, readings));
            }
            statement => command(statement)?,
        },
        Some(Statement::Reset(ResetStatement::Variable(name))) => {
            Some(Command::Set(name.to_string().to_lowercase(), None))
        }
        _ => None,
    };
    Ok(command.map_or(ParsedStatement::Query(readings), ParsedStatement::Command))
}

/// Readings of a query with the client's context applied; `None` for a command.
///
/// # Errors
/// When a `SHOW` cannot be rewritten.
pub fn readings_for(
    parsed: ParsedStatement,
    client: &ClientContext<'_>,
) -> PgWireResult<Option<Vec<Statement>>> {
    let mut readings = match parsed {
        ParsedStatement::Command(_) => return Ok(None),
        ParsedStatement::Query(readings) => readings,
        ParsedStatement::Show(name, readings) => show_setting(&name, readings, client.settings)?,
    };
    client.rewrite(&mut readings);
    Ok(Some(readings))
}

/// Rewrites `SHOW` of a session setting to a constant query; DataFusion answers any other.
fn show_setting(
    name: &str,
    readings: Vec<Statement>,
    set: &HashMap<String, String>,
) -> PgWireResult<Vec<Statement>> {
    let Some(value) = settings::value(name, set) else { return Ok(readings) };
    let query = format!("SELECT '{}' AS \"{name}\"", value.replace('\'', "''"));
    parse(&query).map_err(|wrong| from_planning_error(wrong, &query))
}

/// Name of the setting that `SHOW` names, possibly in several words.
fn setting_name(words: &[ast::Ident]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.value.to_lowercase()).collect();
    match words.join(" ").as_str() {
        "time zone" => "timezone".to_owned(),
        "transaction isolation level" => "transaction_isolation".to_owned(),
        name => name.replace(' ', "."),
    }
}

fn command(statement: &ast::Statement) -> PgWireResult<Option<Command>> {
    use ast::Statement as S;
    Ok(Some(match statement {
        S::Set(assignment) => set_command(assignment)?,
        S::StartTransaction { .. } => Command::Begin,
        S::Commit { .. } => Command::End("COMMIT"),
        S::Rollback { savepoint: None, .. } => Command::End("ROLLBACK"),
        S::Rollback { savepoint: Some(_), .. } => Command::NoOp("ROLLBACK"),
        S::Savepoint { .. } => Command::NoOp("SAVEPOINT"),
        S::ReleaseSavepoint { .. } => Command::NoOp("RELEASE"),
        S::Discard { object_type: DiscardObject::ALL } => Command::Discard,
        S::Discard { .. } => Command::NoOp("DISCARD"),
        S::Deallocate { name, .. } => Command::Deallocate(deallocated_name(name)),
        S::Close { .. } => Command::NoOp("CLOSE CURSOR"),
        S::UNLISTEN { .. } => Command::NoOp(UNLISTEN),
        S::Reset(_) => Command::NoOp("RESET"),
        _ => return Ok(None),
    }))
}

/// Name of the statement; `None` for `ALL`.
fn deallocated_name(name: &ast::Ident) -> Option<String> {
    match name.quote_style {
        Some(_) => Some(name.value.clone()),
        None => Some(name.value.to_lowercase()).filter(|name| name != "all"),
    }
}

fn set_command(assignment: &Set) -> PgWireResult<Command> {
    Ok(match assignment {
        Set::SingleAssignment { variable, values, .. } => {
            let values: Vec<_> = values.iter().map(literal_text).collect();
            let value = Some(values.join(", ")).filter(|it| !it.eq_ignore_ascii_case("default"));
            Command::Set(variable.to_string().to_lowercase(), value)
        }
        Set::SetTimeZone { value, .. } => {
            Command::Set("timezone".into(), Some(literal_text(value)))
        }
        Set::SetNames { charset_name, .. } => {
            Command::Set("client_encoding".into(), Some(charset_name.value.clone()))
        }
        Set::SetTransaction { .. } => Command::NoOp("SET"),
        other => return Err(error("0A000", format!("{other} is not supported"))),
    })
}

/// Text of a value, unquoted.
fn literal_text(value: &Expr) -> String {
    match value {
        Expr::Value(value) => {
            value.clone().into_string().unwrap_or_else(|| value.value.to_string())
        }
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, commands: &[Command]) {
        let statements = StatementParser::new().read(text).unwrap();
        let read: Vec<_> = statements
            .into_iter()
            .filter_map(|parsed| match parsed {
                ParsedStatement::Command(command) => Some(command),
                ParsedStatement::Query(_) | ParsedStatement::Show(..) => None,
            })
            .collect();
        assert_eq!(read, commands, "{text}");
        let statements = StatementParser::new().read(text).unwrap();
        let outlined =
            statements.iter().filter_map(|parsed| Outline::from_parsed(parsed).into_command());
        assert_eq!(outlined.collect::<Vec<_>>(), commands, "{text}");
    }

    #[test]
    fn session_commands_are_recognized() {
        let set = |name: &str, value: &str| Command::Set(name.into(), Some(value.into()));
        check("BEGIN; SELECT 1; COMMIT", &[Command::Begin, Command::End("COMMIT")]);
        check("BEGIN READ ONLY", &[Command::Begin]);
        check("ROLLBACK TO SAVEPOINT a", &[Command::NoOp("ROLLBACK")]);
        check("SET statement_timeout = '5s'", &[set("statement_timeout", "5s")]);
        check("SET statement_timeout TO 250", &[set("statement_timeout", "250")]);
        check("SET TIME ZONE 'UTC'", &[set("timezone", "UTC")]);
        check("SET search_path = public, pg_catalog", &[set("search_path", "public, pg_catalog")]);
        check(
            "SET extra_float_digits = DEFAULT",
            &[Command::Set("extra_float_digits".into(), None)],
        );
        check("RESET statement_timeout", &[Command::Set("statement_timeout".into(), None)]);
        check("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", &[Command::NoOp("SET")]);
        check("DISCARD ALL; DISCARD PLANS", &[Command::Discard, Command::NoOp("DISCARD")]);
        let deallocate = |name: Option<&str>| Command::Deallocate(name.map(str::to_owned));
        check("DEALLOCATE ALL", &[deallocate(None)]);
        check("DEALLOCATE S1", &[deallocate(Some("s1"))]);
        check("DEALLOCATE PREPARE \"ALL\"", &[deallocate(Some("ALL"))]);
        check("SHOW server_version", &[]);
    }

    #[test]
    fn queries_that_do_not_mention_the_catalog_have_one_reading() {
        let readings = |text| match StatementParser::new().read(text).unwrap().remove(0) {
            ParsedStatement::Query(readings) => readings.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(readings("SELECT (SELECT max(a) FROM t WHERE t.b = u.b) AS a FROM u"), 1);
        assert_eq!(readings("SELECT a FROM (SELECT (SELECT 1) AS a) AS u"), 1);
        assert_eq!(readings("SELECT a FROM u"), 1);
        assert_eq!(readings("SELECT oid FROM pg_class"), 2);
    }

    #[test]
    fn invalid_sql_is_rejected() {
        assert!(StatementParser::new().read("SELEKT 1").is_err());
    }
}
