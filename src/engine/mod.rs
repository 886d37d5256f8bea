//! One door to two engines: the figures of a report, from the tables at one version.
//!
//! Both answer in microseconds and must agree to the last of them; [`crate::report`] prints what
//! they say. Knows nothing of who asks.

pub mod datafusion_report;
pub mod polars_report;
pub mod single_store;

mod few_stores;
mod group_by_store;
mod lineage;
mod local_parquet_reader;
mod merge;
mod merge_join;
mod nullable;
mod partitioned_scan;
mod predicates;
mod prefetch;
mod progressive_eval;
pub mod query_files;
mod remove_sorts;
mod semi_join_reduction;
mod store_directory;
mod store_hours;
mod store_keys;
mod store_list;
mod store_ranges;
mod table_files;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;

pub use self::group_by_store::GroupByStore;
pub use self::local_parquet_reader::object_path;
pub use self::merge_join::MergeJoinByStore;
pub use self::partitioned_scan::STORE_NO;
pub use self::remove_sorts::RemoveSorts;
pub use self::semi_join_reduction::{SemiJoinReduction, physical_rules};
pub use self::store_directory::{NumberedStores, StoreDirectory};
pub use self::store_hours::hours_of_stores;
pub use self::store_list::{ListedStore, StoreList};
pub use self::table_files::{STORE_ID, TableFiles};
use crate::error::{Error, Result};
use crate::rules::calendar::day_of;
use crate::rules::{Options, Window, ZoneName, ZoneRules};
use crate::tables::{Dataset, Table, TableFile};

/// Which engine answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// `queries/*.sql` on DataFusion.
    #[default]
    DataFusion,
    /// Lazy frames on Polars.
    Polars,
}

/// What is asked of the tables.
#[derive(Clone, Debug, Default)]
pub struct ReportQuery {
    /// Microseconds UTC; the latest poll of all stores where none is given.
    pub now: Option<i64>,
    pub options: Options,
    /// The stores asked for; all where none is named.
    pub stores: Vec<String>,
    /// Whether unknown and scheduled time are wanted as well.
    pub extended: bool,
    /// Folder whose SQL files stand in for the built-in ones of the same name.
    pub queries: Option<PathBuf>,
    /// How many threads the SQL engine divides the stores among; where none is given as many as
    /// there are cores, and one where there is little to do. The figures are the same with any.
    pub threads: Option<NonZeroUsize>,
}

impl ReportQuery {
    /// Whether a column of the figures is asked for.
    fn wants(&self, column: &str) -> bool {
        let is_standard = |kind| column.starts_with(kind);
        self.extended || ["store_id", "uptime", "downtime"].into_iter().any(is_standard)
    }
}

/// Key of the figures' metadata that names the edition of the time-zone rules.
pub const ZONE_RULES: &str = "uptally_zone_rules";

/// What the tables say.
#[derive(Clone, Debug)]
pub struct ReportFigures {
    /// `store_id`, then microseconds: `uptime_*` and `downtime_*` by window, and where extended
    /// `unknown_*` and `scheduled_*`; in ascending order of ids.
    pub figures: RecordBatch,
    /// Microseconds UTC.
    pub now: i64,
    pub stores: StoreCounts,
}

/// Stores that the report covers, and how many of them were given a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    pub stores: usize,
    pub without_hours: usize,
    pub without_time_zone: usize,
    pub without_polls: usize,
}

/// Makes what an engine needs for any answer, whatever is asked of which tables; worth a thread of
/// its own while the first tables are opened.
pub fn prepare(engine: Engine) {
    match engine {
        Engine::DataFusion => datafusion_report::prepare(),
        Engine::Polars => {}
    }
}

/// Answers the question.
///
/// # Errors
/// Where there is no poll to look back from and no `now`, or a store asked for is unknown.
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
    // What programs read of a file beside its columns.
    let schema = figures.schema().as_ref().clone();
    let edition = dataset.zone_rules()?.edition().to_owned();
    let schema = schema.with_metadata(HashMap::from([(ZONE_RULES.to_owned(), edition)]));
    let figures = figures.with_schema(Arc::new(schema))?;
    Ok(ReportFigures { figures, now: asked.now, stores: asked.stores.counts() })
}

/// The tables as any query may scan them, and what has to be known of them to plan one.
#[derive(Clone, Debug)]
pub struct Tables {
    pub providers: Vec<(Table, Arc<dyn TableProvider>)>,
    /// Of all stores, microseconds UTC.
    pub latest_poll: Option<i64>,
    pub stores: usize,
    /// Days on which there were polls, ascending, since 1970-01-01.
    pub days: Arc<[i64]>,
    pub zone_rules: ZoneRules,
}

impl Tables {
    /// Scans are divided by stores among so many threads.
    ///
    /// # Errors
    /// Where the list of stores cannot be read.
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
            stores: stores.count(),
            days: polled_days(dataset).collect(),
            zone_rules: dataset.zone_rules()?,
        })
    }

    pub fn knows_zone(&self, name: ZoneName) -> bool {
        self.zone_rules.zone(name.as_str()).is_some()
    }
}

/// The plan by which the engine would answer, as text.
///
/// # Errors
/// As [`answer`].
pub async fn explain(dataset: &Dataset, question: &ReportQuery, engine: Engine) -> Result<String> {
    let asked = ResolvedQuery::resolve(dataset, question)?;
    match engine {
        Engine::DataFusion => datafusion_report::explain(&asked).await,
        Engine::Polars => Err(Error::Argument(
            "--explain tells how the SQL engine answers; expected --engine datafusion".into(),
        )),
    }
}

/// A question, settled against the tables.
#[derive(Clone, Debug)]
pub struct ResolvedQuery {
    pub dataset: Dataset,
    pub question: ReportQuery,
    pub now: i64,
    /// First day whose polls have to be read: with what is carried into it, they tell the state of
    /// every store over the longest window.
    pub first_day: i64,
    pub last_day: i64,
    /// Those asked for.
    pub stores: NumberedStores,
}

impl ResolvedQuery {
    fn resolve(dataset: &Dataset, question: &ReportQuery) -> Result<Self> {
        // Both are read from files, so that neither waits for the other.
        let (zone_rules, stores) = thread::scope(|scope| {
            let read = || dataset.zone_rules();
            let reading = thread::Builder::new().spawn_scoped(scope, read);
            let stores = asked_stores(dataset, question);
            let zone_rules = match reading {
                Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no thread to give.
                Err(_) => read(),
            };
            (zone_rules, stores)
        });
        let (all, stores) = stores?;
        single_store::default_zone(&zone_rules?, &question.options)?;
        let now = question.now.or_else(|| all.last_polled_at()).ok_or_else(|| {
            Error::Argument("there is no poll to look back from; expected polls, or --now".into())
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

    /// The files of polls, or of what is carried, that the question needs.
    pub fn files_of_days(&self, table: Table) -> Vec<&TableFile> {
        let last_day = if table == Table::Carried { self.first_day } else { self.last_day };
        let asked = |file: &&TableFile| {
            file.day.is_some_and(|day| (self.first_day..=last_day).contains(&day))
        };
        self.dataset.files(table).iter().filter(asked).collect()
    }
}

/// All stores of a dataset, and those that the question asks for.
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

/// The last polled day not after `from_day`, or the first one of all: its polls, with what is carried
/// into it, tell the state of every store from `from_day` on.
pub fn first_day_to_read(polled: impl Iterator<Item = i64> + Clone, from_day: i64) -> i64 {
    let first_day = polled.clone().filter(|day| *day <= from_day).max().or_else(|| polled.min());
    first_day.unwrap_or(from_day)
}
