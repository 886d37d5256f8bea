//! Table function calls with unbound parameters. They are planned when the parameters are bound, by
//! the same code as calls with constants, so that both give the same answers and errors.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::super::time_casts::parse_time_text;
use crate::rules::ZoneRules;

/// A function that may stand in `FROM`.
pub trait Callable: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;

    /// Plans a call with constant arguments.
    ///
    /// # Errors
    /// Fails if an argument is invalid; the error names it.
    fn plan(&self, arguments: &[Expr]) -> Result<LogicalPlan>;

    /// Output columns, independent of the values of parameters.
    ///
    /// # Errors
    /// Fails if the columns depend on an unbound parameter.
    fn columns(&self, arguments: &[Expr]) -> Result<DFSchemaRef>;

    /// Zone rules for texts among the arguments.
    fn zones(&self) -> &ZoneRules;

    /// Positions of arguments that are instants.
    fn instants(&self) -> std::ops::Range<usize>;
}

/// Adapts a [`Callable`] to DataFusion.
#[derive(Debug)]
pub struct TableFunctionAdapter(pub Arc<dyn Callable>);

impl TableFunctionImpl for TableFunctionAdapter {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (function, arguments) = (Arc::clone(&self.0), args.exprs());
        let plan = if arguments.iter().any(is_deferred) {
            let schema = function.columns(arguments)?;
            let node = Arc::new(DeferredCall { function, arguments: arguments.to_vec(), schema });
            LogicalPlan::Extension(Extension { node })
        } else {
            function.plan(arguments)?
        };
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

fn is_deferred(argument: &Expr) -> bool {
    let is_parameter = |part: &Expr| Ok(matches!(part, Expr::Placeholder(_)));
    argument.exists(is_parameter).unwrap_or(false)
}

#[derive(Clone, Debug)]
struct DeferredCall {
    function: Arc<dyn Callable>,
    arguments: Vec<Expr>,
    schema: DFSchemaRef,
}

impl DeferredCall {
    fn plan(&self) -> Result<LogicalPlan> {
        let simplifier = ExprSimplifier::new(SimplifyContext::builder().build());
        let none = DFSchema::empty();
        let arguments = self.arguments.iter().map(|argument| {
            let argument = argument.clone().unalias_nested().data;
            let argument = simplifier.coerce(argument, &none)?;
            simplifier.simplify(parse_time_text(argument, &none, self.function.zones())?.data)
        });
        self.function.plan(&arguments.collect::<Result<Vec<_>>>()?)
    }
}

/// Plans every deferred call whose arguments are bound by now.
///
/// # Errors
/// Fails as the calls do.
pub fn plan_deferred_calls(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut has_calls = false;
    plan.apply_with_subqueries(|node| {
        has_calls |= call_of(node).is_some();
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !has_calls {
        return Ok(plan);
    }
    let planned = plan.transform_up_with_subqueries(|node| match call_of(&node) {
        Some(call) => call.plan().map(Transformed::yes),
        None => node.recompute_schema().map(Transformed::yes),
    });
    planned.map(|planned| planned.data)
}

/// Names of the parameters that stand for instants.
///
/// # Errors
/// Never fails for a plan of a session.
pub fn instant_parameters(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut names = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let Some(call) = call_of(node) {
            let instants = call.function.instants();
            let instants = call.arguments.iter().skip(instants.start).take(instants.len());
            names.extend(instants.filter_map(|argument| match argument {
                Expr::Placeholder(parameter) => Some(parameter.id.clone()),
                _ => None,
            }));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

fn call_of(node: &LogicalPlan) -> Option<&DeferredCall> {
    match node {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

impl UserDefinedLogicalNodeCore for DeferredCall {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.arguments.clone()
    }

    fn fmt_for_explain(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let arguments: Vec<_> = self.arguments.iter().map(Expr::to_string).collect();
        write!(out, "{}({})", self.function.name(), arguments.join(", "))
    }

    fn with_exprs_and_inputs(&self, arguments: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self { arguments, ..self.clone() })
    }
}

impl PartialEq for DeferredCall {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.function, &other.function) && self.arguments == other.arguments
    }
}

impl Eq for DeferredCall {}

impl PartialOrd for DeferredCall {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let of = |call: &Self| (call.function.name(), call.arguments.clone());
        of(self).partial_cmp(&of(other)).filter(|order| order.is_ne() || self == other)
    }
}

impl Hash for DeferredCall {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.function.name().hash(hasher);
        self.arguments.hash(hasher);
    }
}
