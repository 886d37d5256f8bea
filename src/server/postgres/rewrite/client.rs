//! Rewrites that depend on the client: user, session settings, and declared types of array
//! parameters.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Ident, Select, SelectItem, Value, VisitorMut,
};
use datafusion_postgres::pgwire::api::Type;

use super::super::settings;
use crate::sql::dialect::ast_nodes::{call, called, cast, text, text_of, type_named};
use crate::sql::dialect::rewrite;

/// Session state on which a statement's meaning depends.
pub struct ClientContext<'a> {
    /// Session settings, including the user.
    pub settings: &'a HashMap<String, String>,
    /// Types that the client declared for `$1` and so on.
    pub types: &'a [Option<Type>],
}

impl ClientContext<'_> {
    pub fn rewrite(&self, readings: &mut [Statement]) {
        for reading in readings {
            rewrite(reading, &mut ClientRewrite(self));
        }
    }

    /// Name and value of a session function, such as `current_user`; `None` for others.
    fn session_value(&self, expr: &Expr) -> Option<(String, Expr)> {
        let Expr::Function(function) = expr else { return None };
        let (name, arguments) = called(function)?;
        let value = match (&*name, &arguments[..]) {
            ("current_user" | "session_user" | "user" | "current_role", []) => {
                self.settings.get("user").cloned().unwrap_or_default()
            }
            ("current_catalog", []) => crate::sql::CATALOG.to_owned(),
            ("current_setting", [setting, ..]) => {
                settings::value(&text_of(setting)?.to_lowercase(), self.settings)?
            }
            _ => return None,
        };
        Some((name, text(&value)))
    }

    /// SQL type of an array parameter; `None` if the client did not declare it.
    fn array_type(&self, parameter: &str) -> Option<DataType> {
        let number: usize = parameter.strip_prefix('$')?.parse().ok()?;
        let declared = self.types.get(number.checked_sub(1)?)?.as_ref()?;
        let name = match *declared {
            Type::BOOL_ARRAY => "BOOLEAN[]",
            Type::INT2_ARRAY => "SMALLINT[]",
            Type::INT4_ARRAY => "INT[]",
            Type::INT8_ARRAY => "BIGINT[]",
            Type::FLOAT4_ARRAY => "REAL[]",
            Type::FLOAT8_ARRAY => "DOUBLE[]",
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => "TEXT[]",
            _ => return None,
        };
        type_named(name)
    }

    /// Casts an array parameter to its declared type, or to text together with the value searched.
    fn bound_array(&self, array: &Expr, value: &Expr) -> Option<(Expr, Expr)> {
        let Expr::Value(parameter) = array else { return None };
        let Value::Placeholder(name) = &parameter.value else { return None };
        Some(match self.array_type(name) {
            Some(of) => (cast(array.clone(), of), value.clone()),
            None => {
                (cast(array.clone(), type_named("TEXT[]")?), cast(value.clone(), DataType::Text))
            }
        })
    }
}

struct ClientRewrite<'a>(&'a ClientContext<'a>);

impl VisitorMut for ClientRewrite<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some((name, expr)) = self.0.session_value(expr)
            {
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                let right = match &**right {
                    Expr::Nested(inner) => inner,
                    other => other,
                };
                self.0.bound_array(right, left)
            }
            Expr::Function(function) => {
                called(function).and_then(|(name, arguments)| match (&*name, &arguments[..]) {
                    ("array_contains", [array, value]) => self.0.bound_array(array, value),
                    _ => None,
                })
            }
            _ => None,
        };
        if let Some((array, value)) = rewritten {
            *expr = call("array_has", [array, value]);
        } else if let Some((_, value)) = self.0.session_value(expr) {
            *expr = value;
        }
        ControlFlow::Continue(())
    }
}
