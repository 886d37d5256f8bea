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
use super::{durations, heartbeats, open_spans, periods, states, time_in_state};
use crate::rules::ZoneRules;

/// Description and implementation of a scalar function.
#[derive(Debug)]
pub struct Scalar {
    pub documented: &'static Documented,
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
    compute: fn(&[ArrayRef], usize) -> Result<ArrayRef>,
) -> Scalar {
    Scalar { documented, compute: Compute::Plain(compute) }
}

const fn by_zones(
    documented: &'static Documented,
    compute: fn(&ZoneRules, &[ArrayRef], usize) -> Result<ArrayRef>,
) -> Scalar {
    Scalar { documented, compute: Compute::ByZones(compute) }
}

pub const SCALARS: [Scalar; 29] = [
    by_zones(&documented::OPEN_SPANS, open_spans::open_spans_column),
    by_zones(&documented::LOCAL_DAYS, open_spans::local_days_column),
    plain(&documented::TIMELINE_WITHIN, time_in_state::timeline_within),
    plain(&documented::TIMES_IN, time_in_state::times_in),
    plain(&documented::TIME_IN, time_in_state::time_in),
    plain(&documented::STATE_AT, states::state_at),
    plain(&documented::LIVE_AT, states::live_at),
    plain(&documented::LIVE_RANGES, states::live_ranges),
    plain(&documented::DEAD_RANGES, states::dead_ranges),
    plain(&documented::UNKNOWN_RANGES, states::unknown_ranges),
    plain(&documented::NUM_LIVE_RANGES, states::num_live_ranges),
    plain(&documented::NUM_GAPS, states::num_gaps),
    plain(&documented::TIMELINE_AND, states::timeline_and),
    plain(&documented::TIMELINE_OR, states::timeline_or),
    plain(&documented::TIMELINE_NOT, states::timeline_not),
    plain(&documented::TIMELINE_CLIP, states::timeline_clip),
    plain(&documented::DURATION_IN, durations::duration_in),
    plain(&documented::INTERPOLATED_DURATION_IN, durations::interpolated_duration_in),
    plain(&documented::STATE_PERIODS, periods::state_periods),
    plain(&documented::INTERPOLATED_STATE_PERIODS, periods::interpolated_state_periods),
    plain(&documented::STATE_TIMELINE, periods::state_timeline),
    plain(&documented::INTERPOLATED_STATE_TIMELINE, periods::interpolated_state_timeline),
    plain(&documented::INTO_VALUES, periods::into_values),
    plain(&documented::UPTIME_OF, durations::uptime),
    plain(&documented::DOWNTIME_OF, durations::downtime),
    plain(&documented::INTERPOLATE, heartbeats::interpolate),
    plain(&documented::INTERPOLATED_UPTIME, heartbeats::interpolated_uptime),
    plain(&documented::INTERPOLATED_DOWNTIME, heartbeats::interpolated_downtime),
    plain(&documented::TRIM_TO, heartbeats::trim_to),
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
        self.scalar.documented.gives.data_type()
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
