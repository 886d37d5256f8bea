//! Parameters of a prepared statement: their types, and the values that a client bound.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::portal::{Format, Portal};
use datafusion_postgres::pgwire::error::PgWireResult;

use super::binary_values;
use super::failure::{self, error, from_planning_error};
use crate::error::counted;
use crate::rules::ZoneRules;
use crate::sql::coerce_parameter;

/// Largest count that the protocol can express.
const PARAMETERS_MAX: usize = 65_535;

/// Parameter of a statement.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Type on the wire.
    pub sent_as: Type,
    /// Type in the plan.
    pub coerce_parameter: DataType,
    /// False if optimization removed the expression that it was in.
    is_used: bool,
}

/// Types of `$1`, `$2` and so on: from the plan, else from the client's hint, else text.
///
/// # Errors
/// When a parameter is not numbered, or needs two types.
pub fn from_plan(
    plan: &LogicalPlan,
    hints: &[Option<Type>],
    text: &str,
) -> PgWireResult<Vec<Parameter>> {
    let types = plan.get_parameter_types().map_err(|wrong| from_planning_error(wrong, text))?;
    let casts = casts(plan).map_err(|wrong| from_planning_error(wrong, text))?;
    let instants =
        crate::sql::instant_parameters(plan).map_err(|wrong| from_planning_error(wrong, text))?;
    let mut parameters = vec![None; hints.len().max(last_parameter(text))];
    for (name, coerce_parameter) in types {
        let number: Option<usize> = name[1..].parse().ok().filter(|number| *number >= 1);
        let number = number.filter(|number| *number <= PARAMETERS_MAX).ok_or_else(|| {
            error("42P02", format!("unknown parameter {name}; use $1, $2 and so on"))
        })?;
        if parameters.len() < number {
            parameters.resize(number, None);
        }
        parameters[number - 1] = Some(coerce_parameter.or_else(|| casts.get(&name).cloned()));
    }
    let parameters = parameters.into_iter().enumerate();
    parameters
        .map(|(number, wanted)| {
            let is_used = wanted.is_some();
            let hint = hints.get(number).cloned().flatten();
            let usual = match instants.contains(&format!("${}", number + 1)) {
                true => arrow_type(&Type::TIMESTAMPTZ),
                false => DataType::Utf8,
            };
            let declared = hint.as_ref().map_or(usual, arrow_type);
            let coerce_parameter = match wanted.flatten() {
                // DataFusion infers a timestamp for what is added to a timestamp.
                Some(DataType::Timestamp(..)) if hint == Some(Type::INTERVAL) => declared,
                asked_for => asked_for.unwrap_or(declared),
            };
            let sent_as = hint.map_or_else(|| into_pg_type(&coerce_parameter), Ok)?;
            Ok(Parameter { sent_as, coerce_parameter, is_used })
        })
        .collect()
}

/// Largest parameter number outside quotes; 0 without parameters.
fn last_parameter(text: &str) -> usize {
    let unquoted = text.split(['\'', '"']).step_by(2);
    let named = unquoted.flat_map(|part| part.split('$').skip(1)).filter_map(|after| {
        let digits = after.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(after.len());
        after[..digits].parse().ok()
    });
    named.filter(|number| *number <= PARAMETERS_MAX).max().unwrap_or(0)
}

