//! Compares intervals and durations by length, with days of 24 hours and months of 30 days.
//!
//! The engine compares intervals field by field: months, then days, then time. Comparisons, sort
//! keys, group keys and join keys are replaced by lengths; the output of a group is one of its
//! intervals.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Join, Projection};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, JoinConstraint, LogicalPlan};

use super::interval::is_interval;
use super::interval_comparisons::compare_by_length;
use super::interval_lengths::{is_field_by_field, is_key, key, length, sorted};
use super::rewritten;
use crate::error::Fault;
use crate::sql::errors;

/// Replaces compared intervals by their lengths. Applied before type coercion.
pub fn by_length(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    rewritten(plan, compare_by_length)?.transform_data(|plan| replace_keys(plan, &schema))
}

/// Replaces the keys of an operator by lengths.
fn replace_keys(plan: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Sort(mut sort) if sort.expr.iter().any(|key| is_key(&key.expr, schema)) => {
            sort.expr = sorted(sort.expr, schema);
            Ok(Transformed::yes(LogicalPlan::Sort(sort)))
        }
        LogicalPlan::Join(join) => join_by_length(join),
        LogicalPlan::Aggregate(aggregate) => Ok(match group_by_length(&aggregate, schema)? {
            Some(plan) => Transformed::yes(plan),
            None => Transformed::no(LogicalPlan::Aggregate(aggregate)),
        }),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let columns = input.schema().columns();
            let columns: Vec<_> = columns.into_iter().map(Expr::Column).collect();
            if !columns.iter().any(|column| is_key(column, input.schema())) {
                return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
            }
            let distinct = Aggregate::try_new(Arc::clone(&input), columns, Vec::new())?;
            let grouped = group_by_length(&distinct, input.schema())?;
            Ok(Transformed::yes(grouped.unwrap_or(LogicalPlan::Aggregate(distinct))))
        }
        LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
            let on = std::mem::take(&mut distinct.on_expr);
            distinct.on_expr = on.into_iter().map(|expr| key(expr, schema)).collect();
            distinct.sort_expr = distinct.sort_expr.map(|keys| sorted(keys, schema));
            Ok(Transformed::yes(LogicalPlan::Distinct(Distinct::On(distinct))))
        }
        LogicalPlan::RecursiveQuery(query) if query.is_distinct => {
            let has_interval =
                query.schema.fields().iter().any(|f| is_field_by_field(f.data_type()));
            match has_interval {
                true => Err(not_supported("UNION in a recursive query; use UNION ALL")),
                false => Ok(Transformed::no(LogicalPlan::RecursiveQuery(query))),
            }
        }
        plan => Ok(Transformed::no(plan)),
    }
}

fn not_supported(what: &str) -> datafusion::error::DataFusionError {
    errors::error(Fault::NotSupported, format!("intervals are not supported by {what}"))
}

fn join_by_length(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (left, right) = (Arc::clone(join.left.schema()), Arc::clone(join.right.schema()));
    let kind = |expr: &Expr, schema: &DFSchema| expr.get_type(schema).ok();
    let mut is_changed = false;
    for (of_left, of_right) in &mut join.on {
        let kinds = [kind(of_left, &left), kind(of_right, &right)];
        let kinds: Vec<_> = kinds.iter().flatten().collect();
        if kinds.iter().any(|kind| is_field_by_field(kind))
            && kinds.iter().all(|kind| is_interval(kind))
        {
            *of_left = length(of_left.clone());
            *of_right = length(of_right.clone());
            is_changed = true;
        }
    }
    if is_changed {
        // The keys are no longer columns.
        join.join_constraint = JoinConstraint::On;
    }
    let plan = LogicalPlan::Join(join);
    Ok(if is_changed { Transformed::yes(plan) } else { Transformed::no(plan) })
}

/// Groups by length and outputs the first interval of each group; `None` if no key is an interval.
fn group_by_length(aggregate: &Aggregate, schema: &DFSchema) -> Result<Option<LogicalPlan>> {
    if let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() {
        let keys: Vec<&Expr> = match set {
            GroupingSet::Rollup(keys) | GroupingSet::Cube(keys) => keys.iter().collect(),
            GroupingSet::GroupingSets(sets) => sets.iter().flatten().collect(),
        };
        return match keys.into_iter().any(|expr| is_key(expr, schema)) {
            true => Err(not_supported("GROUPING SETS, ROLLUP and CUBE; group by their epochs")),
            false => Ok(None),
        };
    }
    if !aggregate.group_expr.iter().any(|expr| is_key(expr, schema)) {
        return Ok(None);
    }
    let keys = aggregate.group_expr.len();
    let mut groups = Vec::new();
    let mut folds = aggregate.aggr_expr.clone();
    // Output expression for each column of the aggregate.
    let mut places = Vec::new();
    for (number, expr) in aggregate.group_expr.iter().enumerate() {
        if !is_key(expr, schema) {
            places.push(number);
            groups.push(expr.clone());
            continue;
        }
        let interval = expr.clone().unalias_nested().data;
        groups.push(length(interval.clone()).alias(format!("length of key {number}")));
        places.push(keys + folds.len());
        folds.push(first_value(interval, Vec::new()).alias(format!("interval of key {number}")));
    }
    places.extend(keys..keys + aggregate.aggr_expr.len());
    let made =
        LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(&aggregate.input), groups, folds)?);
    let columns = places.into_iter().zip(aggregate.schema.iter()).map(|(place, (table, field))| {
        Expr::Column(Column::from(made.schema().qualified_field(place)))
            .alias_qualified(table.cloned(), field.name())
    });
    let columns = columns.collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(made))?)))
}

#[cfg(test)]
mod tests {
    use crate::sql::corrections::tests::uncorrected::answer;

    /// When this fails, remove [`super::by_length`].
    #[test]
    fn the_engine_still_compares_intervals_field_by_field() {
        let equal = answer("SELECT INTERVAL '1 day' = INTERVAL '24 hours'");
        assert_eq!(equal.as_deref(), Ok("false"));
        let longest =
            "SELECT max(x) FROM (VALUES (INTERVAL '1 day'), (INTERVAL '25 hours')) AS t(x)";
        assert_eq!(answer(longest).as_deref(), Ok("1 days"));
    }
}
