//! SQL files of `queries/`, each of which defines one relation over the relations before it.
//!
//! The report and the table functions share all files but the last ones.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use datafusion::catalog::TableProvider;
use datafusion::common::plan_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::ViewTable;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::lit;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;

use crate::error::{Error, Result};
use crate::functions;
use crate::rules::{Options, Scope};

/// File name without extension, and built-in text, of a file of `queries/`.
pub type QueryFile = (&'static str, &'static str);

pub const ASKED_POLLS: QueryFile = ("asked_polls", include_str!("../../queries/asked_polls.sql"));
const WEEKS: QueryFile = ("weeks", include_str!("../../queries/weeks.sql"));
const OPEN_HOURS: QueryFile = ("open_hours", include_str!("../../queries/open_hours.sql"));
pub const TIMELINES: QueryFile = ("timelines", include_str!("../../queries/timelines.sql"));
const POLL_LISTS: QueryFile = ("poll_lists", include_str!("../../queries/poll_lists.sql"));
const TIMELINES_OF_DAYS: QueryFile =
    ("timelines_of_days", include_str!("../../queries/timelines_of_days.sql"));
const TIMELINES_OF_INTERVALS: QueryFile =
    ("timelines_of_intervals", include_str!("../../queries/timelines_of_intervals.sql"));

/// Files that every query begins with if the scope is [`Scope::All`].
pub const HISTORIES: [QueryFile; 4] = [ASKED_POLLS, WEEKS, OPEN_HOURS, TIMELINES];

/// Values of the `$name` placeholders of the query files.
pub type Arguments = HashMap<&'static str, Expr>;

/// Arguments that all queries share: range, days and options.
///
/// # Errors
/// As for [`functions::week_value`].
pub fn arguments(
    options: &Options,
    (from, to): (Expr, Expr),
    days: (Expr, Expr),
) -> datafusion::error::Result<Arguments> {
    let no_gap = ScalarValue::IntervalMonthDayNano(None);
    Ok(HashMap::from([
        ("from", from),
        ("now", to),
        ("first_day", days.0),
        ("last_day", days.1),
        ("interpolation", lit(options.interpolation.to_string())),
        ("scope", lit(options.scope.to_string())),
        ("max_gap", lit(options.max_gap_us.map_or(no_gap, functions::gap_interval))),
        ("no_data", lit(options.no_data.to_string())),
        ("snap_end_of_day", lit(options.snap_end_of_day)),
        ("default_week", lit(functions::week_value(&options.default_hours.week())?)),
        ("default_time_zone", lit(options.default_time_zone.as_str())),
    ]))
}

/// Literal of an instant; microseconds UTC.
pub fn instant(at: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into())))
}

/// Literal of a date; days since 1970-01-01.
pub fn day(day: i64) -> Expr {
    lit(ScalarValue::Date32(Some(i32::try_from(day).unwrap_or(i32::MAX))))
}

/// Session, with its tables registered, into which query files are planned. Clones share the
/// session.
#[derive(Clone)]
pub struct QueryFiles {
    pub session: SessionState,
    pub arguments: Arguments,
    /// Folder with SQL files that replace the built-in ones of the same name.
    pub queries: Option<PathBuf>,
}

impl QueryFiles {
    /// Registers `open_hours` and `timelines`, the base of every figure.
    pub async fn register_histories(&self, scope: Scope) -> Result<()> {
        self.register_open_hours().await?;
        self.register_polls(scope).await?;
        self.register_scoped_timelines(scope).await
    }

    /// Registers `open_hours`.
    pub async fn register_open_hours(&self) -> Result<()> {
        self.register_view(WEEKS, "weeks").await?;
        self.register_view(OPEN_HOURS, "open_hours").await
    }

    /// Registers `timelines` for [`Scope::All`], and for other scopes the `poll_lists` that
    /// [`Self::register_scoped_timelines`] reads.
    pub async fn register_polls(&self, scope: Scope) -> Result<()> {
        self.register_view(ASKED_POLLS, "asked_polls").await?;
        match scope {
            Scope::All => self.register_view(TIMELINES, "timelines").await,
            Scope::Day | Scope::Interval => self.register_view(POLL_LISTS, "poll_lists").await,
        }
    }

