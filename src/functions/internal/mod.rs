//! Scalars behind the table functions: incidents, segments and buckets of a store's history, as one
//! list per store.
//!
//! Only `queries/` calls them, always with exact types, so they do not coerce arguments.

mod buckets;
mod incidents;
mod rows;
mod states;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::scalars::{Compute, columns_of};
use super::time_in_state;
use crate::rules::ZoneRules;

/// Internal scalar: its name, return type and implementation.
#[derive(Debug)]
struct InternalScalar {
    name: &'static str,
    returns: fn() -> DataType,
    make: Compute,
}

static INTERNAL_SCALARS: [InternalScalar; 8] = [
    // incidents_in(timeline, spans, from, to, time_zone): local times are in the zone.
    InternalScalar {
        name: "incidents_in",
        returns: incidents::list_type,
        make: Compute::ByZones(incidents::incidents_in),
    },
    // incident_totals_in(timeline, spans, from, to): number, and longest downtime of one incident.
    InternalScalar {
        name: "incident_totals_in",
        returns: incidents::totals_type,
        make: Compute::Plain(incidents::incident_totals_in),
    },
    // counted(times, no_data): times up, down and unknown, the unknown one counted as no_data says.
    InternalScalar {
        name: "counted",
        returns: time_in_state::times_type,
        make: Compute::Plain(time_in_state::counted),
    },
    // states_in(polls, filled, spans, from, to, interpolation, max_gap, no_data): without `filled`,
    // all time is filled as one span; unknown time has the state that no_data says.
    InternalScalar {
        name: "states_in",
        returns: states::list_type,
        make: Compute::Plain(states::states_in),
    },
    // times_by(bucket, time_zone, timeline, polls, spans, from, to, no_data)
    InternalScalar {
        name: "times_by",
        returns: buckets::list_type,
        make: Compute::ByZones(buckets::times_by),
    },
    // local_text(instant, offset): local time of an instant, with its offset in microseconds.
    InternalScalar {
        name: "local_text",
        returns: || DataType::Utf8,
        make: Compute::Plain(rows::local_text),
    },
    // offset_text(offset): formats an offset in microseconds as '-06:00'.
    InternalScalar {
        name: "offset_text",
        returns: || DataType::Utf8,
        make: Compute::Plain(rows::offset_text),
    },
    // percent(part, whole): percentage with two decimals, rounded as in the report; null if whole
    // is 0.
    InternalScalar {
        name: "percent",
        returns: || DataType::Float64,
        make: Compute::Plain(rows::percent),
    },
];

/// Registers the scalars. Time zones follow the bundled rules.
pub fn register(session: &SessionContext) {
    register_those(session, &ZoneRules::bundled(), |_| true);
}

/// Re-registers the scalars that read time-zone rules.
pub fn register_by_zones(session: &SessionContext, zones: &ZoneRules) {
    register_those(session, zones, |scalar| scalar.make.reads_zones());
}

fn register_those(
    session: &SessionContext,
    zones: &ZoneRules,
    is_one: impl Fn(&&InternalScalar) -> bool,
) {
    for scalar in INTERNAL_SCALARS.iter().filter(is_one) {
        let signature = Signature::user_defined(Volatility::Immutable);
        let zones = zones.clone();
        session.register_udf(ScalarUDF::from(Function { name: scalar.name, signature, zones }));
    }
}

/// `ScalarUDFImpl` of an internal scalar.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    name: &'static str,
    signature: Signature,
    zones: ZoneRules,
}

impl Function {
    fn scalar(&self) -> &'static InternalScalar {
        let found = INTERNAL_SCALARS.iter().find(|scalar| scalar.name == self.name);
        found.expect("a function is one of the internal scalars")
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Ok(given.to_vec())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok((self.scalar().returns)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, rows) = columns_of(&args)?;
        Ok(ColumnarValue::Array(self.scalar().make.column(&self.zones, &columns, rows)?))
    }
}
