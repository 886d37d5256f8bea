//! `date_trunc(unit, time [, zone])` in integer arithmetic, and the rounding of `timestamp(3)`.
//!
//! DataFusion's `date_trunc` consults time-zone rules for every row, even in UTC. Remove this once
//! it does not, and truncates by the zone rules of the dataset.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::{cast, min};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::encoding::lists::instant_type;
use super::lengths::{INTERVAL, coerced_to_interval, truncated};
use super::units::Unit;
use super::zones::{UtcOffset, UtcOffsetCache};
use super::{LOCAL_TIME, coerced_to_instant, is_text, map_times};
use crate::limits::CancellationFlag;
use crate::rules::ZoneRules;
use crate::rules::calendar::DAY_US;

/// `date_trunc` of instants, local times and intervals. Times of day, and timestamps with other
/// time zones, are passed to DataFusion's function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DateTrunc {
    zones: ZoneRules,
    engines: Arc<ScalarUDF>,
    signature: Signature,
}

impl DateTrunc {
    pub fn new(zones: &ZoneRules) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        let engines = datafusion::functions::datetime::date_trunc();
        Self { zones: zones.clone(), engines, signature }
    }
}

/// True if this function truncates values of the type.
fn is_supported(time: &DataType) -> bool {
    match time {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            zone.as_deref().is_none_or(|zone| matches!(zone, "UTC" | "+00:00"))
        }
        _ => false,
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &'static str {
        "date_trunc"
    }

    fn aliases(&self) -> &[String] {
        self.engines.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (unit, time, zone) = match given {
            [unit, time] => (unit, time, None),
            [unit, time, zone] => (unit, time, Some(zone)),
            _ => {
                return plan_err!(
                    "date_trunc(unit, time [, zone]) takes 2 or 3 arguments, not {}",
                    given.len()
                );
            }
        };
        if [Some(unit), zone].into_iter().flatten().any(|text| !is_text(text) && !text.is_null()) {
            return plan_err!(
                "date_trunc: expected a unit like 'day', a time, and a zone like 'America/Chicago'"
            );
        }
        let time = match (time, zone) {
            (DataType::Timestamp(..), Some(_)) => instant_type(),
            (DataType::Timestamp(_, None), None) => LOCAL_TIME,
            (DataType::Timestamp(_, Some(of)), None) => {
                let utc = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(of)));
                if is_supported(&utc) { utc } else { time.clone() }
            }
            (DataType::Time32(_) | DataType::Time64(_), None) => time.clone(),
            (time, zone) => {
                let interval = coerced_to_interval(time).filter(|_| zone.is_none());
                match interval.or_else(|| coerced_to_instant(time)) {
                    Some(taken) => taken,
                    None => {
                        return plan_err!(
                            "date_trunc: expected an instant, a local time or an interval"
                        );
                    }
                }
            }
        };
        let texts = zone.map(|_| DataType::Utf8);
        Ok([DataType::Utf8, time].into_iter().chain(texts).collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.get(1) {
            Some(DataType::Duration(_)) => Ok(INTERVAL),
            Some(time) if !time.is_null() => Ok(time.clone()),
            _ => Ok(instant_type()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [unit, time, zone @ ..] = &args.args[..] else {
            return exec_err!("date_trunc takes a unit and a time");
        };
        let returns = args.return_type();
        let null = || Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(returns)?));
        if coerced_to_interval(&time.data_type()).is_some() {
            return match unit {
                ColumnarValue::Scalar(unit) => match unit.try_as_str().flatten() {
                    Some(unit) => truncated(Unit::named(unit)?, time),
                    None => null(),
                },
                ColumnarValue::Array(_) => {
                    exec_err!("date_trunc of an interval takes one unit for all rows")
                }
            };
        }
        if !is_supported(&time.data_type()) {
            return self.engines.invoke_with_args(args);
        }
        match (unit, zone) {
            (ColumnarValue::Scalar(unit), []) => match unit.try_as_str().flatten() {
                Some(unit) => {
                    let unit = Unit::named(unit)?;
                    match truncate_fixed_length(unit, time) {
                        Some(cut) => Ok(cut),
                        None => map_times(time, returns, |at| unit.start(at)),
                    }
                }
                None => null(),
            },
            (ColumnarValue::Scalar(unit), [ColumnarValue::Scalar(zone)]) => {
                match unit.try_as_str().flatten().zip(zone.try_as_str().flatten()) {
                    Some((unit, zone)) => {
                        let unit = Unit::named(unit)?;
                        let mut offset = UtcOffset::named(&self.zones, zone)?;
                        map_times(time, returns, |at| start_in_zone(unit, &mut offset, at))
                    }
                    None => null(),
                }
            }
            _ => self.truncate_by_row(&args),
        }
    }

    fn preimage(&self, args: &[Expr], cut: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        let ([Expr::Literal(unit, _), time], Expr::Literal(cut, _)) = (args, cut) else {
            return Ok(PreimageResult::None);
        };
        let ScalarValue::TimestampMicrosecond(Some(at), zone) = cut else {
            return Ok(PreimageResult::None);
        };
        let Some(Ok(unit)) = unit.try_as_str().flatten().map(Unit::named) else {
            return Ok(PreimageResult::None);
        };
        let (Ok(start), Ok(next)) = (unit.start(*at), unit.next(*at)) else {
            return Ok(PreimageResult::None);
        };
        if start != *at || !is_supported(&cut.data_type()) {
            return Ok(PreimageResult::None);
        }
        let bound = |at| ScalarValue::TimestampMicrosecond(Some(at), zone.clone());
        let interval = Box::new(Interval::try_new(bound(start), bound(next))?);
        Ok(PreimageResult::Range { expr: time.clone(), interval })
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        match inputs {
            [unit, time] if unit.sort_properties == SortProperties::Singleton => {
                Ok(time.sort_properties)
            }
            _ => Ok(SortProperties::Unordered),
        }
    }
}

