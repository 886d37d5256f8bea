//! Scalar functions that depend on their arguments only, and their `ScalarUDFImpl`.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::coercion::{coerced, ordered_columns};
use super::documented::{self, Documented};
use super::durations::duration_type;
use super::encoding::heartbeats::heartbeats_type;
use super::encoding::lists::{spans_type, timeline_type};
use super::{durations, heartbeats, open_spans, periods, states, time_in_state};
use crate::rules::ZoneRules;

/// Description and implementation of a scalar function.
#[derive(Debug)]
pub struct Scalar {
    pub documented: &'static Documented,
    returns: fn() -> DataType,
    pub compute: Compute,
}

/// Computes a column from argument columns with the given number of rows.
#[derive(Clone, Copy, Debug)]
pub enum Compute {
    Plain(fn(&[ArrayRef], usize) -> Result<ArrayRef>),
    /// Also takes the time-zone rules.
    ByZones(fn(&ZoneRules, &[ArrayRef], usize) -> Result<ArrayRef>),
}

impl Compute {
    pub fn reads_zones(self) -> bool {
        matches!(self, Self::ByZones(_))
    }

    pub fn column(self, zones: &ZoneRules, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Plain(compute) => compute(columns, rows),
            Self::ByZones(compute) => compute(zones, columns, rows),
        }
    }
}

/// Scalar that does not read time-zone rules.
const fn plain(
    documented: &'static Documented,
    returns: fn() -> DataType,
    compute: fn(&[ArrayRef], usize) -> Result<ArrayRef>,
) -> Scalar {
    Scalar { documented, returns, compute: Compute::Plain(compute) }
}

const fn by_zones(
    documented: &'static Documented,
    returns: fn() -> DataType,
    compute: fn(&ZoneRules, &[ArrayRef], usize) -> Result<ArrayRef>,
) -> Scalar {
    Scalar { documented, returns, compute: Compute::ByZones(compute) }
}

const BOOLEAN: fn() -> DataType = || DataType::Boolean;
const BIGINT: fn() -> DataType = || DataType::Int64;
const TEXT: fn() -> DataType = || DataType::Utf8;

pub const SCALARS: [Scalar; 29] = [
    by_zones(&documented::OPEN_SPANS, spans_type, open_spans::open_spans_column),
    by_zones(&documented::LOCAL_DAYS, spans_type, open_spans::local_days_column),
    plain(&documented::TIMELINE_WITHIN, timeline_type, time_in_state::timeline_within),
    plain(&documented::TIMES_IN, time_in_state::times_type, time_in_state::times_in),
    plain(&documented::TIME_IN, BIGINT, time_in_state::time_in),
    plain(&documented::STATE_AT, TEXT, states::state_at),
    plain(&documented::LIVE_AT, BOOLEAN, states::live_at),
    plain(&documented::LIVE_RANGES, spans_type, states::live_ranges),
    plain(&documented::DEAD_RANGES, spans_type, states::dead_ranges),
    plain(&documented::UNKNOWN_RANGES, spans_type, states::unknown_ranges),
    plain(&documented::NUM_LIVE_RANGES, BIGINT, states::num_live_ranges),
    plain(&documented::NUM_GAPS, BIGINT, states::num_gaps),
    plain(&documented::TIMELINE_AND, timeline_type, states::timeline_and),
    plain(&documented::TIMELINE_OR, timeline_type, states::timeline_or),
    plain(&documented::TIMELINE_NOT, timeline_type, states::timeline_not),
    plain(&documented::TIMELINE_CLIP, timeline_type, states::timeline_clip),
    plain(&documented::DURATION_IN, duration_type, durations::duration_in),
    plain(
        &documented::INTERPOLATED_DURATION_IN,
        duration_type,
        durations::interpolated_duration_in,
    ),
    plain(&documented::STATE_PERIODS, spans_type, periods::state_periods),
    plain(&documented::INTERPOLATED_STATE_PERIODS, spans_type, periods::interpolated_state_periods),
    plain(&documented::STATE_TIMELINE, periods::segments_type, periods::state_timeline),
    plain(
        &documented::INTERPOLATED_STATE_TIMELINE,
        periods::segments_type,
        periods::interpolated_state_timeline,
    ),
    plain(&documented::INTO_VALUES, periods::values_type, periods::into_values),
    plain(&documented::UPTIME_OF, duration_type, durations::uptime),
    plain(&documented::DOWNTIME_OF, duration_type, durations::downtime),
    plain(&documented::INTERPOLATE, heartbeats_type, heartbeats::interpolate),
    plain(&documented::INTERPOLATED_UPTIME, duration_type, heartbeats::interpolated_uptime),
    plain(&documented::INTERPOLATED_DOWNTIME, duration_type, heartbeats::interpolated_downtime),
    plain(&documented::TRIM_TO, heartbeats_type, heartbeats::trim_to),
];

/// `ScalarUDFImpl` of a scalar.
#[derive(Debug)]
pub struct Function {
    scalar: Scalar,
    zones: ZoneRules,
    signature: Signature,
    documentation: Documentation,
}

impl Function {
    pub fn new(scalar: Scalar, zones: ZoneRules) -> Self {
        let documentation = scalar.documented.documentation();
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { scalar, zones, signature, documentation }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.zones == other.zones
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.scalar.documented.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerced(self.scalar.documented, given)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok((self.scalar.returns)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        let columns = ordered_columns(self.scalar.documented, columns)?;
        Ok(ColumnarValue::Array(self.scalar.compute.column(&self.zones, &columns, rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// Argument columns and their number of rows.
pub fn columns_of(args: &ScalarFunctionArgs) -> Result<(Vec<ArrayRef>, usize)> {
    let columns = ColumnarValue::values_to_arrays(&args.args)?;
    // A call with constants only has one row, whatever the number of rows in the batch.
    let rows = columns.first().map_or(args.number_rows, |column| column.len());
    Ok((columns, rows))
}
