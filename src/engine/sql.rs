//! The report as SQL on DataFusion: each file of `queries/` makes one relation.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::ParamValues;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;

use super::scan::TableFiles;
use super::{Asked, Question};
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

/// The figures, as [`super::Answer::figures`] describes them.
pub async fn figures(asked: &Asked<'_>) -> Result<RecordBatch> {
    let report = report(asked).await?;
    let schema = Arc::new(report.schema().as_arrow().clone());
    let batches = report.collect().await?;
    let schema = batches.first().map_or(schema, |batch| batch.schema());
    Ok(concat_batches(&schema, &batches)?)
}

/// The plan that makes the figures, as text.
pub async fn explain(asked: &Asked<'_>) -> Result<String> {
    let plan = report(asked).await?.create_physical_plan().await?;
    Ok(displayable(plan.as_ref()).indent(false).to_string())
}

/// The report as a plan over the tables.
async fn report(asked: &Asked<'_>) -> Result<DataFrame> {
    let session = session(asked)?;
    let arguments = arguments(asked);
    for step in ALWAYS {
        make(&session, asked.question, step, step.0, &arguments).await?;
    }
    match asked.question.options.scope {
        Scope::All => make(&session, asked.question, TIMELINES, "timelines", &arguments).await?,
        Scope::Day | Scope::Interval => {
            let by_day = asked.question.options.scope == Scope::Day;
            let filled = if by_day { OF_DAYS } else { OF_INTERVALS };
            make(&session, asked.question, POLL_LISTS, "poll_lists", &arguments).await?;
            make(&session, asked.question, filled, "timelines", &arguments).await?;
        }
    }
    make(&session, asked.question, TALLIES, "tallies", &arguments).await?;
    let report = relation(&session, asked.question, REPORT, &arguments).await?;
    let schema = report.schema().clone();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns: Vec<&str> = names.filter(|name| asked.question.wants(name)).collect();
    Ok(report.select_columns(&columns)?)
}

/// Runs a step and makes its relation known under a name.
async fn make(
    session: &SessionContext,
    question: &Question,
    step: (&str, &str),
    name: &str,
    arguments: &[(&str, ScalarValue)],
) -> Result<()> {
    let relation = relation(session, question, step, arguments).await?;
    session.register_table(name, relation.into_view())?;
    Ok(())
}

async fn relation(
    session: &SessionContext,
    question: &Question,
    (file, built_in): (&str, &str),
    arguments: &[(&str, ScalarValue)],
) -> Result<DataFrame> {
    let replaced = match &question.queries {
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
    let bound = |(name, value): &(&str, ScalarValue)| {
        ((*name).to_owned(), ScalarAndMetadata::from(value.clone()))
    };
    let made = async {
        let frame = session.sql(sql).await?;
        frame.with_param_values(ParamValues::Map(arguments.iter().map(bound).collect()))
    };
    made.await.map_err(|error| match replaced.is_some() {
        true => Error::File(format!("\"{file}.sql\": {error}")),
        false => error.into(),
    })
}

/// A session over the tables at the asked version, with the functions of the rules.
fn session(asked: &Asked<'_>) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_batch_size(32_768)
        // Scans come with as many groups of files as there are threads to read them.
        .with_repartition_file_scans(false)
        .with_round_robin_repartition(false)
        // No join of the report leaves rows out, so that there is nothing to filter scans by.
        .set_bool("datafusion.optimizer.enable_dynamic_filter_pushdown", false)
        .set_bool("datafusion.optimizer.prefer_existing_sort", true);
    let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    let session = SessionContext::new_with_state(state);
    functions::register(&session);
    let stores: Vec<Expr> = asked.question.stores.iter().map(lit).collect();
    for table in Table::VERSIONED {
        let files = Arc::new(TableFiles::new(table, asked.dataset.files(table)));
        if stores.is_empty() || table == Table::Rejects {
            session.register_table(table.name(), files)?;
        } else {
            let asked_for = col("store_id").in_list(stores.clone(), false);
            let rows = session.read_table(files)?.filter(asked_for)?;
            session.register_table(table.name(), rows.into_view())?;
        }
    }
    Ok(session)
}

/// What the `$` names of the queries stand for.
fn arguments(asked: &Asked<'_>) -> Vec<(&'static str, ScalarValue)> {
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
    vec![
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
    ]
}
