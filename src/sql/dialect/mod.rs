//! SQL as PostgreSQL means it, where the engine takes it otherwise or not at all: a parsed statement
//! is rewritten in terms of the engine before it is planned, for every entry point alike.
//!
//! What is a fault of the engine rather than another meaning is put right in `sql::corrections`.

mod calendar;
mod calls;
mod clauses;
pub mod parts;

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Ident, Select, SelectItem, TimezoneInfo, Value, VisitMut,
    VisitorMut,
};

use self::parts::{call, cast, elements, empty_call, is_array, text, text_of, truth};
use super::wrong;
use crate::error::Fault;

/// Every question means what it means to PostgreSQL.
pub fn as_meant(statement: &mut Statement) {
    rewrite(statement, &mut Meaning);
}

/// What PostgreSQL has and the engine has not is said by what it has.
///
/// # Errors
/// Where it cannot be said so.
pub fn completed(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    clauses::said(statement)?;
    calls::said(statement)
}

/// Functions of PostgreSQL that no other can be said by.
pub fn register(session: &SessionContext) {
    calendar::register(session);
}

fn refused(sentence: impl Into<String>) -> DataFusionError {
    wrong::error(Fault::NotSupported, sentence)
}

fn until_broken(walked: ControlFlow<DataFusionError>) -> Result<()> {
    match walked {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Applies the rules to the whole statement, and to one that `EXPLAIN` names.
pub fn rewrite(statement: &mut Statement, rules: &mut impl VisitorMut<Break = ()>) {
    match statement {
        Statement::Statement(statement) => drop(statement.visit(rules)),
        Statement::Explain(explained) => rewrite(&mut explained.statement, rules),
        _ => {}
    }
}

struct Meaning;

impl VisitorMut for Meaning {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            // Named as it was written, whatever is made of it.
            if let SelectItem::UnnamedExpr(expr @ Expr::AtTimeZone { .. }) = item {
                let alias = Ident::with_quote('"', expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let meant = match expr {
            // Of an instant the local time, of a local time the instant.
            Expr::AtTimeZone { timestamp, time_zone } => {
                Some(call("timezone", [(**time_zone).clone(), (**timestamp).clone()]))
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                one_of(left, right, false)
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                one_of(left, right, true)
            }
            Expr::Cast { expr: inner, data_type, .. } => {
                if is_array(data_type)
                    && let Some(listed) = text_of(inner).and_then(|listed| elements(&listed))
                {
                    **inner = listed;
                } else if is_instant(data_type) {
                    complete_offset(inner);
                }
                None
            }
            Expr::TypedString(typed) if is_instant(&typed.data_type) => {
                if let Value::SingleQuotedString(at) = &mut typed.value.value {
                    complete(at);
                }
                None
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    let escape = escape.into_string().unwrap_or_default();
                    **pattern = escaped_by_backslash(pattern, &escape);
                }
                None
            }
            Expr::Function(function)
                if function.name.to_string().eq_ignore_ascii_case("localtimestamp") =>
            {
                Some(cast(empty_call("now"), DataType::Timestamp(None, TimezoneInfo::None)))
            }
            _ => None,
        };
        if let Some(meant) = meant {
            *expr = meant;
        }
        ControlFlow::Continue(())
    }
}

/// Whether a value is one of a list (or none); `None` where the list is not spelled out.
fn one_of(left: &Expr, list: &Expr, negated: bool) -> Option<Expr> {
    let list = match list {
        Expr::Nested(inner) => return one_of(left, inner, negated),
        Expr::Array(array) => array.clone(),
        other => match elements(&text_of(other)?)? {
            Expr::Array(array) => array,
            _ => return None,
        },
    };
    if list.elem.is_empty() {
        return Some(truth(negated));
    }
    Some(Expr::InList { expr: Box::new(left.clone()), list: list.elem, negated })
}

fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone))
}

fn complete_offset(literal: &mut Expr) {
    if let Some(mut at) = text_of(literal) {
        complete(&mut at);
        *literal = text(&at);
    }
}

