//! Computes the report with SQL on DataFusion: each file of `queries/` defines one relation.
//!
//! Partitions are ranges of stores from the scan to the figures, so polls are neither sorted nor
//! repartitioned.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::runtime::SpawnedTask;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};

use super::ResolvedQuery;
use super::query_files::{
    self, ASKED_POLLS, Arguments, QueryFile, QueryFiles, TIMELINES, day, instant,
};
use crate::error::{Error, Result};
use crate::functions;
use crate::planner::{
    GROUP_BY_STORE, MERGE_JOIN_BY_STORE, PrefetchExec, Prefetched, REMOVE_SORTS, STORE_NO,
    StoreRanges, TableFiles,
};
use crate::rules::{Scope, Window};
use crate::tables::Table;

const TALLIES: QueryFile = ("tallies", include_str!("../../queries/tallies.sql"));
const REPORT: QueryFile = ("report", include_str!("../../queries/report.sql"));

/// Large enough to amortize the cost of a batch, small enough for a core's cache.
const BATCH_ROWS: usize = 8_192;
/// Upper bound of partitions; more of them cost more than they save on any machine.
const RANGES_MAX: usize = 256;

/// Session state shared by all reports: functions and optimizer rules, but no tables.
static PREPARED: LazyLock<SessionState> = LazyLock::new(|| {
    let rules = SessionStateBuilder::new()
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(GROUP_BY_STORE))
        .with_physical_optimizer_rule(Arc::new(MERGE_JOIN_BY_STORE))
        .with_physical_optimizer_rule(Arc::new(REMOVE_SORTS));
    let session = SessionContext::new_with_state(rules.build());
    functions::register(&session);
    functions::internal::register(&session);
    session.state()
});

/// Initializes the shared session state and parses the built-in queries. Optional: the first report
/// does so otherwise.
pub fn prepare() {
    for step in query_files::HISTORIES.iter().chain([&TALLIES, &REPORT]) {
        // The report that runs the query returns the error.
        let _ = query_files::statement(&PREPARED, step);
    }
}

/// Computes [`super::ReportFigures::figures`].
pub async fn figures(asked: &ResolvedQuery) -> Result<RecordBatch> {
    let Planned { report, .. } = report(asked, true).await?;
    let schema = Arc::new(report.schema().as_arrow().clone());
    let batches = report.collect().await?;
    let schema = batches.first().map_or(schema, |batch| batch.schema());
    Ok(concat_batches(&schema, &batches)?)
}

/// Returns the physical plans of the report as text.
pub async fn explain(asked: &ResolvedQuery) -> Result<String> {
    let Planned { prefetched, report } = report(asked, false).await?;
    let report = report.create_physical_plan().await?;
    let text = |plan: &dyn ExecutionPlan| displayable(plan).indent(false).to_string();
    let prefetched = prefetched.map(|prefetched| text(prefetched.plan().as_ref()));
    let prefetched =
        prefetched.map(|plan| format!("\nStarted before the rest is planned:\n\n{plan}"));
    Ok(text(report.as_ref()) + &prefetched.unwrap_or_default())
}

/// Plan of the report, and the sub-plan that is prefetched while the rest is planned.
struct Planned {
    prefetched: Option<Arc<PrefetchExec>>,
    report: DataFrame,
}

/// Plans the report; with `starts`, execution of the prefetched sub-plan begins at once.
async fn report(asked: &ResolvedQuery, starts: bool) -> Result<Planned> {
    let query_files = QueryFiles {
        session: session(asked)?.state(),
        arguments: arguments(asked)?,
        queries: asked.question.queries.clone(),
    };
    let (scope, of_hours) = (asked.question.options.scope, query_files.clone());
    let hours = SpawnedTask::spawn(async move { of_hours.register_open_hours().await });
    // A replaced query may read columns of `timelines` that the prefetched sub-plan lacks.
    let built_in = query_files.queries.is_none();
    let prefetched = match scope == Scope::All && built_in {
        true => Some(timelines(&query_files, starts).await?),
        false => {
            query_files.register_polls(scope).await?;
            None
        }
    };
    hours.join().await.map_err(|error| Error::bug(error.to_string()))??;
    query_files.register_scoped_timelines(scope).await?;
    query_files.register_view(TALLIES, "tallies").await?;
    let report = DataFrame::new(query_files.session.clone(), query_files.relation(REPORT).await?);
    let schema = report.schema().clone();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns: Vec<&str> = names.filter(|name| asked.question.wants(name)).collect();
    Ok(Planned { prefetched, report: report.select_columns(&columns)? })
}

