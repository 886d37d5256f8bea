//! `to_timestamp`: converts seconds since 1970, or text with a format, to an instant.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::encoding::lists::instant_type;
use super::super::open_spans::check_instant;
use super::{coerced_to_instant, is_text, value_error};
use crate::rules::ZoneRules;
use crate::rules::calendar::{DAY_US, SECOND_US};

/// Formats are DataFusion's, with `%`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToTimestamp {
    zones: ZoneRules,
    engines: Arc<ScalarUDF>,
    signature: Signature,
}

impl ToTimestamp {
    pub fn new(zones: &ZoneRules) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        let options = datafusion::config::ConfigOptions::default();
        let engines = datafusion::functions::datetime::to_timestamp(&options);
        Self { zones: zones.clone(), engines, signature }
    }
}

impl ScalarUDFImpl for ToTimestamp {
    fn name(&self) -> &'static str {
        "to_timestamp"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        const EXPECTED: &str = "expected seconds since 1970, or a text and its format like \
            '%Y-%m-%d %H:%M:%S'";
        match given {
            [seconds] if seconds.is_integer() => Ok(vec![DataType::Int64]),
            [seconds] if seconds.is_floating() => Ok(vec![DataType::Float64]),
            [seconds] if seconds.is_decimal() => Ok(vec![DataType::Decimal128(38, 6)]),
            [local @ DataType::Timestamp(_, None)] => Ok(vec![local.clone()]),
            [instant] => match coerced_to_instant(instant) {
                Some(instant) => Ok(vec![instant]),
                None => plan_err!("to_timestamp: {EXPECTED}"),
            },
            texts if texts.len() > 1 && texts.iter().all(|one| is_text(one) || one.is_null()) => {
                Ok(vec![DataType::Utf8; texts.len()])
            }
            _ => plan_err!("to_timestamp: {EXPECTED}"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant_type())
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() > 1 {
            check_formats(&args.args[1..])?;
            let engines = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
            args.return_field =
                Arc::new(args.return_field.as_ref().clone().with_data_type(engines));
            return self.engines.invoke_with_args(args)?.cast_to(&instant_type(), None);
        }
        let [given] = &args.args[..] else { return exec_err!("to_timestamp takes a value") };
        let seconds = given.to_array(1)?;
        let instants: TimestampMicrosecondArray = match seconds.data_type() {
            DataType::Int64 => seconds.as_primitive::<Int64Type>().try_unary(|s| {
                let us = s.checked_mul(SECOND_US);
                check_instant(us.unwrap_or(i64::MAX)).map(|()| s * SECOND_US)
            })?,
            DataType::Float64 => seconds.as_primitive::<Float64Type>().try_unary(instant_of)?,
            DataType::Decimal128(..) => {
                seconds.as_primitive::<Decimal128Type>().try_unary(|us| {
                    let us = i64::try_from(us).unwrap_or(i64::MAX);
                    check_instant(us).map(|()| us)
                })?
            }
            _ => return given.cast_to(&instant_type(), None),
        };
        let instants: ArrayRef = Arc::new(instants.with_timezone("UTC"));
        Ok(match given {
            ColumnarValue::Scalar(_) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&instants, 0)?)
            }
            ColumnarValue::Array(_) => ColumnarValue::Array(instants),
        })
    }
}

/// Converts seconds to microseconds, rounded half away from 2000-01-01, as PostgreSQL does.
fn instant_of(seconds: f64) -> Result<i64> {
    const YEAR_2000_US: i64 = 10_957 * DAY_US;
    if !seconds.is_finite() {
        return Err(value_error(format!("to_timestamp: {seconds} seconds are not an instant")));
    }
    let since_2000 = (seconds - (YEAR_2000_US / SECOND_US) as f64) * SECOND_US as f64;
    let instant = (since_2000.round_ties_even() as i64).saturating_add(YEAR_2000_US);
    check_instant(instant).map(|()| instant)
}

/// Checks that formats contain `%`.
///
/// # Errors
/// If a format is one of PostgreSQL's; DataFusion would treat it as literal text.
fn check_formats(formats: &[ColumnarValue]) -> Result<()> {
    for format in formats {
        let format = cast(&format.to_array(1)?, &DataType::Utf8)?;
        for format in format.as_string::<i32>().iter().flatten() {
            if !format.contains('%') {
                return Err(value_error(format!(
                    "to_timestamp: format {format:?} is not supported; expected one like \
                     '%Y-%m-%d %H:%M:%S'"
                )));
            }
        }
    }
    Ok(())
}
