//! State that the queries of a process share, and the session of each query.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use arrow::datatypes::SchemaRef;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use lru::LruCache;

use super::count_distinct::count_distinct_by_bitmaps;
use super::errors::{missing_value, query_error, query_error_within, with_suggestions};
use super::functions::{hours_options, plan_deferred_calls};
use super::group_by_store_number::group_by_store_number;
use super::internal_catalog::InternalCatalog;
use super::names::{CATALOG, NamedTable, SCHEMA};
use super::plan_cache::{CACHED_TEXT_BYTES_MAX, PlanCache, is_cacheable};
use super::plan_rule::plan_rule;
use super::rows::{Query, Rows};
use super::spool::Spools;
use super::time_casts::{CoerceTextToTime, ParseTimeText};
use super::{corrections, dialect, read_only, statement, tables};
use crate::client::Client;
use crate::engine::{Tables, hours_of_stores};
use crate::error::{Error, Fault, QueryError, Result};
use crate::fair_semaphore::FairSemaphore;
use crate::functions::{self, ChainHours};
use crate::limits::{
    ConstantSizeLimit, CooperativeJoins, Limits, cancellable_rules, check_depth, check_expansion,
    limit_outputs, memory_pool, threads,
};
use crate::planner::{
    GROUP_BY_STORE, MERGE_JOIN_BY_STORE, REMOVE_SORTS, SemiJoinReduction, physical_rules,
};
use crate::rules::ZoneRules;
use crate::tables::Dataset;

/// Versions whose store hours are cached.
const HOURS_MAX: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Settings, functions, caches, permits and spool budgets that all queries of a process share.
pub struct Database {
    state: SessionState,
    /// Store hours by folder and version; sessions share them.
    hours: Mutex<LruCache<(PathBuf, u64), Arc<ChainHours>>>,
    /// Session state with the functions that `queries/` calls and analysts do not see.
    planner: SessionState,
    limits: Limits,
    permits: Permits,
    spools: Spools,
    tables: Vec<NamedTable>,
}

/// Permits to run and to plan, shared fairly among clients; planning never waits for running.
#[derive(Clone)]
struct Permits {
    planning: Arc<FairSemaphore>,
    running: Arc<FairSemaphore>,
}

impl Permits {
    fn new(at_once: usize) -> Self {
        let permits = || Arc::new(FairSemaphore::new(at_once));
        Self { planning: permits(), running: permits() }
    }
}

