//! The table functions of analysts: figures, states, incidents and openings over any range.
//!
//! Each is planned as the steps of `queries/` over the tables of the session, so that the planner
//! sees through it: only the days of the range are read, and only the columns that are asked for are
//! made. Polls later than the end of a range are not looked at: it is the *now* of the question.

mod arguments;
mod call_syntax;
mod deferred_call;
mod hours_options;
mod latest_poll;
mod named_arguments;
mod relation_planner;

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF};
use datafusion::prelude::{SessionContext, lit};
use datafusion::scalar::ScalarValue;

use self::arguments::Call;
pub use self::arguments::{RANGE_DAYS_MAX, instant_of};
pub use self::call_syntax::as_called;
use self::deferred_call::Known;
pub use self::deferred_call::{Callable, instants, resolved};
pub use self::hours_options::hours_options;
use self::latest_poll::LatestPoll;
use self::named_arguments::Named;
use self::relation_planner::TableFunctions;
use super::as_of::{AS_OF, AsOf};
use super::internal_catalog::Chain;
use crate::engine::query_files::{Arguments, QueryFile, arguments};
use crate::rules::ZoneRules;

const HISTORIES: QueryFile = ("histories", include_str!("../../../queries/histories.sql"));

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

    /// Options that it has no use for.
    fn not_taken(self) -> &'static [&'static str] {
        match self {
            Self::Uptime | Self::UptimeBy | Self::States => &[],
            Self::Incidents => &["no_data"],
            Self::Openings => &["interpolation", "max_gap", "scope", "no_data"],
        }
    }

    /// Arguments that have a place, in their order.
    fn places(self) -> &'static [&'static str] {
        match self {
            Self::UptimeBy => &["bucket", "from", "to"],
            _ => &["from", "to"],
        }
    }

    /// The steps after `open_hours` and `timelines`.
    fn steps(self) -> &'static [QueryFile] {
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
        session.register_udtf(kind.name(), Arc::new(Known(Arc::new(function))));
    }
    session.register_udtf(AS_OF, Arc::new(Known(Arc::new(AsOf(Arc::clone(chain))))));
    session.register_udf(ScalarUDF::from(LatestPoll::new(chain.tables.latest_poll)));
    session.register_relation_planner(Arc::new(TableFunctions(chain.tables.zone_rules.clone())))
}

/// What the function of that name calls its arguments, if it is one of ours.
fn named_arguments(function: &str) -> Option<Named> {
    if function == AS_OF {
        return Some(Named { function: AS_OF, places: &["table", "version"], has_options: false });
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == function)?;
    Some(Named { function: kind.name(), places: kind.places(), has_options: true })
}

/// A table function over the chain.
#[derive(Debug)]
struct ChainFunction {
    kind: Kind,
    chain: Arc<Chain>,
}

impl ChainFunction {
    fn of(&self, call: &Call) -> Result<LogicalPlan> {
        self.chain.plan(arguments_of(call)?, call.options.scope, self.kind.steps())
    }
}

impl Callable for ChainFunction {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn plan(&self, arguments: &[Expr]) -> Result<LogicalPlan> {
        self.of(&Call::read(self.kind, arguments, &self.chain.tables)?)
    }

    fn columns(&self, _: &[Expr]) -> Result<DFSchemaRef> {
        Ok(Arc::clone(self.of(&Call::any(&self.chain.tables))?.schema()))
    }

    fn zones(&self) -> &ZoneRules {
        &self.chain.tables.zone_rules
    }

    fn instants(&self) -> Range<usize> {
        let places = self.kind.places().len();
        places - 2..places
    }
}

fn arguments_of(call: &Call) -> Result<Arguments> {
    let mut arguments = arguments(&call.options, call.range.clone(), call.days.clone())?;
    let zone = call.time_zone.map(|zone| zone.as_str().to_owned());
    arguments.insert("time_zone", lit(ScalarValue::Utf8(zone)));
    arguments.insert("min_downtime", lit(call.min_downtime_us));
    arguments.extend(call.bucket.map(|bucket| ("bucket", lit(bucket.text()))));
    Ok(arguments)
}
