//! Call syntax of our scalars and aggregates: named arguments, the accessor arrow, lists in `FROM`,
//! and TimescaleDB's names of functions.

use std::ops::ControlFlow;

use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::hours_options::HOURS_OPTION_NAMES;
use crate::functions::documented::{Argument, DOCUMENTED, Documented, Takes};
use crate::sql::dialect::ast_nodes::{cast, null, text, text_of, type_named};

/// Rewrites each call to the form that the engine knows.
///
/// # Errors
/// Fails if an argument name is unknown or repeated, or if a function of TimescaleDB is not
/// supported; the error names a replacement.
pub fn rewrite_calls(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => match statement.visit(&mut Calls) {
            ControlFlow::Break(wrong) => Err(*wrong),
            ControlFlow::Continue(()) => Ok(()),
        },
        Statement::Explain(explained) => rewrite_calls(&mut explained.statement),
        _ => Ok(()),
    }
}

struct Calls;

impl VisitorMut for Calls {
    type Break = Box<DataFusionError>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let called = match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
                arrow_accessor(left, right)
            }
            Expr::Function(function) => place_named_arguments(function).map(|()| None),
            _ => Ok(None),
        };
        match called {
            Ok(called) => {
                called.into_iter().for_each(|called| *expr = called);
                ControlFlow::Continue(())
            }
            Err(wrong) => ControlFlow::Break(Box::new(wrong)),
        }
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        match unnested(factor) {
            Ok(unnested) => {
                unnested.into_iter().for_each(|unnested| *factor = unnested);
                ControlFlow::Continue(())
            }
            Err(wrong) => ControlFlow::Break(Box::new(wrong)),
        }
    }
}

/// Rewrites `heartbeats -> uptime()` to `uptime(heartbeats)`.
fn arrow_accessor(left: &Expr, right: &Expr) -> Result<Option<Expr>> {
    let Expr::Function(function) = right else { return Ok(None) };
    let is_ours = documented(function).is_some();
    let FunctionArguments::List(list) = &function.args else { return Ok(None) };
    if !is_ours {
        return Ok(None);
    }
    let mut function = function.clone();
    let mut list: FunctionArgumentList = list.clone();
    list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(left.clone())));
    function.args = FunctionArguments::List(list);
    Ok(Some(Expr::Function(function)))
}

/// Aliases of our functions.
const ALIASES: [(&str, &str); 2] =
    [("compact_state_agg", "state_agg"), ("timeline_agg", "state_agg")];

/// Unsupported functions of TimescaleDB with their replacements.
const UNSUPPORTED: [(&str, &str); 10] = [
    ("into_int_values", "states are 'up', 'down' and 'unknown'; use into_values"),
    ("state_int_timeline", "states are 'up', 'down' and 'unknown'; use state_timeline"),
    (
        "interpolated_state_int_timeline",
        "states are 'up', 'down' and 'unknown'; use interpolated_state_timeline",
    ),
    ("state_int_periods", "states are 'up', 'down' and 'unknown'; use state_periods"),
    (
        "time_bucket_gapfill",
        "no bucket is left out of uptime_by(bucket, from, to) in FROM; elsewhere join time_bucket(...) to generate_series(...)",
    ),
    ("time_bucket_ng", "use time_bucket, which takes months and a time zone"),
    ("locf", "use interpolated_duration_in, which carries the last state on"),
    ("average_uptime", "divide uptime(...) by num_live_ranges(...)"),
    ("average_downtime", "divide downtime(...) by num_gaps(...)"),
    ("timevector", "use state_timeline, or live_ranges and dead_ranges"),
];

fn simple_name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(|ident| ident.value.to_lowercase())
}

fn documented(function: &Function) -> Option<&'static Documented> {
    let name = simple_name(&function.name)?;
    DOCUMENTED.into_iter().find(|documented| documented.name == name)
}

/// Moves named arguments to their positions.
fn place_named_arguments(function: &mut Function) -> Result<()> {
    let Some(mut name) = simple_name(&function.name) else { return Ok(()) };
    if let Some((_, instead)) = UNSUPPORTED.into_iter().find(|(known, _)| *known == name) {
        return plan_err!("there is no function {name}; {instead}");
    }
    let alias = ALIASES.into_iter().find(|(alias, _)| *alias == name);
    if let Some((_, meant)) = alias {
        name = meant.to_owned();
    }
    let schema = function.name.0.first().and_then(|part| part.as_ident());
    let is_of_toolkit =
        schema.is_some_and(|schema| schema.value.eq_ignore_ascii_case("toolkit_experimental"));
    if alias.is_some() || (is_of_toolkit && function.name.0.len() == 2) {
        function.name = ObjectName::from(vec![Ident::new(name)]);
    }
    let Some(documented) = documented(function) else { return Ok(()) };
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    if list.args.iter().any(is_named) {
        list.args = place_arguments(documented, std::mem::take(&mut list.args))?;
    }
    Ok(())
}

fn is_named(argument: &FunctionArg) -> bool {
    !matches!(argument, FunctionArg::Unnamed(_))
}

/// Name and value of a named argument.
fn name_and_value(argument: FunctionArg) -> Option<(String, Expr)> {
    match argument {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
            Some((name.value.to_lowercase(), value))
        }
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg: FunctionArgExpr::Expr(value),
            ..
        } => Some((name.value.to_lowercase(), value)),
        _ => None,
    }
}

