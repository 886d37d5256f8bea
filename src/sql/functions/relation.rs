//! Calls of table functions in `FROM`, ours and DataFusion's, as relations of their own.
//!
//! DataFusion takes two scans for the same where their names are, whatever they read, and answers
//! two scalar subqueries over them once. So each call is scanned by a name that has its arguments in
//! it, below an alias that is the function's name.

use datafusion::common::{DFSchema, TableReference, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::sqlparser::ast::{FunctionArg, FunctionArgExpr, TableFactor};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use super::named::in_place;
use super::named_arguments;

#[derive(Debug)]
pub struct TableFunctions;

impl RelationPlanner for TableFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table { name, args: Some(arguments), alias, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some(function) = name.0.last().and_then(|part| part.as_ident()) else {
            return plan_err!("table function '{name}' not found");
        };
        let function = context.normalize_ident(function.clone());
        let arguments = match named_arguments(&function) {
            Some(named) => in_place(&named, arguments.args)?,
            None => arguments.args,
        };
        let none = DFSchema::empty();
        let arguments = arguments.into_iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                context.sql_expr_to_logical_expr(value, &none)
            }
            other => plan_err!("{function}: argument {other} is not a value"),
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let words: Vec<_> = arguments.iter().map(Expr::to_string).collect();
        let scanned = TableReference::bare(format!("{function}({})", words.join(",")));
        let source = context.context_provider().get_table_function_source(&function, arguments)?;
        let plan = LogicalPlanBuilder::scan(scanned, source, None)?;
        let plan = plan.alias(TableReference::bare(function))?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}
