//! The report as SQL on DataFusion: each file of `queries/` makes one relation.
//!
//! Each thread answers for stores of its own, from the files to the figures: no poll is sorted, or
//! passed from one to another.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;

use super::Asked;
use super::ranges::{Cuts, STORE_NO};
use super::runs::GroupByRuns;
use super::scan::TableFiles;
use crate::error::{Error, Result};
use crate::functions;
use crate::rules::{Interpolation, NoData, Scope, Window};
use crate::tables::Table;

/// The steps of the report in the order in which each builds on the others.
const ALWAYS: [(&str, &str); 3] = [
    ("asked_polls", include_str!("../../queries/asked_polls.sql")),
    ("weeks", include_str!("../../queries/weeks.sql")),
    ("open_hours", include_str!("../../queries/open_hours.sql")),
];
const TIMELINES: (&str, &str) = ("timelines", include_str!("../../queries/timelines.sql"));
const POLL_LISTS: (&str, &str) = ("poll_lists", include_str!("../../queries/poll_lists.sql"));
const OF_DAYS: (&str, &str) =
    ("timelines_of_days", include_str!("../../queries/timelines_of_days.sql"));
const OF_INTERVALS: (&str, &str) =
    ("timelines_of_intervals", include_str!("../../queries/timelines_of_intervals.sql"));
const TALLIES: (&str, &str) = ("tallies", include_str!("../../queries/tallies.sql"));
const REPORT: (&str, &str) = ("report", include_str!("../../queries/report.sql"));

/// Large enough that a batch costs little, small enough to stay in a core's cache.
const BATCH_ROWS: usize = 8_192;
/// More ranges of stores than this cost more than they save on any machine.
const RANGES_MAX: usize = 256;

/// The figures, as [`super::Answer::figures`] describes them.
pub async fn figures(asked: &Asked) -> Result<RecordBatch> {
    let report = report(asked).await?;
    let schema = Arc::new(report.schema().as_arrow().clone());
    let batches = report.collect().await?;
    let schema = batches.first().map_or(schema, |batch| batch.schema());
    Ok(concat_batches(&schema, &batches)?)
}

/// The plan that makes the figures, as text.
pub async fn explain(asked: &Asked) -> Result<String> {
    let plan = report(asked).await?.create_physical_plan().await?;
    Ok(displayable(plan.as_ref()).indent(false).to_string())
}

/// The report as a plan over the tables.
async fn report(asked: &Asked) -> Result<DataFrame> {
    let steps = Steps { session: session(asked)?.state(), arguments: arguments(asked), asked };
    for step in ALWAYS {
        steps.make(step, step.0).await?;
    }
    match asked.question.options.scope {
        Scope::All => steps.make(TIMELINES, "timelines").await?,
        Scope::Day | Scope::Interval => {
            let by_day = asked.question.options.scope == Scope::Day;
            steps.make(POLL_LISTS, "poll_lists").await?;
            steps.make(if by_day { OF_DAYS } else { OF_INTERVALS }, "timelines").await?;
        }
    }
    steps.make(TALLIES, "tallies").await?;
    let report = DataFrame::new(steps.session.clone(), steps.relation(REPORT).await?);
    let schema = report.schema().clone();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns: Vec<&str> = names.filter(|name| asked.question.wants(name)).collect();
    Ok(report.select_columns(&columns)?)
}

/// The steps of a report on their way into a session.
struct Steps<'a> {
    session: SessionState,
    arguments: ParamValues,
    asked: &'a Asked,
}

impl Steps<'_> {
    /// Makes the relation of a step known under a name.
    async fn make(&self, step: (&str, &str), name: &str) -> Result<()> {
        let view = ViewTable::new(self.relation(step).await?, None);
        self.session.schema_for_ref(name)?.register_table(name.to_owned(), Arc::new(view))?;
        Ok(())
    }

    async fn relation(&self, (file, built_in): (&str, &str)) -> Result<LogicalPlan> {
        let replaced = match &self.asked.question.queries {
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
        let sql = replaced.as_deref().unwrap_or(built_in);
        let made = async {
            let plan = self.session.create_logical_plan(sql).await?;
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).verify_plan(&plan)?;
            plan.with_param_values(self.arguments.clone())
        };
        made.await.map_err(|error| match replaced.is_some() {
            true => Error::File(format!("\"{file}.sql\": {error}")),
            false => error.into(),
        })
    }
}