/// An offset of hours alone, as `+02` is, gets its minutes.
fn complete(at: &mut String) {
    let Some(sign) = at.rfind(['+', '-']) else { return };
    let hours = &at[sign + 1..];
    if at[..sign].contains(':') && hours.len() == 2 && hours.bytes().all(|b| b.is_ascii_digit()) {
        at.push_str(":00");
    }
}

/// A pattern of `LIKE` whose escape is a backslash, the only one that the engine knows.
fn escaped_by_backslash(pattern: &Expr, escape: &str) -> Expr {
    if escape == "\\" {
        return pattern.clone();
    }
    let Some(literal) = text_of(pattern) else {
        let doubled = call("replace", [pattern.clone(), text("\\"), text("\\\\")]);
        return match escape {
            "" => doubled,
            escape => call("replace", [doubled, text(escape), text("\\")]),
        };
    };
    let mut written = String::new();
    let mut signs = literal.chars();
    while let Some(sign) = signs.next() {
        match sign {
            sign if escape.starts_with(sign) => {
                written.extend(signs.next().map(|next| ['\\', next]).into_iter().flatten())
            }
            '\\' => written.push_str("\\\\"),
            sign => written.push(sign),
        }
    }
    text(&written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;
    use datafusion::sql::sqlparser::ast;

    type Rule = fn(&mut ast::Statement) -> Result<()>;

    #[track_caller]
    pub fn check_by(rule: Rule, said: &str, meant: &str) {
        let mut statement = parsed(said);
        rule(&mut statement).unwrap();
        assert_eq!(statement.to_string(), meant, "{said}");
    }

    #[track_caller]
    pub fn is_refused_by(rule: Rule, said: &str) {
        let mut statement = parsed(said);
        assert!(rule(&mut statement).is_err(), "{said} became {statement}");
    }

    #[track_caller]
    fn parsed(said: &str) -> ast::Statement {
        match DFParser::parse_sql(said).unwrap().remove(0).unwrap() {
            Statement::Statement(statement) => *statement,
            other => panic!("{other}"),
        }
    }

    #[track_caller]
    fn check(said: &str, meant: &str) {
        let mut statement = DFParser::parse_sql(said).unwrap().remove(0).unwrap();
        as_meant(&mut statement);
        assert_eq!(statement.to_string(), meant, "{said}");
    }

    #[test]
    fn what_postgres_means_is_said_in_terms_of_the_engine() {
        for (said, meant) in [
            (
                "SELECT a AT TIME ZONE 'UTC', f(a AT TIME ZONE 'UTC')",
                "SELECT timezone('UTC', a) AS \"a AT TIME ZONE 'UTC'\", f(timezone('UTC', a))",
            ),
            ("SELECT a = ANY(ARRAY['x', 'y'])", "SELECT a IN ('x', 'y')"),
            ("SELECT a = ANY('{x,\"y, z\"}')", "SELECT a IN ('x', 'y, z')"),
            ("SELECT a <> ALL(ARRAY[1])", "SELECT a NOT IN (1)"),
            ("SELECT a = ANY('{}')", "SELECT false"),
            ("SELECT '{1,2}'::INT[]", "SELECT ARRAY['1', '2']::INT[]"),
            ("SELECT '{}'::TEXT[]", "SELECT ARRAY[]::TEXT[]"),
            ("SELECT a NOT LIKE 'pg/_%' ESCAPE '/'", "SELECT a NOT LIKE 'pg\\_%'"),
            (
                "SELECT TIMESTAMPTZ '2023-01-01 00:00:00+02'",
                "SELECT TIMESTAMPTZ '2023-01-01 00:00:00+02:00'",
            ),
            ("SELECT '2023-01-01'::TIMESTAMPTZ", "SELECT '2023-01-01'::TIMESTAMPTZ"),
        ] {
            check(said, meant);
        }
    }

    #[test]
    fn an_array_is_read_as_postgres_writes_it() {
        let read = |listed| elements(listed).map(|array| array.to_string());
        assert_eq!(read("{a, \"b \\\" c\",NULL}").as_deref(), Some("ARRAY['a', 'b \" c', NULL]"));
        assert_eq!(read("{{1},{2}}"), None);
        assert_eq!(read("a"), None);
    }
}
