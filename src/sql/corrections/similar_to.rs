//! `SIMILAR TO` is evaluated as an unanchored regular expression. A constant pattern is translated
//! to the equivalent anchored regular expression; other patterns are refused.
//!
//! Upstream: `datafusion-physical-expr`, `similar_to` in `expressions/binary.rs`, as of 55.2.

use std::iter::Peekable;
use std::ops::ControlFlow;
use std::str::Chars;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement, Value, ValueWithSpan, VisitMut as _, VisitorMut,
};

use super::{into_result, unsupported};
use crate::sql::dialect::ast_nodes::{null, text, text_of};

/// Rewrites `SIMILAR TO` to a regular expression match.
///
/// # Errors
/// Fails if a pattern is not constant, or its escape is not one character.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Similar))
}

/// Metacharacters of regular expressions.
const SIGNS: &str = r"\.+*?()|[]{}^$#&-~";

struct Similar;

impl VisitorMut for Similar {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let Expr::SimilarTo { negated, expr: value, pattern, escape_char } = &*expr else {
            return ControlFlow::Continue(());
        };
        let op = match negated {
            false => BinaryOperator::PGRegexMatch,
            true => BinaryOperator::PGRegexNotMatch,
        };
        match expression(pattern, escape_char.as_ref()) {
            Ok(right) => {
                let (left, right) = (value.clone(), Box::new(right));
                *expr = Expr::BinaryOp { left, op, right };
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn expression(pattern: &Expr, escape: Option<&ValueWithSpan>) -> Result<Expr> {
    if matches!(pattern, Expr::Value(value) if value.value == Value::Null) {
        return Ok(null());
    }
    let Some(pattern) = text_of(pattern) else {
        let sentence =
            "SIMILAR TO takes a constant pattern here; expected ~ and a regular expression";
        return Err(unsupported(sentence));
    };
    let escape = match escape {
        None => Some('\\'),
        Some(escape) => {
            let written = escape.clone().into_string().unwrap_or_default();
            let mut signs = written.chars();
            match (signs.next(), signs.next()) {
                (escape, None) => escape,
                _ => return Err(unsupported("ESCAPE takes one character, or none")),
            }
        }
    };
    Ok(text(&format!("^(?s:{})$", translated(&pattern, escape))))
}

/// Translates an SQL pattern to a regular expression.
fn translated(pattern: &str, escape: Option<char>) -> String {
    let mut said = String::new();
    let mut signs = pattern.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            sign if Some(sign) == escape => escaped(signs.next(), &mut said),
            '%' => said.push_str(".*"),
            '_' => said.push('.'),
            '(' => said.push_str("(?:"),
            '[' => class(&mut signs, escape, &mut said),
            '\\' | '.' | '^' | '$' => said.extend(['\\', sign]),
            sign => said.push(sign),
        }
    }
    said
}

/// Translates an escaped character: a letter or digit to a class such as `\d`, any other to itself.
fn escaped(sign: Option<char>, said: &mut String) {
    match sign {
        Some(sign) if sign.is_ascii_alphanumeric() || SIGNS.contains(sign) => {
            said.extend(['\\', sign]);
        }
        Some(sign) => said.push(sign),
        None => said.push_str("\\\\"),
    }
}

/// Translates the rest of a bracket expression, in which other metacharacters are literal.
fn class(signs: &mut Peekable<Chars<'_>>, escape: Option<char>, said: &mut String) {
    said.push('[');
    if signs.next_if_eq(&'^').is_some() {
        said.push('^');
    }
    if signs.next_if_eq(&']').is_some() {
        said.push_str("\\]");
    }
    while let Some(sign) = signs.next() {
        match sign {
            sign if Some(sign) == escape => escaped(signs.next(), said),
            '[' if signs.peek() == Some(&':') => {
                said.push('[');
                for sign in signs.by_ref() {
                    said.push(sign);
                    if sign == ']' {
                        break;
                    }
                }
            }
            ']' => {
                said.push(']');
                return;
            }
            // Set operators of classes, which only the engine's syntax has.
            '[' | '&' | '~' | '\\' => said.extend(['\\', sign]),
            sign => said.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected, is_refused, raw};
    use super::*;

    #[tokio::test]
    async fn the_engine_still_matches_anywhere() {
        assert_eq!(raw("SELECT 'abc' SIMILAR TO 'b'").await, "true");
        assert_eq!(raw("SELECT 'abc' SIMILAR TO 'a%'").await, "false");
    }

    #[test]
    fn patterns_become_expressions() {
        for (pattern, meant) in [
            ("a%b_c", "a.*b.c"),
            ("a(b|c)*", "a(?:b|c)*"),
            ("a.b^c$", "a\\.b\\^c\\$"),
            ("\\%\\_\\d\\.", "%_\\d\\."),
            ("[^]%_.]x", "[^\\]%_.]x"),
            ("[[:alpha:]&[]{2}", "[[:alpha:]\\&\\[]{2}"),
            ("é%", "é.*"),
            ("a\\", "a\\\\"),
        ] {
            assert_eq!(translated(pattern, Some('\\')), meant, "{pattern}");
        }
        assert_eq!(translated("a#%\\", Some('#')), "a%\\\\");
        assert_eq!(translated("a\\%", None), "a\\\\.*");
        check(
            rewrite,
            "SELECT a NOT SIMILAR TO 'x!%%' ESCAPE '!' FROM t",
            "SELECT a !~ '^(?s:x%.*)$' FROM t",
        );
    }

    #[test]
    fn other_patterns_are_refused() {
        is_refused(rewrite, "SELECT a SIMILAR TO b FROM t");
        is_refused(rewrite, "SELECT a SIMILAR TO 'b' ESCAPE 'xy' FROM t");
    }

    #[tokio::test]
    async fn texts_are_similar_as_a_whole() {
        for (said, expected) in [
            ("SELECT 'abc' SIMILAR TO '(a|b)%', 'abc' SIMILAR TO 'b'", "true false"),
            ("SELECT 'abc' SIMILAR TO 'abc|x', 'ab.' SIMILAR TO 'ab.'", "true true"),
            ("SELECT 'abc' SIMILAR TO 'ab.', '50%' SIMILAR TO '50\\%'", "false true"),
            ("SELECT 'a\nb' SIMILAR TO 'a_b', 'abc' NOT SIMILAR TO 'abc'", "true false"),
            ("SELECT ('a' SIMILAR TO NULL) IS NULL", "true"),
        ] {
            assert_eq!(corrected(said).await, expected, "{said}");
        }
    }
}
