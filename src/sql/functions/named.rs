//! Options by name, as in `uptime(from, to, max_gap => '2h')`: turned into the text of options that
//! every parser of SQL takes.

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, TableFactor, Value,
};

use super::Kind;

#[derive(Debug)]
pub struct NamedArguments;

impl RelationPlanner for NamedArguments {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        _: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let TableFactor::Table { name, args: Some(arguments), .. } = &mut relation {
            let name = name.to_string().to_ascii_lowercase();
            if Kind::ALL.iter().any(|kind| kind.name() == name) {
                arguments.args = in_place(std::mem::take(&mut arguments.args))?;
            }
        }
        Ok(RelationPlanning::Original(Box::new(relation)))
    }
}

/// The arguments without names, and after them the others as one text.
fn in_place(arguments: Vec<FunctionArg>) -> Result<Vec<FunctionArg>> {
    let (mut placed, mut named) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                named.push(format!("{}={}", name.value.to_ascii_lowercase(), word_of(value)?));
            }
            FunctionArg::Unnamed(_) if !named.is_empty() => {
                return plan_err!("arguments without a name come before those with one");
            }
            other => placed.push(other),
        }
    }
    if !named.is_empty() {
        let options = Expr::value(Value::SingleQuotedString(named.join(",")));
        placed.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(options)));
    }
    Ok(placed)
}

/// The text of a constant: `'2h'`, `true`, `INTERVAL '2 hours'`.
fn word_of(value: Expr) -> Result<String> {
    match value {
        Expr::Interval(interval) if interval.leading_field.is_none() => word_of(*interval.value),
        Expr::Value(value) => match value.value {
            Value::Boolean(truth) => Ok(truth.to_string()),
            value => match value.clone().into_string() {
                Some(text) => Ok(text),
                None => plan_err!("option {value} is not a text"),
            },
        },
        other => plan_err!("option {other} is not a constant"),
    }
}