impl Database {
    pub fn new(limits: Limits) -> Self {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_information_schema(true)
            .set_str("datafusion.execution.time_zone", "UTC")
            .with_target_partitions(available_parallelism().map_or(1, usize::from))
            // Scans are partitioned by day or by store and must stay so.
            .with_repartition_file_scans(false)
            .set_bool("datafusion.optimizer.prefer_existing_sort", true)
            // Joins by store keep their input partitioned by store, on all threads.
            .set_usize("datafusion.optimizer.hash_join_single_partition_threshold", 0)
            .set_usize("datafusion.optimizer.hash_join_single_partition_threshold_rows", 0)
            // Our files have no bloom filters.
            .set_bool("datafusion.execution.parquet.bloom_filter_on_read", false)
            .set_bool("datafusion.execution.parquet.pushdown_filters", true);
        let state = SessionStateBuilder::new().with_config(config).with_default_features();
        let state = state
            .with_analyzer_rules(corrections::analyzer_rules())
            .with_analyzer_rule(plan_rule("group_by_store_number", group_by_store_number))
            .with_analyzer_rule(plan_rule("bitmap_count_distinct", count_distinct_by_bitmaps))
            .with_optimizer_rules(cancellable_rules(Optimizer::new().rules))
            .with_physical_optimizer_rules(physical_rules())
            .with_physical_optimizer_rule(Arc::new(SemiJoinReduction))
            .with_physical_optimizer_rule(Arc::new(GROUP_BY_STORE))
            .with_physical_optimizer_rule(Arc::new(MERGE_JOIN_BY_STORE))
            .with_physical_optimizer_rule(Arc::new(REMOVE_SORTS))
            .with_physical_optimizer_rule(Arc::new(ConstantSizeLimit))
            .with_physical_optimizer_rule(Arc::new(CooperativeJoins))
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context);
        dialect::register(&context);
        corrections::register(&context);
        // Paths of the server are not disclosed.
        context.deregister_udf("input_file_name");
        limit_outputs(&context);
        let state = context.state();
        let planner = SessionContext::new_with_state(state.clone());
        functions::internal::register(&planner);
        Self {
            state,
            planner: planner.state(),
            hours: Mutex::new(LruCache::new(HOURS_MAX)),
            limits,
            permits: Permits::new(limits.at_once),
            spools: Spools::new(limits.spool_bytes, limits.spool_memory_bytes)
                .with_row_limit(limits.row_bytes),
            tables: Vec::new(),
        }
    }

    /// Adds tables that every session sees.
    pub fn with_tables(mut self, tables: Vec<NamedTable>) -> Self {
        self.tables.extend(tables);
        self
    }

    /// Sets the number of partitions of a plan, which is that of the cores otherwise.
    pub fn with_partitions(mut self, partitions: NonZeroUsize) -> Self {
        for state in [&mut self.state, &mut self.planner] {
            state.config_mut().options_mut().execution.target_partitions = partitions.get();
        }
        self
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns once a query could start at once. Threads keep their permit until they end: with a
    /// single permit of each kind, no query is running or being planned when this returns.
    pub async fn permits_available(&self) {
        drop(self.permits.planning.acquire(Client::current()).await);
        drop(self.permits.running.acquire(Client::current()).await);
    }

    /// Opens a session over the tables at the version of the dataset.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn session(&self, dataset: &Dataset) -> Result<Session> {
        let tables = Tables::open(dataset, self.state.config().target_partitions())?;
        let zones = &tables.zone_rules;
        let planner = SessionContext::new_with_state(self.planner.clone());
        functions::register_by_zones(&planner, zones);
        functions::internal::register_by_zones(&planner, zones);
        let zones = zones.clone();
        let internal = Arc::new(InternalCatalog::new(planner.state(), dataset.clone(), tables));
        let catalogs = tables::catalogs(&internal, self.tables.clone())?;
        let mut analyzer = self.state.analyzer().clone();
        analyzer.rules.insert(0, Arc::new(CoerceTextToTime(zones.clone())));
        analyzer.rules.push(Arc::new(ParseTimeText(zones.clone())));
        let builder = SessionStateBuilder::new_from_existing(self.state.clone());
        let mut builder = builder.with_catalog_list(catalogs);
        *builder.analyzer() = Some(analyzer);
        let context = SessionContext::new_with_state(builder.build());
        functions::register_by_zones(&context, &zones);
        super::functions::register(&context, &internal)?;
        functions::register_for_stores(&context, &self.hours(dataset));
        let spools = self.spools.in_folder(dataset.folder());
        let (limits, permits) = (self.limits, self.permits.clone());
        Ok(Session { context, zones, limits, permits, spools, plans: Arc::default() })
    }

    /// Store hours of a version, read by the first session that needs them.
    fn hours(&self, dataset: &Dataset) -> Arc<ChainHours> {
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        let version = (dataset.folder().to_owned(), dataset.version());
        let of_version = hours.get_or_insert(version, || {
            let dataset = dataset.clone();
            Arc::new(ChainHours::new(move || hours_of_stores(&dataset), hours_options))
        });
        Arc::clone(of_version)
    }
}

/// Plans and runs statements over the tables at one version.
pub struct Session {
    context: SessionContext,
    zones: ZoneRules,
    limits: Limits,
    permits: Permits,
    spools: Spools,
    plans: Arc<PlanCache<String>>,
}

impl Session {
    /// The context for catalogs and parsers of wire protocols; queries run through [`Self::run`].
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Zone rules of the version.
    pub fn zones(&self) -> &ZoneRules {
        &self.zones
    }

    /// Plans one statement. Its parameters (`$1`, `$name`) stay unbound until [`Self::bind`].
    ///
    /// # Errors
    /// Fails if the text is not SQL, names something unknown, would do more than read, exceeds the
    /// depth limit, or takes longer to plan than [`Limits::time`].
    pub async fn plan(&self, sql: &str) -> Result<LogicalPlan> {
        self.plan_within(sql, self.limits).await
    }

    #[cfg(test)]
    pub fn cached_plan(&self, sql: &str) -> Option<LogicalPlan> {
        self.plans.find(sql)
    }

    /// Same as [`Self::plan`], with other limits.
    ///
    /// # Errors
    /// Same as [`Self::plan`].
    pub async fn plan_within(&self, sql: &str, limits: Limits) -> Result<LogicalPlan> {
        if let Some(plan) = self.plans.find(sql) {
            return Ok(plan);
        }
        check_depth(sql)?;
        let (context, sql) = (self.context.clone(), sql.to_owned());
        let plans = Arc::clone(&self.plans);
        let planned = async move {
            let state = context.state();
            let dialect = state.config_options().sql_parser.dialect;
            let planned = planned(&context, state.sql_to_statement(&sql, &dialect)?).await?;
            if planned.is_cacheable && sql.len() <= CACHED_TEXT_BYTES_MAX {
                plans.insert(sql, planned.plan.clone());
            }
            Ok(planned.plan)
        };
        let planned = threads::compute(&self.permits.planning, &limits, planned).await?;
        planned.map_err(|error| query_error_within(error, &limits))
    }

