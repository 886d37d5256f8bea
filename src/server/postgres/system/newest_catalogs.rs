//! Catalogs that the system tables describe.

use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;

use super::INFORMATION_SCHEMA;

/// Catalogs of the newest session.
#[derive(Clone, Debug, Default)]
pub struct NewestCatalogs(Arc<RwLock<Option<Arc<dyn CatalogProviderList>>>>);

impl NewestCatalogs {
    pub fn set(&self, catalogs: Arc<dyn CatalogProviderList>) {
        *self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(catalogs);
    }

    fn catalogs(&self) -> Option<Arc<dyn CatalogProviderList>> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn schema(&self, catalog: &str, schema: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.catalogs()?.catalog(catalog)?.schema(schema)
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[async_trait]
impl CatalogInfo for NewestCatalogs {
    async fn catalog_names(&self) -> Result<Vec<String>> {
        let all = self.catalogs();
        Ok(sorted(all.map_or(Vec::new(), |all| CatalogProviderList::catalog_names(&*all))))
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>> {
        let catalog = self.catalogs().and_then(|catalogs| catalogs.catalog(catalog));
        Ok(catalog.map(|catalog| sorted(catalog.schema_names())))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Result<Option<Vec<String>>> {
        // Not listed, though it can be queried: tools take listed tables for user data.
        if schema == INFORMATION_SCHEMA {
            return Ok(Some(Vec::new()));
        }
        let schema = self.schema(catalog, schema);
        Ok(schema.map(|schema| sorted(schema.table_names())))
    }

    async fn table_schema(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<Option<SchemaRef>> {
        let Some(schema) = self.schema(catalog, schema) else { return Ok(None) };
        Ok(schema.table(table).await?.map(|table| table.schema()))
    }

    async fn table_type(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<Option<TableType>> {
        let Some(schema) = self.schema(catalog, schema) else { return Ok(None) };
        schema.table_type(table).await
    }
}
