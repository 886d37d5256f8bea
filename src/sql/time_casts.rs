//! Casts of texts to instants, local times and dates, written or implied by a comparison, parsed by
//! [`crate::rules::instant`] instead of the engine.
//!
//! Constants are parsed during planning, so that scans are pruned by them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::plan_rule::rewrite_expressions;
use crate::functions::instants::{ParseTarget, ParseText, is_text};
use crate::rules::ZoneRules;

/// Analyzer rule before type coercion: gives a constant text beside a time the type of the time.
/// The engine would coerce both to nanoseconds, which end before the year 9999.
#[derive(Debug)]
pub struct CoerceTextToTime(pub ZoneRules);

impl AnalyzerRule for CoerceTextToTime {
    fn name(&self) -> &str {
        "coerce_text_to_time"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let read = plan.transform_up_with_subqueries(|node| {
            rewritten(node, is_text_constant, |whole, schema| {
                coerce_text_beside_times(whole, schema, &self.0)
            })
        });
        read.map(|read| read.data)
    }
}

fn is_text_constant(part: &Expr) -> bool {
    matches!(part, Expr::Literal(value, _) if value.data_type().is_string())
}

/// Casts constant texts that stand beside times to the type of the time.
///
/// # Errors
/// Fails if a text cannot be parsed.
pub fn coerce_text_beside_times(
    whole: Expr,
    schema: &DFSchema,
    zones: &ZoneRules,
) -> Result<Transformed<Expr>> {
    whole.transform_up(|mut part| {
        let mut is_read = false;
        for mut operands in operands_of_one_type(&mut part) {
            if !operands.iter().any(|operand| is_text_constant(operand)) {
                continue;
            }
            let mut types = operands.iter().filter_map(|operand| operand.get_type(schema).ok());
            let time = types.find(|of| matches!(of, DataType::Timestamp(..)));
            let Some((read, time)) = time.and_then(|of| Some((ParseTarget::cast_to(&of)?, of)))
            else {
                continue;
            };
            for operand in &mut operands {
                let Expr::Literal(text, _) = &**operand else { continue };
                if let Some(text) = text.try_as_str().flatten() {
                    let value = read.value(zones, text)?.cast_to(&time)?;
                    **operand = Expr::Literal(value, None);
                    is_read = true;
                }
            }
        }
        Ok(if is_read { Transformed::yes(part) } else { Transformed::no(part) })
    })
}

/// Groups of operands that must have one type.
fn operands_of_one_type(part: &mut Expr) -> Vec<Vec<&mut Expr>> {
    const UNITING: [&str; 6] = ["coalesce", "greatest", "least", "nullif", "ifnull", "nvl"];
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if is_comparison(*op) || *op == Operator::Minus =>
        {
            vec![vec![left.as_mut(), right.as_mut()]]
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            vec![vec![expr.as_mut(), low.as_mut(), high.as_mut()]]
        }
        Expr::InList(InList { expr, list, .. }) => {
            vec![std::iter::once(expr.as_mut()).chain(list).collect()]
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => {
            let mut compared: Vec<_> = expr.as_deref_mut().into_iter().collect();
            let is_compared = !compared.is_empty();
            let mut results: Vec<_> = else_expr.as_deref_mut().into_iter().collect();
            for (when, then) in when_then_expr {
                if is_compared {
                    compared.push(when.as_mut());
                }
                results.push(then.as_mut());
            }
            vec![compared, results]
        }
        Expr::ScalarFunction(call) if UNITING.contains(&call.func.name()) => {
            vec![call.args.iter_mut().collect()]
        }
        _ => Vec::new(),
    }
}

/// Returns whether an operator compares two values of one type.
pub fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(
        op,
        O::Eq
            | O::NotEq
            | O::Lt
            | O::LtEq
            | O::Gt
            | O::GtEq
            | O::IsDistinctFrom
            | O::IsNotDistinctFrom
    )
}

/// Rewrites those expressions of a node that contain a matching part, keeping column names.
fn rewritten(
    node: LogicalPlan,
    is_of_kind: fn(&Expr) -> bool,
    rewrite: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let mut has_any = false;
    node.apply_expressions(|whole| {
        has_any |= whole.exists(|part| Ok(is_of_kind(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !has_any {
        return Ok(Transformed::no(node));
    }
    rewrite_expressions(node, rewrite)
}

/// Analyzer rule after type coercion: parses texts cast to times, with the zone rules of the
/// version.
#[derive(Debug)]
pub struct ParseTimeText(pub ZoneRules);

impl AnalyzerRule for ParseTimeText {
    fn name(&self) -> &str {
        "parse_time_text"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let read = plan.transform_up_with_subqueries(|node| {
            rewritten(node, is_time_cast, |whole, schema| parse_time_text(whole, schema, &self.0))
        });
        read.map(|read| read.data)
    }
}

fn is_time_cast(part: &Expr) -> bool {
    match cast_of(part) {
        Some((_, to, _)) => ParseTarget::cast_to(to).is_some(),
        None => false,
    }
}

/// Operand, target type, and whether the cast gives null on failure.
fn cast_of(part: &Expr) -> Option<(&Expr, &DataType, bool)> {
    match part {
        Expr::Cast(cast) => Some((&cast.expr, cast.field.data_type(), false)),
        Expr::TryCast(cast) => Some((&cast.expr, cast.field.data_type(), true)),
        _ => None,
    }
}

/// Replaces casts of texts to times in an expression whose types are settled.
///
/// # Errors
/// Fails if a constant cannot be parsed.
pub fn parse_time_text(
    whole: Expr,
    schema: &DFSchema,
    zones: &ZoneRules,
) -> Result<Transformed<Expr>> {
    whole.transform_up(|part| {
        let Some((inner, to, is_try)) = cast_of(&part) else { return Ok(Transformed::no(part)) };
        let Some(read) = ParseTarget::cast_to(to) else { return Ok(Transformed::no(part)) };
        if !inner.get_type(schema).is_ok_and(|of| is_text(&of)) {
            return Ok(Transformed::no(part));
        }
        let read = match inner {
            Expr::Literal(text, _) => match constant(text, read, to, zones) {
                Ok(Some(value)) => Expr::Literal(value, None),
                Err(_) if is_try => Expr::Literal(ScalarValue::try_new_null(to)?, None),
                Err(wrong) => return Err(wrong),
                Ok(None) => return Ok(Transformed::no(part)),
            },
            texts => {
                let function = Arc::new(ScalarUDF::from(ParseText::new(zones, read, is_try)));
                let call = function.call(vec![texts.clone()]);
                match call.get_type(schema)? == *to {
                    true => call,
                    false => Expr::Cast(Cast::new(Box::new(call), to.clone())),
                }
            }
        };
        Ok(Transformed::yes(read))
    })
}

/// Value of a constant text; `None` for null.
fn constant(
    text: &ScalarValue,
    target: ParseTarget,
    to: &DataType,
    zones: &ZoneRules,
) -> Result<Option<ScalarValue>> {
    let Some(text) = text.try_as_str().flatten() else { return Ok(None) };
    target.value(zones, text)?.cast_to(to).map(Some)
}
