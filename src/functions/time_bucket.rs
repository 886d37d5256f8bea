//! `time_bucket`, compatible with TimescaleDB: the start of the bucket of an instant or local time.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::{interval_text, text};
use super::documented::TIME_BUCKET;
use super::durations::end_of;
use super::encoding::lists::instant_type;
use super::open_spans::{Clocks, check_instant};
use super::scalars::columns_of;
use crate::error::query_err;
use crate::limits::CancellationFlag;
use crate::rules::calendar::DAY_US;
use crate::rules::{Bucket, LocalClock, Span, ZoneRules};

/// `ScalarUDFImpl` of `time_bucket`.
#[derive(Debug)]
pub struct TimeBucket {
    zones: ZoneRules,
    signature: Signature,
    documentation: Documentation,
}

impl TimeBucket {
    pub fn new(zones: ZoneRules) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { zones, signature, documentation: TIME_BUCKET.documentation() }
    }
}

impl PartialEq for TimeBucket {
    fn eq(&self, other: &Self) -> bool {
        self.zones == other.zones
    }
}

impl Eq for TimeBucket {}

impl Hash for TimeBucket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

const LOCAL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Meaning of an argument after the first two, determined by its type and not by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    TimeZone,
    Origin,
    Offset,
}

fn detail_of(given: &DataType) -> Option<Detail> {
    match given {
        DataType::Interval(_) | DataType::Duration(_) => Some(Detail::Offset),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(Detail::Origin),
        given if given.is_string() => Some(Detail::TimeZone),
        _ => None,
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        TIME_BUCKET.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let wrong = |what: String| plan_err!("{}: {what}", TIME_BUCKET.signature());
        let [width, at, options @ ..] = given else {
            return wrong(format!("takes 2 to 5 arguments, not {}", given.len()));
        };
        if options.len() > 3 {
            return wrong(format!("takes 2 to 5 arguments, not {}", given.len()));
        }
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let is_length =
            matches!(width, DataType::Interval(_) | DataType::Duration(_) | DataType::Null);
        if !is_length && !width.is_string() {
            return wrong(format!(
                "width must be an interval like INTERVAL '5 minutes', not of type {width}"
            ));
        }
        let at = match at {
            DataType::Timestamp(_, None) => LOCAL,
            DataType::Date32 | DataType::Date64 => DataType::Date32,
            DataType::Timestamp(..) | DataType::Null => instant_type(),
            at if at.is_string() => instant_type(),
            at => {
                return wrong(format!(
                    "instant must be a timestamp, a date or a text like '2023-01-22 12:00:00', not \
                     of type {at}"
                ));
            }
        };
        let mut types = vec![interval.clone(), at];
        for (place, given) in options.iter().enumerate() {
            // A null takes the meaning of its position.
            let kind = match given {
                DataType::Null => [Detail::TimeZone, Detail::Origin, Detail::Offset][place],
                given => match detail_of(given) {
                    Some(kind) => kind,
                    None => {
                        return wrong(format!(
                            "an argument of type {given} is not a time zone, an origin or an offset"
                        ));
                    }
                },
            };
            types.push(match (kind, given) {
                (Detail::TimeZone, _) => DataType::Utf8,
                (
                    Detail::Origin,
                    DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64,
                ) => LOCAL,
                (Detail::Origin, _) => instant_type(),
                (Detail::Offset, _) => interval.clone(),
            });
        }
        Ok(types)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(self.coerce_types(given)?.remove(1))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        Ok(ColumnarValue::Array(buckets(&self.zones, &columns, rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Argument columns of a call.
struct CallColumns<'a> {
    widths: &'a ArrayRef,
    time_zones: Option<&'a ArrayRef>,
    origins: Option<&'a ArrayRef>,
    offsets: Option<&'a ArrayRef>,
}

impl<'a> CallColumns<'a> {
    fn new(columns: &'a [ArrayRef]) -> Self {
        let of = |kind| {
            let mut options = columns[2..].iter();
            options.find(|column| detail_of(column.data_type()) == Some(kind))
        };
        Self {
            widths: &columns[0],
            time_zones: of(Detail::TimeZone),
            origins: of(Detail::Origin),
            offsets: of(Detail::Offset),
        }
    }
}

fn interval(column: Option<&ArrayRef>, row: usize) -> Option<IntervalMonthDayNano> {
    let column = column?.as_primitive::<IntervalMonthDayNanoType>();
    column.is_valid(row).then(|| column.value(row))
}

fn buckets(zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let asked = CallColumns::new(columns);
    let mut clocks = NearClocks { clocks: Clocks::new(zones), last: None };
    let (mut starts, mut width) = (Vec::with_capacity(rows), None);
    let cancellation = CancellationFlag::current();
    for row in 0..rows {
        cancellation.check()?;
        let (Some(length), Some(at)) = (interval(Some(asked.widths), row), time(&columns[1], row))
        else {
            starts.push(None);
            continue;
        };
        let bucket = match width {
            Some((before, bucket)) if before == length => bucket,
            _ => bucket_of(length)?,
        };
        width = Some((length, bucket));
        starts.push(Some(start(&asked, row, bucket, at, &mut clocks)?));
    }
    Ok(match columns[1].data_type() {
        DataType::Date32 => {
            let day = |at: Option<i64>| at.and_then(|at| i32::try_from(at.div_euclid(DAY_US)).ok());
            Arc::new(starts.into_iter().map(day).collect::<Date32Array>())
        }
        DataType::Timestamp(_, zone) => {
            let starts = starts.into_iter().collect::<TimestampMicrosecondArray>();
            Arc::new(starts.with_timezone_opt(zone.clone()))
        }
        other => return exec_err!("time_bucket: {other} is not a type of instants"),
    })
}

/// Instant, local time or date of a row in microseconds; `None` for null.
fn time(column: &ArrayRef, row: usize) -> Option<Time> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Date32 => Time {
            us: i64::from(column.as_primitive::<Date32Type>().value(row)) * DAY_US,
            is_instant: false,
        },
        given => Time {
            us: column.as_primitive::<TimestampMicrosecondType>().value(row),
            is_instant: matches!(given, DataType::Timestamp(_, Some(_))),
        },
    })
}

#[derive(Clone, Copy)]
struct Time {
    us: i64,
    is_instant: bool,
}

fn bucket_of(length: IntervalMonthDayNano) -> Result<Bucket> {
    let days_us = i64::from(length.days).saturating_mul(DAY_US);
    let time_us = days_us.saturating_add(length.nanoseconds / 1000);
    match Bucket::new(i64::from(length.months), time_us) {
        Ok(bucket) => Ok(bucket),
        Err(what) => query_err!("time_bucket: {} {what}", interval_text(length)?),
    }
}

/// Start of the bucket of a time; of the same kind as the time.
fn start(
    asked: &CallColumns,
    row: usize,
    bucket: Bucket,
    at: Time,
    clocks: &mut NearClocks,
) -> Result<i64> {
    check_instant(at.us)?;
    let zone = asked.time_zones.and_then(|zones| text(zones, row));
    // A local time has no zone and is bucketed as it is.
    let zone = zone.filter(|_| at.is_instant);
    let origin = asked.origins.and_then(|origins| time(origins, row));
    let local_us = match zone {
        Some(zone) => clocks.near(zone, at.us)?.local_at(at.us),
        None => at.us,
    };
    let origin_us = match (zone, origin) {
        (Some(zone), Some(origin)) if origin.is_instant => {
            check_instant(origin.us)?;
            Some(clocks.near(zone, origin.us)?.local_at(origin.us))
        }
        (_, origin) => origin.map(|origin| origin.us),
    };
    let offset = interval(asked.offsets, row);
    let shifted_us = match offset {
        Some(offset) => end_of(local_us, negative(offset)?)?,
        None => local_us,
    };
    let start_us = match origin_us {
        Some(origin_us) => bucket.start_from(origin_us, shifted_us),
        None => bucket.start_of(shifted_us),
    };
    let start_us = match offset {
        Some(offset) => end_of(start_us, offset)?,
        None => start_us,
    };
    Ok(match zone {
        Some(zone) => clocks.near(zone, start_us)?.instant_of(start_us),
        None => start_us,
    })
}

fn negative(interval: IntervalMonthDayNano) -> Result<IntervalMonthDayNano> {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let parts = (months.checked_neg(), days.checked_neg(), nanoseconds.checked_neg());
    match parts {
        (Some(months), Some(days), Some(nanoseconds)) => {
            Ok(IntervalMonthDayNano { months, days, nanoseconds })
        }
        _ => query_err!("time_bucket: the offset {} is too long", interval_text(interval)?),
    }
}

/// Clocks that are valid near an instant; caches the last one.
struct NearClocks {
    clocks: Clocks,
    last: Option<NearClock>,
}

struct NearClock {
    zone: String,
    span: Span,
    clock: LocalClock,
}

impl NearClocks {
    /// Long enough for most queries, short enough to contain few changes of offset.
    const CLOCK_SPAN_US: i64 = 1_461 * DAY_US;

    fn near(&mut self, zone: &str, at: i64) -> Result<&LocalClock> {
        let is_right = |near: &NearClock| {
            near.zone == zone && (near.span.starts_at()..near.span.ends_at()).contains(&at)
        };
        let near = match self.last.take().filter(is_right) {
            Some(near) => near,
            None => {
                check_instant(at)?;
                let starts_at = at.div_euclid(Self::CLOCK_SPAN_US) * Self::CLOCK_SPAN_US;
                let Some(span) = Span::new(starts_at, starts_at + Self::CLOCK_SPAN_US) else {
                    return exec_err!("time_bucket: the span of a clock is empty");
                };
                let clock = self.clocks.over(zone, span)?.clone();
                NearClock { zone: zone.to_owned(), span, clock }
            }
        };
        Ok(&self.last.insert(near).clock)
    }
}
