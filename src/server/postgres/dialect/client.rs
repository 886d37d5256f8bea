//! What a question means that depends on who asks: the user, the settings of the session, and of
//! which types the arrays are that are bound to it.

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

/// Who asks.
pub struct Client<'a> {
    /// As the client set it, with its user.
    pub set: &'a HashMap<String, String>,
    /// The types of `$1` and so on that it says.
    pub types: &'a [Option<Type>],
}

impl Client<'_> {
    pub fn asks(&self, readings: &mut [Statement]) {
        for reading in readings {
            rewrite(reading, &mut Personal(self));
        }
    }

    /// What a function says of the client; `None` for any other.
    fn told(&self, expr: &Expr) -> Option<(String, Expr)> {
        let Expr::Function(function) = expr else { return None };
        let (name, arguments) = called(function)?;
        let value = match (&*name, &arguments[..]) {
            ("current_user" | "session_user" | "user" | "current_role", []) => {
                self.set.get("user").cloned().unwrap_or_default()
            }
            ("current_catalog", []) => crate::sql::CATALOG.to_owned(),
            ("current_setting", [setting, ..]) => {
                settings::value(&text_of(setting)?.to_lowercase(), self.set)?
            }
            _ => return None,
        };
        Some((name, text(&value)))
    }

    /// The type of an array that is bound, as SQL names it; `None` where the client does not say.
    fn array_type(&self, parameter: &str) -> Option<DataType> {
        let number: usize = parameter.strip_prefix('$')?.parse().ok()?;
        let said = self.types.get(number.checked_sub(1)?)?.as_ref()?;
        let name = match *said {
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

    /// An array that is bound, of the type that the client says or else of text, and the value to
    /// look for in it.
    fn array(&self, array: &Expr, value: &Expr) -> Option<(Expr, Expr)> {
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

struct Personal<'a>(&'a Client<'a>);

impl VisitorMut for Personal<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some((name, expr)) = self.0.told(expr)
            {
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let said = match expr {
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                let right = match &**right {
                    Expr::Nested(inner) => inner,
                    other => other,
                };
                self.0.array(right, left)
            }
            Expr::Function(function) => {
                called(function).and_then(|(name, arguments)| match (&*name, &arguments[..]) {
                    ("array_contains", [array, value]) => self.0.array(array, value),
                    _ => None,
                })
            }
            _ => None,
        };
        if let Some((array, value)) = said {
            *expr = call("array_has", [array, value]);
        } else if let Some((_, told)) = self.0.told(expr) {
            *expr = told;
        }
        ControlFlow::Continue(())
    }
}
