//! SQL functions: aggregates that fold polls into timelines, and scalars that evaluate them.
//!
//! The functions are pure, so any session can register them. Functions of a store id also need the
//! hours of all stores ([`register_for_stores`]). [`documented`] describes every function and its
//! arguments, which are checked against the description.

mod accumulator;
mod aggregates;
mod argument_types;
mod arguments;
mod coercion;
pub mod documented;
mod durations;
mod encoding;
mod grouping;
mod heartbeats;
pub mod instants;
pub mod internal;
mod open_spans;
mod periods;
mod results;
mod rollup;
mod scalars;
mod states;
mod stores;
mod time_bucket;
mod time_in_state;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

pub use self::accumulator::add_runs;
use self::aggregates::{Aggregate, Fold};
pub use self::arguments::gap_interval;
pub use self::encoding::lists::week_value;
pub use self::grouping::GroupRun;
use self::heartbeats::HeartbeatAgg;
use self::rollup::Rollup;
use self::scalars::{Function, SCALARS};
pub use self::stores::{ChainHours, KnownHours, StoreHours};
use self::stores::{STORE_SCALARS, StoreFunction};
use self::time_bucket::TimeBucket;
use crate::rules::ZoneRules;

/// Registers the functions that depend on their arguments only. Time zones follow the bundled
/// rules.
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

/// Re-registers the functions that read time-zone rules, with the rules of the session's version.
pub fn register_by_zones(session: &SessionContext, zones: &ZoneRules) {
    for scalar in SCALARS.into_iter().filter(|scalar| scalar.compute.reads_zones()) {
        session.register_udf(ScalarUDF::from(Function::new(scalar, zones.clone())));
    }
    instants::register_by_zones(session, zones);
    session.register_udf(ScalarUDF::from(TimeBucket::new(zones.clone())));
}

/// Registers the functions that take a store id.
pub fn register_for_stores(session: &SessionContext, chain: &Arc<ChainHours>) {
    for scalar in STORE_SCALARS {
        let function = StoreFunction::new(scalar, Arc::clone(chain));
        session.register_udf(ScalarUDF::from(function));
    }
}

#[cfg(test)]
mod tests;
