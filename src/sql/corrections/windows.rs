//! `OVER (w ORDER BY …)` over a named window loses what `w` says, and the query's own `ORDER BY` does
//! not know the names. Every window is spelled out where it is used.
//!
//! `datafusion-sql`, `match_window_definitions` in `select.rs`, as of 55.2.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, Statement,
    VisitMut as _, VisitorMut, WindowSpec, WindowType,
};

use super::{refused, until_broken};

/// # Errors
/// Where a window is not defined, or says twice what PostgreSQL lets it say once.
pub fn spelled_out(statement: &mut Statement) -> Result<()> {
    until_broken(statement.visit(&mut Windows::default()))
}

type Named = HashMap<String, WindowSpec>;

/// Those of the selects that are walked through, the innermost last.
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

    /// The query's own `ORDER BY` sees the windows of its select.
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

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<DataFusionError> {
        self.0.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        flow(self.spell_out(expr))
    }
}

/// Each with what it takes over from those before it.
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
        if named.insert(key(name), spec).is_some() {
            return Err(refused(format!("window {name} is defined twice")));
        }
    }
    Ok(named)
}

fn found<'a>(named: &'a Named, name: &Ident) -> Result<&'a WindowSpec> {
    named
        .get(&key(name))
        .ok_or_else(|| refused(format!("there is no window {name}; expected WINDOW {name} AS (…)")))
}

/// A window that begins with another, as PostgreSQL lets it.
fn extended(name: &Ident, base: &WindowSpec, own: &WindowSpec) -> Result<WindowSpec> {
    let wrong = match () {
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
    Err(refused(format!("window {name} {wrong}")))
}

fn key(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
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
            check(spelled_out, said, meant);
        }
    }

    #[test]
    fn a_window_says_nothing_twice() {
        for said in [
            "SELECT f() OVER w FROM t",
            "SELECT f() OVER (w ORDER BY a) FROM t",
            "SELECT f() OVER (w ORDER BY a) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT f() OVER (w PARTITION BY a) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT f() OVER (w) FROM t WINDOW w AS (ORDER BY b ROWS 1 PRECEDING)",
            "SELECT 1 FROM t WINDOW w AS (ORDER BY b), w AS (ORDER BY c)",
            "SELECT (SELECT f() OVER w FROM u) FROM t WINDOW w AS (ORDER BY b)",
        ] {
            is_refused(spelled_out, said);
        }
    }
}