/// Registers `timelines` with the columns that the report reads. Most of the work is there, so it
/// starts executing while the rest is planned.
async fn timelines(query_files: &QueryFiles, starts: bool) -> Result<Arc<PrefetchExec>> {
    query_files.register_view(ASKED_POLLS, "asked_polls").await?;
    let timelines =
        DataFrame::new(query_files.session.clone(), query_files.relation(TIMELINES).await?);
    let timelines = timelines.select_columns(&["store_no", "timeline"])?;
    let context = Arc::new(timelines.task_ctx());
    let timelines = Arc::new(PrefetchExec::new(timelines.create_physical_plan().await?));
    if starts {
        timelines.start(&context)?;
    }
    query_files.register("timelines", Arc::new(Prefetched(Arc::clone(&timelines))))?;
    Ok(timelines)
}

/// Creates a session over the tables at the version of the query.
fn session(asked: &ResolvedQuery) -> Result<SessionContext> {
    let ranges = store_ranges(asked);
    let config = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_target_partitions(ranges.count())
        // Scans are already partitioned by store.
        .with_repartition_file_scans(false)
        .with_round_robin_repartition(false)
        // Looking up a window's result is cheap; computing it again for each column is not.
        .set_bool("datafusion.optimizer.enable_leaf_expression_pushdown", false)
        // No join of the report drops rows, so there is nothing to filter scans by.
        .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false)
        .set_bool("datafusion.optimizer.prefer_existing_sort", true)
        // A second pass changes nothing and takes as long as the first.
        .set_usize("datafusion.optimizer.max_passes", 1);
    let state = SessionStateBuilder::new_from_existing(PREPARED.clone())
        .with_config(config)
        .with_runtime_env(Arc::default())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let session = SessionContext::new_with_state(state);
    functions::register_by_zones(&session, &asked.dataset.zone_rules()?);
    let asked_for = asked_for(asked);
    for table in Table::VERSIONED {
        let files = TableFiles::new(table, asked.dataset.files(table)).partitioned_by(&ranges);
        let files = Arc::new(files);
        match &asked_for {
            Some(filter) if table.file_schema().index_of(STORE_NO).is_ok() => {
                let rows = session.read_table(files)?.filter(filter.clone())?;
                session.register_table(table.name(), rows.into_view())?;
            }
            _ => {
                session.register_table(table.name(), files)?;
            }
        }
    }
    Ok(session)
}

/// Divides the stores into one range per thread.
fn store_ranges(asked: &ResolvedQuery) -> StoreRanges {
    // Smallest size that pays for a second thread.
    const DIVISIBLE_BYTES: u64 = 1 << 18;
    let polls = asked.files_of_days(Table::Polls);
    let bytes: u64 = polls.iter().map(|file| file.size_bytes).sum();
    let threads = match asked.question.threads {
        Some(threads) => threads,
        None if bytes < DIVISIBLE_BYTES => NonZeroUsize::MIN,
        None => available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    asked.stores.divided(threads.get().min(RANGES_MAX))
}

/// Predicate on `store_no` for the stores of the query; `None` if all stores are reported.
fn asked_for(asked: &ResolvedQuery) -> Option<Expr> {
    let numbers = asked.stores.numbers().iter().map(|number| lit(*number));
    (!asked.question.stores.is_empty()).then(|| col(STORE_NO).in_list(numbers.collect(), false))
}

/// Arguments of the queries: the shared ones, and the starts of the shorter windows.
fn arguments(asked: &ResolvedQuery) -> Result<Arguments> {
    let start_of = |window: Window| instant(window.before(asked.now).starts_at());
    let range = (start_of(Window::LONGEST), instant(asked.now));
    let days = (day(asked.first_day), day(asked.last_day));
    let mut arguments = query_files::arguments(&asked.question.options, range, days)?;
    arguments.insert("day_ago", start_of(Window::Day));
    arguments.insert("hour_ago", start_of(Window::Hour));
    Ok(arguments)
}
