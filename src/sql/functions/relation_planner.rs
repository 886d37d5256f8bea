//! Plans table function calls in `FROM`, ours and DataFusion's.
//!
//! DataFusion treats two scans of one name as equal, whatever they read, and evaluates two scalar
//! subqueries over them once. Each call is therefore scanned under a name that includes its
//! arguments, below an alias with the function's name.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, TableReference, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::sqlparser::ast::{FunctionArg, FunctionArgExpr, TableFactor};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlanBuilder};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;

use super::super::time_casts::{coerce_text_beside_times, parse_time_text};
use super::named_arguments;
use super::named_arguments::resolve_named_arguments;
use crate::rules::ZoneRules;

/// Plans table functions. Texts cast to times among the arguments follow the given zone rules.
#[derive(Debug)]
pub struct TableFunctionPlanner(pub ZoneRules);

impl RelationPlanner for TableFunctionPlanner {
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
        let named = named_arguments(&function);
        let is_ours = named.is_some();
        let arguments = match named {
            Some(named) => resolve_named_arguments(&named, arguments.args)?,
            None => arguments.args,
        };
        let none = DFSchema::empty();
        let arguments = arguments.into_iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                context.sql_expr_to_logical_expr(value, &none)
            }
            other => plan_err!("{function}: argument {other} is not a value"),
        });
        let mut arguments = arguments.collect::<Result<Vec<_>>>()?;
        if !is_ours {
            coerce_series_arguments(&mut arguments, &none)?;
        }
        let arguments = arguments.into_iter().map(|value| {
            let value = coerce_text_beside_times(value, &none, &self.0)?.data;
            let value = value.rewrite(&mut TypeCoercionRewriter::new(&none))?.data;
            let value = parse_time_text(value, &none, &self.0)?.data;
            if is_ours { Ok(value) } else { convert_time_unit(value, MICROS, NANOS, &none) }
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let words: Vec<_> = arguments.iter().map(Expr::to_string).collect();
        let scanned = TableReference::bare(format!("{function}({})", words.join(",")));
        let source = context.context_provider().get_table_function_source(&function, arguments)?;
        let mut plan = LogicalPlanBuilder::scan(scanned, source, None)?;
        let scanned = Arc::clone(plan.schema());
        let is_time = |field: &FieldRef| matches!(field.data_type(), DataType::Timestamp(..));
        if !is_ours && scanned.fields().iter().any(is_time) {
            let columns = scanned.columns().into_iter().map(|column| {
                let name = column.name.clone();
                Ok(convert_time_unit(Expr::Column(column), NANOS, MICROS, &scanned)?.alias(name))
            });
            plan = plan.project(columns.collect::<Result<Vec<_>>>()?)?;
        }
        let plan = plan.alias(TableReference::bare(function))?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

const MICROS: TimeUnit = TimeUnit::Microsecond;
const NANOS: TimeUnit = TimeUnit::Nanosecond;

/// Coerces the arguments of a series that starts with a time: a text as its end to a time, a text
/// as its step to an interval.
fn coerce_series_arguments(arguments: &mut [Expr], schema: &DFSchema) -> Result<()> {
    let [start, others @ ..] = arguments else { return Ok(()) };
    let start @ DataType::Timestamp(..) = start.get_type(schema)? else { return Ok(()) };
    for (other, wanted) in others.iter_mut().zip([start, INTERVAL]) {
        if other.get_type(schema)?.is_string() {
            *other = Expr::Cast(Cast::new(Box::new(other.clone()), wanted));
        }
    }
    Ok(())
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Converts a time to another unit: functions of the engine such as `generate_series` support
/// nanoseconds only, while our columns are in microseconds.
fn convert_time_unit(value: Expr, from: TimeUnit, to: TimeUnit, schema: &DFSchema) -> Result<Expr> {
    Ok(match value.get_type(schema)? {
        DataType::Timestamp(unit, zone) if unit == from => {
            Expr::Cast(Cast::new(Box::new(value), DataType::Timestamp(to, zone)))
        }
        _ => value,
    })
}
