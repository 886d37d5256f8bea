//! Adds PostgreSQL's system tables and functions to sessions.
//!
//! Object identifiers (OIDs) are stable across versions of the data and across processes: clients
//! read an OID in one query and look it up in another.

use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::setup_pg_catalog;
use datafusion_postgres::pgwire::error::PgWireResult;
use tokio::sync::OnceCell;

use super::failure;
use super::system::{INFORMATION_SCHEMA, SystemTables};
use crate::sql::{CATALOG, PlannedStatement, Session};

#[derive(Default)]
pub struct SessionSetup {
    newest: NewestCatalogs,
    system_tables: OnceCell<SystemTables>,
}

impl SessionSetup {
    /// Adds the system tables and functions, and makes errors carry positions.
    ///
    /// # Errors
    /// When the views cannot be planned.
    pub async fn equip(&self, session: &Session) -> datafusion::error::Result<()> {
        let tables = self.system_tables.get_or_try_init(|| SystemTables::new(self.newest.clone()));
        let tables = tables.await?;
        let context = session.context();
        context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        setup_pg_catalog(context, CATALOG, EmptyContextProvider).map_err(|error| *error)?;
        tables.add_to(context)?;
        self.newest.set(Arc::clone(context.state().catalog_list()));
        tables.number(context).await
    }
}

/// Plans a query by the first of its readings that can be planned.
///
/// # Errors
/// When none can be; the error refers to the text as the client wrote it.
pub async fn plan(
    session: &Session,
    readings: &[Statement],
    text: &str,
) -> PgWireResult<PlannedStatement> {
    let mut first_error: Option<DataFusionError> = None;
    for reading in readings {
        match session.plan_statement(reading.clone()).await.map_err(failure::from_error)? {
            Ok(planned) => return Ok(planned),
            Err(error) => {
                // Report the first error; it belongs to the most likely reading.
                first_error.get_or_insert(error);
            }
        }
    }
    Err(match first_error {
        Some(wrong) => failure::from_planning_error(wrong, text),
        None => failure::error("42601", "there is no statement; send one"),
    })
}

/// Catalogs of the newest session, which the system tables describe.
#[derive(Clone, Debug, Default)]
struct NewestCatalogs(Arc<RwLock<Option<Arc<dyn CatalogProviderList>>>>);

type Answer<T> = std::result::Result<T, DataFusionError>;

impl NewestCatalogs {
    fn set(&self, catalogs: Arc<dyn CatalogProviderList>) {
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
    async fn catalog_names(&self) -> Answer<Vec<String>> {
        let all = self.catalogs();
        Ok(sorted(all.map_or(Vec::new(), |all| CatalogProviderList::catalog_names(&*all))))
    }

    async fn schema_names(&self, catalog: &str) -> Answer<Option<Vec<String>>> {
        let catalog = self.catalogs().and_then(|catalogs| catalogs.catalog(catalog));
        Ok(catalog.map(|catalog| sorted(catalog.schema_names())))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Answer<Option<Vec<String>>> {
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
    ) -> Answer<Option<SchemaRef>> {
        let Some(schema) = self.schema(catalog, schema) else { return Ok(None) };
        Ok(schema.table(table).await?.map(|table| table.schema()))
    }

    async fn table_type(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Answer<Option<TableType>> {
        let Some(schema) = self.schema(catalog, schema) else { return Ok(None) };
        schema.table_type(table).await
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::server::postgres::rewrite::EMPTY;
    use crate::sql::SCHEMA;

    #[tokio::test]
    async fn system_tables_treated_as_empty_have_no_rows() {
        let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, SCHEMA);
        let context = SessionContext::new_with_config(config);
        SystemTables::new(NewestCatalogs::default()).await.unwrap().add_to(&context).unwrap();
        for name in EMPTY {
            let table = context.table(format!("pg_catalog.{name}")).await.unwrap();
            assert_eq!(table.count().await.unwrap(), 0, "{name}");
        }
    }
}
