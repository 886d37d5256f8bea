//! The values that are bound to a statement, each as the plan takes it.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use serde_json::Value;

use crate::error::{Error, Fault, QueryError, Result};
use crate::sql::{Session, coerce_parameter, query_error};

/// The plan with an array for `$1`, or an object for `$name`.
///
/// # Errors
/// Where one is missing, surplus, or cannot be of the type that the plan asks for.
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
        Value::Number(number) => match number.as_i64() {
            Some(whole) => ScalarValue::Int64(Some(whole)),
            None => ScalarValue::Float64(number.as_f64()),
        },
        Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        _ => ScalarValue::Null,
    }
}

/// The plan with the values of a row, by name or else by place.
///
/// # Errors
/// Where it is not one row, or a value is missing or cannot be of the type that the plan asks for.
pub fn with_row(session: &Session, plan: LogicalPlan, values: &RecordBatch) -> Result<LogicalPlan> {
    let wanted = parameters(&plan)?;
    if values.num_rows() != 1 {
        return Err(not_one_row(values.num_rows()));
    }
    if values.num_columns() > wanted.fields().len() {
        return Err(of_values(format!(
            "{} values are bound to the statement; expected {}",
            values.num_columns(),
            wanted.fields().len()
        )));
    }
    let value = |(place, parameter): (usize, &Field)| {
        let column = values.column_by_name(parameter.name());
        let column = column
            .or_else(|| values.columns().get(place))
            .ok_or_else(|| of_values(format!("no value is bound to {}", parameter.name())))?;
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
    of_values(format!("{rows} rows of values are bound to the statement; expected one"))
}

/// The values that are bound are not those that the statement takes.
pub fn of_values(sentence: String) -> Error {
    Error::Query(QueryError::new(Fault::Parameter, sentence))
}

/// The open parameters of a plan, `$1` before `$2` before `$10` before `$name`; of type null where
/// the plan takes any.
///
/// # Errors
/// Where the same parameter would have to be of two types.
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
