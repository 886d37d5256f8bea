//! Faults of the SQL engine, put right from outside: a file each, with a test that fails once the
//! engine no longer has the fault, so that the file can be deleted. What cannot be put right is
//! refused in a sentence, as a wrong answer is worse than none.
//!
//! Three places to do it: the statement before it is planned ([`of_statement`]), the plan before its
//! types are settled ([`analyzer_rules`]), and functions in place of the engine's ([`register`]).

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

/// Says in terms that the engine carries out rightly what it would not.
///
/// # Errors
/// Where it cannot be said so.
pub fn of_statement(_: &mut Statement) -> Result<()> {
    Ok(())
}

/// Rules for plans, in the order in which they are applied after the engine's own.
pub fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    Vec::new()
}

/// Replaces functions of the engine by those that do as they say.
pub fn register(_: &SessionContext) {}
