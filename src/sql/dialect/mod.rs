//! PostgreSQL's semantics where the engine differs or lacks a construct: parsed statements are
//! rewritten in the engine's terms before planning, for every entry point.
//!
//! Faults of the engine, as opposed to differences of dialect, are corrected in `sql::corrections`.

pub mod ast_nodes;
mod calendar;
mod clauses;
mod function_calls;
mod grouping_sets;
mod intervals;
mod pg_typeof;

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, DateTimeField, Expr, Ident, Interval, Select,
    SelectItem, Value, VisitMut, VisitorMut,
};

use self::ast_nodes::{
    call, called, cast, elements, empty_call, number, text, text_of, truth, type_named,
};
use super::errors;
use crate::error::Fault;
use crate::functions::instants::RoundToDigits;

/// Rewrites constructs that the engine interprets differently from PostgreSQL.
pub fn apply_postgres_semantics(statement: &mut Statement) {
    rewrite(statement, &mut PostgresSemantics);
}

/// Rewrites constructs that the engine lacks in terms of those that it has.
///
/// # Errors
/// Fails if there is no equivalent.
pub fn rewrite_for_engine(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    clauses::rewrite(statement)?;
    grouping_sets::rewrite(statement)?;
    function_calls::rewrite(statement)
}

/// Registers functions of PostgreSQL that cannot be expressed by others.
pub fn register(session: &SessionContext) {
    calendar::register(session);
    intervals::register(session);
    pg_typeof::register(session);
}

/// Error of a construct that neither the engine nor a rewrite supports.
pub fn unsupported(sentence: impl Into<String>) -> DataFusionError {
    errors::error(Fault::NotSupported, sentence)
}

/// Converts the outcome of a visit.
///
/// # Errors
/// Fails with the error that ended the visit.
pub fn into_result(walked: ControlFlow<DataFusionError>) -> Result<()> {
    match walked {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Applies a visitor to a statement, or to the statement under `EXPLAIN`.
pub fn rewrite(statement: &mut Statement, rules: &mut impl VisitorMut<Break = ()>) {
    match statement {
        Statement::Statement(statement) => drop(statement.visit(rules)),
        Statement::Explain(explained) => rewrite(&mut explained.statement, rules),
        _ => {}
    }
}

struct PostgresSemantics;

impl VisitorMut for PostgresSemantics {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            // Keeps the name of the original text after the rewrite.
            let SelectItem::UnnamedExpr(expr) = &*item else { continue };
            let name = match expr {
                Expr::AtTimeZone { .. } | Expr::Extract { .. } => expr.to_string(),
                Expr::Function(function) if clock(expr).is_some() => {
                    function.name.to_string().to_lowercase()
                }
                _ => continue,
            };
            let alias = Ident::with_quote('"', name);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let meant = match expr {
            // Instant to local time, or local time to instant.
            Expr::AtTimeZone { timestamp, time_zone } => {
                let zone = offset(time_zone).unwrap_or_else(|| (**time_zone).clone());
                Some(call("timezone", [zone, (**timestamp).clone()]))
            }
            // The planner would call the engine's function, whichever is registered under the name.
            Expr::Extract { field, expr: inner, .. } => {
                let unit = match field {
                    DateTimeField::Custom(unit) => unit.value.to_lowercase(),
                    unit => unit.to_string().to_lowercase(),
                };
                Some(call("date_part", [text(&unit), (**inner).clone()]))
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                one_of(left, right, false).or_else(|| one_of_bound(left, right))
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                one_of(left, right, true)
            }
            Expr::BinaryOp { left, op: BinaryOperator::PGOverlap, right } => {
                Some(call("array_has_any", [(**left).clone(), (**right).clone()]))
            }
            // The escapes are already decoded.
            Expr::Value(value) => match &value.value {
                Value::UnicodeStringLiteral(read) => Some(text(read)),
                _ => None,
            },
            Expr::Cast { data_type, .. } => {
                in_microseconds(data_type).map(|digits| rounded(expr, digits))
            }
            Expr::TypedString(typed) => {
                in_microseconds(&mut typed.data_type).map(|digits| rounded(expr, digits))
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    let escape = escape.into_string().unwrap_or_default();
                    **pattern = escaped_by_backslash(pattern, &escape);
                }
                None
            }
            Expr::Function(_) => match clock(expr) {
                Some((name, Some(digits))) => Some(rounded(&empty_call(name), digits)),
                Some((name, None)) => Some(empty_call(name)),
                None => intervals::made(expr),
            },
            _ => None,
        };
        if let Some(meant) = meant {
            *expr = meant;
        }
        ControlFlow::Continue(())
    }
}