/// A session over the tables at the asked version, with the functions of the rules.
fn session(asked: &Asked) -> Result<SessionContext> {
    let cuts = cuts(asked);
    let config = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_target_partitions(cuts.ranges())
        // Scans come divided by stores, and stay so.
        .with_repartition_file_scans(false)
        .with_round_robin_repartition(false)
        // What windows make of a store is cheap to look up, and dear to compute once a column.
        .set_bool("datafusion.optimizer.enable_leaf_expression_pushdown", false)
        // No join of the report leaves rows out, so that there is nothing to filter scans by.
        .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false)
        .set_bool("datafusion.optimizer.prefer_existing_sort", true);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(GroupByRuns))
        .build();
    let session = SessionContext::new_with_state(state);
    functions::register(&session);
    let asked_for = asked_for(asked);
    for table in Table::VERSIONED {
        let files = TableFiles::new(table, asked.dataset.files(table)).divided(&cuts);
        let files = Arc::new(files);
        match &asked_for {
            Some(filter) if table != Table::Rejects => {
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

/// One range of stores for each thread.
fn cuts(asked: &Asked) -> Cuts {
    // Below this, a second thread costs more than it saves.
    const DIVISIBLE_BYTES: u64 = 1 << 18;
    let polls = asked.files_of_days(Table::Polls);
    let bytes: u64 = polls.iter().map(|file| file.size_bytes).sum();
    let threads = match asked.question.threads {
        Some(threads) => threads,
        None if bytes < DIVISIBLE_BYTES => NonZeroUsize::MIN,
        None => available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    asked.stores.cuts(threads.get().min(RANGES_MAX))
}

/// Rows of the stores that are asked for; `None` where all are.
fn asked_for(asked: &Asked) -> Option<Expr> {
    let numbers = asked.stores.numbers().iter().map(|number| lit(*number));
    (!asked.question.stores.is_empty()).then(|| col(STORE_NO).in_list(numbers.collect(), false))
}

/// What the `$` names of the queries stand for.
fn arguments(asked: &Asked) -> ParamValues {
    let options = &asked.question.options;
    let instant = |at: i64| ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()));
    let start_of = |window: Window| instant(window.before(asked.now).starts_at());
    let day = |day: i64| ScalarValue::Date32(Some(day as i32));
    let interpolation = match options.interpolation {
        Interpolation::Previous => "previous",
        Interpolation::Nearest => "nearest",
        Interpolation::Next => "next",
    };
    let no_data = match options.no_data {
        NoData::Unknown => "unknown",
        NoData::Down => "down",
        NoData::Up => "up",
    };
    let max_gap = options.max_gap_us;
    let arguments = [
        ("now", instant(asked.now)),
        ("from", start_of(Window::LONGEST)),
        ("day_ago", start_of(Window::LastDay)),
        ("hour_ago", start_of(Window::LastHour)),
        ("first_day", day(asked.first_day)),
        ("last_day", day(asked.last_day)),
        ("interpolation", ScalarValue::from(interpolation)),
        (
            "max_gap",
            max_gap.map_or(ScalarValue::IntervalMonthDayNano(None), functions::gap_interval),
        ),
        ("no_data", ScalarValue::from(no_data)),
        ("snap_end_of_day", ScalarValue::from(options.snap_end_of_day)),
        ("default_time_zone", ScalarValue::from(options.default_time_zone.name())),
    ];
    let bound = |(name, value): (&str, ScalarValue)| (name.to_owned(), value.into());
    ParamValues::Map(arguments.into_iter().map(bound).collect())
}
