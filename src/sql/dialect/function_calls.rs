//! Functions of PostgreSQL that the engine has under another name, or as a combination of its own.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, Select, SelectItem, Statement, Value, VisitMut as _, VisitorMut,
};

use super::ast_nodes::{call, called, cast, empty_call, number, text, text_of, truth};
use super::{into_result, unsupported};

/// Rewrites calls of functions that the engine has under another name.
///
/// # Errors
/// Fails if a call has no equivalent.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Calls))
}

const NAMES: [&str; 16] = [
    "age",
    "array_length",
    "array_remove",
    "array_upper",
    "date",
    "div",
    "every",
    "format",
    "isfinite",
    "make_timestamptz",
    "mod",
    "num_nonnulls",
    "num_nulls",
    "percentile_disc",
    "sign",
    "variance",
];

struct Calls;

impl VisitorMut for Calls {
    type Break = DataFusionError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        for item in &mut select.projection {
            // Keeps the name of the original text after the rewrite.
            if let SelectItem::UnnamedExpr(expr) = item
                && let Expr::Function(function) = &*expr
                && called(function).is_some_and(|(name, _)| NAMES.contains(&&*name))
            {
                let alias = Ident::with_quote('"', expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        match rewrite_call(function) {
            Ok(Some(meant)) => *expr = meant,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

fn rewrite_call(function: &Function) -> Result<Option<Expr>> {
    let Some((name, arguments)) = called(function) else { return Ok(None) };
    let of = |at: usize| arguments[at].clone();
    Ok(Some(match (&*name, arguments.len()) {
        ("every", 1) => renamed(function, "bool_and"),
        ("variance", 1) => renamed(function, "var_samp"),
        ("sign", 1) => renamed(function, "signum"),
        ("array_remove", 2) => renamed(function, "array_remove_all"),
        ("date", 1) => cast(of(0), DataType::Date),
        ("mod", 2) => binary(of(0), BinaryOperator::Modulo, of(1)),
        ("div", 2) => call("trunc", [binary(of(0), BinaryOperator::Divide, of(1))]),
        // An array cannot be empty in one dimension only.
        ("array_length" | "array_upper", 2) => {
            let length = call("array_length", [of(0), of(1)]);
            call("nullif", [cast(length, DataType::BigInt(None)), number(0)])
        }
        ("num_nulls", 1..) => counted(&arguments, Expr::IsNull),
        ("num_nonnulls", 1..) => counted(&arguments, Expr::IsNotNull),
        // Instants here are always finite.
        ("isfinite", 1) => call("nullif", [Expr::IsNotNull(Box::new(nested(of(0)))), truth(false)]),
        ("age", 1) => call("age", [empty_call("current_date"), of(0)]),
        ("make_timestamptz", 6) => {
            let local = call("make_timestamp", arguments.into_iter().cloned());
            call("timezone", [text("UTC"), local])
        }
        ("make_timestamptz", 7) => {
            let zone = of(6);
            let local = call("make_timestamp", arguments.into_iter().take(6).cloned());
            call("timezone", [zone, local])
        }
        ("percentile_disc", 1) => percentile(function, of(0))?,
        ("format", 1..) => formatted(&arguments)?,
        _ => return Ok(None),
    }))
}

fn renamed(function: &Function, name: &str) -> Expr {
    let name = ObjectName::from(vec![Ident::new(name)]);
    Expr::Function(Function { name, ..function.clone() })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// Parenthesised binary operation.
fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let (left, right) = (Box::new(nested(left)), Box::new(nested(right)));
    nested(Expr::BinaryOp { left, op, right })
}

/// Counts the values that satisfy a predicate.
fn counted(values: &[&Expr], is_of_kind: fn(Box<Expr>) -> Expr) -> Expr {
    let one = |value: &&Expr| {
        let is_of_kind = is_of_kind(Box::new(nested((*value).clone())));
        cast(is_of_kind, DataType::Int(None))
    };
    let ones = values.iter().map(one);
    ones.reduce(|sum, one| binary(sum, BinaryOperator::Plus, one)).unwrap_or_else(|| number(0))
}

/// `percentile_disc`: first value in order whose cumulative share reaches `part`.
fn percentile(function: &Function, part: Expr) -> Result<Expr> {
    let [by] = function.within_group.as_slice() else {
        return Err(unsupported("percentile_disc takes WITHIN GROUP (ORDER BY …) of one value"));
    };
    let is_beyond = match &part {
        Expr::Value(value) => match &value.value {
            Value::Number(part, _) => part.parse().is_ok_and(|part: f64| part > 1.0),
            _ => false,
        },
        Expr::Array(_) => return Err(unsupported("percentile_disc takes one percentile here")),
        _ => false,
    };
    if is_beyond {
        return Err(unsupported(format!("percentile {part} is not between 0 and 1")));
    }
    let is_there = Expr::IsNotNull(Box::new(by.expr.clone()));
    let filter = match &function.filter {
        Some(filter) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(filter.clone())),
            op: BinaryOperator::And,
            right: Box::new(is_there),
        },
        None => is_there,
    };
    let sorted =
        aggregate("array_agg", by.expr.clone(), Some(Box::new(filter.clone())), |clauses| {
            clauses.push(FunctionArgumentClause::OrderBy(vec![by.clone()]));
        });
    let count = aggregate("count", by.expr.clone(), Some(Box::new(filter)), |_| {});
    let reached = Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(part))),
        op: BinaryOperator::Multiply,
        right: Box::new(count),
    };
    let place = cast(call("ceil", [reached]), DataType::BigInt(None));
    Ok(call("array_element", [sorted, call("greatest", [number(1), place])]))
}

