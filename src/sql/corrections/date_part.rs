//! `extract(unit FROM value)` and `date_part` with PostgreSQL's units and fractions.
//!
//! The engine drops fractions of seconds, returns the whole duration where a field is requested,
//! and counts a year of an interval as 360 days. Whole units of dates and instants are left to it,
//! as is its pruning by years. `sql::dialect` rewrites `extract` to `date_part`, as the engine's
//! planner always calls its own function for `extract`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int32Type, IntervalMonthDayNano};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use delegate::delegate;

use super::interval::{by_columns, intervals, is_interval};
use crate::error::Fault;
use crate::sql::errors;

const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
const HOUR_NS: i64 = 60 * MINUTE_NS;
const DAY_SECONDS: f64 = 86_400.0;
/// Julian day of 1970-01-01.
const JULIAN_EPOCH: f64 = 2_440_588.0;

/// The engine's function, except for the units of [`Unit`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DatePart(pub Arc<ScalarUDF>);

impl ScalarUDFImpl for DatePart {
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let asked = args.scalar_arguments.first().copied().flatten().and_then(named);
        let (Some(asked), Some(value)) = (asked, args.arg_fields.get(1)) else {
            return self.0.return_field_from_args(args);
        };
        let kind = match unit_of(&asked, value.data_type())? {
            Some(unit) if is_interval(value.data_type()) || unit.is_computed_here() => unit.kind(),
            _ => return self.0.return_field_from_args(args),
        };
        Ok(Arc::new(Field::new(self.name(), kind, value.is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let asked = match &args.args[0] {
            ColumnarValue::Scalar(asked) => named(asked),
            ColumnarValue::Array(_) => None,
        };
        let Some(asked) = asked else { return self.0.invoke_with_args(args) };
        let kind = args.args[1].data_type();
        match unit_of(&asked, &kind)? {
            _ if kind.is_null() => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(args.return_type())?))
            }
            Some(unit) if is_interval(&kind) => {
                by_columns(&args, |columns| unit.extract(&columns[1]))
            }
            Some(unit) if unit.is_computed_here() => {
                let part = self.0.invoke_with_args(unit.engine_arguments(&args))?;
                let args = ScalarFunctionArgs { args: vec![part], ..args };
                by_columns(&args, |columns| Ok(unit.compute(&columns[0])))
            }
            _ => self.0.invoke_with_args(args),
        }
    }

    delegate! {
        to self.0 {
            fn name(&self) -> &str;
            fn aliases(&self) -> &[String];
            fn signature(&self) -> &Signature;
            fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>>;
            fn return_type(&self, given: &[DataType]) -> Result<DataType>;
            fn preimage(
                &self,
                args: &[Expr],
                part: &Expr,
                info: &SimplifyContext,
            ) -> Result<PreimageResult>;
            fn documentation(&self) -> Option<&Documentation>;
        }
    }
}

/// Unit name in lower case.
fn named(unit: &ScalarValue) -> Option<String> {
    Some(unit.try_as_str().flatten()?.trim_matches(['\'', '"']).to_lowercase())
}

/// Parses a unit; `None` if it is left to the engine.
///
/// # Errors
/// Fails if values of the type have no such field.
fn unit_of(name: &str, kind: &DataType) -> Result<Option<Unit>> {
    const CALENDAR: [&str; 7] = ["w", "week", "weeks", "isoyear", "doy", "dow", "isodow"];
    const NANOSECOND: [&str; 2] = ["nanosecond", "nanoseconds"];
    let unit = Unit::parse(name);
    let is_of_calendar = CALENDAR.contains(&name);
    let is_time_of_day = unit.is_some_and(Unit::is_time_of_day) || NANOSECOND.contains(&name);
    let (has_part, value, expected) = match kind {
        DataType::Interval(_) | DataType::Duration(_) => (
            unit.is_some_and(|unit| unit != Unit::Julian),
            "an interval",
            "epoch, or a unit from microsecond to millennium other than week",
        ),
        DataType::Date32 | DataType::Date64 => (
            is_of_calendar || unit.is_some() && !is_time_of_day,
            "a date",
            "epoch, a unit from day to millennium, or a cast to timestamp",
        ),
        DataType::Time32(_) | DataType::Time64(_) => (
            is_time_of_day || unit == Some(Unit::Epoch),
            "a time",
            "epoch, or a unit from microsecond to hour",
        ),
        _ => (
            is_of_calendar || is_time_of_day || unit.is_some(),
            "a timestamp",
            "epoch, dow, isodow, doy, isoyear, julian, or a unit from microsecond to millennium",
        ),
    };
    if has_part {
        return Ok(unit);
    }
    let fault = match is_of_calendar || is_time_of_day || unit.is_some() {
        true => Fault::NotSupported,
        false => Fault::Value,
    };
    Err(errors::error(fault, format!("{value} has no {name:?}; expected {expected}")))
}

