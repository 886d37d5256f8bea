//! Rewrites comparisons of intervals within an expression to comparisons of lengths.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, BinaryExpr, Case, InList, InSubquery, ScalarFunction,
    SetComparison, WindowFunction,
};
use datafusion::logical_expr::logical_plan::{Projection, Subquery};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
    lit, when,
};
use datafusion::scalar::ScalarValue;

use super::interval::is_interval;
use super::interval_extremes::{Chosen, extreme, extreme_of};
use super::interval_lengths::{is_field_by_field, key, length, sorted};
use super::interval_literals::read;
use crate::error::Fault;
use crate::sql::errors;
use crate::sql::time_casts::is_comparison;

/// Rewrites an expression that itself compares intervals.
pub fn compare_by_length(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if is_comparison(op) && by_length(&[&left, &right], schema) =>
        {
            let (left, right) = (side(*left)?, side(*right)?);
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high })
            if by_length(&[&expr, &low, &high], schema) =>
        {
            let (expr, low, high) = (side(*expr)?, side(*low)?, side(*high)?);
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::InList(InList { expr, list, negated })
            if by_length(&std::iter::once(&*expr).chain(&list).collect::<Vec<_>>(), schema) =>
        {
            let list = list.into_iter().map(length_of).collect::<Result<_>>()?;
            Transformed::yes(Expr::InList(InList { expr: side(*expr)?, list, negated }))
        }
        Expr::Case(Case { expr: Some(expr), when_then_expr, else_expr })
            if by_length(
                &std::iter::once(&*expr)
                    .chain(when_then_expr.iter().map(|(when, _)| &**when))
                    .collect::<Vec<_>>(),
                schema,
            ) =>
        {
            let cases = when_then_expr.into_iter().map(|(when, then)| Ok((side(*when)?, then)));
            let when_then_expr = cases.collect::<Result<_>>()?;
            Transformed::yes(Expr::Case(Case {
                expr: Some(side(*expr)?),
                when_then_expr,
                else_expr,
            }))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated })
            if is_interval_subquery(&expr, &subquery, schema) =>
        {
            let (expr, subquery) = (side(*expr)?, lengths_of(subquery)?);
            Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }))
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })
            if is_interval_subquery(&expr, &subquery, schema) =>
        {
            let (expr, subquery) = (side(*expr)?, lengths_of(subquery)?);
            Transformed::yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }))
        }
        Expr::ScalarFunction(call) => call_by_length(call, schema)?,
        Expr::AggregateFunction(call) => aggregate_by_length(call, schema)?,
        Expr::WindowFunction(call) => window_by_length(*call, schema)?,
        expr => Transformed::no(expr),
    })
}

/// Returns whether all operands are intervals, durations, or constants that may be parsed as such,
/// and not all are durations.
fn by_length(exprs: &[&Expr], schema: &DFSchema) -> bool {
    let kinds: Vec<_> = exprs.iter().map(|expr| kind(expr, schema)).collect();
    let has_text = exprs.iter().any(|expr| is_text(expr));
    let is_alike = |(expr, kind): (&&Expr, &Option<DataType>)| {
        is_text(expr) || kind.as_ref().is_some_and(|kind| is_interval(kind) || kind.is_null())
    };
    let has_interval = kinds.iter().flatten().any(is_field_by_field);
    let has_difference = kinds.iter().flatten().any(is_interval);
    (has_interval || (has_difference && has_text)) && exprs.iter().zip(&kinds).all(is_alike)
}

fn kind(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    expr.get_type(schema).ok()
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.try_as_str().flatten().is_some())
}

fn side(expr: Expr) -> Result<Box<Expr>> {
    length_of(expr).map(Box::new)
}

/// Length of an operand; a constant text is parsed as an interval.
fn length_of(expr: Expr) -> Result<Expr> {
    Ok(match &expr {
        Expr::Literal(value, _) if value.is_null() => expr,
        Expr::Literal(value, _) => match value.try_as_str().flatten() {
            Some(text) => length(lit(ScalarValue::IntervalMonthDayNano(Some(read(text)?)))),
            None => length(expr),
        },
        _ => length(expr),
    })
}

fn is_interval_subquery(expr: &Expr, subquery: &Subquery, schema: &DFSchema) -> bool {
    let columns = subquery.subquery.schema().fields();
    let [column] = &columns[..] else { return false };
    let kinds = [kind(expr, schema), Some(column.data_type().clone())];
    let mut kinds = kinds.iter().flatten();
    kinds.clone().any(is_field_by_field) && kinds.all(is_interval)
}

