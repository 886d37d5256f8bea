//! Binding of parameter values to a plan, each cast to the type that the plan expects.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use serde_json::Value;

use crate::error::{Error, Fault, QueryError, Result, counted};
use crate::sql::{Session, coerce_parameter, query_error};

/// Binds an array to `$1` and on, or an object to `$name`.
///
/// # Errors
/// If a value is missing, surplus, or cannot be cast to the parameter's type.
pub fn with_json(session: &Session, plan: LogicalPlan, values: &Value) -> Result<LogicalPlan> {
    let types = plan.get_parameter_types().map_err(query_error)?;
    let typed = |name: String, value: &Value| -> Result<(String, ScalarValue)> {
        let wanted = types.get(&format!("${name}")).and_then(Option::as_ref);
        let value = coerce_parameter(session.zones(), &name, scalar(value), wanted)?;
        Ok((name, value))
    };
    let values: ParamValues = match values {
        Value::Object(named) => {
            let named = named.iter().map(|(name, value)| typed(name.clone(), value));
            named.collect::<Result<HashMap<_, _>>>()?.into()
        }
        listed => {
            let listed = listed.as_array().into_iter().flatten().enumerate();
            let listed = listed.map(|(at, value)| Ok(typed((at + 1).to_string(), value)?.1));
            listed.collect::<Result<Vec<_>>>()?.into()
        }
    };
    Session::bind(plan, values)
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Bool(truth) => ScalarValue::Boolean(Some(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => ScalarValue::Int64(Some(whole)),
            // A double would round it.
            (None, Some(whole)) => ScalarValue::UInt64(Some(whole)),
            (None, None) => ScalarValue::Float64(number.as_f64()),
        },
        Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        _ => ScalarValue::Null,
    }
}

/// Binds the values of a row, by column name or else by position.
///
/// # Errors
/// If there is not exactly one row, or a value is missing or cannot be cast to its type.
pub fn with_row(session: &Session, plan: LogicalPlan, values: &RecordBatch) -> Result<LogicalPlan> {
    let wanted = parameters(&plan)?;
    if values.num_rows() != 1 {
        return Err(not_one_row(values.num_rows()));
    }
    if values.num_columns() > wanted.fields().len() {
        return Err(wrong_values(format!(
            "{} bound to the statement; expected {}",
            counted(values.num_columns(), "value is", "values are"),
            wanted.fields().len()
        )));
    }
    let value = |(place, parameter): (usize, &Field)| {
        let column = values.column_by_name(parameter.name());
        let column = column
            .or_else(|| values.columns().get(place))
            .ok_or_else(|| wrong_values(format!("no value is bound to {}", parameter.name())))?;
        let value = ScalarValue::try_from_array(column, 0)?;
        let name = parameter.name().trim_start_matches('$');
        coerce_parameter(session.zones(), name, value, Some(parameter.data_type()))
    };
    let fields = wanted.fields().iter().map(AsRef::as_ref);
    let named = fields.enumerate().map(|(place, parameter)| {
        let name = parameter.name().trim_start_matches('$').to_owned();
        Ok((name, value((place, parameter))?.into()))
    });
    Session::bind(plan, ParamValues::Map(named.collect::<Result<_>>()?))
}

pub fn not_one_row(rows: usize) -> Error {
    wrong_values(format!("{rows} rows of values are bound to the statement; expected one"))
}

/// Error for values that do not match the statement's parameters.
pub fn wrong_values(sentence: String) -> Error {
    Error::Query(QueryError::new(Fault::Parameter, sentence))
}

/// Open parameters of a plan, `$1` before `$2` before `$10` before `$name`; null type for any.
///
/// # Errors
/// If a parameter would need two types.
pub fn parameters(plan: &LogicalPlan) -> Result<Schema> {
    let types = plan.get_parameter_types();
    let types = types.map_err(query_error)?;
    let mut types: Vec<_> = types.into_iter().collect();
    types.sort_by_key(|(name, _)| (name[1..].parse().unwrap_or(usize::MAX), name.clone()));
    let fields = types
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type.unwrap_or(DataType::Null), true));
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_of_64_bits_are_exact() {
        for (value, expected) in [
            (json!(i64::MIN), ScalarValue::from(i64::MIN)),
            (json!(i64::MAX), ScalarValue::from(i64::MAX)),
            (json!(i64::MAX as u64 + 1), ScalarValue::from(i64::MAX as u64 + 1)),
            (json!(u64::MAX), ScalarValue::from(u64::MAX)),
            (json!(1.5), ScalarValue::from(1.5)),
            // JSON's reader rounds longer ones.
            (json!(1e20), ScalarValue::from(1e20)),
        ] {
            assert_eq!(scalar(&value), expected);
        }
    }
}