/// Rewrites membership in a list, or its negation; `None` if the list is not spelled out.
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

/// Rewrites membership in a bound array, passed as a text or as an array of texts.
fn one_of_bound(left: &Expr, array: &Expr) -> Option<Expr> {
    match array {
        Expr::Nested(inner) => one_of_bound(left, inner),
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
            let array = cast(array.clone(), type_named("TEXT[]")?);
            Some(call("array_has", [array, cast(left.clone(), DataType::Text)]))
        }
        _ => None,
    }
}

/// Converts time types to microseconds, as in our columns. Returns the number of digits to round
/// to, if the type names fewer than six.
fn in_microseconds(data_type: &mut DataType) -> Option<u64> {
    match data_type {
        DataType::Timestamp(digits, _) => {
            let given = digits.replace(6);
            given.filter(|digits| *digits < 6)
        }
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _))
        | DataType::Array(ArrayElemTypeDef::AngleBracket(element)) => {
            in_microseconds(element);
            None
        }
        _ => None,
    }
}

fn rounded(time: &Expr, digits: u64) -> Expr {
    let digits = number(i64::try_from(digits).unwrap_or(6));
    call(RoundToDigits::NAME, [time.clone(), digits])
}

/// Function for a keyword such as `current_timestamp`, with the digits of `current_timestamp(3)`.
fn clock(expr: &Expr) -> Option<(&'static str, Option<u64>)> {
    let Expr::Function(function) = expr else { return None };
    let (name, arguments) = called(function)?;
    let name = match name.as_str() {
        "current_timestamp" => "now",
        "localtimestamp" => "localtimestamp",
        "localtime" => "current_time",
        "current_time" => "current_time",
        _ => return None,
    };
    let digits = match &arguments[..] {
        [] => None,
        [Expr::Value(digits)] if name != "current_time" => match &digits.value {
            Value::Number(digits, _) => Some(digits.parse().ok()?),
            _ => return None,
        },
        _ => return None,
    };
    Some((name, digits.filter(|digits| *digits < 6)))
}

/// Offset in minutes of an interval such as `INTERVAL '-08:00'` after `AT TIME ZONE`.
fn offset(zone: &Expr) -> Option<Expr> {
    let Expr::Interval(interval) = zone else { return None };
    let written = text_of(&interval.value).filter(|_| interval.leading_field.is_none())?;
    let (sign, clock) = match written.strip_prefix('-') {
        Some(clock) => ("-", clock),
        None => ("", written.strip_prefix('+').unwrap_or(&written)),
    };
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 24 || minutes > 59 {
        return None;
    }
    let minutes = text(&format!("{sign}{} minutes", hours * 60 + minutes));
    Some(Expr::Interval(Interval { value: Box::new(minutes), ..interval.clone() }))
}

/// Rewrites a `LIKE` pattern to escape with a backslash, the only escape that the engine supports.
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
        apply_postgres_semantics(&mut statement);
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
            ("SELECT a NOT LIKE 'pg/_%' ESCAPE '/'", "SELECT a NOT LIKE 'pg\\_%'"),
            (
                "SELECT f(a AT TIME ZONE INTERVAL '-08:30')",
                "SELECT f(timezone(INTERVAL '-510 minutes', a))",
            ),
            (
                "SELECT extract(HOUR FROM a), f(extract(decade FROM a), extract(week FROM b))",
                "SELECT date_part('hour', a) AS \"EXTRACT(HOUR FROM a)\", \
                 f(date_part('decade', a), date_part('week', b))",
            ),
            ("SELECT TIMESTAMPTZ '2023-01-01'", "SELECT TIMESTAMPTZ(6) '2023-01-01'"),
            ("SELECT a::TIMESTAMP, a::TIMESTAMP[]", "SELECT a::TIMESTAMP(6), a::TIMESTAMP(6)[]"),
            (
                "SELECT a::TIMESTAMP(3) WITH TIME ZONE",
                "SELECT rounded_to_digits(a::TIMESTAMP(6) WITH TIME ZONE, 3)",
            ),
            (
                "SELECT current_timestamp, f(localtimestamp(0))",
                "SELECT now() AS \"current_timestamp\", f(rounded_to_digits(localtimestamp(), 0))",
            ),
            ("SELECT a && b", "SELECT array_has_any(a, b)"),
            ("SELECT U&'\\0041'", "SELECT 'A'"),
            ("SELECT a = ANY($1)", "SELECT array_has(CAST($1 AS TEXT[]), CAST(a AS TEXT))"),
        ] {
            check(said, meant);
        }
    }
}
