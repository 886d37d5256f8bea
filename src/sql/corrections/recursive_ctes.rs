//! A query named by `WITH RECURSIVE` loses the clauses after its `UNION`, and its own `WITH`: the
//! planner takes both sides of the `UNION` and drops the rest. If the query refers to itself it is
//! refused, as in PostgreSQL; otherwise it is planned as an ordinary query.
//!
//! Upstream: `datafusion-sql`, `recursive_cte` in `cte.rs`, as of 55.2.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Cte, LimitClause, ObjectName, Query, SetExpr, SetOperator, Statement, Visit as _,
    VisitMut as _, Visitor, VisitorMut,
};

use super::{into_result, unsupported};

/// Preserves the clauses of queries in `WITH RECURSIVE`.
///
/// # Errors
/// Fails if a query that refers to itself has a clause that would be lost.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Recursion))
}

struct Recursion;

impl VisitorMut for Recursion {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        let Some(with) = query.with.as_mut().filter(|with| with.recursive) else {
            return ControlFlow::Continue(());
        };
        for named in &mut with.cte_tables {
            if let Err(error) = keep_whole(named) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }
}

fn keep_whole(named: &mut Cte) -> Result<()> {
    let SetExpr::SetOperation { op: SetOperator::Union, .. } = &*named.query.body else {
        return Ok(());
    };
    let Some(lost) = lost_clause(&named.query) else { return Ok(()) };
    if refers_to(&named.query, &named.alias.name.value) {
        let sentence = format!(
            "{lost} in a recursive query is not supported; expected it in the query that reads {}",
            named.alias.name
        );
        return Err(unsupported(sentence));
    }
    // Wrapped, so that its top is no longer a `UNION`.
    let whole = SetExpr::Query(Box::new(Query::clone(&named.query)));
    *named.query = Query {
        with: None,
        body: Box::new(whole),
        order_by: None,
        limit_clause: None,
        fetch: None,
        ..Query::clone(&named.query)
    };
    Ok(())
}

/// First clause that the planner would drop.
fn lost_clause(query: &Query) -> Option<&'static str> {
    match query {
        Query { with: Some(_), .. } => Some("WITH"),
        Query { order_by: Some(_), .. } => Some("ORDER BY"),
        Query { limit_clause: Some(LimitClause::LimitOffset { limit: None, .. }), .. } => {
            Some("OFFSET")
        }
        Query { limit_clause: Some(_), .. } => Some("LIMIT"),
        Query { fetch: Some(_), .. } => Some("FETCH"),
        _ => None,
    }
}

fn refers_to(query: &Query, name: &str) -> bool {
    struct Reads<'a>(&'a str);
    impl Visitor for Reads<'_> {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let is_it = match relation.0.as_slice() {
                [name] => name.as_ident().is_some_and(|it| it.value.eq_ignore_ascii_case(self.0)),
                _ => false,
            };
            if is_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    query.visit(&mut Reads(name)).is_break()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, is_refused, raw};
    use super::*;

    #[tokio::test]
    async fn the_engine_still_drops_what_follows_the_union() {
        let limited = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5 \
            LIMIT 2) SELECT count(*) FROM r";
        assert_eq!(raw(limited).await, "5");
        let plain =
            "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2 LIMIT 1) SELECT count(*) FROM a";
        assert_eq!(raw(plain).await, "2");
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for lost in ["LIMIT 3", "OFFSET 1", "ORDER BY 1", "FETCH FIRST ROW ONLY"] {
            let said = format!(
                "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM R {lost}) SELECT 1"
            );
            is_refused(rewrite, &said);
            is_refused(rewrite, &format!("SELECT * FROM ({said}) AS a"));
        }
        is_refused(
            rewrite,
            "WITH RECURSIVE r AS (WITH t AS (SELECT 1 AS n) SELECT n FROM t UNION SELECT n FROM r) \
             SELECT 1",
        );
    }

    #[test]
    fn what_is_not_recursive_keeps_its_clauses() {
        check(
            rewrite,
            "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2 LIMIT 1) SELECT * FROM a",
            "WITH RECURSIVE a AS ((SELECT 1 UNION ALL SELECT 2 LIMIT 1)) SELECT * FROM a",
        );
        let unchanged = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) \
            SELECT * FROM r LIMIT 3";
        check(rewrite, unchanged, unchanged);
    }
}
