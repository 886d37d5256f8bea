//! Table provider for the Parquet files of one table at one version.
//!
//! Declares the sort order of files, their partitioning by store and their division by day, and
//! prunes files, pages and stores by the filters of a query.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Statistics, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, col as logical_col, lit,
};
use datafusion::physical_expr::expressions::{Column, col};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;

use super::StoreDirectory;
use super::few_stores::{FEW_STORES_MAX, FewStoresExec, StoreFiles};
use super::file_groups::balanced_groups;
use super::local_parquet_reader::{LocalParquetReaderFactory, LocalPath, object_path};
use super::partitioned_scan::PartitionedScanExec;
use super::predicates::{day_range, literal_values, unqualified};
use super::store_columns::{RowsPerStore, STORE_ID, STORE_NO};
use super::store_ranges::StoreRanges;
use crate::tables::{Table, TableFile};

/// Column of instants by whose UTC days polls are divided into files.
const POLLED_AT: &str = "polled_at";

/// Files of one table.
#[derive(Debug)]
pub struct TableFiles {
    table: Table,
    schema: TableSchema,
    files: Vec<TableFile>,
    ranges: StoreRanges,
    stores: Option<Arc<StoreDirectory>>,
}

impl TableFiles {
    pub fn new(table: Table, files: &[TableFile]) -> Self {
        let partition = table.partition_column();
        let partition = partition.map(|name| Arc::new(Field::new(name, DataType::Date32, false)));
        let schema = TableSchema::builder(table.file_schema())
            .with_table_partition_cols(partition.into_iter().collect::<Vec<_>>())
            .build();
        Self { table, schema, files: files.to_vec(), ranges: StoreRanges::default(), stores: None }
    }

    /// Partitions scans by store if they read the store number.
    pub fn partitioned_by(mut self, ranges: &StoreRanges) -> Self {
        self.ranges = ranges.clone();
        self
    }

    /// Attaches the store directory: filters by id become filters by number, which read less, and
    /// plans get row counts. Worthwhile if the tables serve many queries.
    pub fn with_stores(mut self, stores: &Arc<StoreDirectory>) -> Self {
        self.stores = Some(Arc::clone(stores));
        self
    }

    /// Store directory; `None` without one, or if rows have no store number.
    pub fn stores(&self) -> Option<&Arc<StoreDirectory>> {
        self.schema.table_schema().index_of(STORE_NO).ok()?;
        self.stores.as_ref()
    }

