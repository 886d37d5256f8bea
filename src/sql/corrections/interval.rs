//! Conversions shared by the corrections of intervals and durations: months, days and time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, Signature, SimpleScalarUDF, Volatility,
};

use crate::error::Fault;
use crate::sql::errors;

pub const MONTH_DAY_NANO: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

const SECOND_NS: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY_NS: i128 = DAY_SECONDS as i128 * SECOND_NS as i128;
const MONTH_DAYS: i128 = 30;

/// Returns whether a type is an interval or a duration.
pub fn is_interval(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_) | DataType::Duration(_))
}

/// Reads a column as intervals. Durations become whole days and a rest, both of one sign, as in
/// PostgreSQL.
///
/// # Errors
/// Fails if the column holds neither, or if a duration has too many days for an interval.
pub fn intervals(column: &ArrayRef) -> Result<Vec<Option<IntervalMonthDayNano>>> {
    let DataType::Duration(unit) = column.data_type() else {
        let column = cast(column, &MONTH_DAY_NANO)?;
        return Ok(column.as_primitive::<IntervalMonthDayNanoType>().iter().collect());
    };
    let per_second = units_per_second(*unit);
    let per_day = DAY_SECONDS * per_second;
    let units = cast(column, &DataType::Int64)?;
    let of_units = |units: i64| {
        let Ok(days) = i32::try_from(units / per_day) else {
            return Err(errors::error(
                Fault::OutOfRange,
                "interval out of range; expected fewer than 2147483648 days",
            ));
        };
        let time = units % per_day * (SECOND_NS / per_second);
        Ok(IntervalMonthDayNano::new(0, days, time))
    };
    units.as_primitive::<Int64Type>().iter().map(|units| units.map(of_units).transpose()).collect()
}

pub fn units_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => SECOND_NS,
    }
}

/// Length in nanoseconds, with days of 24 hours and months of 30 days; at most 26 digits.
pub fn length_ns(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * MONTH_DAYS + i128::from(interval.days);
    days * DAY_NS + i128::from(interval.nanoseconds)
}

/// Evaluates a function over columns. If all arguments are scalars they become columns of one row,
/// and the result is a scalar.
///
/// # Errors
/// Fails if the function fails.
pub fn by_columns(
    args: &ScalarFunctionArgs,
    compute: impl Fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    make_scalar_function(compute, Vec::new())(&args.args)
}

/// Function of so many columns of any types, whose results have one type.
pub fn function_of_columns(
    name: &str,
    arguments: usize,
    returns: DataType,
    compute: fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> ScalarUDF {
    let signature = Signature::any(arguments, Volatility::Immutable);
    let compute = Arc::new(make_scalar_function(compute, Vec::new()));
    SimpleScalarUDF::new_with_signature(name, signature, returns, compute).into()
}

#[cfg(test)]
mod tests {
    use arrow::array::{DurationMicrosecondArray, IntervalYearMonthArray};

    use super::*;

    #[test]
    fn a_difference_has_whole_days_and_the_rest() {
        let hour_us = 3_600_000_000;
        let column: ArrayRef =
            Arc::new(DurationMicrosecondArray::from(vec![Some(-84 * hour_us - 1), None]));
        let expected = IntervalMonthDayNano::new(0, -3, -12 * hour_us * 1_000 - 1_000);
        assert_eq!(intervals(&column).unwrap(), [Some(expected), None]);
        let column: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![14]));
        let expected = IntervalMonthDayNano::new(14, 0, 0);
        assert_eq!(intervals(&column).unwrap(), [Some(expected)]);
    }

    #[test]
    fn a_month_is_as_long_as_thirty_days_and_a_day_as_24_hours() {
        let length = |months, days, hours: i64| {
            length_ns(IntervalMonthDayNano::new(months, days, hours * 3_600 * SECOND_NS))
        };
        assert_eq!(length(1, 0, 0), length(0, 30, 0));
        assert_eq!(length(0, 1, 0), length(0, 0, 24));
        assert_eq!(length(0, 2, -24), length(0, 1, 0));
        assert!(length(i32::MAX, i32::MAX, 0) > length(0, 0, 2_000_000));
    }
}
