//! `as_of(table, version)` and `as_of(table, instant)`: a table at an earlier version.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DFSchemaRef, TableReference, plan_err};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use tokio::sync::OnceCell;

use super::functions::{Callable, instant_of};
use super::internal_catalog::InternalCatalog;
use super::report_tables;
use crate::engine::Tables;
use crate::error::Error;
use crate::rules::ZoneRules;
use crate::rules::calendar::instant_text;
use crate::tables::{Dataset, Table};

pub const AS_OF: &str = "as_of";

/// Tables that analysts see.
const TABLES: [Table; 7] = [
    Table::Polls,
    Table::BusinessHours,
    Table::TimeZones,
    Table::Stores,
    Table::Rejects,
    Table::Conflicts,
    Table::Loads,
];

#[derive(Debug)]
pub struct AsOf(pub Arc<InternalCatalog>);

impl Callable for AsOf {
    fn name(&self) -> &'static str {
        AS_OF
    }

    /// Scans under a name that includes the version: DataFusion treats two scans of one name as the
    /// same relation.
    fn plan(&self, arguments: &[Expr]) -> Result<LogicalPlan> {
        let [table, Expr::Literal(then, _)] = arguments else {
            return plan_err!(
                "as_of takes a table and the number of a version or an instant, as in as_of('polls', 3)"
            );
        };
        let (table, version) = (parse_table_name(table)?, version_of(&self.0, then)?);
        let provider = self.provider(table, version)?;
        let scanned = TableReference::bare(format!("{} as of {version}", table.name()));
        LogicalPlanBuilder::scan(scanned, provider_as_source(provider), None)?.build()
    }

    fn columns(&self, arguments: &[Expr]) -> Result<DFSchemaRef> {
        let [table, _] = arguments else {
            return self.plan(arguments).map(|plan| Arc::clone(plan.schema()));
        };
        let columns = self.provider(parse_table_name(table)?, self.0.dataset.version())?.schema();
        Ok(Arc::new(DFSchema::try_from(columns)?))
    }

    fn zones(&self) -> &ZoneRules {
        &self.0.tables.zone_rules
    }

    fn instants(&self) -> std::ops::Range<usize> {
        0..0
    }
}

impl AsOf {
    fn provider(&self, table: Table, version: u64) -> Result<Arc<dyn TableProvider>> {
        let folder = self.0.dataset.folder().to_owned();
        let then = Arc::new(VersionTables { folder, version, opened: OnceCell::new() });
        let of = |table| -> Arc<dyn TableProvider> {
            Arc::new(VersionedTable { table, then: Arc::clone(&then) })
        };
        match table {
            Table::Stores => {
                let tables = [Table::Stores, Table::TimeZones].map(|table| (table, of(table)));
                let edition = self.0.dataset.zone_edition(version);
                Ok(Arc::new(self.0.stores(&tables, &edition)?))
            }
            table => Ok(of(table)),
        }
    }
}

fn parse_table_name(table: &Expr) -> Result<Table> {
    let named = match table {
        Expr::Literal(name, _) => name.try_as_str().flatten(),
        _ => None,
    };
    let Some(named) = named else {
        return plan_err!("as_of: expected the name of a table, as in as_of('polls', 3)");
    };
    if report_tables::NAMES.contains(&named) {
        return plan_err!("as_of: {named} are kept beside the data, and have no versions");
    }
    let found = TABLES.into_iter().find(|table| table.name() == named);
    let Some(table) = found else {
        let known = TABLES.map(Table::name).join(", ");
        return plan_err!("as_of: table {named:?} is not one of {known}");
    };
    Ok(table)
}

/// Resolves the second argument to a version, never later than that of the session.
fn version_of(internal: &InternalCatalog, then: &ScalarValue) -> Result<u64> {
    let dataset = &internal.dataset;
    let newest = dataset.version();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if then.data_type().is_integer() || then.try_as_str().flatten().is_some_and(is_number) {
        let number = then.cast_to(&arrow::datatypes::DataType::Int64);
        return match number {
            Ok(ScalarValue::Int64(Some(version @ 1..))) if version.unsigned_abs() <= newest => {
                Ok(version.unsigned_abs())
            }
            _ => plan_err!("as_of: there is no version {then}; expected 1 to {newest}"),
        };
    }
    let at = match instant_of(then, &internal.tables.zone_rules) {
        Ok(at) => at,
        Err(wrong) => return plan_err!("as_of: {wrong}, or the number of a version"),
    };
    let before = dataset.loads().iter().filter(|load| load.loaded_at <= at);
    match before.map(|load| load.version).max() {
        Some(version) => Ok(version),
        None => plan_err!("as_of: nothing was loaded until {}", instant_text(at)),
    }
}

/// Tables of one version, opened by the first scan.
#[derive(Debug)]
struct VersionTables {
    folder: PathBuf,
    version: u64,
    opened: OnceCell<Tables>,
}

impl VersionTables {
    async fn tables(&self, threads: usize) -> crate::Result<&Tables> {
        let open = async || {
            let found = Dataset::open(&self.folder, Some(self.version)).await?;
            let dataset = found.ok_or_else(|| Error::bug("a version that was there is gone"))?;
            Tables::open(&dataset, threads)
        };
        self.opened.get_or_try_init(open).await
    }
}

/// Provider of one table at one version.
#[derive(Debug)]
struct VersionedTable {
    table: Table,
    then: Arc<VersionTables>,
}

#[async_trait]
impl TableProvider for VersionedTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Only the provider of the files knows which predicates the partitioning by day decides.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let tables = self.then.tables(state.config().target_partitions()).await;
        let tables = tables.map_err(|error| DataFusionError::External(Box::new(error)))?;
        match tables.providers.iter().find(|(table, _)| *table == self.table) {
            Some((_, files)) => files.scan(state, projection, filters, limit).await,
            None => plan_err!("there is no table {:?}", self.table.name()),
        }
    }
}
