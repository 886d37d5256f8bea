//! Constructors and accessors of syntax tree nodes.

use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::sql::array_literals::{self, Item};

/// Name that an identifier stands for: in lower case unless it is quoted.
pub fn name_of(identifier: &Ident) -> String {
    match identifier.quote_style {
        Some(_) => identifier.value.clone(),
        None => identifier.value.to_lowercase(),
    }
}

pub fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_empty_span())
}

pub fn number(value: i64) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).with_empty_span())
}

pub fn truth(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).with_empty_span())
}

pub fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    let expr = Box::new(expr);
    Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }
}

pub fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(unnamed).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub fn empty_call(name: &str) -> Expr {
    call(name, [])
}

/// Unqualified function name in lower case, and its arguments.
pub fn called(function: &Function) -> Option<(String, Vec<&Expr>)> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    let arguments = match &function.args {
        FunctionArguments::None => Vec::new(),
        FunctionArguments::Subquery(_) => return None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
                _ => None,
            })
            .collect::<Option<_>>()?,
    };
    Some((name, arguments))
}

/// Value of a text literal.
pub fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                Some(text.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

pub fn type_named(name: &str) -> Option<DataType> {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(name).ok()?.parse_data_type().ok()
}

/// Array expression for a literal such as `{a,"b c",NULL}`; `None` if it is invalid or nested.
pub fn elements(listed: &str) -> Option<Expr> {
    let element = |item| match item {
        Item::Null => Some(null()),
        Item::Text(value) => Some(text(&value)),
        Item::List(_) => None,
    };
    let elem =
        array_literals::parse(listed).ok()?.into_iter().map(element).collect::<Option<_>>()?;
    Some(Expr::Array(Array { elem, named: true }))
}
