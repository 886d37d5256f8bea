//! Computes the figures of a report from the tables at one version, on either of two engines.
//!
//! Both engines answer in microseconds and agree to the last one; [`crate::report`] prints the
//! figures. Knows nothing about the client that asks.

pub mod datafusion_report;
pub mod polars_report;
pub mod query_files;
pub mod single_store;
mod store_hours;
mod store_list;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;

pub use self::store_hours::hours_of_stores;
pub use self::store_list::{ListedStore, StoreList};
use crate::error::{Error, Result};
pub use crate::planner::StoreCounts;
use crate::planner::{NumberedStores, StoreDirectory, TableFiles};
use crate::rules::calendar::day_of;
use crate::rules::keyword::{Keywords, spelled_by_keywords};
use crate::rules::{Options, Window, ZoneName, ZoneRules};
use crate::tables::{Dataset, Table, TableFile};

/// Engine that computes a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Runs `queries/*.sql` on DataFusion.
    #[default]
    DataFusion,
    /// Runs lazy frames on Polars; independent of the SQL, and compared with it in tests.
    Polars,
}

impl Engine {
    pub const KEYWORDS: Keywords<Self> =
        &[("datafusion", Self::DataFusion), ("polars", Self::Polars)];
}

spelled_by_keywords!(Engine);

/// Parameters of a report.
#[derive(Clone, Debug, Default)]
pub struct ReportQuery {
    /// Instant the report looks back from, microseconds UTC; the latest poll of all stores if
    /// `None`.
    pub now: Option<i64>,
    pub options: Options,
    /// Ids of the stores to report; all stores if empty.
    pub stores: Vec<String>,
    /// Adds columns for unknown and scheduled time.
    pub extended: bool,
    /// Folder with SQL files that replace the built-in ones of the same name.
    pub queries: Option<PathBuf>,
    /// Number of threads among which the SQL engine divides the stores. `None` stands for the
    /// number of cores, or 1 for a small dataset. The figures do not depend on it.
    pub threads: Option<NonZeroUsize>,
}

impl ReportQuery {
    /// True if the figures include the column.
    fn wants(&self, column: &str) -> bool {
        let is_standard = |kind| column.starts_with(kind);
        self.extended || ["store_id", "uptime", "downtime"].into_iter().any(is_standard)
    }
}

/// Key of the figures' schema metadata that names the edition of the time-zone rules.
pub const ZONE_RULES: &str = "uptally_zone_rules";

/// Figures of a report.
#[derive(Clone, Debug)]
pub struct ReportFigures {
    /// `store_id`, then microseconds: `uptime_*` and `downtime_*` per window, and `unknown_*` and
    /// `scheduled_*` too if the query is extended. Sorted by id, ascending.
    pub figures: RecordBatch,
    /// Instant the report looks back from, microseconds UTC.
    pub now: i64,
    pub stores: StoreCounts,
}

/// Initializes the state that every report of an engine shares. Run it on a thread of its own while
/// the first tables are opened.
pub fn prepare(engine: Engine) {
    match engine {
        Engine::DataFusion => datafusion_report::prepare(),
        Engine::Polars => {}
    }
}

/// Computes the report.
///
/// # Errors
/// [`Error::Argument`] if there is neither a poll nor a `now`, or if a requested store is unknown.
pub async fn answer(
    dataset: &Dataset,
    question: &ReportQuery,
    engine: Engine,
) -> Result<ReportFigures> {
    let asked = ResolvedQuery::resolve(dataset, question)?;
    let figures = match engine {
        Engine::DataFusion => datafusion_report::figures(&asked).await?,
        Engine::Polars => polars_report::figures(&asked).await?,
    };
    // Programs that read the file find the edition there.
    let schema = figures.schema().as_ref().clone();
    let edition = dataset.zone_rules()?.edition().to_owned();
    let schema = schema.with_metadata(HashMap::from([(ZONE_RULES.to_owned(), edition)]));
    let figures = figures.with_schema(Arc::new(schema))?;
    Ok(ReportFigures { figures, now: asked.now, stores: asked.stores.counts() })
}

/// Table providers at one version, and the facts that planning a query needs.
#[derive(Clone, Debug)]
pub struct Tables {
    pub providers: Vec<(Table, Arc<dyn TableProvider>)>,
    /// Latest poll of all stores, microseconds UTC.
    pub latest_poll: Option<i64>,
    /// Days with polls, ascending, as days since 1970-01-01.
    pub days: Arc<[i64]>,
    pub zone_rules: ZoneRules,
}

