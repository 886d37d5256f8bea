//! What the queries of a process share, and the session of each.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use datafusion::catalog::TableProvider;
use datafusion::common::ParamValues;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::cooperation::JoinsGiveWay;
use super::limits::Limits;
use super::rows::{Rows, asked_wrongly};
use super::{guard, tables};
use crate::error::Result;
use crate::functions;
use crate::tables::Dataset;

pub const CATALOG: &str = "uptally";
pub const SCHEMA: &str = "public";

/// What all queries of a process share: settings, functions, what is known of files, and turns.
pub struct Database {
    state: SessionState,
    limits: Limits,
    turns: Arc<Semaphore>,
    threads: Handle,
    tables: Vec<NamedTable>,
}

/// A table that is no part of the dataset, and the same at every version of it.
pub type NamedTable = (String, Arc<dyn TableProvider>);

impl Database {
    /// Queries are computed on `threads`, whoever takes their rows.
    pub fn new(limits: Limits, threads: Handle) -> Self {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_information_schema(true)
            .with_target_partitions(available_parallelism().map_or(1, usize::from))
            // Scans come divided by days or by stores, and stay so.
            .with_repartition_file_scans(false)
            .set_bool("datafusion.optimizer.prefer_existing_sort", true)
            .set_bool("datafusion.execution.parquet.pushdown_filters", true);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(JoinsGiveWay))
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context);
        let turns = Arc::new(Semaphore::new(limits.at_once));
        Self { state: context.state(), limits, turns, threads, tables: Vec::new() }
    }

    /// Every session sees these as well.
    pub fn with_tables(mut self, tables: Vec<NamedTable>) -> Self {
        self.tables.extend(tables);
        self
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// A session that sees the tables at the version of the dataset.
    ///
    /// # Errors
    /// Where the tables cannot be read.
    pub fn session(&self, dataset: &Dataset) -> Result<Session> {
        let catalogs = tables::catalogs(dataset, &self.tables)?;
        let builder = SessionStateBuilder::new_from_existing(self.state.clone());
        let state = builder.with_catalog_list(catalogs).build();
        Ok(Session {
            context: SessionContext::new_with_state(state),
            limits: self.limits,
            turns: Arc::clone(&self.turns),
            threads: self.threads.clone(),
        })
    }
}

/// The tables at one version, and what may be asked of them.
pub struct Session {
    context: SessionContext,
    limits: Limits,
    turns: Arc<Semaphore>,
    threads: Handle,
}

impl Session {
    /// For catalogs and parsers of wire protocols; what runs, runs through [`Self::run`].
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// One statement as a plan; its `$1` or `$name` stay open until
    /// [`LogicalPlan::with_param_values`] binds them.
    ///
    /// # Errors
    /// Where it is not SQL, names what is not there, or would do more than read.
    pub async fn plan(&self, sql: &str) -> Result<LogicalPlan> {
        let plan = self.context.state().create_logical_plan(sql).await.map_err(asked_wrongly)?;
        guard::read_only(plan).map_err(asked_wrongly)
    }

    /// The plan with the values of its parameters.
    ///
    /// # Errors
    /// Where one is missing or of another type.
    pub fn bind(plan: LogicalPlan, values: impl Into<ParamValues>) -> Result<LogicalPlan> {
        plan.with_param_values(values).map_err(asked_wrongly)
    }

    /// Whether the plan gives the same rows whenever it runs over the same data: it asks neither for
    /// the time nor for chance, nor for a table beside the data.
    pub fn is_repeatable(plan: &LogicalPlan) -> bool {
        guard::is_repeatable(plan)
    }

    /// The rows of a plan, within the limits; wait for them no longer than those allow.
    ///
    /// # Errors
    /// Where the plan cannot be carried out, or a limit is met before the first row.
    pub async fn run(&self, plan: LogicalPlan, limits: Limits) -> Result<Rows> {
        let plan = guard::read_only(plan).map_err(asked_wrongly)?;
        let pool = FairSpillPool::new(limits.memory_bytes);
        // How many of the hungriest operators an error names.
        let named = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        let shared = self.context.runtime_env();
        let env = RuntimeEnv {
            memory_pool: Arc::new(TrackConsumersPool::new(pool, named)),
            ..RuntimeEnv::clone(&shared)
        };
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_runtime_env(Arc::new(env))
            .build();
        Rows::of(state, plan, limits, Arc::clone(&self.turns), &self.threads).await
    }
}