    /// Numbers, ascending, of the stores that satisfy the filter; `None` if the filter does not
    /// compare ids with literals, or there is no store directory.
    fn store_numbers(&self, filter: &Expr) -> Option<Vec<i32>> {
        let stores = self.stores()?;
        let mut numbers = Vec::new();
        for id in literal_values(filter, STORE_ID)? {
            // Neither null nor an unknown id matches a row.
            numbers.extend(id.try_as_str()?.and_then(|id| stores.number_of(id)));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Some(numbers)
    }

    /// Numbers of the stores that satisfy all filters by id; `None` without such a filter.
    fn filtered_stores(&self, filters: &[Expr]) -> Option<Vec<i32>> {
        let mut asked = filters.iter().filter_map(|filter| self.store_numbers(filter));
        let first = asked.next()?;
        Some(asked.fold(first, |mut numbers, others| {
            numbers.retain(|number| others.binary_search(number).is_ok());
            numbers
        }))
    }

    /// True if the day of a file decides the filter.
    fn is_day_filter(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        let of_partition = |name: &str| Some(name) == self.table.partition_column();
        !columns.is_empty() && columns.iter().all(|column| of_partition(column.name()))
    }

    /// True if the filter is an upper bound that no poll of any file exceeds.
    fn is_always_true(&self, filter: &Expr) -> bool {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::LtEq, right }) = filter else {
            return false;
        };
        let (Expr::Column(column), Expr::Literal(last_at, _)) = (left.as_ref(), right.as_ref())
        else {
            return false;
        };
        let ScalarValue::TimestampMicrosecond(Some(last_at), _) = last_at else { return false };
        let is_over = |file: &TableFile| file.last_at.is_some_and(|at| at <= *last_at);
        self.table == Table::Polls && column.name() == POLLED_AT && self.files.iter().all(is_over)
    }

    /// Files that remain after pruning by day, through filters of the day or of the instant.
    fn pruned_files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&TableFile>> {
        let mut files: Vec<_> = self.files.iter().collect();
        let Some(name) = self.table.partition_column() else { return Ok(files) };
        let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Date32, true)]));
        let by_day = filters.iter().filter(|filter| self.is_day_filter(filter));
        for filter in by_day {
            let days: Date32Array =
                files.iter().map(|file| file.day.map(|day| day as i32)).collect();
            let days = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(days) as ArrayRef])?;
            let unqualified = unqualified(filter.clone())?;
            let holds = state
                .create_physical_expr(unqualified, &DFSchema::try_from(Arc::clone(&schema))?)?;
            let holds = holds.evaluate(&days)?.into_array(days.num_rows())?;
            let mut holds = holds.as_boolean().iter();
            files.retain(|_| holds.next().flatten().unwrap_or(false));
        }
        if self.table == Table::Polls {
            for days in filters.iter().filter_map(|filter| day_range(filter, POLLED_AT)) {
                files.retain(|file| file.day.is_none_or(|day| days.contains(&day)));
            }
        }
        Ok(files)
    }

    /// Conjunction of the filters that the day of a file does not decide; `None` without any.
    fn predicate(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let filters = filters.iter().filter(|filter| !self.is_day_filter(filter)).cloned();
        let Some(all) = conjunction(filters) else { return Ok(None) };
        let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
        state.create_physical_expr(unqualified(all)?, &schema).map(Some)
    }

    /// Creates a scan with one partition per group of files.
    fn parquet_scan(
        &self,
        state: &dyn Session,
        groups: Vec<Vec<&TableFile>>,
        (projection, filters, limit): (Option<&Vec<usize>>, &[Expr], Option<usize>),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = groups.iter().flatten().map(|file| file.rows).sum::<Option<usize>>();
        let one_file_each = groups.iter().all(|group| group.len() <= 1);
        let groups = groups
            .into_iter()
            .map(|group| group.into_iter().map(|file| self.partitioned_file(file)).collect())
            .map(FileGroup::new)
            .collect();
        let options = state.table_options().parquet.clone();
        let mut source =
            ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        if let Some(predicate) = self.predicate(state, filters)? {
            source = source.with_predicate(predicate);
        }
        let url = ObjectStoreUrl::local_filesystem();
        let env = state.runtime_env();
        let footers = env.cache_manager.get_file_metadata_cache();
        let readers = LocalParquetReaderFactory::new(footers);
        let source = source.with_parquet_file_reader_factory(Arc::new(readers));
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        if self.stores.is_some() {
            statistics.num_rows = rows.map_or(Precision::Absent, Precision::Inexact);
        }
        let mut config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(limit);
        if one_file_each {
            config = config.with_output_ordering(self.ordering()?.into_iter().collect());
        }
        let config = config.with_projection_indices(projection.cloned())?.build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Appends the store number to the projection if it is absent. Returns the original number of
    /// columns and the new projection.
    fn with_store_no(&self, projection: Option<&Vec<usize>>) -> Result<(usize, Vec<usize>)> {
        let schema = self.schema.table_schema();
        let number = schema.index_of(STORE_NO)?;
        let mut read = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let asked = read.len();
        if !read.contains(&number) {
            read.push(number);
        }
        Ok((asked, read))
    }

    /// Files for a scan of few stores; `None` without a store directory.
    fn store_files(
        &self,
        files: &[&TableFile],
        projection: Option<&Vec<usize>>,
    ) -> Result<Option<StoreFiles>> {
        let Some(stores) = self.stores() else { return Ok(None) };
        let schema = self.schema.table_schema();
        let schema = match projection {
            Some(read) => Arc::new(schema.project(read)?),
            None => Arc::clone(schema),
        };
        let files = files.iter().map(|file| (*file).clone()).collect();
        Ok(Some(StoreFiles { table: self.table, files, schema, stores: Arc::clone(stores) }))
    }

    /// Creates a scan of few stores, which reads only their pages.
    fn few_stores_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        numbers: Vec<i32>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (asked, read) = self.with_store_no(projection)?;
        let files = self.store_files(&self.pruned_files(state, filters)?, Some(&read))?;
        let Some(files) = files else { return plan_err!("the table has no store directory") };
        let schema = Arc::clone(&files.schema);
        let rows = FewStoresExec::try_new(files, numbers.into(), self.ranges.clone())?;
        let rows: Arc<dyn ExecutionPlan> = Arc::new(rows);
        if asked == read.len() {
            return Ok(rows);
        }
        let column = |at: usize| {
            let name = schema.field(at).name();
            ProjectionExpr::new(Arc::new(Column::new(name, at)), name)
        };
        Ok(Arc::new(ProjectionExec::try_new((0..asked).map(column), rows)?))
    }

    /// Creates a scan that filters by the numbers of the stores that the filters name by id.
    async fn store_filter_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (by_id, others): (Vec<_>, Vec<_>) =
            filters.iter().cloned().partition(|filter| self.store_numbers(filter).is_some());
        let by_number = |filter| {
            let numbers = self.store_numbers(filter)?.into_iter().map(lit);
            Some(logical_col(STORE_NO).in_list(numbers.collect(), false))
        };
        let by_number = conjunction(by_id.iter().filter_map(by_number));
        let Some(by_number) = by_number else { return plan_err!("no filter compares a store id") };
        let (asked, read) = self.with_store_no(projection)?;
        let groups = balanced_groups(
            &self.pruned_files(state, &others)?,
            state.config().target_partitions(),
        );
        let rows = self.parquet_scan(state, groups, (Some(&read), &others, None))?;
        // Filter pushdown moves it into the scan.
        let read_schema = DFSchema::try_from(rows.schema())?;
        let holds = state.create_physical_expr(by_number, &read_schema)?;
        let rows = FilterExecBuilder::new(holds, rows)
            .apply_projection(Some((0..asked).collect()))?
            .build()?;
        Ok(Arc::new(rows))
    }

    fn partitioned_file(&self, file: &TableFile) -> PartitionedFile {
        let meta = ObjectMeta {
            location: object_path(&file.path),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.size_bytes,
            e_tag: None,
            version: None,
        };
        let day = file.day.filter(|_| self.table.partition_column().is_some());
        let values = day.map(|day| ScalarValue::Date32(Some(day as i32))).into_iter().collect();
        PartitionedFile::new_from_meta(meta)
            .with_partition_values(values)
            .with_extension(LocalPath(file.path.clone()))
    }

    /// Sort order of each file. Does not hold for a group of several files.
    fn ordering(&self) -> Result<Option<LexOrdering>> {
        let schema = self.schema.table_schema();
        let sorted = self.table.sorted_by().iter().map(|name| {
            let options = SortOptions { descending: false, nulls_first: false };
            Ok(PhysicalSortExpr::new(col(name, schema)?, options))
        });
        Ok(LexOrdering::new(sorted.collect::<Result<Vec<_>>>()?))
    }
}

