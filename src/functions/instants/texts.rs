//! Casts of text to instants, local times and dates, with the parser that reads files, flags and
//! parameters.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::super::encoding::lists::instant_type;
use super::{LOCAL_TIME, value_error};
use crate::limits::CancellationFlag;
use crate::rules::calendar::DAY_US;
use crate::rules::instant::{parse_instant, parse_local_time, quoted};
use crate::rules::{LocalClock, Span, ZoneRules};

/// Parses an instant; microseconds UTC. Named zones follow `zones`.
///
/// # Errors
/// A sentence that says what was expected.
pub fn instant_us(zones: &ZoneRules, text: &str) -> std::result::Result<i64, String> {
    parse_instant(text, |name, near| clock(zones, name, near))
}

/// Parses a local time; microseconds.
///
/// # Errors
/// As for [`instant_us`].
fn local_us(zones: &ZoneRules, text: &str) -> std::result::Result<i64, String> {
    parse_local_time(text, |name, near| clock(zones, name, near))
}

fn clock(zones: &ZoneRules, name: &str, near: Span) -> Option<LocalClock> {
    Some(LocalClock::over(&zones.zone(name)?, near))
}

/// Target of a parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseTarget {
    Instant,
    LocalTime,
    /// Date of a local time.
    Date,
}

impl ParseTarget {
    /// Target of a cast of text to the type; `None` for other types.
    pub fn cast_to(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Timestamp(_, Some(_)) => Some(Self::Instant),
            DataType::Timestamp(_, None) => Some(Self::LocalTime),
            DataType::Date32 => Some(Self::Date),
            _ => None,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Instant => instant_type(),
            Self::LocalTime => LOCAL_TIME,
            Self::Date => DataType::Date32,
        }
    }

    /// Parses a text; microseconds, for a date those of its midnight.
    fn text(self, zones: &ZoneRules, text: &str) -> Result<i64> {
        match self {
            Self::Instant => instant_us(zones, text),
            Self::LocalTime => local_us(zones, text),
            Self::Date => date_us(zones, text),
        }
        .map_err(value_error)
    }

    /// Parses a text as a value.
    ///
    /// # Errors
    /// As for [`instant_us`].
    pub fn value(self, zones: &ZoneRules, text: &str) -> Result<ScalarValue> {
        let zone = matches!(self, Self::Instant).then(|| "UTC".into());
        let time = ScalarValue::TimestampMicrosecond(Some(self.text(zones, text)?), zone);
        time.cast_to(&self.data_type())
    }
}

fn date_us(zones: &ZoneRules, text: &str) -> std::result::Result<i64, String> {
    if let Some(day) = Date32Type::parse(text.trim()) {
        return Ok(i64::from(day) * DAY_US);
    }
    local_us(zones, text).map_err(|_| {
        format!("{} is not a date; expected one like 2023-01-22", quoted(text.as_bytes()))
    })
}

/// Function of text that replaces DataFusion's cast.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ParseText {
    zones: ZoneRules,
    target: ParseTarget,
    /// If true, invalid text becomes null.
    is_try: bool,
    signature: Signature,
}

impl ParseText {
    pub fn new(zones: &ZoneRules, target: ParseTarget, is_try: bool) -> Self {
        let signature = Signature::any(1, Volatility::Immutable);
        Self { zones: zones.clone(), target, is_try, signature }
    }
}

impl ScalarUDFImpl for ParseText {
    fn name(&self) -> &'static str {
        match (self.target, self.is_try) {
            (ParseTarget::Instant, false) => "instant_from_text",
            (ParseTarget::Instant, true) => "try_instant_from_text",
            (ParseTarget::LocalTime, false) => "local_time_from_text",
            (ParseTarget::LocalTime, true) => "try_local_time_from_text",
            (ParseTarget::Date, false) => "date_from_text",
            (ParseTarget::Date, true) => "try_date_from_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = &args.args[..] else { return exec_err!("expected one text") };
        let is_scalar = matches!(texts, ColumnarValue::Scalar(_));
        let texts = cast(&texts.to_array(1)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let cancellation = CancellationFlag::current();
        let mut times = TimestampMicrosecondBuilder::with_capacity(texts.len());
        for text in texts {
            cancellation.check()?;
            let time = text.map(|text| self.target.text(&self.zones, text));
            times.append_option(match time {
                Some(Err(_)) if self.is_try => None,
                time => time.transpose()?,
            });
        }
        let zone = matches!(self.target, ParseTarget::Instant).then_some("UTC");
        let times: ArrayRef = Arc::new(times.finish().with_timezone_opt(zone));
        let times = cast(&times, &self.target.data_type())?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&times, 0)?),
            false => ColumnarValue::Array(times),
        })
    }
}