impl DateTrunc {
    /// Truncates rows with units or zones of their own.
    fn truncate_by_row(&self, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = |column: &ArrayRef| cast(column, &DataType::Utf8);
        let (units, times) = (texts(&columns[0])?, &columns[1]);
        let zones = columns.get(2).map(texts).transpose()?;
        let units = units.as_string::<i32>();
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let zones = zones.as_ref().map(|zones| zones.as_string::<i32>());
        let (mut offsets, cancellation) =
            (UtcOffsetCache::new(&self.zones), CancellationFlag::current());
        let each = (0..times.len()).map(|row| {
            cancellation.check()?;
            let is_null = zones.is_some_and(|zones| zones.is_null(row));
            if is_null || units.is_null(row) || times.is_null(row) {
                return Ok(None);
            }
            let (unit, at) = (Unit::named(units.value(row))?, times.value(row));
            match zones {
                Some(zones) => start_in_zone(unit, offsets.named(zones.value(row))?, at),
                None => unit.start(at),
            }
            .map(Some)
        });
        let cut: TimestampMicrosecondArray = each.collect::<Result<Vec<_>>>()?.into();
        let zone = match args.return_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        Ok(ColumnarValue::Array(Arc::new(cut.with_timezone_opt(zone))))
    }
}

/// Truncates a column to a unit of fixed length, if every value is within the supported years;
/// `None` otherwise. Without branches per row, the loop vectorizes.
fn truncate_fixed_length(unit: Unit, times: &ColumnarValue) -> Option<ColumnarValue> {
    let length_us = unit.length_us()?;
    let ColumnarValue::Array(times) = times else { return None };
    let times = times.as_primitive::<TimestampMicrosecondType>();
    if min(times).is_some_and(|earliest| unit.start(earliest).is_err()) {
        return None;
    }
    let cut =
        times.unary::<_, TimestampMicrosecondType>(|at| at.wrapping_sub(at.rem_euclid(length_us)));
    Some(ColumnarValue::Array(Arc::new(cut.with_timezone_opt(times.timezone()))))
}

/// Instant at which the unit starts on the clock of a zone. Units shorter than a day keep the
/// offset of the instant, so the second pass through a fold stays the second.
fn start_in_zone(unit: Unit, offset: &mut UtcOffset, at: i64) -> Result<i64> {
    let local = offset.local_at(at)?;
    let start = unit.start(local)?;
    if unit.spans_days() { offset.instant_of(start) } else { Ok(at - (local - start)) }
}

/// Rounds a time to a number of digits of the second; casts to `timestamp(3)` call it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RoundToDigits(Signature);

impl RoundToDigits {
    pub const NAME: &str = "rounded_to_digits";
}

impl Default for RoundToDigits {
    fn default() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for RoundToDigits {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Timestamp(_, None), _] => Ok(vec![LOCAL_TIME, DataType::Int64]),
            [_, _] => Ok(vec![instant_type(), DataType::Int64]),
            _ => plan_err!("{} takes a time and a number of digits", Self::NAME),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time, ColumnarValue::Scalar(ScalarValue::Int64(Some(digits @ 0..=6)))] =
            &args.args[..]
        else {
            return exec_err!("{} takes a time and 0 to 6 digits", Self::NAME);
        };
        let unit_us = 10_i64.pow(6 - *digits as u32);
        map_times(time, args.return_type(), |at| Ok(rounded(at, unit_us)))
    }
}

/// Rounds half away from 2000-01-01, as PostgreSQL does.
fn rounded(at: i64, unit_us: i64) -> i64 {
    const YEAR_2000_US: i64 = 10_957 * DAY_US;
    let since_2000 = at.saturating_sub(YEAR_2000_US);
    let magnitude = since_2000.saturating_abs().saturating_add(unit_us / 2) / unit_us * unit_us;
    magnitude.saturating_mul(since_2000.signum()).saturating_add(YEAR_2000_US)
}
