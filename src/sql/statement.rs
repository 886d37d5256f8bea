//! Preparation of a parsed statement before planning.
//!
//! Unaliased columns are named after their SQL text, and duplicate names of a select list are made
//! unique: the planner's own names expose engine functions, and it rejects duplicate names. `SHOW
//! TABLES` lists the analysts' tables, sorted.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::common::SchemaError;
use datafusion::error::{DataFusionError, Result};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, ObjectNamePart, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr,
    VisitMut as _, VisitorMut,
};

use super::dialect::ast_nodes::{call, name_of, null, number};
use super::{corrections, dialect, functions, read_only};

const TABLES: &str = "SELECT table_name, table_type FROM information_schema.tables \
    WHERE table_schema = 'public' ORDER BY table_name";

/// Rewrites a parsed statement for the planner.
///
/// # Errors
/// Fails if the statement does anything but read.
pub fn prepare(statement: &mut Statement) -> Result<()> {
    read_only::check_statement(statement)?;
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
            let _ = plain.visit(&mut NameColumns);
            functions::rewrite_calls(statement)?;
            dialect::apply_postgres_semantics(statement);
            dialect::rewrite_for_engine(statement)?;
            corrections::correct_statement(statement)?;
        }
        Statement::Explain(explained) => prepare(&mut explained.statement)?,
        _ => {}
    }
    Ok(())
}

/// Names unaliased columns after their SQL text.
struct NameColumns;

impl VisitorMut for NameColumns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let (SetExpr::Select(select), Some(order)) = (&*query.body, &mut query.order_by)
            && select.distinct.is_some()
            && let OrderByKind::Expressions(keys) = &mut order.kind
        {
            keys.iter_mut().for_each(|key| replace_by_position(key, &select.projection));
        }
        name_columns(&mut query.body);
        ControlFlow::Continue(())
    }
}

/// Replaces a sort key that equals a select item by the position of the item. Once a column of
/// `SELECT DISTINCT` has an alias, the planner no longer matches it by expression.
fn replace_by_position(key: &mut OrderByExpr, columns: &[SelectItem]) {
    let is_wildcard = |item: &SelectItem| {
        matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
    };
    if is_column(&key.expr) || columns.iter().any(is_wildcard) {
        return;
    }
    let is_key = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == key.expr,
        _ => false,
    };
    if let Some(place) = columns.iter().position(is_key) {
        key.expr = number(place as i64 + 1);
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
    let written = written(value);
    let mut given = written.clone();
    let mut others = 0;
    while !names.insert(given.clone()) {
        others += 1;
        given = format!("{written}_{others}");
    }
    if others > 0 || !is_column(value) {
        let alias = Ident::with_quote('"', given);
        *item = SelectItem::ExprWithAlias { expr: value.clone(), alias };
    }
}

fn is_column(value: &Expr) -> bool {
    matches!(value, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// SQL text of an expression, with function names in lower case.
fn written(value: &Expr) -> String {
    struct SmallNames;
    impl VisitorMut for SmallNames {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr {
                for part in &mut function.name.0 {
                    if let ObjectNamePart::Identifier(name) = part
                        && name.quote_style.is_none()
                    {
                        name.value = name.value.to_lowercase();
                    }
                }
            }
            ControlFlow::Continue(())
        }
    }
    if let Expr::Subquery(_) = value {
        return "subquery".to_owned();
    }
    let mut small = value.clone();
    let _ = small.visit(&mut SmallNames);
    small.to_string()
}

/// Returns whether planning failed because two columns have one name generated by the planner.
pub fn is_duplicate_name(error: &DataFusionError) -> bool {
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

/// Names every column of every query after its SQL text, so that the planner generates no names;
/// duplicates in the result itself are made unique.
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
                        alias.value = unique_name(&alias.value, &mut names);
                    }
                }
            }
        }
        Statement::Explain(explained) => name_all(&mut explained.statement),
        _ => {}
    }
}

/// The planner's names for expressions and aggregates omit casts. Each cast therefore becomes a
/// distinct call that does not change the value.
#[derive(Default)]
struct AllNames {
    types: Vec<String>,
}

impl AllNames {
    fn disambiguated(&mut self, cast: &Expr, data_type: String) -> Expr {
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
            *expr = self.disambiguated(expr, data_type);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        let mut names = HashSet::new();
        for item in &mut select.projection {
            let (name, value) = match item {
                SelectItem::UnnamedExpr(value) => match &*value {
                    Expr::Identifier(name) => (name_of(name), value.clone()),
                    Expr::CompoundIdentifier(name) => {
                        (name.last().map(name_of).unwrap_or_default(), value.clone())
                    }
                    other => (written(other), value.clone()),
                },
                SelectItem::ExprWithAlias { alias, .. } => {
                    names.insert(alias.value.to_lowercase());
                    continue;
                }
                _ => continue,
            };
            let alias = Ident::with_quote('"', unique_name(&name, &mut names));
            *item = SelectItem::ExprWithAlias { expr: value, alias };
        }
        ControlFlow::Continue(())
    }
}

/// Returns the name, or a variant of it that is not in use.
fn unique_name(written: &str, names: &mut HashSet<String>) -> String {
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
    fn columns_are_named_as_they_are_written() {
        check("SELECT a, a::date FROM t", "SELECT a, a::DATE AS \"a::DATE\" FROM t");
        check(
            "SELECT *, a AT TIME ZONE 'UTC' FROM t",
            "SELECT *, timezone('UTC', a) AS \"a AT TIME ZONE 'UTC'\" FROM t",
        );
        check(
            "SELECT COUNT(*), count(*)",
            "SELECT COUNT(*) AS \"count(*)\", count(*) AS \"count(*)_1\"",
        );
        check(
            "SELECT DISTINCT upper(a), b FROM t ORDER BY upper(a) DESC, b",
            "SELECT DISTINCT upper(a) AS \"upper(a)\", b FROM t ORDER BY 1 DESC, b",
        );
        check("SELECT a, b AS a, a", "SELECT a, b AS a, a AS \"a_1\"");
        check("SELECT NULL, NULL::text", "SELECT NULL AS \"NULL\", NULL::TEXT AS \"NULL::TEXT\"");
        check("SELECT a::date FROM t", "SELECT a::DATE AS \"a::DATE\" FROM t");
        check(
            "EXPLAIN SELECT a, a::date FROM t",
            "EXPLAIN SELECT a, a::DATE AS \"a::DATE\" FROM t",
        );
    }
}
