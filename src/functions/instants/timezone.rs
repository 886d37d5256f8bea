//! `timezone(zone, time)`, to which `AT TIME ZONE` is rewritten.

use std::sync::Arc;

use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{
    DataType, IntervalMonthDayNanoType, IntervalUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::encoding::lists::instant_type;
use super::zones::{UtcOffset, UtcOffsetCache};
use super::{LOCAL_TIME, coerced_to_instant, is_text, map_times};
use crate::limits::CancellationFlag;
use crate::rules::ZoneRules;

/// Converts an instant to local time in the zone, and a local time to an instant. The zone is a
/// name, or an interval that gives its offset from UTC.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Timezone {
    zones: ZoneRules,
    signature: Signature,
}

impl Timezone {
    pub fn new(zones: &ZoneRules) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { zones: zones.clone(), signature }
    }
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &'static str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, time] = given else {
            return plan_err!("timezone(zone, time) takes 2 arguments, not {}", given.len());
        };
        let zone = match zone {
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            zone if is_text(zone) || zone.is_null() => DataType::Utf8,
            _ => return plan_err!("AT TIME ZONE: expected a zone like 'America/Chicago'"),
        };
        let time = match time {
            DataType::Timestamp(_, None) => LOCAL_TIME,
            time => match coerced_to_instant(time) {
                Some(instant) => instant,
                None => return plan_err!("AT TIME ZONE: expected an instant or a local time"),
            },
        };
        Ok(vec![zone, time])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.get(1) {
            Some(DataType::Timestamp(_, None)) => instant_type(),
            _ => LOCAL_TIME,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [zones, times] = &args.args[..] else {
            return exec_err!("timezone takes two values");
        };
        let returns = args.return_type();
        let is_local = times.data_type() == LOCAL_TIME;
        let converted = |offset: &mut UtcOffset, at| match is_local {
            true => offset.instant_of(at),
            false => offset.local_at(at),
        };
        let zones = match zones {
            ColumnarValue::Scalar(zone) => {
                return match self.offset(zone)? {
                    Some(mut offset) => map_times(times, returns, |at| converted(&mut offset, at)),
                    None => Ok(ColumnarValue::Scalar(ScalarValue::try_new_null(returns)?)),
                };
            }
            ColumnarValue::Array(zones) => zones,
        };
        let times = times.to_array(zones.len())?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let (mut known, cancellation) =
            (UtcOffsetCache::new(&self.zones), CancellationFlag::current());
        let names = zones.as_string_opt::<i32>();
        let offsets = zones.as_primitive_opt::<IntervalMonthDayNanoType>();
        let each = (0..zones.len()).map(|row| {
            cancellation.check()?;
            if zones.is_null(row) || times.is_null(row) {
                return Ok(None);
            }
            let at = times.value(row);
            match (names, offsets) {
                (Some(names), _) => converted(known.named(names.value(row))?, at),
                (_, Some(offsets)) => converted(&mut UtcOffset::fixed(offsets.value(row))?, at),
                _ => exec_err!("a zone is neither a text nor an interval"),
            }
            .map(Some)
        });
        let read: TimestampMicrosecondArray = each.collect::<Result<Vec<_>>>()?.into();
        let zone = is_local.then_some("UTC");
        Ok(ColumnarValue::Array(Arc::new(read.with_timezone_opt(zone))))
    }
}

impl Timezone {
    /// `None` for null.
    fn offset(&self, zone: &ScalarValue) -> Result<Option<UtcOffset>> {
        match zone {
            ScalarValue::IntervalMonthDayNano(offset) => offset.map(UtcOffset::fixed).transpose(),
            zone => {
                let name = zone.try_as_str().flatten();
                name.map(|name| UtcOffset::named(&self.zones, name)).transpose()
            }
        }
    }
}
