//! What is done to a statement before it is planned, so that it means what people expect of it.
//!
//! A cast of a column is named as it is written, and what stands in a list of columns twice gets
//! another name: the planner names a cast as its column, and takes no two columns of one name.
//! `SHOW TABLES` lists the tables that are for analysts, in order.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::error::Result;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, Query, SelectItem, SetExpr, VisitMut as _, VisitorMut,
};

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
    if number > 0 || is_subquery || is_cast(value) {
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
