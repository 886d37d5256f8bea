//! The rules as SQL functions: aggregates that build a compact state of a store, and scalars that
//! ask it. They are pure and carry no state, so that the same SQL runs wherever they are registered.

mod aggregates;
mod arguments;
mod gather;
mod lists;
pub mod relations;
mod scalars;

pub use self::arguments::gap_interval;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

use self::aggregates::Fold;
use self::scalars::Scalar;

/// Makes the functions known to the session by their names.
pub fn register(session: &SessionContext) {
    for fold in Fold::ALL {
        session.register_udaf(AggregateUDF::from(aggregates::Aggregate::new(fold)));
    }
    for scalar in Scalar::ALL {
        session.register_udf(ScalarUDF::from(scalars::Function::new(scalar)));
    }
}
