//! `age` and `make_timestamp` of PostgreSQL, which the engine lacks.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use datafusion::error::Result;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;

use crate::error::Fault;
use crate::sql::errors;

pub fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::from(Age(Signature::user_defined(Volatility::Immutable))));
    let mut parts = vec![DataType::Int64; 5];
    parts.push(DataType::Float64);
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let compute = Arc::new(make_scalar_function(timestamps, Vec::new()));
    let volatility = Volatility::Immutable;
    session.register_udf(create_udf("make_timestamp", parts, timestamp, volatility, compute));
}

const MICROS_S: i64 = 1_000_000;

/// Calendar difference of two instants: the fields of one minus those of the other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Age(Signature);

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        "age"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [_, _] = given else {
            let sentence = format!("age takes one instant or two, not {}", given.len());
            return Err(errors::error(Fault::UnknownFunction, sentence));
        };
        given.iter().map(instant).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(ages, Vec::new())(&args.args)
    }
}

fn ages(instants: &[ArrayRef]) -> Result<ArrayRef> {
    let [until, since] = [0, 1].map(|at| instants[at].as_primitive::<TimestampMicrosecondType>());
    let ages = until.iter().zip(since).map(|pair| match pair {
        (Some(until), Some(since)) => age(until, since).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(ages.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

fn instant(given: &DataType) -> Result<DataType> {
    match given {
        DataType::Timestamp(_, Some(_)) => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        DataType::Timestamp(_, None)
        | DataType::Date32
        | DataType::Date64
        | DataType::Null
        | DataType::Utf8
        | DataType::Utf8View
        | DataType::LargeUtf8 => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        _ => Err(errors::error(Fault::UnknownFunction, "age takes instants or dates")),
    }
}

/// Fields of an instant, largest first, and the number of days in its month.
fn fields(at_us: i64) -> Result<([i64; 7], i64)> {
    let at = DateTime::from_timestamp_micros(at_us)
        .ok_or_else(|| errors::error(Fault::OutOfRange, "age: an instant is out of range"))?;
    let fields = [
        at.year().into(),
        at.month().into(),
        at.day().into(),
        at.hour().into(),
        at.minute().into(),
        at.second().into(),
        at_us.rem_euclid(MICROS_S),
    ];
    Ok((fields, at.num_days_in_month().into()))
}

fn age(until: i64, since: i64) -> Result<IntervalMonthDayNano> {
    let ((a, _), (b, days)) = match until >= since {
        true => (fields(until)?, fields(since)?),
        false => (fields(since)?, fields(until)?),
    };
    let mut left: [i64; 7] = std::array::from_fn(|at| a[at] - b[at]);
    // A negative field borrows from the next larger one; days from the earlier month.
    for (at, size) in [(6, MICROS_S), (5, 60), (4, 60), (3, 24), (2, days), (1, 12)] {
        while left[at] < 0 {
            left[at] += size;
            left[at - 1] -= 1;
        }
    }
    let sign = if until >= since { 1 } else { -1 };
    let [years, months, days, hours, minutes, seconds, micros] = left;
    let time_us = ((hours * 60 + minutes) * 60 + seconds) * MICROS_S + micros;
    let whole = |value: i64| i32::try_from(sign * value).unwrap_or_default();
    Ok(IntervalMonthDayNano::new(whole(years * 12 + months), whole(days), sign * time_us * 1000))
}

/// Local times from their fields.
fn timestamps(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let seconds: &Float64Array = arrays[5].as_primitive::<Float64Type>();
    let whole = |array: &ArrayRef, row| {
        let array = array.as_primitive::<Int64Type>();
        array.is_valid(row).then(|| array.value(row))
    };
    let made = (0..seconds.len()).map(|row| {
        let parts: Option<Vec<_>> = arrays[..5].iter().map(|part| whole(part, row)).collect();
        match parts {
            Some(parts) if seconds.is_valid(row) => made(&parts, seconds.value(row)).map(Some),
            _ => Ok(None),
        }
    });
    Ok(Arc::new(made.collect::<Result<TimestampMicrosecondArray>>()?))
}

fn made(parts: &[i64], seconds: f64) -> Result<i64> {
    let part = |at: usize| u32::try_from(parts[at]).ok();
    let date = || {
        let year = i32::try_from(parts[0]).ok().filter(|year| *year != 0)?;
        NaiveDate::from_ymd_opt(year, part(1)?, part(2)?)
    };
    let time_us = || {
        let (hour, minute) = (part(3)?, part(4)?);
        let is_time = hour < 24 && minute < 60 && (0.0..=60.0).contains(&seconds);
        let seconds_us = (seconds * 1e6).round() as i64;
        is_time.then(|| (i64::from(hour) * 3600 + i64::from(minute) * 60) * MICROS_S + seconds_us)
    };
    let midnight = date().and_then(|date| date.and_hms_opt(0, 0, 0));
    let at = midnight.zip(time_us()).map(|(date, us)| date.and_utc().timestamp_micros() + us);
    at.ok_or_else(|| {
        let sentence = format!("make_timestamp: {parts:?} and {seconds} s are no date and time");
        errors::error(Fault::OutOfRange, sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(until: &str, since: &str, expected: (i32, i32, i64)) {
        let at = |said: &str| said.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros();
        let found = age(at(until), at(since)).unwrap();
        assert_eq!((found.months, found.days, found.nanoseconds / 1_000_000_000), expected);
    }

    #[test]
    fn an_age_is_counted_as_postgres_counts_it() {
        check("2024-03-01T00:00:00Z", "2023-01-31T00:00:00Z", (13, 1, 0));
        check("2023-01-31T00:00:00Z", "2024-03-01T12:00:00Z", (-13, -1, -43_200));
        check("2023-03-01T00:00:00Z", "2023-02-28T23:59:59Z", (0, 0, 1));
        check("2001-04-10T00:00:00Z", "1957-06-13T00:00:00Z", (43 * 12 + 9, 27, 0));
        check("2024-02-29T10:00:00Z", "2024-02-29T10:00:00Z", (0, 0, 0));
    }

    #[test]
    fn a_timestamp_is_made_of_its_fields() {
        assert_eq!(made(&[1970, 1, 2, 3, 4], 5.5).unwrap(), 97_445_500_000);
        for (parts, seconds) in [
            ([2023, 13, 1, 0, 0], 0.0),
            ([2023, 2, 29, 0, 0], 0.0),
            ([2023, 1, 1, 24, 0], 0.0),
            ([0, 1, 1, 0, 0], 0.0),
            ([2023, 1, 1, 0, 0], -1.0),
        ] {
            assert!(made(&parts, seconds).is_err());
        }
    }
}
