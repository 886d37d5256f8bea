//! Analyzer rule for explicit casts.

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;

use super::cast_rounding::postgres_cast;
use super::rewritten;

/// Rounds casts to integers, and parses texts cast to intervals.
#[derive(Debug)]
pub struct PostgresCasts;

impl AnalyzerRule for PostgresCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, postgres_cast)
    }

    fn name(&self) -> &str {
        "postgres_casts"
    }
}