#[async_trait]
impl TableProvider for TableFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let is_decided = |filter: &Expr| {
            self.is_day_filter(filter)
                || self.is_always_true(filter)
                || self.store_numbers(filter).is_some()
        };
        let decided = |filter: &&Expr| match is_decided(filter) {
            true => TableProviderFilterPushDown::Exact,
            // Page statistics prune; the remaining rows are filtered above the scan.
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(decided).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(numbers) = self.filtered_stores(filters) {
            return match numbers.len() {
                0..=FEW_STORES_MAX => self.few_stores_scan(state, projection, filters, numbers),
                _ => self.store_filter_scan(state, projection, filters).await,
            };
        }
        let files = self.pruned_files(state, filters)?;
        let number = self.schema.table_schema().index_of(STORE_NO).ok();
        let is_read = number.is_some_and(|number| projection.is_none_or(|at| at.contains(&number)));
        if !is_read {
            let groups = balanced_groups(&files, state.config().target_partitions());
            return self.parquet_scan(state, groups, (projection, filters, limit));
        }
        let of_range = |place: usize| {
            let mut filters = filters.to_vec();
            let (from, to) = self.ranges.range(place);
            filters.extend(from.map(|from| logical_col(STORE_NO).gt_eq(lit(from))));
            filters.extend(to.map(|to| logical_col(STORE_NO).lt(lit(to))));
            // The limit applies to rows in the range only, so the inner scan must not see it.
            let each = files.iter().map(|file| vec![*file]).collect();
            self.parquet_scan(state, each, (projection, &filters, None))
        };
        let scans = (0..self.ranges.count()).map(of_range).collect::<Result<Vec<_>>>()?;
        let ranges = PartitionedScanExec::try_new(
            scans,
            self.ranges.clone(),
            RowsPerStore::in_table(self.table),
        )?;
        Ok(Arc::new(match self.store_files(&files, projection)? {
            Some(files) => ranges.reducible(files),
            None => ranges,
        }))
    }
}
