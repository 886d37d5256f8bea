//! The Parquet files of one table at one version, as DataFusion scans them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::tables::{Table, TableFile};

/// Files whose order and division by days the plan can rely on.
#[derive(Debug)]
pub struct TableFiles {
    table: Table,
    schema: TableSchema,
    files: Vec<TableFile>,
}

impl TableFiles {
    pub fn new(table: Table, files: &[TableFile]) -> Self {
        let partition = table.partition_column();
        let partition = partition.map(|name| Arc::new(Field::new(name, DataType::Date32, false)));
        let schema = TableSchema::builder(table.file_schema())
            .with_table_partition_cols(partition.into_iter().collect::<Vec<_>>())
            .build();
        Self { table, schema, files: files.to_vec() }
    }

    /// Whether the division into files alone decides the filter.
    fn is_decided_by_day(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        let of_partition = |name: &str| Some(name) == self.table.partition_column();
        !columns.is_empty() && columns.iter().all(|column| of_partition(column.name()))
    }

    /// Files of days for which every filter that a day decides holds.
    fn files_of(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&TableFile>> {
        let mut files: Vec<_> = self.files.iter().collect();
        let Some(name) = self.table.partition_column() else { return Ok(files) };
        let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Date32, true)]));
        let by_day = filters.iter().filter(|filter| self.is_decided_by_day(filter));
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
        Ok(files)
    }

    fn partitioned(&self, file: &TableFile) -> Result<PartitionedFile> {
        let location = Path::from_absolute_path(&file.path)
            .map_err(|error| DataFusionError::External(error.into()))?;
        let meta = ObjectMeta {
            location,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.size_bytes,
            e_tag: None,
            version: None,
        };
        let day = file.day.filter(|_| self.table.partition_column().is_some());
        let values = day.map(|day| ScalarValue::Date32(Some(day as i32))).into_iter().collect();
        Ok(PartitionedFile::new_from_meta(meta).with_partition_values(values))
    }

    /// The order of each file; none where a group holds several files, one after another.
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
        let decided = |filter: &&Expr| match self.is_decided_by_day(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
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
        let files = self.files_of(state, filters)?;
        let groups = balanced(&files, state.config().target_partitions());
        let one_file_each = groups.iter().all(|group| group.len() <= 1);
        let groups = groups.into_iter().map(|group| {
            let files = group.into_iter().map(|file| self.partitioned(file));
            Ok(FileGroup::new(files.collect::<Result<Vec<_>>>()?))
        });
        let options = state.table_options().parquet.clone();
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let mut config =
            FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
                .with_file_groups(groups.collect::<Result<Vec<_>>>()?)
                .with_limit(limit);
        if one_file_each {
            config = config.with_output_ordering(self.ordering()?.into_iter().collect());
        }
        let config = config.with_projection_indices(projection.cloned())?.build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The files in their order, cut into at most so many runs of about the same size.
fn balanced<'a>(files: &[&'a TableFile], groups_max: usize) -> Vec<Vec<&'a TableFile>> {
    let total: u64 = files.iter().map(|file| file.size_bytes).sum();
    let mut groups: Vec<Vec<&TableFile>> = Vec::new();
    let (mut passed, mut last_group) = (0, None);
    for file in files {
        // The run in which the middle of the file falls.
        let middle = passed + file.size_bytes / 2;
        let group = middle * groups_max as u64 / total.max(1);
        match groups.last_mut() {
            Some(run) if last_group == Some(group) => run.push(file),
            _ => groups.push(vec![file]),
        }
        (passed, last_group) = (passed + file.size_bytes, Some(group));
    }
    groups
}

/// The filter with its columns free of the name that the query gave the table.
fn unqualified(filter: Expr) -> Result<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let bare = filter.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
            other => Transformed::no(other),
        })
    });
    bare.map(|bare| bare.data)
}
