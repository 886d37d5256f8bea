//! What is done to a statement before it is planned, so that it means what people expect of it.
//!
//! A cast of a column is named as it is written, and what stands in a list of columns twice gets
//! another name: the planner names a cast as its column, and takes no two columns of one name.
//! `SHOW TABLES` lists the tables that are for analysts, in order.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::SchemaError;
use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Query, SelectItem, SetExpr, Visit as _, VisitMut as _, Visitor, VisitorMut,
};

use super::dialect::parts::{call, null};
use super::{corrections, dialect, functions, guard};

const TABLES: &str = "SELECT table_name, table_type FROM information_schema.tables \
    WHERE table_schema = 'public' ORDER BY table_name";

/// # Errors
/// Where the statement writes or opens a file.
pub fn prepare(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(plain) => {
            if let ast::Statement::ShowTables { show_options, .. } = &**plain
                && show_options.filter_position.is_none()
                && show_options.show_in.is_none()
            {
                let mut tables = DFParserBuilder::new(TABLES).build()?.parse_statements()?;
                tables.pop_front().into_iter().for_each(|tables| *statement = tables);
                return Ok(());
            }
            let _ = plain.visit(&mut Names);
            functions::as_called(statement)?;
            dialect::as_meant(statement);
            dialect::completed(statement)?;
            corrections::of_statement(statement)?;
        }
        Statement::Explain(explained) => prepare(&mut explained.statement)?,
        // Before anything is wrong with the file that it names.
        Statement::CopyTo(_) | Statement::CreateExternalTable(_) => {
            return Err(guard::would_change());
        }
        _ => {}
    }
    Ok(())
}

/// Gives columns that have none names of their own.
struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_columns(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn name_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let mut names = HashSet::new();
            select.projection.iter_mut().for_each(|item| name(item, &mut names));
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_columns(left);
            name_columns(right);
        }
        _ => {}
    }
}

fn name(item: &mut SelectItem, names: &mut HashSet<String>) {
    let value = match item {
        SelectItem::UnnamedExpr(value) => value,
        SelectItem::ExprWithAlias { alias, .. } => {
            names.insert(alias.value.clone());
            return;
        }
        _ => return,
    };
    let is_subquery = matches!(value, Expr::Subquery(_));
    let written = if is_subquery { "subquery".to_owned() } else { spelled(value) };
    let mut given = written.clone();
    let mut number = 0;
    while !names.insert(given.clone()) {
        number += 1;
        given = format!("{written}_{number}");
    }
    if number > 0 || is_subquery || is_cast(value) || asks(value) {
        let alias = Ident::with_quote('"', given);
        *item = SelectItem::ExprWithAlias { expr: value.clone(), alias };
    }
}

/// As written, but for a constant: that is named by its value, whatever it is cast to.
fn spelled(value: &Expr) -> String {
    match value {
        Expr::Cast { expr, .. } if matches!(**expr, Expr::Value(_)) => expr.to_string(),
        other => other.to_string(),
    }
}

/// Whether the planner names it as what is in it; a constant is named by its value.
fn is_cast(value: &Expr) -> bool {
    match value {
        Expr::Nested(value) => is_cast(value),
        Expr::Cast { expr, .. } => !matches!(**expr, Expr::Value(_)),
        Expr::AtTimeZone { .. } => true,
        _ => false,
    }
}

/// Whether it looks something up in a subquery, which is said in other terms before it is planned.
fn asks(value: &Expr) -> bool {
    struct Asks;
    impl Visitor for Asks {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let is_asked = match expr {
                Expr::Exists { .. } | Expr::InSubquery { .. } => true,
                Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
                    matches!(**right, Expr::Subquery(_))
                }
                _ => false,
            };
            if is_asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    value.visit(&mut Asks).is_break()
}

/// Whether a statement is refused for two columns of one name, as names are made by the planner.
pub fn is_named_twice(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SchemaError(wrong, _) => matches!(
            **wrong,
            SchemaError::DuplicateQualifiedField { .. }
                | SchemaError::DuplicateUnqualifiedField { .. }
        ),
        DataFusionError::Plan(words) => words.contains("require unique expression names"),
        _ => false,
    }
}