/// Units of intervals, and units of instants that the engine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Epoch,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
}

impl Unit {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "epoch" => Self::Epoch,
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => {
                Self::Microsecond
            }
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => {
                Self::Millisecond
            }
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Self::Year,
            "dec" | "decs" | "decade" | "decades" => Self::Decade,
            "c" | "cent" | "century" | "centuries" => Self::Century,
            "mil" | "mils" | "millennium" | "millennia" => Self::Millennium,
            "julian" => Self::Julian,
            _ => return None,
        })
    }

    /// Returns whether the unit is a field of a time of day.
    fn is_time_of_day(self) -> bool {
        use Unit::{Hour, Microsecond, Millisecond, Minute, Second};
        matches!(self, Microsecond | Millisecond | Second | Minute | Hour)
    }

    /// Returns whether the unit is also computed here for instants.
    fn is_computed_here(self) -> bool {
        use Unit::{Century, Decade, Julian, Millennium, Millisecond, Second};
        matches!(self, Millisecond | Second | Decade | Century | Millennium | Julian)
    }

    fn kind(self) -> DataType {
        match self {
            Self::Epoch | Self::Second | Self::Millisecond | Self::Julian => DataType::Float64,
            _ => DataType::Int32,
        }
    }

    /// Arguments for the engine's field from which this one is computed.
    fn engine_arguments(self, args: &ScalarFunctionArgs) -> ScalarFunctionArgs {
        let (name, kind) = match self {
            Self::Second | Self::Millisecond => ("microsecond", DataType::Int32),
            Self::Julian => ("epoch", DataType::Float64),
            _ => ("year", DataType::Int32),
        };
        let field = args.return_field.as_ref().clone().with_data_type(kind);
        ScalarFunctionArgs {
            args: vec![ColumnarValue::Scalar(ScalarValue::from(name)), args.args[1].clone()],
            return_field: Arc::new(field),
            ..args.clone()
        }
    }

    fn compute(self, part: &ArrayRef) -> ArrayRef {
        let of_microseconds = |per_unit: f64| -> ArrayRef {
            let part = part.as_primitive::<Int32Type>();
            Arc::new(part.unary::<_, Float64Type>(|part| f64::from(part) / per_unit))
        };
        match self {
            Self::Second => of_microseconds(1e6),
            Self::Millisecond => of_microseconds(1e3),
            Self::Julian => {
                let seconds = part.as_primitive::<Float64Type>();
                let day = |seconds| seconds / DAY_SECONDS + JULIAN_EPOCH;
                Arc::new(seconds.unary::<_, Float64Type>(day))
            }
            _ => {
                let years = part.as_primitive::<Int32Type>();
                Arc::new(years.unary::<_, Int32Type>(|year| self.period_number(year)))
            }
        }
    }

    /// Centuries and millennia count from year 1, decades from year 0.
    fn period_number(self, year: i32) -> i32 {
        let counted = |years: i32| match year {
            1.. => (year - 1) / years + 1,
            _ => year / years - 1,
        };
        match self {
            Self::Decade => year.div_euclid(10),
            Self::Century => counted(100),
            Self::Millennium => counted(1_000),
            _ => year,
        }
    }

    fn extract(self, column: &ArrayRef) -> Result<ArrayRef> {
        let intervals = intervals(column)?.into_iter();
        Ok(match self.kind() {
            DataType::Float64 => {
                let parts = intervals.map(|interval| interval.map(|of| self.fraction_of(of)));
                Arc::new(parts.collect::<Float64Array>())
            }
            _ => {
                let parts = intervals.map(|interval| interval.map(|of| self.whole_of(of)));
                Arc::new(parts.collect::<Int32Array>())
            }
        })
    }

    fn fraction_of(self, of: IntervalMonthDayNano) -> f64 {
        let in_minute = of.nanoseconds % MINUTE_NS;
        match self {
            Self::Second => in_minute as f64 / 1e9,
            Self::Millisecond => in_minute as f64 / 1e6,
            _ => {
                // A year has 365.25 days; months beyond whole years have 30.
                let days = f64::from(of.months / 12) * 365.25
                    + f64::from(of.months % 12) * 30.0
                    + f64::from(of.days);
                let seconds = of.nanoseconds / SECOND_NS;
                let rest = (of.nanoseconds % SECOND_NS) as f64 / 1e9;
                days * DAY_SECONDS + seconds as f64 + rest
            }
        }
    }

    fn whole_of(self, of: IntervalMonthDayNano) -> i32 {
        let years = of.months / 12;
        // 2^63 nanoseconds in hours fit an `i32`.
        match self {
            Self::Microsecond => (of.nanoseconds % MINUTE_NS / 1_000) as i32,
            Self::Minute => (of.nanoseconds % HOUR_NS / MINUTE_NS) as i32,
            Self::Hour => (of.nanoseconds / HOUR_NS) as i32,
            Self::Day => of.days,
            Self::Month => of.months % 12,
            Self::Quarter => of.months % 12 / 3 + 1,
            Self::Decade => years / 10,
            Self::Century => years / 100,
            Self::Millennium => years / 1_000,
            _ => years,
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;
    use crate::sql::corrections::tests::uncorrected::answer;

    #[track_caller]
    fn check(unit: &str, months: i32, days: i32, nanoseconds: i64, expected: f64) {
        let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
        let unit = Unit::parse(unit).unwrap();
        let found = match unit.kind() {
            DataType::Float64 => unit.fraction_of(interval),
            _ => f64::from(unit.whole_of(interval)),
        };
        assert_eq!(found, expected, "{unit:?}");
    }

    #[test]
    fn a_part_of_an_interval_is_its_field() {
        check("hour", 0, 3, 12 * HOUR_NS, 12.0);
        check("hours", 0, 0, 36 * HOUR_NS, 36.0);
        check("minute", 0, 0, -90 * MINUTE_NS, -30.0);
        check("second", 0, 0, 61 * SECOND_NS + SECOND_NS / 2, 1.5);
        check("ms", 0, 0, 61 * SECOND_NS + SECOND_NS / 2, 1_500.0);
        check("us", 0, 0, 61 * SECOND_NS + SECOND_NS / 2, 1_500_000.0);
        check("day", 14, 40, 0, 40.0);
        check("month", 14, 40, 0, 2.0);
        check("quarter", 5, 0, 0, 2.0);
        check("year", 14, 0, 0, 1.0);
        check("decade", 25 * 12, 0, 0, 2.0);
        check("century", 250 * 12, 0, 0, 2.0);
        check("millennium", 2_500 * 12, 0, 0, 2.0);
        check("epoch", 12, 0, 0, 31_557_600.0);
        check("epoch", 1, 1, HOUR_NS + 123_500_000_000, 2_682_123.5);
        check("epoch", 0, 6, 85_870_826_515_000, 604_270.826515);
    }

    #[test]
    fn a_part_that_a_type_has_not_is_refused() {
        let clock = DataType::Time64(TimeUnit::Nanosecond);
        let difference = DataType::Duration(TimeUnit::Microsecond);
        let local_time = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (kind, has, lacks) in [
            (DataType::Date32, ["epoch", "isodow", "century"], ["hour", "seconds", "fortnight"]),
            (clock, ["hour", "epoch", "nanosecond"], ["day", "dow", "julian"]),
            (difference, ["hour", "month", "epoch"], ["week", "julian", "dow"]),
            (local_time, ["hour", "week", "julian"], ["fortnight", "timezone", ""]),
        ] {
            assert!(has.iter().all(|unit| unit_of(unit, &kind).is_ok()), "{kind}");
            assert!(lacks.iter().all(|unit| unit_of(unit, &kind).is_err()), "{kind}");
        }
    }

    #[test]
    fn centuries_begin_with_year_one() {
        for (unit, year, expected) in [
            ("century", 2000, 20),
            ("century", 2001, 21),
            ("century", 0, -1),
            ("century", -99, -1),
            ("century", -100, -2),
            ("decade", 2023, 202),
            ("decade", -1, -1),
            ("millennium", 2000, 2),
            ("millennium", 2001, 3),
        ] {
            assert_eq!(
                Unit::parse(unit).unwrap().period_number(year),
                expected,
                "{unit} of {year}"
            );
        }
    }

    /// When this fails, remove [`DatePart`].
    #[test]
    fn the_engine_still_tells_the_whole_of_a_difference_and_drops_fractions() {
        let difference = "(TIMESTAMP '2023-01-05T00:00:00.5' - TIMESTAMP '2023-01-01T03:00:00')";
        let extracted = |unit: &str| answer(&format!("SELECT extract({unit} FROM {difference})"));
        assert_eq!(extracted("hour").as_deref(), Ok("93"));
        assert_eq!(
            answer("SELECT extract(second FROM TIMESTAMP '2023-01-05T00:00:01.5')").as_deref(),
            Ok("1")
        );
    }
}
