//! Reports as tables: `reports` has one row each, `report_rows` the rows of complete reports.
//!
//! Both are read when scanned, as reports come and go while the data stays. Storage of reports is
//! behind the trait [`Reports`].

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;

use super::names::NamedTable;
use crate::error::Error;
use crate::functions::instants::instant_type;
use crate::report;

const REPORTS: &str = "reports";
const ROWS: &str = "report_rows";
pub const NAMES: [&str; 2] = [REPORTS, ROWS];

/// Table, column (empty for the table itself), description.
const DESCRIPTIONS: [(&str, &str, &str); 14] = [
    (REPORTS, "", "requested reports, one row each, until they expire"),
    (REPORTS, "report_id", "its identifier over HTTP"),
    (REPORTS, "state", "queued, running, complete, failed or cancelled"),
    (REPORTS, "data_version", "version of the data that it is computed from"),
    (REPORTS, "now", "the instant it looks back from, UTC"),
    (REPORTS, "options", "its options, as JSON"),
    (REPORTS, "created_at", "when it was first requested, UTC"),
    (REPORTS, "started_at", "when its computation began, UTC; null before"),
    (REPORTS, "finished_at", "when it ended, UTC; null before"),
    (REPORTS, "stores", "rows of a complete report, else null"),
    (REPORTS, "detail", "reason of a failure, else null"),
    (ROWS, "", "the rows of complete reports, one row a report and store"),
    (ROWS, "report_id", "the report, as in reports"),
    (ROWS, "store_id", "the store, as its files name it"),
];

/// Rows of `internal.descriptions` for both tables, including a report's figures.
pub fn descriptions() -> Vec<[String; 3]> {
    let told = DESCRIPTIONS.into_iter().map(|row| <[&str; 3]>::from(row).map(str::to_owned));
    let figures = report::full_schema();
    let figures = figures.fields().iter().filter(|field| field.name() != "store_id");
    let figures =
        figures.map(|field| [ROWS.to_owned(), field.name().clone(), describe_figure(field.name())]);
    told.chain(figures).collect()
}

fn describe_figure(figure: &str) -> String {
    let (what, window) = figure.split_once("_last_").unwrap_or((figure, "week"));
    let what = what.strip_suffix("_pct").map_or_else(
        || {
            format!(
                "{what} over the last {window}, {}",
                if window == "hour" { "minutes" } else { "hours" }
            )
        },
        |what| format!("{what} over the last {window}, percent"),
    );
    what + "; null if the report omits it"
}

/// A report in any state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub id: String,
    /// `queued`, `running`, `complete`, `failed` or `cancelled`.
    pub state: &'static str,
    pub data_version: u64,
    /// Microseconds UTC, like all instants here.
    pub now: i64,
    /// Request options as JSON.
    pub options: String,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    /// Number of rows, if complete.
    pub stores: Option<u64>,
    /// Reason of the failure, if failed.
    pub detail: Option<String>,
}

impl Report {
    fn is_complete(&self) -> bool {
        self.state == "complete"
    }
}

/// Source of reports. Both methods may block on file access.
pub trait Reports: Debug + Send + Sync {
    /// All reports, newest first.
    fn list(&self) -> crate::Result<Vec<Report>>;

    /// Rows of a complete report in the full schema; `None` if the report no longer exists.
    fn rows(&self, id: &str) -> crate::Result<Option<RecordBatch>>;
}

/// The tables `reports` and `report_rows` over a source.
pub fn report_tables(reports: Arc<dyn Reports>) -> Vec<NamedTable> {
    vec![
        (REPORTS.to_owned(), Arc::new(ReportsTable(Arc::clone(&reports)))),
        (ROWS.to_owned(), Arc::new(ReportRows(reports))),
    ]
}

#[derive(Debug)]
struct ReportsTable(Arc<dyn Reports>);

static REPORTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("report_id", DataType::Utf8, false),
        Field::new("state", DataType::Utf8, false),
        Field::new("data_version", DataType::UInt64, false),
        Field::new("now", instant_type(), false),
        Field::new("options", DataType::Utf8, false),
        Field::new("created_at", instant_type(), false),
        Field::new("started_at", instant_type(), true),
        Field::new("finished_at", instant_type(), true),
        Field::new("stores", DataType::UInt64, true),
        Field::new("detail", DataType::Utf8, true),
    ]))
});