impl Tables {
    /// Opens the tables; scans of them are partitioned by store into at most `threads` ranges.
    ///
    /// # Errors
    /// If the list of stores cannot be read.
    pub fn open(dataset: &Dataset, threads: usize) -> Result<Self> {
        let stores = Arc::new(StoreDirectory::read(dataset)?);
        let ranges = stores.numbered().divided(threads);
        let provider = |table: Table| -> (Table, Arc<dyn TableProvider>) {
            let files = TableFiles::new(table, dataset.files(table)).partitioned_by(&ranges);
            (table, Arc::new(files.with_stores(&stores)))
        };
        let tables = Table::VERSIONED.into_iter().chain([Table::Loads]);
        Ok(Self {
            providers: tables.map(provider).collect(),
            latest_poll: stores.numbered().last_polled_at(),
            days: polled_days(dataset).collect(),
            zone_rules: dataset.zone_rules()?,
        })
    }

    pub fn knows_zone(&self, name: ZoneName) -> bool {
        self.zone_rules.zone(name.as_str()).is_some()
    }
}

/// Returns the physical plan of the report as text, without running it.
///
/// # Errors
/// As for [`answer`], and if the engine is not DataFusion.
pub async fn explain(dataset: &Dataset, question: &ReportQuery, engine: Engine) -> Result<String> {
    let asked = ResolvedQuery::resolve(dataset, question)?;
    match engine {
        Engine::DataFusion => datafusion_report::explain(&asked).await,
        Engine::Polars => {
            Err(Error::Argument("Polars has no plan to explain; use the engine datafusion".into()))
        }
    }
}

/// A report query with its defaults resolved against the tables.
#[derive(Clone, Debug)]
pub struct ResolvedQuery {
    pub dataset: Dataset,
    pub question: ReportQuery,
    pub now: i64,
    /// First day whose polls are read, since 1970-01-01. Its polls and its carried polls determine
    /// the state of every store over the longest window.
    pub first_day: i64,
    pub last_day: i64,
    /// Stores of the report.
    pub stores: NumberedStores,
}

impl ResolvedQuery {
    fn resolve(dataset: &Dataset, question: &ReportQuery) -> Result<Self> {
        // Both read files, so they run concurrently.
        let (zone_rules, stores) = thread::scope(|scope| {
            let read = || dataset.zone_rules();
            let reading = thread::Builder::new().spawn_scoped(scope, read);
            let stores = asked_stores(dataset, question);
            let zone_rules = match reading {
                Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // No thread available: read it on this one.
                Err(_) => read(),
            };
            (zone_rules, stores)
        });
        let (all, stores) = stores?;
        single_store::default_zone(&zone_rules?, &question.options)?;
        let now = question.now.or_else(|| all.last_polled_at()).ok_or_else(|| {
            Error::Argument("there is no poll to look back from; load polls or specify now".into())
        })?;
        let from_day = day_of(Window::LONGEST.before(now).starts_at());
        Ok(Self {
            dataset: dataset.clone(),
            question: question.clone(),
            now,
            first_day: first_day_to_read(polled_days(dataset), from_day),
            last_day: day_of(now),
            stores,
        })
    }

    /// Files of polls or carried polls that the report reads.
    pub fn files_of_days(&self, table: Table) -> Vec<&TableFile> {
        let last_day = if table == Table::Carried { self.first_day } else { self.last_day };
        let asked = |file: &&TableFile| {
            file.day.is_some_and(|day| (self.first_day..=last_day).contains(&day))
        };
        self.dataset.files(table).iter().filter(asked).collect()
    }
}

/// Returns all stores of a dataset, and the stores of the query.
fn asked_stores(
    dataset: &Dataset,
    question: &ReportQuery,
) -> Result<(NumberedStores, NumberedStores)> {
    if question.stores.is_empty() {
        let all = NumberedStores::read(dataset)?;
        return Ok((all.clone(), all));
    }
    let all = StoreDirectory::read(dataset)?;
    Ok((all.numbered().clone(), all.select(&question.stores)?))
}

fn polled_days(dataset: &Dataset) -> impl Iterator<Item = i64> + Clone {
    dataset.files(Table::Polls).iter().filter_map(|file| file.day)
}

/// Returns the last day with polls that is not after `from_day`, or else the first day with polls.
/// The polls and carried polls from that day on determine the state of every store from `from_day`
/// on.
pub fn first_day_to_read(polled: impl Iterator<Item = i64> + Clone, from_day: i64) -> i64 {
    let first_day = polled.clone().filter(|day| *day <= from_day).max().or_else(|| polled.min());
    first_day.unwrap_or(from_day)
}
