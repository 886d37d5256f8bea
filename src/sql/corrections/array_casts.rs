//! Casts of texts to arrays. The engine makes an array of the one text; here array literals of
//! PostgreSQL such as `{a,"b, c",NULL}` are parsed, and other texts refused.
//!
//! Upstream: `arrow-cast`, any value to a list, as of 59.3.

use std::ops::ControlFlow;

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr as PlanExpr, ExprSchemable};
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, DataType, Expr, Statement, VisitMut as _, VisitorMut,
};

use super::into_result;
use crate::error::Fault;
use crate::sql::array_literals::{Item, parse, parse_texts};
use crate::sql::dialect::ast_nodes::{null, text, text_of};
use crate::sql::errors;

/// Rewrites constant texts that are cast to arrays.
///
/// # Errors
/// Fails if a text is not an array literal.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    into_result(statement.visit(&mut Written))
}

struct Written;

impl VisitorMut for Written {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let Expr::Cast { expr: inner, data_type, .. } = expr else {
            return ControlFlow::Continue(());
        };
        if let DataType::Array(_) = data_type
            && let Some(written) = text_of(inner)
        {
            match parse(&written) {
                Ok(items) => {
                    let list = Item::List(items);
                    for _ in dimensions(data_type)..depth(&list) {
                        let of = Box::new(data_type.clone());
                        *data_type = DataType::Array(ArrayElemTypeDef::SquareBracket(of, None));
                    }
                    **inner = to_sql(list);
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn dimensions(data_type: &DataType) -> usize {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(of, _)) => 1 + dimensions(of),
        DataType::Array(_) => 1,
        _ => 0,
    }
}

fn depth(item: &Item) -> usize {
    match item {
        Item::List(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

pub fn to_sql(item: Item) -> Expr {
    match item {
        Item::Null => null(),
        Item::Text(value) => text(&value),
        Item::List(items) => {
            Expr::Array(Array { elem: items.into_iter().map(to_sql).collect(), named: true })
        }
    }
}

/// Parses texts whose values are known only later, such as parameters.
pub fn parse_array_cast(expr: PlanExpr, schema: &DFSchema) -> Result<Transformed<PlanExpr>> {
    let (inner, field, is_try) = match &expr {
        PlanExpr::Cast(cast) => (&cast.expr, &cast.field, false),
        PlanExpr::TryCast(cast) => (&cast.expr, &cast.field, true),
        _ => return Ok(Transformed::no(expr)),
    };
    let is_list = matches!(field.data_type(), ArrowType::List(_) | ArrowType::LargeList(_));
    let is_text = |data_type: ArrowType| {
        matches!(data_type, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View)
    };
    if !is_list || !inner.get_type(schema).is_ok_and(is_text) {
        return Ok(Transformed::no(expr));
    }
    let PlanExpr::Literal(value, metadata) = &**inner else {
        let sentence = "a text is no array; expected string_to_array, or ARRAY[…]";
        return Err(errors::error(Fault::Value, sentence));
    };
    let Some(Some(written)) = value.try_as_str() else { return Ok(Transformed::no(expr)) };
    let list = match parse_texts(written) {
        Err(_) if is_try => ScalarValue::try_new_null(field.data_type())?,
        list => list?,
    };
    let list = Box::new(PlanExpr::Literal(list, metadata.clone()));
    let cast = Cast { expr: list, field: field.clone() };
    Ok(Transformed::yes(PlanExpr::Cast(cast)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, corrected, is_refused, raw};
    use super::*;

    #[tokio::test]
    async fn the_engine_still_makes_an_array_of_one_text() {
        assert_eq!(raw("SELECT cardinality('[a, b]'::varchar[])").await, "1");
        assert_eq!(raw("SELECT cardinality('{a,b}'::text[])").await, "1");
    }

    #[test]
    fn texts_are_read_as_postgres_writes_arrays() {
        for (said, meant) in [
            ("SELECT '{1,2}'::INT[]", "SELECT ARRAY['1', '2']::INT[]"),
            (
                "SELECT '{a, \"b, c\" ,NULL,\"NULL\",\"x\\\"y\",d e}'::TEXT[]",
                "SELECT ARRAY['a', 'b, c', NULL, 'NULL', 'x\"y', 'd e']::TEXT[]",
            ),
            ("SELECT ' { } '::INT[]", "SELECT ARRAY[]::INT[]"),
            (
                "SELECT '{{1,2},{3,4}}'::INT[]",
                "SELECT ARRAY[ARRAY['1', '2'], ARRAY['3', '4']]::INT[][]",
            ),
            ("SELECT '{{1},{2}}'::INT[][]", "SELECT ARRAY[ARRAY['1'], ARRAY['2']]::INT[][]"),
        ] {
            check(rewrite, said, meant);
        }
    }

    #[test]
    fn other_texts_are_no_arrays() {
        let deep = format!("{}1{}", "{".repeat(100_000), "}".repeat(100_000));
        for written in [
            "[a, b]",
            "a",
            "",
            "{a",
            "{a}}",
            "{a,,b}",
            "{a,}",
            "{a\"b\"}",
            "{{1},2}",
            "{{1},{2,3}}",
            &deep,
        ] {
            is_refused(rewrite, &format!("SELECT '{written}'::TEXT[]"));
        }
    }

    #[tokio::test]
    async fn arrays_have_their_elements() {
        for (said, expected) in [
            ("SELECT ('{1,2,3}'::int[])[2]", "2"),
            ("SELECT cardinality('{{1,2},{3,4}}'::int[])", "4"),
            ("SELECT cardinality('{}'::int[])", "0"),
            ("SELECT array_to_string('{a,\"b, c\"}'::text[], '|')", "a|b, c"),
            ("SELECT NULL::text[] IS NULL", "true"),
        ] {
            assert_eq!(corrected(said).await, expected, "{said}");
        }
    }
}
