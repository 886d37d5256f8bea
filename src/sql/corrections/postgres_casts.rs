//! The rule that goes through the casts that were written.

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;

use super::cast_rounding::cast_as_meant;
use super::rewritten;

/// Rounds casts to integers, and reads texts that are cast to intervals.
#[derive(Debug)]
pub struct CastsAsMeant;

impl AnalyzerRule for CastsAsMeant {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, cast_as_meant)
    }

    fn name(&self) -> &str {
        "casts_as_meant"
    }
}
