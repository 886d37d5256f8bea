//! Wraps subqueries of one column in aggregates, `(SELECT min(…) FROM …)`, where the engine cannot
//! look up a value in them. Names inside the subquery never resolve to the outer query, nor vice
//! versa.

use std::ops::ControlFlow;

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::unsupported;
use crate::sql::dialect::ast_nodes::{call, null, number, truth};

/// Maximum number of queries that a statement may gain by copies of its subqueries.
const COPIES_MAX: usize = 300;

/// Number of queries copied so far.
#[derive(Debug, Default)]
pub struct Copies(usize);

impl Copies {
    /// Counts the queries of a copied subtree, three copies each.
    ///
    /// # Errors
    /// Fails if there would be more than [`COPIES_MAX`].
    pub fn take(&mut self, copied: &impl Visit) -> Result<()> {
        struct Count(usize);
        impl Visitor for Count {
            type Break = ();

            fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
                self.0 += 1;
                ControlFlow::Continue(())
            }
        }
        let mut count = Count(0);
        let _ = copied.visit(&mut count);
        self.0 += 3 * count.0;
        match self.0 > COPIES_MAX {
            true => Err(unsupported("subqueries nest too deep; name some of them in WITH")),
            false => Ok(()),
        }
    }
}

/// Subquery that aggregates the column of a subquery.
pub fn aggregate(query: &Query, of: impl FnOnce(Expr) -> Expr) -> Result<Expr> {
    if let Some(select) = plain_select(query)
        && let [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] =
            select.projection.as_slice()
    {
        return Ok(with_column(query, select, of(column.clone())));
    }
    over(query, None, of)
}

/// Number of rows of the subquery that equal a value of the outer query.
pub fn count_equal(query: &Query, value: &Expr) -> Result<Expr> {
    over(query, Some(value), |_| count_all())
}

/// Rows of the subquery that equal the values of the outer query.
pub fn rows_equal_to(query: &Query, values: &[Expr]) -> Result<Query> {
    let names: Vec<_> = (1..=values.len()).map(|number| format!("__value_{number}")).collect();
    let shape = format!("SELECT 1 FROM (SELECT 1) AS __listed ({})", names.join(", "));
    let equalities = names.into_iter().zip(values).map(|(name, value)| {
        let column = Expr::Identifier(Ident::new(name));
        binary(column, BinaryOperator::Eq, Expr::Nested(Box::new(value.clone())))
    });
    let selection = equalities.reduce(|left, right| binary(left, BinaryOperator::And, right));
    shaped(&shape, query, |select| select.selection = selection)
}

/// Number of rows of the subquery, whatever its columns.
pub fn count_rows(query: &Query) -> Result<Expr> {
    if let Some(select) = plain_select(query) {
        return Ok(with_column(query, select, count_all()));
    }
    let counted = shaped("SELECT 1 FROM (SELECT 1) AS __listed", query, |select| {
        select.projection = vec![SelectItem::UnnamedExpr(count_all())];
    })?;
    Ok(Expr::Subquery(Box::new(counted)))
}

fn count_all() -> Expr {
    call("count", [number(1)])
}

/// Replaces the columns of a query by one expression.
fn with_column(query: &Query, select: &Select, column: Expr) -> Expr {
    let mut select = select.clone();
    select.projection = vec![SelectItem::UnnamedExpr(column)];
    let body = Box::new(SetExpr::Select(Box::new(select)));
    Expr::Subquery(Box::new(Query { body, order_by: None, ..query.clone() }))
}

fn over(query: &Query, equal_to: Option<&Expr>, of: impl FnOnce(Expr) -> Expr) -> Result<Expr> {
    let column = Expr::Identifier(Ident::new("__value"));
    let shape = "SELECT 1 FROM (SELECT 1) AS __listed (__value)";
    let asked = shaped(shape, query, |select| {
        select.selection = equal_to.map(|value| {
            binary(column.clone(), BinaryOperator::Eq, Expr::Nested(Box::new(value.clone())))
        });
        select.projection = vec![SelectItem::UnnamedExpr(of(column))];
    })?;
    Ok(Expr::Subquery(Box::new(asked)))
}

/// Subquery of a given shape over the rows of a query.
fn shaped(shape: &str, query: &Query, fill: impl FnOnce(&mut Select)) -> Result<Query> {
    let mut shape = *Parser::new(&PostgreSqlDialect {}).try_with_sql(shape)?.parse_query()?;
    if let SetExpr::Select(select) = &mut *shape.body {
        fill(select);
        for from in &mut select.from {
            if let TableFactor::Derived { subquery, .. } = &mut from.relation {
                **subquery = query.clone();
            }
        }
    }
    Ok(shape)
}

/// The select of a query, if an aggregate may replace its columns.
fn plain_select(query: &Query) -> Option<&Select> {
    let Query { with: None, limit_clause: None, fetch: None, .. } = query else { return None };
    let SetExpr::Select(select) = &*query.body else { return None };
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    let is_plain = select.distinct.is_none()
        && select.top.is_none()
        && !is_grouped
        && select.having.is_none()
        && select.qualify.is_none();
    (is_plain && !select.projection.iter().any(calls)).then_some(select)
}

/// Returns whether a select item calls a function, which may be an aggregate.
fn calls(item: &SelectItem) -> bool {
    struct Calls;
    impl Visitor for Calls {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    item.visit(&mut Calls).is_break()
}

pub fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub fn is_positive(count: Expr) -> Expr {
    binary(count, BinaryOperator::Gt, number(0))
}

/// Result in three-valued logic of comparing a value with each row of the subquery: `verdict` if
/// `is_settled`; else null if a null leaves it undecided; else the negated verdict.
pub fn three_valued(is_settled: Expr, verdict: bool, value: &Expr, query: &Query) -> Result<Expr> {
    let nulls = aggregate(query, |column| {
        binary(count_all(), BinaryOperator::Minus, call("count", [column]))
    })?;
    let when = |condition, result| CaseWhen { condition, result };
    let mut conditions = vec![when(is_settled, truth(verdict)), when(is_positive(nulls), null())];
    let is_never_null = matches!(value, Expr::Value(value) if !matches!(value.value, Value::Null | Value::Placeholder(_)));
    if !is_never_null {
        let is_null = Expr::IsNull(Box::new(Expr::Nested(Box::new(value.clone()))));
        let is_open = binary(is_null, BinaryOperator::And, is_positive(count_rows(query)?));
        conditions.push(when(is_open, null()));
    }
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: Some(Box::new(truth(!verdict))),
    })
}
