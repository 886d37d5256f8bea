//! Named arguments of table functions, as in `uptime(from => '2023-01-24', to => '2023-01-25',
//! max_gap => '2h')`. Positional ones move to their positions; the others become option texts.

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Value,
};

use crate::rules::calendar::DAY_US;
use crate::rules::duration::duration_text;
use crate::sql::corrections::{interval_of, interval_text};

/// Argument names of a function.
pub struct NamedArguments {
    pub function: &'static str,
    /// Positional arguments, in order.
    pub places: &'static [&'static str],
    pub has_options: bool,
}

/// Returns the positional arguments, followed by the options.
///
/// # Errors
/// Fails if an argument is repeated, unknown or not constant.
pub fn resolve_named_arguments(
    of: &NamedArguments,
    arguments: Vec<FunctionArg>,
) -> Result<Vec<FunctionArg>> {
    let (mut given, mut named) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                let name = name.value.to_ascii_lowercase();
                if named.iter().any(|(other, _)| *other == name) {
                    return argument_error(of, format!("{name} is given twice"));
                }
                named.push((name, value));
            }
            FunctionArg::Unnamed(_) if !named.is_empty() => {
                return argument_error(of, "arguments without a name come before those with one");
            }
            other => given.push(other),
        }
    }
    let places = of.places;
    let first = given.len();
    for (place, name) in places.iter().enumerate() {
        let Some(at) = named.iter().position(|(other, _)| other == name) else { continue };
        if place < first {
            return argument_error(of, format!("{name} is given twice"));
        }
        if place > given.len() {
            return argument_error(
                of,
                format!("{name}: expected {} before it", places[..place].join(", ")),
            );
        }
        given.push(argument(named.remove(at).1));
    }
    for (name, value) in named {
        given.push(argument(match name.as_str() {
            _ if !of.has_options => {
                let known = of.places.join(", ");
                return argument_error(of, format!("{name:?} is not one of {known}"));
            }
            "options" => value,
            _ => option(of, &name, value)?,
        }));
    }
    Ok(given)
}

fn argument(value: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
}

/// Option text such as `max_gap=2h`. For a parameter, an expression that builds the text.
fn option(of: &NamedArguments, name: &str, value: Expr) -> Result<Expr> {
    let text = |text: String| Expr::value(Value::SingleQuotedString(text));
    if let Expr::Value(held) = &value
        && matches!(held.value, Value::Placeholder(_))
    {
        return Ok(Expr::BinaryOp {
            left: Box::new(text(format!("{name}="))),
            op: BinaryOperator::StringConcat,
            right: Box::new(value),
        });
    }
    match word_of(value) {
        Ok(word) => Ok(text(format!("{name}={word}"))),
        Err(what) => argument_error(of, format!("{name}: {what}")),
    }
}

/// Text of a constant: `'2h'`, `true`, `INTERVAL '2 hours'`.
fn word_of(value: Expr) -> std::result::Result<String, String> {
    match value {
        Expr::Interval(interval) => {
            let mut written = word_of(*interval.value)?;
            if let Some(unit) = interval.leading_field {
                written = format!("{written} {unit}");
            }
            let length = interval_of(&written);
            let length_us = length
                .filter(|length| length.months == 0)
                .map(|length| i64::from(length.days) * DAY_US + length.nanoseconds / 1000);
            length_us.filter(|length_us| *length_us > 0).map(duration_text).ok_or_else(|| {
                let shown = length.map_or(written, interval_text);
                format!("INTERVAL '{shown}' is not a positive interval of days and hours")
            })
        }
        Expr::Value(value) => match value.value {
            Value::Boolean(truth) => Ok(truth.to_string()),
            value => match value.clone().into_string() {
                Some(text) => Ok(text),
                None => Err(format!("{value} is not a text")),
            },
        },
        other => Err(format!("{other} is not a constant")),
    }
}

fn argument_error<T>(of: &NamedArguments, what: impl std::fmt::Display) -> Result<T> {
    plan_err!("{}: {what}", of.function)
}
