//! Faults of the SQL engine, put right from outside: a file each, with a test that fails once the
//! engine no longer has the fault, so that the file can be deleted. What cannot be put right is
//! refused in a sentence, as a wrong answer is worse than none.
//!
//! Four places to do it: the statement before it is planned ([`of_statement`]), operators as they are
//! planned and functions in place of the engine's ([`register`]), and the plan before and after its
//! types are settled ([`analyzer_rules`]).

mod arithmetic;
mod averages;
mod casts;
mod compared;
mod date_part;
#[cfg(test)]
mod engine;
mod extremes;
mod interval;
mod interval_parser;
mod interval_texts;
mod lengths;
mod overflow;
mod powers;
mod rounding;
mod sums;

mod arrays;
mod calls;
mod listed;
mod multiplicity;
mod negated;
mod quantified;
mod recursion;
mod similar;
mod subqueries;
mod values;
mod windows;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

use super::wrong;
use crate::error::Fault;

/// Says in terms that the engine carries out rightly what it would not.
///
/// # Errors
/// Where it cannot be said so.
pub fn of_statement(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    interval_texts::rewrite(statement)?;
    powers::rewrite(statement);
    negated::rewrite(statement);
    similar::as_expressions(statement)?;
    calls::complete(statement)?;
    recursion::kept_whole(statement)?;
    windows::spelled_out(statement)?;
    values::as_selects(statement)?;
    arrays::as_written(statement)?;
    quantified::as_bounds(statement)?;
    subqueries::as_counts(statement)
}

/// Rules for plans in the order in which they are applied, the engine's own among them.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        vec![Arc::new(casts::CastsAsMeant), Arc::new(lengths::IntervalsByLength)];
    // They settle the types.
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(overflow::IntegersInRange));
    rules.push(Arc::new(multiplicity::CountsEquals));
    rules.push(Arc::new(arrays::TextsAreArrays));
    rules
}

/// Replaces functions of the engine by those that do as they say.
pub fn register(context: &SessionContext) {
    let state = context.state_ref();
    let _ = state.write().register_expr_planner(Arc::new(arithmetic::Arithmetic));
    if let Some(part) = context.state().scalar_functions().get("date_part") {
        context.register_udf(ScalarUDF::from(date_part::DatePart(Arc::clone(part))));
    }
    if let Some(average) = context.state().aggregate_functions().get("avg") {
        let average = averages::Average::new(Arc::clone(average));
        context.register_udaf(AggregateUDF::from(average));
    }
}

/// What the engine cannot be asked rightly.
fn refused(sentence: impl Into<String>) -> DataFusionError {
    wrong::error(Fault::NotSupported, sentence)
}

fn until_broken(walked: ControlFlow<DataFusionError>) -> Result<()> {
    match walked {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}