/// Names every column of every query as it is written, so that the planner makes no names; the same
/// names in the answer itself are told apart.
pub fn name_all(statement: &mut Statement) {
    match statement {
        Statement::Statement(plain) => {
            let _ = plain.visit(&mut AllNames::default());
            if let ast::Statement::Query(query) = &mut **plain
                && let SetExpr::Select(select) = &mut *query.body
            {
                let mut names = HashSet::new();
                for item in &mut select.projection {
                    if let SelectItem::ExprWithAlias { alias, .. } = item {
                        alias.value = unused(&alias.value, &mut names);
                    }
                }
            }
        }
        Statement::Explain(explained) => name_all(&mut explained.statement),
        _ => {}
    }
}

/// The planner names what holds a cast as if there were none, aggregates as well: each type gets
/// arguments of its own in a call that changes no value.
#[derive(Default)]
struct AllNames {
    types: Vec<String>,
}

impl AllNames {
    fn told_apart(&mut self, cast: &Expr, data_type: String) -> Expr {
        let known = self.types.iter().position(|known| *known == data_type);
        let place = known.unwrap_or_else(|| {
            self.types.push(data_type);
            self.types.len() - 1
        });
        let nulls = std::iter::repeat_n(null(), place + 1);
        call("coalesce", std::iter::once(cast.clone()).chain(nulls))
    }
}

impl VisitorMut for AllNames {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: inner, data_type, .. } = &*expr
            && !matches!(**inner, Expr::Value(_))
        {
            let data_type = data_type.to_string();
            *expr = self.told_apart(expr, data_type);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        let mut names = HashSet::new();
        for item in &mut select.projection {
            let (written, value) = match item {
                SelectItem::UnnamedExpr(value) => match &*value {
                    Expr::Identifier(name) => (meant(name), value.clone()),
                    Expr::CompoundIdentifier(name) => {
                        (name.last().map(meant).unwrap_or_default(), value.clone())
                    }
                    Expr::Subquery(_) => ("subquery".to_owned(), value.clone()),
                    other => (spelled(other), value.clone()),
                },
                SelectItem::ExprWithAlias { alias, .. } => {
                    names.insert(alias.value.to_lowercase());
                    continue;
                }
                _ => continue,
            };
            let alias = Ident::with_quote('"', unused(&written, &mut names));
            *item = SelectItem::ExprWithAlias { expr: value, alias };
        }
        ControlFlow::Continue(())
    }
}

fn meant(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The name, or one like it that is not among the names.
fn unused(written: &str, names: &mut HashSet<String>) -> String {
    let mut given = written.to_owned();
    let mut number = 0;
    while !names.insert(given.to_lowercase()) {
        number += 1;
        given = format!("{written}_{number}");
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        let mut parsed = DFParserBuilder::new(sql).build().unwrap().parse_statements().unwrap();
        prepare(&mut parsed[0]).unwrap();
        assert_eq!(parsed[0].to_string(), expected);
    }

    #[test]
    fn columns_that_would_have_one_name_get_names_of_their_own() {
        let mut parsed = DFParserBuilder::new(
            "SELECT max(a), max(a::date), t.a, a, (SELECT b FROM u) AS x, 1 AS x FROM t",
        )
        .build()
        .unwrap()
        .parse_statements()
        .unwrap();
        name_all(&mut parsed[0]);
        assert_eq!(
            parsed[0].to_string(),
            "SELECT max(a) AS \"max(a)\", max(coalesce(a::DATE, NULL)) AS \"max(a::DATE)\", t.a AS \"a\", \
             a AS \"a_1\", (SELECT b AS \"b\" FROM u) AS x, 1 AS x_1 FROM t"
        );
    }

    #[test]
    fn casts_and_what_stands_twice_have_names() {
        check("SELECT a, a::date FROM t", "SELECT a, a::DATE AS \"a::DATE\" FROM t");
        check(
            "SELECT *, a AT TIME ZONE 'UTC' FROM t",
            "SELECT *, a AT TIME ZONE 'UTC' AS \"a AT TIME ZONE 'UTC'\" FROM t",
        );
        check("SELECT count(*), count(*)", "SELECT count(*), count(*) AS \"count(*)_1\"");
        check("SELECT a, b AS a, a", "SELECT a, b AS a, a AS \"a_1\"");
        check("SELECT NULL, NULL::text", "SELECT NULL, NULL::TEXT AS \"NULL_1\"");
        check("SELECT a::date FROM t", "SELECT a::DATE AS \"a::DATE\" FROM t");
        check(
            "EXPLAIN SELECT a, a::date FROM t",
            "EXPLAIN SELECT a, a::DATE AS \"a::DATE\" FROM t",
        );
    }
}
