//! Catalog of internal tables over which the files of `queries/` are planned.

use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::lit;
use futures::FutureExt;

use super::names::{CATALOG, INTERNAL, SCHEMA};
use crate::engine::Tables;
use crate::engine::query_files::{Arguments, QueryFile, QueryFiles};
use crate::error::{Error, broken};
use crate::rules::{Options, Scope};
use crate::tables::{Dataset, Table};

const STORES: QueryFile = ("stores", include_str!("../../queries/stores.sql"));

/// Plans the query files for table functions and views, over the tables of one version.
#[derive(Debug)]
pub struct InternalCatalog {
    /// Session state with the functions that only `queries/` calls.
    planner: SessionState,
    pub dataset: Dataset,
    pub tables: Tables,
}

impl InternalCatalog {
    pub fn new(planner: SessionState, dataset: Dataset, tables: Tables) -> Self {
        Self { planner, dataset, tables }
    }

    /// Plans the last of the query files. DataFusion inlines the earlier ones as views, so that
    /// only the columns in use are computed.
    pub fn plan(
        &self,
        arguments: Arguments,
        scope: Scope,
        steps: &[QueryFile],
    ) -> Result<LogicalPlan> {
        let planned = async {
            let known = self.query_files(&self.tables.providers, arguments)?;
            known.register_histories(scope).await?;
            let (last, before) =
                steps.split_last().ok_or_else(|| Error::bug("a question without a step"))?;
            for step in before {
                known.register_view(*step, step.0).await?;
            }
            known.relation(*last).await
        };
        plan_now(planned)
    }

    /// The view `stores` as analysts see it, over tables of one version.
    pub fn stores(
        &self,
        tables: &[(Table, Arc<dyn TableProvider>)],
        zone_edition: &str,
    ) -> Result<ViewTable> {
        let zone = Options::default().default_time_zone.as_str();
        let arguments =
            Arguments::from([("default_time_zone", lit(zone)), ("zone_rules", lit(zone_edition))]);
        let planned = async { self.query_files(tables, arguments)?.relation(STORES).await };
        Ok(ViewTable::new(plan_now(planned)?, None))
    }

    fn query_files(
        &self,
        tables: &[(Table, Arc<dyn TableProvider>)],
        arguments: Arguments,
    ) -> crate::Result<QueryFiles> {
        let known = tables.iter().map(|(table, files)| (table.name(), Arc::clone(files)));
        let schema = schema_of(known)?;
        let builder = SessionStateBuilder::new_from_existing(self.planner.clone());
        let session = builder.with_catalog_list(catalogs_of([(SCHEMA, schema)])?).build();
        Ok(QueryFiles { session, arguments, queries: None })
    }
}

/// Awaits planning over tables in memory, which never yields.
fn plan_now<T>(planned: impl Future<Output = crate::Result<T>>) -> Result<T> {
    let planned = planned.now_or_never();
    let planned = planned.ok_or_else(|| broken("planning waits for something"))?;
    planned.map_err(|error| match error {
        Error::Bug { what, source: Some(source) } => match source.downcast::<DataFusionError>() {
            Ok(error) => *error,
            Err(source) => {
                DataFusionError::External(Box::new(Error::Bug { what, source: Some(source) }))
            }
        },
        error => DataFusionError::External(Box::new(error)),
    })
}

pub fn schema_of(
    tables: impl IntoIterator<Item = (impl Into<String>, Arc<dyn TableProvider>)>,
) -> Result<Arc<dyn SchemaProvider>> {
    let schema = MemorySchemaProvider::new();
    for (name, table) in tables {
        schema.register_table(name.into(), table)?;
    }
    Ok(Arc::new(schema))
}

/// A catalog whose listing omits [`INTERNAL`]; the schema can still be addressed by name.
#[derive(Debug, Default)]
struct ListedCatalog(MemoryCatalogProvider);

impl CatalogProvider for ListedCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.0.schema_names();
        names.retain(|name| name != INTERNAL);
        names.sort();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.0.schema(name)
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>> {
        self.0.register_schema(name, schema)
    }
}

/// Builds a catalog list with one catalog, [`CATALOG`], that holds the schemas.
pub fn catalogs_of(
    schemas: impl IntoIterator<Item = (&'static str, Arc<dyn SchemaProvider>)>,
) -> Result<Arc<dyn CatalogProviderList>> {
    let catalog = ListedCatalog::default();
    for (name, schema) in schemas {
        catalog.register_schema(name, schema)?;
    }
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(catalogs))
}
