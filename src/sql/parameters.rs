//! Coercion of parameter values to the types that the plan expects.

use arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;

use super::array_literals;
use super::errors::{parameter_error, query_error};
use crate::error::{Error, Fault, QueryError, Result};
use crate::functions::instants::ParseTarget;
use crate::rules::ZoneRules;

/// Coerces a value to the type that the plan expects, if it expects one. A text may stand for any
/// type, a number never for an instant, and a fraction is not truncated. Zones named in texts
/// follow the given rules.
///
/// # Errors
/// Fails if the value cannot be represented in the type.
pub fn coerce_parameter(
    zones: &ZoneRules,
    name: &str,
    value: ScalarValue,
    wanted: Option<&DataType>,
) -> Result<ScalarValue> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_null()) else { return Ok(value) };
    let given = value.data_type();
    if wanted.is_temporal() && given.is_numeric() {
        let sentence = format!(
            "${name}: {value} is not an instant; expected a text like '2023-01-22 12:09:39'"
        );
        return Err(Error::Query(QueryError::new(Fault::Value, sentence)));
    }
    if wanted.is_integer() {
        let fraction = match value.try_as_str().flatten() {
            Some(text) => text.trim().parse::<f64>().ok(),
            None if given.is_floating() || given.is_decimal() => {
                return Ok(value);
            }
            None => None,
        };
        if let Some(fraction) = fraction.filter(|number| number.fract() != 0.0) {
            return Ok(ScalarValue::from(fraction));
        }
    }
    let taken = match value.try_as_str().flatten() {
        Some(text) => match ParseTarget::cast_to(wanted) {
            Some(read) => read.value(zones, text).and_then(|time| time.cast_to(wanted)),
            None if matches!(wanted, DataType::List(_)) => {
                array_literals::parse_texts(text).and_then(|array| array.cast_to(wanted))
            }
            None => value.cast_to(wanted),
        },
        None => value.cast_to(wanted),
    };
    taken.map_err(|error| Error::Query(parameter_error(name, query_error(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: ScalarValue, wanted: &DataType, expected: Option<ScalarValue>) {
        let taken = coerce_parameter(&ZoneRules::bundled(), "1", value.clone(), Some(wanted));
        assert_eq!(taken.ok(), expected, "{value:?}");
    }

    #[test]
    fn a_value_keeps_what_it_says() {
        let instant = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        check(ScalarValue::from("7"), &DataType::Int64, Some(ScalarValue::from(7i64)));
        check(ScalarValue::from("99.5"), &DataType::Int64, Some(ScalarValue::from(99.5)));
        check(ScalarValue::from(99.5), &DataType::Int64, Some(ScalarValue::from(99.5)));
        check(ScalarValue::from("seven"), &DataType::Int64, None);
        check(ScalarValue::from(u64::MAX), &DataType::Int64, None);
        check(ScalarValue::from(7u64), &DataType::Int64, Some(ScalarValue::from(7i64)));
        check(ScalarValue::from(5i64), &instant, None);
        let at = ScalarValue::TimestampMicrosecond(Some(0), None);
        check(ScalarValue::from("1970-01-01"), &instant, Some(at.clone()));
        check(ScalarValue::from("1970-01-01 00:00 Asia/Tokyo"), &instant, Some(at));
        check(ScalarValue::from("noon"), &instant, None);
        let instant = crate::functions::instants::instant_type();
        let at = ScalarValue::TimestampMicrosecond(Some(-32_400_000_000), Some("UTC".into()));
        check(ScalarValue::from("1970-01-01 00:00 Asia/Tokyo"), &instant, Some(at));
        let texts = DataType::new_list(DataType::Utf8, true);
        let of = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| ScalarValue::from(*text)).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&texts, &DataType::Utf8))
        };
        check(ScalarValue::from(r#"{"a", "b c",d}"#), &texts, Some(of(&["a", "b c", "d"])));
        check(ScalarValue::from("{a"), &texts, None);
    }
}