/// Types of direct casts, such as `$1::bigint`, by parameter name.
fn casts(plan: &LogicalPlan) -> datafusion::error::Result<HashMap<String, DataType>> {
    let mut casts = HashMap::new();
    plan.apply_with_subqueries(|node| {
        for whole in node.expressions() {
            whole.apply(|part| {
                if let Expr::Cast(cast) = part
                    && let Expr::Placeholder(parameter) = cast.expr.as_ref()
                {
                    casts.insert(parameter.id.clone(), cast.field.data_type().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(casts)
}

/// Typed nulls to stand in for the values when a statement is described.
pub fn nulls(parameters: &[Parameter]) -> PgWireResult<ParamValues> {
    let nulls = parameters.iter().map(|parameter| {
        ScalarValue::try_new_null(&parameter.coerce_parameter)
            .map_err(|wrong| from_planning_error(wrong, ""))
    });
    Ok(ParamValues::from(nulls.collect::<PgWireResult<Vec<_>>>()?))
}

/// Decodes bound values, by number; values that the plan does not use are omitted.
///
/// # Errors
/// When the number of values differs, or one cannot be decoded as its type.
pub fn bind_values<S: Clone>(
    portal: &Portal<S>,
    parameters: &[Parameter],
    zones: &ZoneRules,
) -> PgWireResult<ParamValues> {
    if portal.parameter_len() != parameters.len() {
        return Err(error(
            "08P01",
            format!(
                "{} bound, but the statement has {}",
                counted(portal.parameter_len(), "value was", "values were"),
                counted(parameters.len(), "parameter", "parameters")
            ),
        ));
    }
    let sent_as: Vec<_> = parameters.iter().map(|parameter| Some(&parameter.sent_as)).collect();
    let any = vec![None; parameters.len()];
    let texts = texts(portal, parameters)?;
    for (at, (sent, parameter)) in portal.parameters.iter().zip(parameters).enumerate() {
        if let Some(sent) = sent.as_ref().filter(|_| portal.parameter_format.is_binary(at)) {
            binary_values::check(at + 1, &parameter.sent_as, sent)?;
        }
    }
    let mut others = Portal::new_cursor(String::new(), Arc::clone(&portal.statement));
    others.parameter_format = portal.parameter_format.clone();
    let sent = portal.parameters.iter().zip(&texts);
    let others_sent = sent.map(|(sent, text)| sent.clone().filter(|_| text.is_none()));
    others.parameters = others_sent.collect();
    let sent = deserialize_parameters_with_server_types(&others, &any, &sent_as)?;
    let ParamValues::List(sent) = sent else {
        return Err(error("08P01", "values were bound by name; bind them by number"));
    };
    let values = sent.into_iter().zip(texts).map(|(sent, text)| match text {
        Some(text) => ScalarValue::from(text),
        None => sent.value,
    });
    let numbered = (1..).zip(values.zip(parameters));
    let wanted = numbered.filter(|(_, (_, parameter))| parameter.is_used);
    let taken = wanted.map(|(number, (value, parameter))| {
        let number = number.to_string();
        let is_text = value.data_type().is_string();
        let value = match is_text && is_parsed_here(&parameter.coerce_parameter) {
            true => coerce_parameter(zones, &number, value, Some(&parameter.coerce_parameter))
                .map_err(failure::from_error),
            false => value.cast_to(&parameter.coerce_parameter).map_err(|wrong| {
                error("22P02", format!("cannot convert a value: {}", wrong.strip_backtrace()))
            }),
        };
        Ok((number, value?.into()))
    });
    Ok(ParamValues::Map(taken.collect::<PgWireResult<_>>()?))
}

/// Returns true for types whose text form uptally parses itself, as in SQL, not arrow-pg.
fn is_parsed_here(coerce_parameter: &DataType) -> bool {
    matches!(coerce_parameter, DataType::Timestamp(..) | DataType::Date32 | DataType::List(_))
}

/// Values sent as text whose types are parsed here; `None` for all others.
fn texts<S>(portal: &Portal<S>, parameters: &[Parameter]) -> PgWireResult<Vec<Option<String>>> {
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != parameters.len()
    {
        return Err(error(
            "08P01",
            "the number of value formats differs from the number of values",
        ));
    }
    let sent = portal.parameters.iter().zip(parameters).enumerate();
    sent.map(|(at, (sent, parameter))| {
        let is_text = portal.parameter_format.is_text(at);
        let Some(sent) =
            sent.as_ref().filter(|_| is_text && is_parsed_here(&parameter.coerce_parameter))
        else {
            return Ok(None);
        };
        let text = std::str::from_utf8(sent);
        let text = text.map_err(|_| error("22021", format!("${} is not UTF-8", at + 1)))?;
        Ok(Some(text.to_owned()))
    })
    .collect()
}

/// Arrow type of a declared parameter type.
fn arrow_type(declared: &Type) -> DataType {
    match *declared {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Nanosecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::BYTEA => DataType::Binary,
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use datafusion_postgres::pgwire::api::stmt::StoredStatement;

    use super::*;

    #[test]
    fn parameters_are_counted_outside_of_quotes() {
        for (text, last) in
            [("SELECT 1", 0), ("SELECT $2, $1", 2), ("SELECT '$7', $1 AS \"$9\"", 1), ("$", 0)]
        {
            assert_eq!(last_parameter(text), last, "{text}");
        }
    }

    #[test]
    fn times_and_arrays_sent_as_text_parse_as_in_sql() {
        let instant = arrow_type(&Type::TIMESTAMPTZ);
        let texts = DataType::new_list(DataType::Utf8, true);
        let of_texts = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| ScalarValue::from(*text)).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&texts, &DataType::Utf8))
        };
        let at = |us| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
        for (sent_as, coerce_parameter, text, expected) in [
            (Type::TIMESTAMPTZ, &instant, "1970-01-01 00:01", Some(at(60_000_000))),
            (Type::TEXT, &instant, "1970-01-01 09:00 Asia/Tokyo", Some(at(0))),
            (Type::TIMESTAMPTZ, &instant, "noon", None),
            (Type::TEXT_ARRAY, &texts, r#"{"a", "b c"}"#, Some(of_texts(&["a", "b c"]))),
            (Type::TEXT, &texts, "{a, b}", Some(of_texts(&["a", "b"]))),
            (Type::TEXT_ARRAY, &texts, "{a", None),
        ] {
            let mut portal =
                Portal::new_cursor(String::new(), Arc::new(StoredStatement::default()));
            portal.parameters = vec![Some(text.to_owned().into())];
            let parameter =
                Parameter { sent_as, coerce_parameter: coerce_parameter.clone(), is_used: true };
            let read = bind_values::<()>(&portal, &[parameter], &ZoneRules::bundled());
            let read = read.ok().and_then(|read| match read {
                ParamValues::Map(mut values) => values.remove("1"),
                ParamValues::List(_) => None,
            });
            assert_eq!(read.map(|read| read.value), expected, "{text}");
        }
    }
}