    /// Registers `timelines` for scopes that fill each day or opening separately. Requires
    /// [`Self::register_open_hours`] and [`Self::register_polls`].
    pub async fn register_scoped_timelines(&self, scope: Scope) -> Result<()> {
        match scope {
            Scope::All => Ok(()),
            Scope::Day => self.register_view(TIMELINES_OF_DAYS, "timelines").await,
            Scope::Interval => self.register_view(TIMELINES_OF_INTERVALS, "timelines").await,
        }
    }

    /// Plans a query file and registers it as a view called `name`.
    pub async fn register_view(&self, step: QueryFile, name: &str) -> Result<()> {
        let view = ViewTable::new(self.relation(step).await?, None);
        Ok(self.register(name, Arc::new(view))?)
    }

    /// Registers a relation that has no query file.
    pub fn register(
        &self,
        name: &str,
        relation: Arc<dyn TableProvider>,
    ) -> datafusion::error::Result<()> {
        self.session.schema_for_ref(name)?.register_table(name.to_owned(), relation)?;
        Ok(())
    }

    pub async fn relation(&self, (file, built_in): QueryFile) -> Result<LogicalPlan> {
        let replaced = match &self.queries {
            Some(folder) => {
                let path = folder.join(format!("{file}.sql"));
                match std::fs::read_to_string(&path) {
                    Ok(sql) => Some(sql),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => return Err(Error::io("read", &path, error)),
                }
            }
            None => None,
        };
        let made = async {
            let statement = match &replaced {
                Some(sql) => parse(&self.session, sql)?,
                None => statement(&self.session, &(file, built_in))?,
            };
            let plan = self.session.statement_to_plan(statement).await?;
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).verify_plan(&plan)?;
            bind_placeholders(plan, |id| self.argument(id))
        };
        made.await.map_err(|error| match replaced.is_some() {
            true => Error::File(format!("\"{file}.sql\": {error}")),
            false => error.into(),
        })
    }

    /// Returns the value of a `$name` placeholder.
    fn argument(&self, id: &str) -> datafusion::error::Result<Expr> {
        match self.arguments.get(&id[1..]) {
            Some(argument) => Ok(argument.clone()),
            None => plan_err!("unknown argument {id}"),
        }
    }
}

/// Returns the parsed statement of a built-in file; each file is parsed once per process.
pub fn statement(
    session: &SessionState,
    (file, built_in): &QueryFile,
) -> datafusion::error::Result<Statement> {
    static PARSED: LazyLock<Mutex<HashMap<&str, Statement>>> = LazyLock::new(Mutex::default);
    let known = || PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(statement) = known().get(file) {
        return Ok(statement.clone());
    }
    let statement = parse(session, built_in)?;
    known().insert(file, statement.clone());
    Ok(statement)
}

fn parse(session: &SessionState, sql: &str) -> datafusion::error::Result<Statement> {
    session.sql_to_statement(sql, &session.config().options().sql_parser.dialect)
}

/// Replaces placeholders by expressions. DataFusion's own parameters accept values only.
fn bind_placeholders(
    plan: LogicalPlan,
    stands_for: impl Fn(&str) -> datafusion::error::Result<Expr>,
) -> datafusion::error::Result<LogicalPlan> {
    let bind = |expr: Expr| match &expr {
        Expr::Placeholder(Placeholder { id, .. }) => stands_for(id).map(Transformed::yes),
        _ => Ok(Transformed::no(expr)),
    };
    let stands = |expr: &Expr| Ok(matches!(expr, Expr::Placeholder(_)));
    let bound = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let bound = plan.map_expressions(|expr| {
            // Views of earlier files are part of this plan. Their placeholders are bound already,
            // and saving long names again would be costly.
            if !expr.exists(stands)? {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            Ok(expr.transform_up(bind)?.update_data(|expr| name.restore(expr)))
        })?;
        match bound.transformed {
            true => bound.map_data(LogicalPlan::recompute_schema),
            false => Ok(bound),
        }
    });
    bound.map(|bound| bound.data)
}