fn aggregate(
    name: &str,
    of: Expr,
    filter: Option<Box<Expr>>,
    with: impl FnOnce(&mut Vec<FunctionArgumentClause>),
) -> Expr {
    let mut expr = call(name, [of]);
    if let Expr::Function(function) = &mut expr {
        function.filter = filter;
        if let FunctionArguments::List(list) = &mut function.args {
            with(&mut list.clauses);
        }
    }
    expr
}

/// Rewrites `format('%s of %s', a, b)` to a concatenation.
fn formatted(arguments: &[&Expr]) -> Result<Expr> {
    let Some(pattern) = text_of(arguments[0]) else {
        return Err(unsupported("format takes a constant pattern like '%s of %s'"));
    };
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut next = 1;
    let mut rest = pattern.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        let (place, after) = match after.split_once('$') {
            Some((place, after)) if place.parse::<usize>().is_ok_and(|place| place > 0) => {
                (place.parse().unwrap_or(next), after)
            }
            _ => (next, after),
        };
        let Some(after) = after.strip_prefix('s') else {
            return Err(unsupported("format takes %s, %1$s and %% here, and no other"));
        };
        let Some(value) = arguments.get(place) else {
            return Err(unsupported("format has fewer values than its pattern names"));
        };
        pieces.push(text(&std::mem::take(&mut literal)));
        pieces.push(cast((*value).clone(), DataType::Text));
        (next, rest) = (place + 1, after);
    }
    literal.push_str(rest);
    pieces.push(text(&literal));
    pieces.retain(|piece| text_of(piece).is_none_or(|piece| !piece.is_empty()));
    Ok(match pieces.is_empty() {
        true => text(""),
        false => call("concat", pieces),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_by, is_refused_by};
    use super::*;

    #[test]
    fn functions_of_postgres_are_said_in_those_of_the_engine() {
        for (said, meant) in [
            (
                "SELECT every(a) FILTER (WHERE b) AS e, variance(c) OVER (ORDER BY d) AS v FROM t",
                "SELECT bool_and(a) FILTER (WHERE b) AS e, var_samp(c) OVER (ORDER BY d) AS v FROM t",
            ),
            ("SELECT date(a) FROM t", "SELECT CAST(a AS DATE) AS \"date(a)\" FROM t"),
            ("SELECT age(a) AS x FROM t", "SELECT age(current_date(), a) AS x FROM t"),
            (
                "SELECT make_timestamptz(1, 2, 3, 4, 5, 6.5, 'Asia/Tokyo') AS x",
                "SELECT timezone('Asia/Tokyo', make_timestamp(1, 2, 3, 4, 5, 6.5)) AS x",
            ),
            (
                "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a DESC) AS x FROM t",
                "SELECT array_element(array_agg(a ORDER BY a DESC) FILTER (WHERE a IS NOT NULL), \
                 greatest(1, CAST(ceil((0.5) * count(a) FILTER (WHERE a IS NOT NULL)) AS BIGINT))) AS x \
                 FROM t",
            ),
            (
                "SELECT format('%s: %s%%, %1$s', a, b) AS x",
                "SELECT concat(CAST(a AS TEXT), ': ', CAST(b AS TEXT), '%, ', CAST(a AS TEXT)) AS x",
            ),
            ("SELECT format('') AS x", "SELECT '' AS x"),
            ("SELECT mod(a, b - 1) AS x FROM t", "SELECT ((a) % (b - 1)) AS x FROM t"),
            ("SELECT div(a, 2) AS x FROM t", "SELECT trunc(((a) / (2))) AS x FROM t"),
            (
                "SELECT sign(a) AS x, array_remove(b, 1) AS y FROM t",
                "SELECT signum(a) AS x, array_remove_all(b, 1) AS y FROM t",
            ),
            (
                "SELECT array_length(a, 1) AS x, array_length(a) AS y FROM t",
                "SELECT nullif(CAST(array_length(a, 1) AS BIGINT), 0) AS x, array_length(a) AS y FROM t",
            ),
            (
                "SELECT num_nulls(a, b) AS x, isfinite(c) AS y FROM t",
                "SELECT ((CAST((a) IS NULL AS INT)) + (CAST((b) IS NULL AS INT))) AS x, \
                 nullif((c) IS NOT NULL, false) AS y FROM t",
            ),
        ] {
            check_by(rewrite, said, meant);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for said in [
            "SELECT percentile_disc(1.5) WITHIN GROUP (ORDER BY a) FROM t",
            "SELECT percentile_disc(0.5) FROM t",
            "SELECT format(a, b) FROM t",
            "SELECT format('%I', a) FROM t",
            "SELECT format('%s') FROM t",
        ] {
            is_refused_by(rewrite, said);
        }
    }
}
