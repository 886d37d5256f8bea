//! `date_trunc` of intervals and of differences between instants, field by field.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit,
};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::units::Unit;
use super::value_error;
use crate::rules::calendar::DAY_US;

/// Interval of months, days and nanoseconds.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Type to which an interval or a difference is coerced; `None` for other types.
pub fn coerced_to_interval(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Interval(_) => Some(INTERVAL),
        DataType::Duration(_) => Some(DataType::Duration(TimeUnit::Microsecond)),
        _ => None,
    }
}

/// Truncates intervals to a unit. Differences become intervals with days of 24 hours.
///
/// # Errors
/// If the unit is a week, because a month is not a whole number of weeks.
pub fn truncated(unit: Unit, lengths: &ColumnarValue) -> Result<ColumnarValue> {
    let column = lengths.to_array(1)?;
    let truncated: ArrayRef = Arc::new(truncated_column(unit, &column)?);
    Ok(match lengths {
        ColumnarValue::Scalar(_) => {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&truncated, 0)?)
        }
        ColumnarValue::Array(_) => ColumnarValue::Array(truncated),
    })
}

fn truncated_column(unit: Unit, column: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    let cut = |of: IntervalMonthDayNano| cut(unit, of);
    if let DataType::Duration(_) = column.data_type() {
        let differences = column.as_primitive::<DurationMicrosecondType>().iter();
        let of_days = |us: i64| match i32::try_from(us / DAY_US) {
            Ok(days) => cut(IntervalMonthDayNano::new(0, days, us % DAY_US * 1_000)),
            Err(_) => Err(value_error("date_trunc: the difference is longer than an interval")),
        };
        return differences.map(|us| us.map(of_days).transpose()).collect();
    }
    let intervals = cast(column, &INTERVAL)?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>().iter();
    intervals.map(|of| of.map(cut).transpose()).collect()
}

fn cut(unit: Unit, of: IntervalMonthDayNano) -> Result<IntervalMonthDayNano> {
    let IntervalMonthDayNano { months, days, nanoseconds } = of;
    let of_months = |count: i32| IntervalMonthDayNano::new(months - months % count, 0, 0);
    Ok(match unit {
        Unit::Clock(length_us) => {
            IntervalMonthDayNano::new(months, days, nanoseconds - nanoseconds % (length_us * 1_000))
        }
        Unit::Day => IntervalMonthDayNano::new(months, days, 0),
        Unit::Week => {
            return Err(value_error(
                "date_trunc: an interval cannot be truncated to weeks, because a month is not a \
                 whole number of weeks; use day, month or another unit",
            ));
        }
        Unit::Months(count) => of_months(count as i32),
        Unit::Years { count, .. } => of_months(count * 12),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    #[track_caller]
    fn check(unit: &str, expected: (i32, i32, i64)) {
        let of = IntervalMonthDayNano::new(-14, 3, 5 * HOUR_NS + 1_500_000_000);
        let found = cut(Unit::named(unit).unwrap(), of).unwrap();
        assert_eq!((found.months, found.days, found.nanoseconds), expected, "{unit}");
    }

    #[test]
    fn an_interval_is_cut_field_by_field() {
        check("millisecond", (-14, 3, 5 * HOUR_NS + 1_500_000_000));
        check("second", (-14, 3, 5 * HOUR_NS + 1_000_000_000));
        check("hour", (-14, 3, 5 * HOUR_NS));
        check("day", (-14, 3, 0));
        check("month", (-14, 0, 0));
        check("quarter", (-12, 0, 0));
        check("year", (-12, 0, 0));
        check("decade", (0, 0, 0));
        assert!(cut(Unit::Week, IntervalMonthDayNano::new(0, 8, 0)).is_err());
    }
}
