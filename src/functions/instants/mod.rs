//! Instants and local times with PostgreSQL's semantics: `now()`, `AT TIME ZONE`, `date_trunc` in a
//! zone, and parsing of text and numbers.
//!
//! An instant has type [`instant_type`], a local time [`LOCAL_TIME`]. Zones follow the rules of the
//! dataset's version.

mod date_trunc;
mod lengths;
mod now;
mod texts;
mod timezone;
mod to_char;
mod to_timestamp;
mod units;
mod zones;

use std::sync::Arc;

use arrow::array::{AsArray, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

pub use self::date_trunc::RoundToDigits;
pub use self::texts::{ParseTarget, ParseText, instant_us};
pub use super::encoding::lists::instant_type;
use crate::error::{Fault, QueryError};
use crate::limits::CancellationFlag;
use crate::rules::ZoneRules;

/// Timestamp without time zone, in microseconds.
pub const LOCAL_TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Registers the function that depends on its arguments only.
pub fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::from(to_char::ToChar::postgres()));
}

/// Registers the functions that read time-zone rules, some in place of DataFusion's functions.
pub fn register_by_zones(session: &SessionContext, zones: &ZoneRules) {
    for function in [
        ScalarUDF::from(now::Now::instant()),
        ScalarUDF::from(now::Now::local_time()),
        ScalarUDF::from(timezone::Timezone::new(zones)),
        ScalarUDF::from(date_trunc::DateTrunc::new(zones)),
        ScalarUDF::from(RoundToDigits::default()),
        ScalarUDF::from(to_timestamp::ToTimestamp::new(zones)),
    ] {
        session.register_udf(function);
    }
}

/// True for types of text, including dictionaries of text.
pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_string(),
        other => other.is_string(),
    }
}

/// Type to which an argument that denotes an instant is coerced; `None` for local times and other
/// types.
fn coerced_to_instant(given: &DataType) -> Option<DataType> {
    let is_instant = matches!(
        given,
        DataType::Timestamp(_, Some(_)) | DataType::Date32 | DataType::Date64 | DataType::Null
    );
    (is_instant || is_text(given)).then(instant_type)
}

/// Error of a value that is invalid for its type.
fn value_error(sentence: impl Into<String>) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::new(Fault::Value, sentence)))
}

/// Applies a function to each time; null stays null.
fn map_times(
    times: &ColumnarValue,
    returns: &DataType,
    mut each: impl FnMut(i64) -> Result<i64>,
) -> Result<ColumnarValue> {
    let zone = match returns {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let column = match times {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(at, _)) => {
            let at = at.map(each).transpose()?;
            return Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(at, zone)));
        }
        ColumnarValue::Scalar(other) => return exec_err!("{other} is not a time in microseconds"),
        ColumnarValue::Array(column) => column.as_primitive::<TimestampMicrosecondType>(),
    };
    let cancellation = CancellationFlag::current();
    let mut mapped = TimestampMicrosecondBuilder::with_capacity(column.len());
    for at in column {
        cancellation.check()?;
        mapped.append_option(at.map(&mut each).transpose()?);
    }
    Ok(ColumnarValue::Array(Arc::new(mapped.finish().with_timezone_opt(zone))))
}
