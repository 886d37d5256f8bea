//! The table functions of analysts: figures, states, incidents and openings over any range.
//!
//! Each is planned as the steps of `queries/` over the tables of the session, so that the planner
//! sees through it: only the days of the range are read, and only the columns that are asked for are
//! made. Polls later than the end of a range are not looked at: it is the *now* of the question.

mod call;
mod days;
mod latest;
mod named;

use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionContext, lit};
use datafusion::scalar::ScalarValue;

use self::call::Call;
pub use self::call::instant_of;
use self::latest::LatestPoll;
use self::named::NamedArguments;
use super::as_of::AsOf;
use super::chain::Chain;
use crate::engine::steps::{Arguments, Step, arguments};

const HISTORIES: Step = ("histories", include_str!("../../../queries/histories.sql"));

/// What a call is planned as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Uptime,
    UptimeBy,
    States,
    Incidents,
    Openings,
}

impl Kind {
    const ALL: [Kind; 5] =
        [Kind::Uptime, Kind::UptimeBy, Kind::States, Kind::Incidents, Kind::Openings];

    fn name(self) -> &'static str {
        match self {
            Self::Uptime => "uptime",
            Self::UptimeBy => "uptime_by",
            Self::States => "states",
            Self::Incidents => "incidents",
            Self::Openings => "openings",
        }
    }

    /// The steps after `open_hours` and `timelines`.
    fn steps(self) -> &'static [Step] {
        match self {
            Self::Uptime => &[
                HISTORIES,
                ("range_tallies", include_str!("../../../queries/range_tallies.sql")),
                ("uptime", include_str!("../../../queries/uptime.sql")),
            ],
            Self::UptimeBy => &[
                HISTORIES,
                ("bucket_tallies", include_str!("../../../queries/bucket_tallies.sql")),
                ("uptime_by", include_str!("../../../queries/uptime_by.sql")),
            ],
            Self::States => &[HISTORIES, ("states", include_str!("../../../queries/states.sql"))],
            Self::Incidents => {
                &[HISTORIES, ("incidents", include_str!("../../../queries/incidents.sql"))]
            }
            Self::Openings => &[("openings", include_str!("../../../queries/openings.sql"))],
        }
    }
}

/// Makes the functions known to a session over the chain.
pub fn register(session: &SessionContext, chain: &Arc<Chain>) -> Result<()> {
    for kind in Kind::ALL {
        let function = ChainFunction { kind, chain: Arc::clone(chain) };
        session.register_udtf(kind.name(), Arc::new(function));
    }
    session.register_udtf("as_of", Arc::new(AsOf(Arc::clone(chain))));
    session.register_udf(ScalarUDF::from(LatestPoll::new(chain.tables.latest_poll)));
    session.register_relation_planner(Arc::new(NamedArguments))
}

/// A table function over the chain.
#[derive(Debug)]
struct ChainFunction {
    kind: Kind,
    chain: Arc<Chain>,
}

impl TableFunctionImpl for ChainFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let call = Call::of(self.kind, args.exprs(), &self.chain.tables)?;
        let steps = self.kind.steps();
        let plan = self.chain.plan(arguments_of(&call)?, call.options.scope, steps)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

fn arguments_of(call: &Call) -> Result<Arguments> {
    let mut arguments = arguments(&call.options, call.range.clone(), call.days.clone())?;
    let zone = call.time_zone.map(|zone| zone.name().to_owned());
    arguments.insert("time_zone", lit(ScalarValue::Utf8(zone)));
    arguments.insert("min_downtime", lit(call.min_downtime_us));
    arguments.extend(call.bucket.iter().map(|bucket| ("bucket", lit(bucket.as_str()))));
    Ok(arguments)
}
