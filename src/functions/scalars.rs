//! The scalars that need nothing but their arguments, and how DataFusion calls them.

use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::coerced;
use super::documented::{self, Documented};
use super::lists::{spans_type, timeline_type};
use super::{durations, hours, states, tallies};
use crate::rules::ZoneRules;

/// One function: what it is, and what makes a column of it from as many rows of its arguments.
#[derive(Debug)]
pub struct Scalar {
    pub documented: &'static Documented,
    returns: fn() -> DataType,
    pub compute: Compute,
}

/// Makes a column of as many rows of arguments.
#[derive(Clone, Copy, Debug)]
pub enum Compute {
    Plain(fn(&[ArrayRef], usize) -> Result<ArrayRef>),
    /// By the rules of zones.
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

pub const SCALARS: [Scalar; 14] = [
    Scalar {
        documented: &documented::OPEN_SPANS,
        returns: spans_type,
        compute: Compute::ByZones(hours::open_spans_of),
    },
    Scalar {
        documented: &documented::LOCAL_DAYS,
        returns: spans_type,
        compute: Compute::ByZones(hours::local_days_of),
    },
    Scalar {
        documented: &documented::TIMELINE_WITHIN,
        returns: timeline_type,
        compute: Compute::Plain(tallies::timeline_within),
    },
    Scalar {
        documented: &documented::TIMES_IN,
        returns: tallies::times_type,
        compute: Compute::Plain(tallies::times_in),
    },
    Scalar {
        documented: &documented::TIME_IN,
        returns: || DataType::Int64,
        compute: Compute::Plain(tallies::time_in),
    },
    Scalar {
        documented: &documented::STATE_AT,
        returns: || DataType::Utf8,
        compute: Compute::Plain(states::state_at),
    },
    Scalar {
        documented: &documented::LIVE_RANGES,
        returns: spans_type,
        compute: Compute::Plain(states::live_ranges),
    },
    Scalar {
        documented: &documented::DEAD_RANGES,
        returns: spans_type,
        compute: Compute::Plain(states::dead_ranges),
    },
    Scalar {
        documented: &documented::TIMELINE_AND,
        returns: timeline_type,
        compute: Compute::Plain(states::timeline_and),
    },
    Scalar {
        documented: &documented::TIMELINE_OR,
        returns: timeline_type,
        compute: Compute::Plain(states::timeline_or),
    },
    Scalar {
        documented: &documented::TIMELINE_NOT,
        returns: timeline_type,
        compute: Compute::Plain(states::timeline_not),
    },
    Scalar {
        documented: &documented::TIMELINE_CLIP,
        returns: timeline_type,
        compute: Compute::Plain(states::timeline_clip),
    },
    Scalar {
        documented: &documented::DURATION_IN,
        returns: durations::duration_type,
        compute: Compute::Plain(durations::duration_in),
    },
    Scalar {
        documented: &documented::INTERPOLATED_DURATION_IN,
        returns: durations::duration_type,
        compute: Compute::Plain(durations::interpolated_duration_in),
    },
];

/// A scalar as DataFusion knows it.
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
        Ok(ColumnarValue::Array(self.scalar.compute.column(&self.zones, &columns, rows)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// The arguments as columns, and how many rows they have.
pub fn columns_of(args: &ScalarFunctionArgs) -> Result<(Vec<ArrayRef>, usize)> {
    let columns = ColumnarValue::values_to_arrays(&args.args)?;
    // Of constants alone there is one row, whatever the batch holds.
    let rows = columns.first().map_or(args.number_rows, |column| column.len());
    Ok((columns, rows))
}