fn reports_batch(reports: &[Report]) -> Result<RecordBatch> {
    let text = |of: fn(&Report) -> Option<&str>| -> ArrayRef {
        Arc::new(reports.iter().map(of).collect::<StringArray>())
    };
    let instant = |of: fn(&Report) -> Option<i64>| -> ArrayRef {
        let instants: TimestampMicrosecondArray = reports.iter().map(of).collect();
        Arc::new(instants.with_timezone("UTC"))
    };
    let count = |of: fn(&Report) -> Option<u64>| -> ArrayRef {
        Arc::new(reports.iter().map(of).collect::<UInt64Array>())
    };
    let columns = vec![
        text(|report| Some(&report.id)),
        text(|report| Some(report.state)),
        count(|report| Some(report.data_version)),
        instant(|report| Some(report.now)),
        text(|report| Some(&report.options)),
        instant(|report| Some(report.created_at)),
        instant(|report| report.started_at),
        instant(|report| report.finished_at),
        count(|report| report.stores),
        text(|report| report.detail.as_deref()),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&REPORTS_SCHEMA), columns)?)
}

#[async_trait]
impl TableProvider for ReportsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&REPORTS_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = reports_batch(&list_reports(&self.0).await?)?;
        let schema = self.schema();
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?)
    }
}

/// Rows of complete reports, read one file at a time.
#[derive(Debug)]
struct ReportRows(Arc<dyn Reports>);

static ROWS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![Arc::new(Field::new("report_id", DataType::Utf8, false))];
    fields.extend(report::full_schema().fields().iter().cloned());
    Arc::new(Schema::new(fields))
});

#[async_trait]
impl TableProvider for ReportRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&ROWS_SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Predicates on the id select files; DataFusion filters the rows afterwards in any case.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let complete = list_reports(&self.0).await?.into_iter().filter(Report::is_complete);
        let mut ids: Vec<_> = complete.map(|report| report.id).collect();
        for wanted in filters.iter().filter_map(wanted_ids) {
            ids.retain(|id| wanted.contains(id));
        }
        let files: Arc<dyn PartitionStream> =
            Arc::new(Files { reports: Arc::clone(&self.0), ids: ids.into() });
        let exec =
            StreamingTableExec::try_new(self.schema(), vec![files], projection, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// Ids that satisfy the predicate; `None` if the predicate is not about ids.
fn wanted_ids(filter: &Expr) -> Option<BTreeSet<String>> {
    let is_id = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name() == "report_id");
    let text = |expr: &Expr| match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if is_id(left) => {
            Some(text(right).into_iter().collect())
        }
        Expr::InList(list) if is_id(&list.expr) && !list.negated => {
            list.list.iter().map(text).collect()
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Files {
    reports: Arc<dyn Reports>,
    ids: Arc<[String]>,
}

impl PartitionStream for Files {
    fn schema(&self) -> &SchemaRef {
        &ROWS_SCHEMA
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (reports, ids) = (Arc::clone(&self.reports), Arc::clone(&self.ids));
        let files = futures::stream::iter(0..ids.len()).filter_map(move |at| {
            let (reports, ids) = (Arc::clone(&reports), Arc::clone(&ids));
            async move {
                let read = tokio::task::spawn_blocking(move || rows_of(reports.as_ref(), &ids[at]));
                read.await
                    .unwrap_or_else(|error| Err(DataFusionError::ExecutionJoin(Box::new(error))))
                    .transpose()
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&ROWS_SCHEMA), files))
    }
}

fn rows_of(reports: &dyn Reports, id: &str) -> Result<Option<RecordBatch>> {
    // The report may have been deleted since it was listed.
    let Some(rows) = reports.rows(id).map_err(unavailable)? else { return Ok(None) };
    let rows = report::with_all_columns(&rows).map_err(unavailable)?;
    let ids: ArrayRef = Arc::new(StringArray::from(vec![id; rows.num_rows()]));
    let columns = [ids].into_iter().chain(rows.columns().iter().cloned()).collect();
    Ok(Some(RecordBatch::try_new(Arc::clone(&ROWS_SCHEMA), columns)?))
}

async fn list_reports(reports: &Arc<dyn Reports>) -> Result<Vec<Report>> {
    let reports = Arc::clone(reports);
    let listed = tokio::task::spawn_blocking(move || reports.list()).await;
    listed.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?.map_err(unavailable)
}

fn unavailable(error: Error) -> DataFusionError {
    DataFusionError::Execution(error.sentence())
}
