//! Clauses of PostgreSQL that the engine lacks: `FETCH FIRST n ROWS ONLY` becomes `LIMIT n`, and
//! `WITH ORDINALITY` a second column.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, Ident, LimitClause, Query, SelectItem, SetExpr,
    Statement, TableAlias, TableFactor, UnaryOperator, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::ast_nodes::{call, cast, number, text_of};
use super::{into_result, unsupported};

/// Rewrites `FETCH` and `WITH ORDINALITY`.
///
/// # Errors
/// Fails if a clause has no equivalent.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Clauses))
}

struct Clauses;

impl VisitorMut for Clauses {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        fetch_to_limit(query).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn post_visit_table_factor(
        &mut self,
        factor: &mut TableFactor,
    ) -> ControlFlow<DataFusionError> {
        match with_ordinality(factor) {
            Ok(Some(derived)) => *factor = derived,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

fn fetch_to_limit(query: &mut Query) -> Result<()> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties || fetch.percent {
        return Err(unsupported("FETCH takes neither WITH TIES nor PERCENT here; use ROWS ONLY"));
    }
    let offset = match query.limit_clause.take() {
        None => None,
        Some(LimitClause::LimitOffset { limit: None, offset, .. }) => offset,
        Some(_) => return Err(unsupported("LIMIT and FETCH say the same; expected one of them")),
    };
    let limit = Some(fetch.quantity.unwrap_or_else(|| number(1)));
    query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() });
    Ok(())
}

/// Rewrites `WITH ORDINALITY` to a subquery with row numbers; `None` for other tables.
fn with_ordinality(factor: &TableFactor) -> Result<Option<TableFactor>> {
    match factor {
        TableFactor::UNNEST { with_ordinality: true, array_exprs, alias, .. } => {
            let [array] = array_exprs.as_slice() else {
                return Err(unsupported("WITH ORDINALITY takes one array here"));
            };
            let mut query = query("SELECT 1")?;
            let column = alias.as_ref().map_or(Ident::new("unnest"), |alias| alias.name.clone());
            if let SetExpr::Select(select) = &mut *query.body {
                let length = call("coalesce", [call("array_length", [array.clone()]), number(0)]);
                let numbers =
                    call("generate_series", [number(1), cast(length, DataType::BigInt(None))]);
                select.projection = vec![
                    item(call("unnest", [array.clone()]), column.clone()),
                    item(call("unnest", [numbers]), Ident::new("ordinality")),
                ];
            }
            Ok(Some(derived(query, alias.clone(), column)))
        }
        TableFactor::Table { with_ordinality: true, name, args: Some(args), alias, .. } => {
            if !name.to_string().eq_ignore_ascii_case("generate_series") {
                return Err(unsupported(format!(
                    "WITH ORDINALITY of {name} is not supported; expected row_number() OVER (ORDER BY …)"
                )));
            }
            let order = if descends(&args.args) { "DESC" } else { "ASC" };
            let mut query =
                query(&format!("SELECT value, row_number() OVER (ORDER BY value {order}) FROM t"))?;
            let column = alias.as_ref();
            let column = column.map_or(Ident::new("generate_series"), |alias| alias.name.clone());
            if let SetExpr::Select(select) = &mut *query.body {
                let names = [column.clone(), Ident::new("ordinality")];
                for (said, name) in select.projection.iter_mut().zip(names) {
                    if let SelectItem::UnnamedExpr(expr) = said {
                        *said = item(expr.clone(), name);
                    }
                }
                let mut series = factor.clone();
                if let TableFactor::Table { with_ordinality, alias, .. } = &mut series {
                    (*with_ordinality, *alias) = (false, None);
                }
                select.from.iter_mut().for_each(|from| from.relation = series.clone());
            }
            Ok(Some(derived(query, alias.clone(), column)))
        }
        TableFactor::Function { with_ordinality: true, name, .. } => {
            Err(unsupported(format!("WITH ORDINALITY of {name} is not supported")))
        }
        _ => Ok(None),
    }
}

/// Returns whether a series has a negative step.
fn descends(args: &[FunctionArg]) -> bool {
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(step))) = args.get(2) else { return false };
    match step {
        Expr::UnaryOp { op: UnaryOperator::Minus, .. } => true,
        Expr::Interval(interval) => text_of(&interval.value).is_some_and(|it| it.starts_with('-')),
        Expr::Cast { expr, .. } => text_of(expr).is_some_and(|it| it.starts_with('-')),
        _ => false,
    }
}

fn query(sql: &str) -> Result<Query> {
    Ok(*Parser::new(&PostgreSqlDialect {}).try_with_sql(sql)?.parse_query()?)
}

fn item(expr: Expr, alias: Ident) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias }
}

fn derived(query: Query, alias: Option<TableAlias>, name: Ident) -> TableFactor {
    let unnamed = TableAlias { explicit: true, name, columns: Vec::new(), at: None };
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(alias.unwrap_or(unnamed)),
        sample: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_by, is_refused_by};
    use super::*;

    #[test]
    fn fetch_is_a_limit() {
        for (said, meant) in [
            ("SELECT a FROM t FETCH NEXT 2 ROWS ONLY", "SELECT a FROM t LIMIT 2"),
            ("SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t LIMIT 1"),
            (
                "SELECT a FROM (SELECT a FROM t OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY) AS s",
                "SELECT a FROM (SELECT a FROM t LIMIT 2 OFFSET 1 ROWS) AS s",
            ),
        ] {
            check_by(rewrite, said, meant);
        }
        is_refused_by(rewrite, "SELECT a FROM t ORDER BY a FETCH FIRST 2 ROWS WITH TIES");
        is_refused_by(rewrite, "SELECT a FROM t LIMIT 1 FETCH FIRST 2 ROWS ONLY");
    }

    #[test]
    fn ordinality_is_a_column() {
        check_by(
            rewrite,
            "SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS s (a, n)",
            "SELECT * FROM (SELECT value AS s, row_number() OVER (ORDER BY value ASC) AS ordinality \
             FROM generate_series(1, 3)) AS s (a, n)",
        );
        check_by(
            rewrite,
            "SELECT * FROM generate_series(3, 1, -1) WITH ORDINALITY",
            "SELECT * FROM (SELECT value AS generate_series, row_number() OVER (ORDER BY value DESC) \
             AS ordinality FROM generate_series(3, 1, -1)) AS generate_series",
        );
        is_refused_by(rewrite, "SELECT * FROM uptime('a', 'b') WITH ORDINALITY");
    }
}
