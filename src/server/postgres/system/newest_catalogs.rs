//! Catalogs that the system tables describe.

use std::fmt;
use std::sync::{Arc, OnceLock, RwLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;

use super::INFORMATION_SCHEMA;

/// Schemas with their names.
pub type NamedSchemas = Vec<(&'static str, Arc<dyn SchemaProvider>)>;

/// Catalogs of the newest session.
#[derive(Clone, Default)]
pub struct NewestCatalogs {
    catalogs: Arc<RwLock<Option<Arc<dyn CatalogProviderList>>>>,
    /// System schemas, once built.
    system: Arc<OnceLock<NamedSchemas>>,
}

impl NewestCatalogs {
    pub fn set(&self, catalogs: Arc<dyn CatalogProviderList>) {
        *self.catalogs.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(catalogs);
    }

    /// Replaces the system schemas of the sessions by built ones: what reads the catalogs on behalf
    /// of a system table must not build system tables.
    pub fn set_system(&self, schemas: NamedSchemas) {
        // They are built once.
        drop(self.system.set(schemas));
    }

    fn catalogs(&self) -> Option<Arc<dyn CatalogProviderList>> {
        self.catalogs.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn schema(&self, catalog: &str, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let of_session = self.catalogs()?.catalog(catalog)?.schema(name)?;
        let built = self.system.get().and_then(|all| all.iter().find(|(of, _)| *of == name));
        Some(built.map_or(of_session, |(_, schema)| Arc::clone(schema)))
    }
}

/// Omits the catalogs, whose system tables refer to them.
impl fmt::Debug for NewestCatalogs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NewestCatalogs")
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