/// Projects the intervals of a subquery to their lengths, keeping the column name.
fn lengths_of(subquery: Subquery) -> Result<Subquery> {
    let (table, field) = subquery.subquery.schema().qualified_field(0);
    let column = Expr::Column(Column::from((table, field)));
    let lengths = vec![length(column).alias(field.name())];
    let lengths = Projection::try_new(lengths, Arc::clone(&subquery.subquery))?;
    Ok(Subquery { subquery: Arc::new(LogicalPlan::Projection(lengths)), ..subquery })
}

fn call_by_length(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !matches!(call.func.name(), "nullif" | "greatest" | "least")
        || !by_length(&call.args.iter().collect::<Vec<_>>(), schema)
    {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let made = match (call.func.name(), call.args.as_slice()) {
        ("nullif", [value, other]) => {
            let is_other = length_of(value.clone())?.eq(length_of(other.clone())?);
            when(is_other, lit(ScalarValue::Null)).otherwise(value.clone())?
        }
        ("greatest", _) => extreme_of(Chosen::Longest, call.args),
        ("least", _) => extreme_of(Chosen::Shortest, call.args),
        _ => return Ok(Transformed::no(Expr::ScalarFunction(call))),
    };
    Ok(Transformed::yes(made))
}

fn has_interval(args: &[Expr], schema: &DFSchema) -> bool {
    args.iter().any(|arg| kind(arg, schema).is_some_and(|kind| is_field_by_field(&kind)))
}

/// Rewrites `max` and `min` to compare lengths, `count(DISTINCT x)` to count lengths, and sort keys
/// to lengths.
fn aggregate_by_length(
    mut call: AggregateFunction,
    schema: &DFSchema,
) -> Result<Transformed<Expr>> {
    let is_sorted =
        call.params.order_by.iter().any(|by| has_interval(std::slice::from_ref(&by.expr), schema));
    if !is_sorted && !has_interval(&call.params.args, schema) {
        return Ok(Transformed::no(Expr::AggregateFunction(call)));
    }
    call.params.order_by = sorted(call.params.order_by, schema);
    if has_interval(&call.params.args, schema) {
        match call.func.name() {
            "max" if !call.func.inner().is::<super::interval_extremes::Extreme>() => {
                call.func = extreme(Chosen::Longest);
            }
            "min" if !call.func.inner().is::<super::interval_extremes::Extreme>() => {
                call.func = extreme(Chosen::Shortest);
            }
            "count" if call.params.distinct => {
                let args = std::mem::take(&mut call.params.args);
                call.params.args = args.into_iter().map(|arg| key(arg, schema)).collect();
            }
            name if call.params.distinct && !matches!(name, "max" | "min") => {
                let sentence = format!(
                    "{name}(DISTINCT …) of intervals is not supported; take their distinct values \
                     in a subquery"
                );
                return Err(errors::error(Fault::NotSupported, sentence));
            }
            _ => {}
        }
    }
    Ok(Transformed::yes(Expr::AggregateFunction(call)))
}

/// Rewrites partitioning and ordering to lengths; ordering by durations becomes ordering by
/// numbers.
fn window_by_length(mut call: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let params = &mut call.params;
    let is_interval_of = |expr: &Expr| kind(expr, schema).is_some_and(|kind| is_interval(&kind));
    let has_key = params.partition_by.iter().any(is_interval_of)
        || params.order_by.iter().any(|by| is_interval_of(&by.expr));
    if !has_key && !has_interval(&params.args, schema) {
        return Ok(Transformed::no(Expr::WindowFunction(Box::new(call))));
    }
    let frame = &params.window_frame;
    let has_distance = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(distance) | WindowFrameBound::Following(distance) => {
            !distance.is_null()
        }
        WindowFrameBound::CurrentRow => false,
    };
    if frame.units == WindowFrameUnits::Range
        && (has_distance(&frame.start_bound) || has_distance(&frame.end_bound))
        && params.order_by.iter().any(|by| is_interval_of(&by.expr))
    {
        let sentence = "RANGE with a distance is not supported over an order by intervals; order \
             by extract(epoch FROM …)";
        return Err(errors::error(Fault::NotSupported, sentence));
    }
    let partition_by = std::mem::take(&mut params.partition_by);
    params.partition_by = partition_by.into_iter().map(|expr| key(expr, schema)).collect();
    for by in &mut params.order_by {
        if is_interval_of(&by.expr) {
            by.expr = length(by.expr.clone());
        }
    }
    if let WindowFunctionDefinition::AggregateUDF(func) = &mut call.fun
        && has_interval(&params.args, schema)
    {
        match func.name() {
            "max" => *func = extreme(Chosen::Longest),
            "min" => *func = extreme(Chosen::Shortest),
            "count" if params.distinct => {
                let args = std::mem::take(&mut params.args);
                params.args = args.into_iter().map(|arg| key(arg, schema)).collect();
            }
            _ => {}
        }
    }
    Ok(Transformed::yes(Expr::WindowFunction(Box::new(call))))
}
