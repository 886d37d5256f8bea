//! `OVER (w ORDER BY …)` over a named window loses the definition of `w`, and the `ORDER BY` of the
//! query does not resolve window names. Every window is inlined where it is used. A window function
//! in `WHERE` is planned and fails only during execution: it is refused.
//!
//! Upstream: `datafusion-sql`, `match_window_definitions` in `select.rs`, as of 55.2.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr,
    Statement, Visit as _, VisitMut as _, Visitor, VisitorMut, WindowSpec, WindowType,
};

use super::into_result;
use crate::error::Fault;
use crate::sql::dialect::ast_nodes::name_of;
use crate::sql::errors;

/// Inlines named windows, and refuses window functions in conditions.
///
/// # Errors
/// Fails if a window is undefined, or overrides what PostgreSQL does not let it override.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Windows::default()))
}

type Named = HashMap<String, WindowSpec>;

/// Window definitions of the enclosing selects, innermost last.
#[derive(Default)]
struct Windows(Vec<Named>);

impl Windows {
    fn enter(&mut self, select: &Select) -> Result<()> {
        let named = resolved(&select.named_window)?;
        self.0.push(named);
        Ok(())
    }

    fn spell_out(&self, expr: &mut Expr) -> Result<()> {
        let Expr::Function(function) = expr else { return Ok(()) };
        let none = Named::new();
        let named = self.0.last().unwrap_or(&none);
        let spec = match &function.over {
            Some(WindowType::NamedWindow(name)) => found(named, name)?.clone(),
            Some(WindowType::WindowSpec(own)) => match &own.window_name {
                Some(name) => extended(name, found(named, name)?, own)?,
                None => return Ok(()),
            },
            None => return Ok(()),
        };
        function.over = Some(WindowType::WindowSpec(spec));
        Ok(())
    }
}

fn flow(done: Result<()>) -> ControlFlow<DataFusionError> {
    done.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

impl VisitorMut for Windows {
    type Break = DataFusionError;

    /// The `ORDER BY` of the query sees the windows of its select.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        match &*query.body {
            SetExpr::Select(select) => flow(self.enter(select)),
            _ => {
                self.0.push(Named::new());
                ControlFlow::Continue(())
            }
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<DataFusionError> {
        self.0.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        let entered = self.enter(select);
        select.named_window.clear();
        flow(entered)
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        self.0.pop();
        flow(check_conditions(select))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        flow(self.spell_out(expr))
    }
}

/// Refuses window functions in clauses that are evaluated before windows.
fn check_conditions(select: &Select) -> Result<()> {
    let groups = match &select.group_by {
        GroupByExpr::Expressions(by, _) => by.as_slice(),
        GroupByExpr::All(_) => &[],
    };
    let clauses = [
        ("WHERE", select.selection.as_slice()),
        ("HAVING", select.having.as_slice()),
        ("GROUP BY", groups),
    ];
    match clauses.into_iter().find(|(_, exprs)| exprs.iter().any(calls_window)) {
        Some((clause, _)) => {
            let sentence = format!(
                "window functions are not allowed in {clause}; expected a subquery, or QUALIFY"
            );
            Err(errors::error(Fault::Window, sentence))
        }
        None => Ok(()),
    }
}

/// Returns whether the expression itself, outside subqueries, calls a window function.
fn calls_window(expr: &Expr) -> bool {
    #[derive(Default)]
    struct Calls {
        within: usize,
    }
    impl Visitor for Calls {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.within += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.within -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if self.within == 0 && function.over.is_some() => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Calls::default()).is_break()
}

/// Resolves each definition with what it inherits from earlier ones.
fn resolved(definitions: &[NamedWindowDefinition]) -> Result<Named> {
    let mut named = Named::new();
    for NamedWindowDefinition(name, meant) in definitions {
        let spec = match meant {
            NamedWindowExpr::NamedWindow(base) => found(&named, base)?.clone(),
            NamedWindowExpr::WindowSpec(own) => match &own.window_name {
                Some(base) => extended(base, found(&named, base)?, own)?,
                None => own.clone(),
            },
        };
        if named.insert(name_of(name), spec).is_some() {
            let sentence = format!("window {name} is defined twice");
            return Err(errors::error(Fault::Window, sentence));
        }
    }
    Ok(named)
}

fn found<'a>(named: &'a Named, name: &Ident) -> Result<&'a WindowSpec> {
    named.get(&name_of(name)).ok_or_else(|| {
        let sentence = format!("there is no window {name}; expected WINDOW {name} AS (…)");
        errors::error(Fault::UnknownWindow, sentence)
    })
}

