//! Faults of the SQL engine, put right from outside: a file each, with a test that fails once the
//! engine no longer has the fault, so that the file can be deleted. What cannot be put right is
//! refused in a sentence, as a wrong answer is worse than none.
//!
//! Three places to do it: the statement before it is planned ([`of_statement`]), the plan before its
//! types are settled ([`analyzer_rules`]), and functions in place of the engine's ([`register`]).

mod arrays;
mod calls;
mod listed;
mod multiplicity;
mod quantified;
mod recursion;
mod subqueries;
mod values;
mod windows;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::optimizer::AnalyzerRule;
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
    calls::complete(statement)?;
    recursion::kept_whole(statement)?;
    windows::spelled_out(statement)?;
    values::as_selects(statement)?;
    arrays::as_written(statement)?;
    quantified::as_bounds(statement)?;
    subqueries::as_counts(statement)
}

/// Rules for plans, in the order in which they are applied after the engine's own.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    vec![Arc::new(multiplicity::CountsEquals), Arc::new(arrays::TextsAreArrays)]
}

/// Replaces functions of the engine by those that do as they say.
pub fn register(_: &SessionContext) {}

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
