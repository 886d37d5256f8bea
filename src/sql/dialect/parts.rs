//! Pieces of SQL to build statements of, and to read them by.

use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

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

/// The name without its schema, in small letters, and the arguments as they are.
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

/// What a literal of text says.
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

pub fn is_array(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Array(_))
}

/// The array that a text like `{a,"b c",NULL}` stands for; `None` where it is none, or nested.
pub fn elements(listed: &str) -> Option<Expr> {
    let element = |value: Option<String>| value.map_or_else(null, |value| text(&value));
    let elem = texts_of(listed)?.into_iter().map(element).collect();
    Some(Expr::Array(Array { elem, named: true }))
}

/// The same as texts, null where an element is `NULL` without quotes.
pub fn texts_of(listed: &str) -> Option<Vec<Option<String>>> {
    let inner = listed.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut texts = Vec::new();
    if inner.trim().is_empty() {
        return Some(texts);
    }
    let mut signs = inner.chars().peekable();
    loop {
        while signs.next_if(|sign| sign.is_whitespace()).is_some() {}
        texts.push(match signs.next_if_eq(&'"') {
            Some(_) => Some(quoted(&mut signs)?),
            None => bare(&mut signs)?,
        });
        match signs.next() {
            None => return Some(texts),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

type Signs<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The rest of an element whose quote is open, and the blanks behind it.
fn quoted(signs: &mut Signs) -> Option<String> {
    let mut value = String::new();
    loop {
        match signs.next()? {
            '"' => break,
            '\\' => value.push(signs.next()?),
            sign => value.push(sign),
        }
    }
    while signs.next_if(|sign| sign.is_whitespace()).is_some() {}
    Some(value)
}

/// An element without quotes, and the blanks behind it; the inner `None` is null.
fn bare(signs: &mut Signs) -> Option<Option<String>> {
    let (mut value, mut length) = (String::new(), 0);
    while let Some(sign) = signs.next_if(|sign| *sign != ',') {
        match sign {
            '"' | '{' | '}' => return None,
            '\\' => {
                value.push(signs.next()?);
                length = value.len();
            }
            sign => {
                value.push(sign);
                if !sign.is_whitespace() {
                    length = value.len();
                }
            }
        }
    }
    value.truncate(length);
    match value.as_str() {
        "" => None,
        null if null.eq_ignore_ascii_case("null") => Some(None),
        _ => Some(Some(value)),
    }
}
