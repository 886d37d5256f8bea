//! Rewrites catalog queries of PostgreSQL tools: constructs that DataFusion cannot plan become
//! equivalent ones, or constants if the result is known to be empty.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, DataType, Expr, Function, FunctionArguments, Ident,
    ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::sql::dialect::ast_nodes::{
    call, called, cast, null, number, text, text_of, truth, type_named,
};

/// System tables that are always empty here.
pub const EMPTY: &[&str] = &[
    "pg_attrdef",
    "pg_auth_members",
    "pg_constraint",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_enum",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_inherits",
    "pg_partitioned_table",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_sequence",
    "pg_shdescription",
    "pg_statistic",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_trigger",
];

/// List columns that are null in every row.
const NULL_LISTS: &[&str] = &["reloptions", "evttags"];

/// Aggregate functions: they return a row even for an empty table.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "first_value",
    "json_agg",
    "max",
    "min",
    "string_agg",
    "sum",
];

const TYPE_BY_NAME: &str = "SELECT max(oid) FROM pg_catalog.pg_type \
    WHERE typname = $1 OR format_type(oid, NULL) = $1";
const RELATION_BY_NAME: &str = "SELECT max(c.oid) FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname || '.' || c.relname = $1 \
    OR n.nspname IN ('public', 'pg_catalog') AND c.relname = $1";

const COLUMN_DESCRIPTION: &str = "SELECT max(described.description) \
    FROM pg_catalog.pg_description described \
    WHERE described.objoid = $1 AND described.objsubid = $2";
const TABLE_DESCRIPTION: &str = "SELECT max(described.description) \
    FROM pg_catalog.pg_description described \
    WHERE described.objoid = $1 AND described.objsubid = 0";

static TYPE: LazyLock<Option<Expr>> = LazyLock::new(|| subquery(TYPE_BY_NAME));
static RELATION: LazyLock<Option<Expr>> = LazyLock::new(|| subquery(RELATION_BY_NAME));
static OF_COLUMN: LazyLock<Option<Expr>> = LazyLock::new(|| subquery(COLUMN_DESCRIPTION));
static OF_TABLE: LazyLock<Option<Expr>> = LazyLock::new(|| subquery(TABLE_DESCRIPTION));

pub struct CatalogRewrite;

