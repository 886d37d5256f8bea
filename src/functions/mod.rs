//! The rules as SQL functions: aggregates that build a compact state of a store, and scalars that
//! ask it. They are pure and carry no state, so that the same SQL runs wherever they are registered;
//! those that take a store's id are given what the chain's hours are ([`register_for_stores`]).
//!
//! Every function is described in [`documented`], by which its arguments are checked as well.

mod accumulator;
mod aggregates;
mod arguments;
mod cancellation;
pub mod documented;
mod durations;
mod encoding;
mod grouping;
mod heartbeats;
pub mod instants;
pub mod internal;
mod open_spans;
mod output_limits;
mod periods;
mod rollup;
mod scalars;
mod states;
mod stores;
mod time_bucket;
mod time_in_state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

pub use self::accumulator::add_runs;
use self::aggregates::{Aggregate, Fold};
pub use self::arguments::gap_interval;
pub use self::cancellation::CancellationFlag;
pub use self::encoding::lists::week_value;
pub use self::grouping::GroupRun;
use self::heartbeats::HeartbeatAgg;
pub use self::output_limits::limit_outputs;
use self::rollup::Rollup;
use self::scalars::{Function, SCALARS};
pub use self::stores::{ChainHours, KnownHours, StoreHours};
use self::stores::{STORE_SCALARS, StoreFunction};
use self::time_bucket::TimeBucket;
use crate::rules::ZoneRules;

/// Makes the functions that need nothing but their arguments known to the session by their names;
/// zones have the bundled rules.
pub fn register(session: &SessionContext) {
    for fold in Fold::ALL {
        session.register_udaf(AggregateUDF::from(Aggregate::new(fold)));
    }
    session.register_udaf(AggregateUDF::from(HeartbeatAgg::default()));
    session.register_udaf(AggregateUDF::from(Rollup::default()));
    for scalar in SCALARS {
        session.register_udf(ScalarUDF::from(Function::new(scalar, ZoneRules::bundled())));
    }
    instants::register(session);
    session.register_udf(ScalarUDF::from(TimeBucket::new(ZoneRules::bundled())));
}

/// Replaces those that read the rules of zones: a session's are of the version that it sees.
pub fn register_by_zones(session: &SessionContext, zones: &ZoneRules) {
    for scalar in SCALARS.into_iter().filter(|scalar| scalar.compute.reads_zones()) {
        session.register_udf(ScalarUDF::from(Function::new(scalar, zones.clone())));
    }
    instants::register_by_zones(session, zones);
    session.register_udf(ScalarUDF::from(TimeBucket::new(zones.clone())));
}

/// Makes the functions that take a store's id known to the session.
pub fn register_for_stores(session: &SessionContext, chain: &Arc<ChainHours>) {
    for scalar in STORE_SCALARS {
        let function = StoreFunction::new(scalar, Arc::clone(chain));
        session.register_udf(ScalarUDF::from(function));
    }
}