/// Extends a window by another definition, with PostgreSQL's restrictions.
fn extended(name: &Ident, base: &WindowSpec, own: &WindowSpec) -> Result<WindowSpec> {
    let found = match () {
        () if !own.partition_by.is_empty() => "has its own PARTITION BY, and takes no other",
        () if !own.order_by.is_empty() && !base.order_by.is_empty() => "has an ORDER BY already",
        () if base.window_frame.is_some() => "has a frame; expected OVER without parentheses",
        () => {
            let order_by = if own.order_by.is_empty() { &base.order_by } else { &own.order_by };
            return Ok(WindowSpec {
                window_name: None,
                partition_by: base.partition_by.clone(),
                order_by: order_by.clone(),
                window_frame: own.window_frame.clone(),
            });
        }
    };
    Err(errors::error(Fault::Window, format!("window {name} {found}")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::uncorrected::answer;
    use super::super::tests::{check, is_refused, raw};
    use super::*;

    const EXTENDED: &str = "SELECT a, row_number() OVER (w ORDER BY b) AS n FROM (VALUES (1, 1), \
        (2, 2)) AS t (a, b) WINDOW w AS (PARTITION BY a) ORDER BY a";

    #[tokio::test]
    async fn the_engine_still_forgets_what_a_window_begins_with() {
        assert_eq!(raw(EXTENDED).await, "1 1, 2 2");
    }

    #[test]
    fn windows_are_spelled_out() {
        for (said, meant) in [
            (
                "SELECT f() OVER (w ORDER BY b) FROM t WINDOW w AS (PARTITION BY a)",
                "SELECT f() OVER (PARTITION BY a ORDER BY b) FROM t",
            ),
            (
                "SELECT f() OVER W FROM t WINDOW w AS (PARTITION BY a ROWS 1 PRECEDING)",
                "SELECT f() OVER (PARTITION BY a ROWS 1 PRECEDING) FROM t",
            ),
            (
                "SELECT f() OVER v FROM t WINDOW w AS (PARTITION BY a), v AS (w ORDER BY b)",
                "SELECT f() OVER (PARTITION BY a ORDER BY b) FROM t",
            ),
            (
                "SELECT a FROM t WINDOW w AS (ORDER BY b) ORDER BY f() OVER w",
                "SELECT a FROM t ORDER BY f() OVER (ORDER BY b)",
            ),
            (
                "SELECT f() OVER w, (SELECT f() OVER w FROM u WINDOW w AS (ORDER BY c)) FROM t \
                 WINDOW w AS (ORDER BY b)",
                "SELECT f() OVER (ORDER BY b), (SELECT f() OVER (ORDER BY c) FROM u) FROM t",
            ),
        ] {
            check(rewrite, said, meant);
        }
    }

    #[test]
    fn the_engine_still_plans_windows_in_conditions() {
        let sql = "SELECT 1 FROM (SELECT 1 AS a) AS t WHERE row_number() OVER () = 1";
        assert!(answer(sql).unwrap_err().contains("Physical plan does not support"));
    }

    #[test]
    fn windows_of_a_subquery_are_its_own() {
        let said = "SELECT a FROM t WHERE a IN (SELECT f() OVER () FROM u)";
        check(rewrite, said, said);
    }

    #[test]
    fn a_window_says_nothing_twice_or_where_it_cannot_be() {
        for said in [
            "SELECT f() OVER w FROM t",
            "SELECT f() OVER (w ORDER BY a) FROM t",
            "SELECT f() OVER (w ORDER BY a) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT f() OVER (w PARTITION BY a) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT f() OVER (w) FROM t WINDOW w AS (ORDER BY b ROWS 1 PRECEDING)",
            "SELECT 1 FROM t WINDOW w AS (ORDER BY b), w AS (ORDER BY c)",
            "SELECT (SELECT f() OVER w FROM u) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT a FROM t WHERE f() OVER (ORDER BY b) = 1",
            "SELECT a FROM t GROUP BY a HAVING f() OVER (ORDER BY b) = 1",
            "SELECT count(*) FROM t GROUP BY f() OVER ()",
        ] {
            is_refused(rewrite, said);
        }
    }
}