    /// Same as [`Self::plan`] for a statement that was parsed elsewhere and passed
    /// the check of its depth. The inner error has the location if the parser kept it.
    ///
    /// # Errors
    /// Same as [`Self::plan`]; the outer error if a limit is exceeded.
    pub async fn plan_statement(
        &self,
        statement: Statement,
    ) -> Result<datafusion::error::Result<PlannedStatement>> {
        let context = self.context.clone();
        let planned = async move { planned(&context, statement).await };
        match threads::compute(&self.permits.planning, &self.limits, planned).await? {
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                Err(query_error_within(error, &self.limits))
            }
            planned => Ok(planned),
        }
    }

    /// Binds the parameters of a plan.
    ///
    /// # Errors
    /// Fails if a value is missing, superfluous or of another type.
    pub fn bind(plan: LogicalPlan, values: impl Into<ParamValues>) -> Result<LogicalPlan> {
        let values = values.into();
        let wanted = plan.get_parameter_names().map_err(query_error)?;
        let given: Vec<_> = match &values {
            ParamValues::List(values) => (1..=values.len()).map(|at| format!("${at}")).collect(),
            ParamValues::Map(values) => values.keys().map(|name| format!("${name}")).collect(),
        };
        if let Some(surplus) = given.iter().filter(|name| !wanted.contains(*name)).min() {
            let sentence = format!("a value is given for {surplus}, which the statement has not");
            return Err(Error::Query(QueryError::new(Fault::Parameter, sentence)));
        }
        let bound = plan.with_param_values(values).and_then(plan_deferred_calls);
        bound.map_err(query_error)
    }

    /// Schema of a plan after type coercion, as its rows will have it.
    pub fn columns(&self, plan: LogicalPlan) -> SchemaRef {
        let state = self.context.state();
        let unresolved = Arc::clone(plan.schema().inner());
        let resolved = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
        // An invalid plan reports its error when it runs.
        resolved.map_or(unresolved, |plan| Arc::clone(plan.schema().inner()))
    }

    /// Returns whether the plan has the same rows whenever it runs over the same data: it depends
    /// neither on the clock, nor on random values, nor on tables outside the dataset.
    pub fn is_repeatable(plan: &LogicalPlan) -> bool {
        read_only::is_repeatable(plan)
    }

    /// Runs a plan within the limits and returns its rows as a stream.
    ///
    /// # Errors
    /// Fails if the plan cannot be executed, or exceeds a limit before the first row.
    pub async fn run(&self, plan: LogicalPlan, limits: Limits) -> Result<Rows> {
        let plan = read_only::check_read_only(plan).map_err(query_error)?;
        if let Some(open) = plan.get_parameter_names().map_err(query_error)?.iter().min() {
            return Err(Error::Query(missing_value(open)));
        }
        let state = self.context.state();
        let memory_pool = memory_pool::pool(limits.memory_bytes);
        let env = RuntimeEnv { memory_pool, ..RuntimeEnv::clone(state.runtime_env()) };
        let tasks = TaskContext::from(&state).with_runtime(Arc::new(env));
        let query = Query { plan, state, tasks, limits };
        Rows::start(query, &self.permits.running, &self.spools).await
    }
}

/// The plan of a statement.
pub struct PlannedStatement {
    pub plan: LogicalPlan,
    /// True if the same text has the same plan whenever it is planned over the same data.
    pub is_cacheable: bool,
}

async fn planned(
    context: &SessionContext,
    statement: Statement,
) -> datafusion::error::Result<PlannedStatement> {
    let planned = match plan_as_written(context, statement.clone()).await {
        Err(error) if statement::is_duplicate_name(&error) => {
            let mut named = statement;
            statement::name_all(&mut named);
            plan_as_written(context, named).await.map_err(|_| error)
        }
        planned => planned,
    };
    let PlannedStatement { plan, is_cacheable } =
        planned.map_err(|error| with_suggestions(error, context))?;
    Ok(PlannedStatement { plan: read_only::check_plan(plan)?, is_cacheable })
}

async fn plan_as_written(
    context: &SessionContext,
    mut statement: Statement,
) -> datafusion::error::Result<PlannedStatement> {
    statement::prepare(&mut statement)?;
    check_expansion(&statement)?;
    let state = context.state();
    let plan = state.statement_to_plan(statement.clone()).await?;
    let is_cacheable = is_cacheable(&statement, &plan, &state);
    Ok(PlannedStatement { plan, is_cacheable })
}

#[cfg(test)]
mod tests;
