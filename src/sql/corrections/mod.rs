//! Corrections of faults in DataFusion's SQL, from outside: one file for each fault, with a test
//! that fails once the engine no longer has it, so that the file can be deleted. Constructs that
//! cannot be corrected are refused: an error is better than a wrong answer.
//!
//! Corrections apply in four places: to the statement before planning ([`correct_statement`]), to
//! operators during planning and to functions in place of the engine's ([`register`]), and to the
//! plan before and after type coercion ([`analyzer_rules`]).

mod arithmetic;
mod cast_rounding;
mod coalesce;
mod date_bin;
mod date_part;
mod integer_overflow;
mod integer_sums;
mod interval;
mod interval_averages;
mod interval_comparisons;
mod interval_extremes;
mod interval_lengths;
mod interval_literals;
mod interval_parser;
mod intervals_by_length;
mod negation;
mod power_operator;
mod remainder_operator;
mod time_text;

mod aggregate_subqueries;
mod array_casts;
mod multiset_operators;
mod named_windows;
mod quantified_comparisons;
mod recursive_ctes;
mod similar_to;
mod subquery_predicates;
mod values_subqueries;
mod window_arguments;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, ScalarUDF};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

pub use self::interval_parser::parse as interval_of;
pub use self::time_text::interval as interval_text;
use super::dialect::{into_result, unsupported};
use super::plan_rule::{plan_rule, rewrite_expressions};

/// Rewrites what the engine would execute incorrectly in terms of what it executes correctly.
///
/// # Errors
/// Fails if there is no equivalent.
pub fn correct_statement(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    interval_literals::rewrite(statement)?;
    power_operator::rewrite(statement);
    remainder_operator::rewrite(statement);
    negation::rewrite(statement);
    similar_to::rewrite(statement)?;
    window_arguments::check_arguments(statement)?;
    recursive_ctes::rewrite(statement)?;
    named_windows::rewrite(statement)?;
    values_subqueries::rewrite(statement)?;
    array_casts::rewrite(statement)?;
    quantified_comparisons::rewrite(statement)?;
    subquery_predicates::rewrite(statement)
}

/// Analyzer rules in the order of application, including the engine's own.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = vec![
        plan_rule("postgres_casts", |plan| rewritten(plan, cast_rounding::postgres_cast)),
        plan_rule("intervals_by_length", intervals_by_length::by_length),
    ];
    // These include type coercion.
    rules.extend(Analyzer::new().rules);
    rules.extend([
        plan_rule("checked_integers", |plan| rewritten(plan, integer_overflow::checked)),
        plan_rule("postgres_remainders", |plan| {
            rewritten(plan, remainder_operator::postgres_remainder)
        }),
        plan_rule("number_duplicates", multiset_operators::number_duplicates),
        plan_rule("texts_are_arrays", |plan| rewritten(plan, array_casts::parse_array_cast)),
        plan_rule("times_as_text", |plan| rewritten(plan, time_text::times_as_text)),
    ]);
    rules
}

/// Replaces faulty functions of the engine.
pub fn register(context: &SessionContext) {
    let state = context.state_ref();
    let _ = state.write().register_expr_planner(Arc::new(arithmetic::Arithmetic));
    negation::register(context);
    if let Some(bin) = context.state().scalar_functions().get("date_bin") {
        context.register_udf(ScalarUDF::from(date_bin::DateBin(Arc::clone(bin))));
    }
    if let Some(part) = context.state().scalar_functions().get("date_part") {
        context.register_udf(ScalarUDF::from(date_part::DatePart(Arc::clone(part))));
    }
    if let Some(coalesce) = context.state().scalar_functions().get("coalesce") {
        context.register_udf(ScalarUDF::from(coalesce::Coalesce(Arc::clone(coalesce))));
    }
    if let Some(average) = context.state().aggregate_functions().get("avg") {
        let average = interval_averages::Average::new(Arc::clone(average));
        context.register_udaf(AggregateUDF::from(average));
    }
}

/// Rewrites the expressions of an operator bottom up; columns keep their names.
fn rewritten(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    rewrite_expressions(plan, |expr, schema| expr.transform_up(|expr| rewrite(expr, schema)))
}

#[cfg(test)]
mod tests;