fn place_arguments(of: &Documented, arguments: Vec<FunctionArg>) -> Result<Vec<FunctionArg>> {
    let wrong = |what: String| plan_datafusion_err!("{}: {what}", of.signature());
    let mut places: Vec<Option<FunctionArg>> = Vec::new();
    let (mut options, mut has_names) = (Vec::new(), false);
    for argument in arguments {
        if !is_named(&argument) {
            if has_names {
                let what = "arguments without a name come before those with one";
                return Err(wrong(what.to_owned()));
            }
            places.push(Some(argument));
            continue;
        }
        has_names = true;
        let Some((name, value)) = name_and_value(argument) else {
            return Err(wrong("an argument with a name is name => value".to_owned()));
        };
        if HOURS_OPTION_NAMES.contains(&name.as_str()) && takes_options(of) {
            if options.iter().any(|(other, _)| *other == name) {
                return Err(wrong(format!("{name} is given twice")));
            }
            options.push((name, value));
            continue;
        }
        let Some(place) = argument_position(of, &name) else {
            let mut known: Vec<_> = of.arguments.iter().map(|argument| argument.name).collect();
            if takes_options(of) {
                known.extend(HOURS_OPTION_NAMES);
            }
            return Err(wrong(format!("{name:?} is not one of {}", known.join(", "))));
        };
        if places.len() <= place {
            places.resize_with(place + 1, || None);
        }
        if places[place].is_some() {
            return Err(wrong(format!("{name} is given twice")));
        }
        places[place] = Some(unnamed(typed(&of.arguments[place], value)));
    }
    if !options.is_empty() {
        let place = of.arguments.len() - 1;
        places.resize_with(places.len().max(of.arguments.len()), || None);
        if places[place].is_some() {
            return Err(wrong("options are given twice".to_owned()));
        }
        places[place] = Some(unnamed(options_text(options)));
    }
    let filled = places.into_iter().enumerate().map(|(place, argument)| match argument {
        Some(argument) => Ok(argument),
        None if of.arguments[place].is_optional => Ok(unnamed(null())),
        None => Err(wrong(format!("{} is missing", of.arguments[place].name))),
    });
    filled.collect()
}

fn takes_options(of: &Documented) -> bool {
    of.arguments.last().is_some_and(|argument| argument.name == "options")
}

/// Position of an argument by its name or by TimescaleDB's name for it.
fn argument_position(of: &Documented, name: &str) -> Option<usize> {
    let meant = match (of.name, name) {
        ("time_bucket", "bucket_width") => "width",
        ("time_bucket", "ts") => "instant",
        ("time_bucket", "time_zone") => "timezone",
        ("heartbeat_agg", "agg_start") => "start",
        ("heartbeat_agg", "agg_duration") => "duration",
        ("heartbeat_agg", "heartbeat_liveness") => "liveness",
        (_, name) => name,
    };
    of.arguments.iter().position(|argument| argument.name == meant)
}

/// Casts a text to the type of its argument: `time_bucket` resolves its arguments by type.
fn typed(argument: &Argument, value: Expr) -> Expr {
    let wanted = match argument.takes {
        Takes::Instant if text_of(&value).is_some() => type_named("TIMESTAMPTZ"),
        Takes::Length if text_of(&value).is_some() => type_named("INTERVAL"),
        _ => None,
    };
    match wanted {
        Some(wanted) => cast(value, wanted),
        None => value,
    }
}

fn unnamed(value: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
}

/// Combines options into one text of `name=value` pairs.
fn options_text(options: Vec<(String, Expr)>) -> Expr {
    let mut parts: Vec<Expr> = Vec::new();
    for (at, (name, value)) in options.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        parts.push(text(&format!("{comma}{name}=")));
        parts.push(cast(value, DataType::Text));
    }
    let joined = parts.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::StringConcat,
        right: Box::new(right),
    });
    joined.unwrap_or_else(null)
}

/// Functions that return lists and may stand in `FROM`, with their columns there.
const IN_FROM: [(&str, &[&str]); 9] = [
    ("state_timeline", &["state", "starts_at", "ends_at"]),
    ("interpolated_state_timeline", &["state", "starts_at", "ends_at"]),
    ("state_periods", &["starts_at", "ends_at"]),
    ("interpolated_state_periods", &["starts_at", "ends_at"]),
    ("live_ranges", &["starts_at", "ends_at"]),
    ("dead_ranges", &["starts_at", "ends_at"]),
    ("unknown_ranges", &["starts_at", "ends_at"]),
    ("into_values", &["state", "duration"]),
    ("open_spans", &["starts_at", "ends_at"]),
];

/// Rewrites a list in `FROM` to a subquery of its rows.
fn unnested(factor: &TableFactor) -> Result<Option<TableFactor>> {
    let TableFactor::Table { name, args: Some(args), alias, .. } = factor else { return Ok(None) };
    let name = simple_name(name);
    let found = IN_FROM.into_iter().find(|(known, _)| name.as_deref() == Some(*known));
    let Some((function, columns)) = found else { return Ok(None) };
    let given: Vec<_> = args.args.iter().map(FunctionArg::to_string).collect();
    let columns: Vec<_> =
        columns.iter().map(|column| format!("\"row\"['{column}'] AS \"{column}\"")).collect();
    let sql = format!(
        "SELECT {} FROM (SELECT unnest({function}({})) AS \"row\")",
        columns.join(", "),
        given.join(", ")
    );
    let query = Parser::new(&PostgreSqlDialect {}).try_with_sql(&sql);
    let query = query.and_then(|mut parser| parser.parse_query());
    let Ok(mut query) = query else {
        return plan_err!(
            "{function} cannot be read in FROM; write SELECT unnest({function}(...))"
        );
    };
    if let ControlFlow::Break(wrong) = query.visit(&mut Calls) {
        return Err(*wrong);
    }
    let alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(function),
        columns: Vec::new(),
        at: None,
    });
    Ok(Some(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(alias),
        sample: None,
    }))
}
