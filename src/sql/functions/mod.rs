//! Table functions of analysts: figures, states, incidents and openings over any range.
//!
//! Each call is planned as files of `queries/` over the tables of the session, so that the planner
//! sees through it: only the days of the range are read and only the columns in use are computed.
//! Polls after the end of a range are ignored; the end is the *now* of the call.

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
pub use self::arguments::instant_of;
pub use self::call_syntax::rewrite_calls;
use self::deferred_call::TableFunctionAdapter;
pub use self::deferred_call::{Callable, instant_parameters, plan_deferred_calls};
pub use self::hours_options::hours_options;
use self::latest_poll::LatestPoll;
use self::named_arguments::NamedArguments;
use self::relation_planner::TableFunctionPlanner;
use super::as_of::{AS_OF, AsOf};
use super::internal_catalog::InternalCatalog;
use crate::engine::query_files::{Arguments, QueryFile, arguments};
use crate::rules::keyword::listed;
use crate::rules::{ReportOption, ZoneRules};

const HISTORIES: QueryFile = ("histories", include_str!("../../../queries/histories.sql"));

listed! {
    /// The table functions over query files.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TableFunctionKind {
        Uptime,
        UptimeBy,
        States,
        Incidents,
        Openings,
    }
}

impl TableFunctionKind {
    fn name(self) -> &'static str {
        match self {
            Self::Uptime => "uptime",
            Self::UptimeBy => "uptime_by",
            Self::States => "states",
            Self::Incidents => "incidents",
            Self::Openings => "openings",
        }
    }

    /// Options that the function does not accept.
    fn unsupported_options(self) -> &'static [ReportOption] {
        match self {
            Self::Uptime | Self::UptimeBy | Self::States => &[],
            Self::Incidents => &[ReportOption::NoData],
            Self::Openings => &[
                ReportOption::Interpolation,
                ReportOption::MaxGap,
                ReportOption::Scope,
                ReportOption::NoData,
            ],
        }
    }

    /// Positional arguments, in order.
    fn positional(self) -> &'static [&'static str] {
        match self {
            Self::UptimeBy => &["bucket", "from", "to"],
            _ => &["from", "to"],
        }
    }

    /// Query files after `open_hours` and `timelines`.
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

/// Registers the functions with a session.
pub fn register(session: &SessionContext, internal: &Arc<InternalCatalog>) -> Result<()> {
    for kind in TableFunctionKind::ALL {
        let function = RangeFunction { kind, internal: Arc::clone(internal) };
        session.register_udtf(kind.name(), Arc::new(TableFunctionAdapter(Arc::new(function))));
    }
    session
        .register_udtf(AS_OF, Arc::new(TableFunctionAdapter(Arc::new(AsOf(Arc::clone(internal))))));
    session.register_udf(ScalarUDF::from(LatestPoll::new(internal.tables.latest_poll)));
    session.register_relation_planner(Arc::new(TableFunctionPlanner(
        internal.tables.zone_rules.clone(),
    )))
}

/// Named arguments of a table function of ours; `None` for other functions.
fn named_arguments(function: &str) -> Option<NamedArguments> {
    if function == AS_OF {
        return Some(NamedArguments {
            function: AS_OF,
            places: &["table", "version"],
            has_options: false,
        });
    }
    let kind = TableFunctionKind::ALL.into_iter().find(|kind| kind.name() == function)?;
    Some(NamedArguments { function: kind.name(), places: kind.positional(), has_options: true })
}

/// A table function over the internal catalog.
#[derive(Debug)]
struct RangeFunction {
    kind: TableFunctionKind,
    internal: Arc<InternalCatalog>,
}

impl RangeFunction {
    fn plan_call(&self, call: &Call) -> Result<LogicalPlan> {
        self.internal.plan(arguments_of(call)?, call.options.scope, self.kind.steps())
    }
}

impl Callable for RangeFunction {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn plan(&self, arguments: &[Expr]) -> Result<LogicalPlan> {
        self.plan_call(&Call::read(self.kind, arguments, &self.internal.tables)?)
    }

    fn columns(&self, _: &[Expr]) -> Result<DFSchemaRef> {
        Ok(Arc::clone(self.plan_call(&Call::any(&self.internal.tables))?.schema()))
    }

    fn zones(&self) -> &ZoneRules {
        &self.internal.tables.zone_rules
    }

    fn instants(&self) -> Range<usize> {
        let positional = self.kind.positional().len();
        positional - 2..positional
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::documented::Kind;
    use crate::sql::function_docs::documented;

    #[test]
    fn every_table_function_is_described_with_its_positional_arguments() {
        let ours = TableFunctionKind::ALL.map(TableFunctionKind::name);
        for name in ours.into_iter().chain([AS_OF]) {
            let mut described = documented().filter(|function| function.kind == Kind::Table);
            let described = described.find(|function| function.name == name);
            let described = described.unwrap_or_else(|| panic!("{name} is not described"));
            let places = named_arguments(name).unwrap().places;
            let names: Vec<_> = described.arguments.iter().map(|argument| argument.name).collect();
            assert!(names.starts_with(places), "{name}: {names:?}");
        }
    }
}