impl VisitorMut for CatalogRewrite {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = table
            && let [ObjectNamePart::Identifier(only)] = &name.0[..]
            && only.value.starts_with("pg_")
        {
            name.0.insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::Subquery(query) if is_empty(query) => Some(null()),
            Expr::Subquery(query) => {
                take_first(query);
                None
            }
            Expr::Exists { subquery, negated } if is_empty(subquery) => Some(truth(*negated)),
            Expr::Function(function) => array_subquery(function),
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::CompoundIdentifier(names) => {
                names.last().is_some_and(|name| name.value == "tableoid").then(|| number(0))
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                // Restores the name that an earlier rewrite qualified with its schema.
                let is_name = matches!(&**left, Expr::Identifier(name)
                    if ["proname", "typname"].contains(&name.value.as_str()));
                let name = is_name.then(|| text_of(right)).flatten();
                if let Some(name) = name.as_deref().and_then(|it| it.strip_prefix("pg_catalog.")) {
                    **right = text(name);
                }
                None
            }
            Expr::Cast { expr: inner, data_type, .. } => regtype_name(inner, data_type),
            // `(pair).x`
            Expr::CompoundFieldAccess { root, access_chain } => match &access_chain[..] {
                [AccessExpr::Dot(Expr::Identifier(field))] => {
                    Some(call("get_field", [(**root).clone(), text(&field.value)]))
                }
                _ => None,
            },
            Expr::Function(function) => {
                called(function).and_then(|(name, arguments)| match (&*name, &arguments[..]) {
                    ("generate_subscripts", [array, ..]) => Some(subscripts(array)),
                    ("to_regtype", [name]) => Some(with_name(TYPE.as_ref()?, name)),
                    ("to_regclass", [name]) => Some(with_name(RELATION.as_ref()?, name)),
                    ("col_description", [table, column]) => {
                        Some(with_values(OF_COLUMN.as_ref()?, &[table, column]))
                    }
                    ("obj_description", [table, catalog])
                        if text_of(catalog).as_deref() == Some("pg_class") =>
                    {
                        Some(with_values(OF_TABLE.as_ref()?, &[table]))
                    }
                    // Nothing else is described.
                    ("obj_description" | "shobj_description", _) => {
                        Some(cast(null(), DataType::Text))
                    }
                    _ => None,
                })
            }
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

/// Rewrites `oid::regtype::text` to the name of the type.
fn regtype_name(inner: &Expr, data_type: &DataType) -> Option<Expr> {
    let kind = data_type.to_string().to_lowercase();
    let is_text = matches!(kind.trim_start_matches("pg_catalog."), "text" | "varchar");
    let Expr::Cast { expr: number, data_type: of, .. } = inner else { return None };
    let of = of.to_string().to_lowercase();
    (is_text && of.trim_start_matches("pg_catalog.") == "regtype")
        .then(|| call("format_type", [(**number).clone(), null()]))
}

fn subscripts(array: &Expr) -> Expr {
    let length = cast(call("array_length", [array.clone()]), DataType::BigInt(None));
    let plus = BinaryOperator::Plus;
    let after = Expr::BinaryOp { left: Box::new(length), op: plus, right: Box::new(number(1)) };
    call("unnest", [call("range", [number(1), after])])
}

/// Rewrites `ARRAY(SELECT x ...)` to a subquery with `array_agg`.
fn array_subquery(function: &Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    if !function.name.to_string().eq_ignore_ascii_case("array") {
        return None;
    }
    if is_empty(query) {
        return Some(cast(null(), type_named("TEXT[]")?));
    }
    let mut query = query.clone();
    query.order_by = None;
    let item = single(&mut query)?;
    *item = SelectItem::UnnamedExpr(call("array_agg", [expr_of(item)?.clone()]));
    Some(Expr::Subquery(query))
}

/// Wraps the column in `first_value`: DataFusion requires correlated scalar subqueries to
/// aggregate.
fn take_first(query: &mut Query) {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return;
    }
    let by_expressions = |order: &ast::OrderBy| matches!(order.kind, OrderByKind::Expressions(_));
    if query.order_by.as_ref().is_some_and(by_expressions) {
        return;
    }
    if let Some(item) = single(query)
        && let Some(expr) = expr_of(item)
        && !is_aggregate(expr)
    {
        *item = SelectItem::UnnamedExpr(call("first_value", [expr.clone()]));
    }
}

fn select(query: &Query) -> Option<&Select> {
    match &*query.body {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The only column of a query without `GROUP BY` and `DISTINCT`.
fn single(query: &mut Query) -> Option<&mut SelectItem> {
    let SetExpr::Select(select) = &mut *query.body else { return None };
    let groups = match &select.group_by {
        ast::GroupByExpr::Expressions(by, _) => !by.is_empty(),
        ast::GroupByExpr::All(_) => true,
    };
    if groups || select.distinct.is_some() || select.from.is_empty() {
        return None;
    }
    match &mut select.projection[..] {
        [item] => Some(item),
        _ => None,
    }
}

fn expr_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn is_aggregate(expr: &Expr) -> bool {
    let found = ast::visit_expressions(expr, |part| match part {
        Expr::Function(function)
            if last(&function.name)
                .is_some_and(|name| AGGREGATES.contains(&name.to_lowercase().as_str())) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Unqualified name.
fn last(name: &ast::ObjectName) -> Option<&str> {
    Some(name.0.last()?.as_ident()?.value.as_str())
}

/// Returns true if the query has no rows because a table in its FROM clause is always empty.
fn is_empty(query: &Query) -> bool {
    let Some(select) = select(query) else { return false };
    let has_no_row = |table: &TableFactor| match table {
        TableFactor::Table { name, args: None, .. } => {
            last(name).is_some_and(|name| EMPTY.contains(&name))
        }
        TableFactor::Table { name, args: Some(arguments), .. } => {
            let given = arguments.args.first().map(ToString::to_string).unwrap_or_default();
            let column = given.rsplit('.').next().unwrap_or_default();
            name.to_string() == "unnest" && NULL_LISTS.contains(&column)
        }
        _ => false,
    };
    let is_inner = |join: &ast::Join| {
        matches!(join.join_operator, ast::JoinOperator::Join(_) | ast::JoinOperator::Inner(_))
            && has_no_row(&join.relation)
    };
    let is_empty = select
        .from
        .iter()
        .any(|from| has_no_row(&from.relation) || from.joins.iter().any(is_inner));
    is_empty && !select.projection.iter().filter_map(expr_of).any(is_aggregate)
}

fn subquery(text: &str) -> Option<Expr> {
    match Parser::parse_sql(&PostgreSqlDialect {}, text).ok()?.remove(0) {
        ast::Statement::Query(query) => Some(Expr::Subquery(query)),
        _ => None,
    }
}

/// Replaces `$1` in a subquery by the name.
fn with_name(subquery: &Expr, name: &Expr) -> Expr {
    with_values(subquery, &[&cast(name.clone(), DataType::Text)])
}

/// Replaces `$1` and so on in a subquery by the values.
fn with_values(subquery: &Expr, values: &[&Expr]) -> Expr {
    let mut subquery = subquery.clone();
    let given = |placeholder: &str| {
        let number = placeholder.strip_prefix('$')?.parse::<usize>().ok()?;
        values.get(number.checked_sub(1)?).copied()
    };
    let _ = ast::visit_expressions_mut(&mut subquery, |expr| {
        if let Expr::Value(value) = expr
            && let ast::Value::Placeholder(placeholder) = &value.value
            && let Some(given) = given(placeholder)
        {
            *expr = given.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    subquery
}
