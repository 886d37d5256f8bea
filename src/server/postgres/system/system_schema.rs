//! System schemas as a session sees them: their tables are built when a query first names one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use tokio::sync::{Mutex, OnceCell};

use super::super::settings;
use super::introspection::Functions;
use super::newest_catalogs::NewestCatalogs;
use super::{BuiltTables, SCHEMAS, session_functions, table_names};
use crate::sql::CATALOG;

/// System tables of a process, shared by its sessions.
#[derive(Default)]
pub struct SystemTables {
    newest: NewestCatalogs,
    functions: Arc<Functions>,
    built: OnceCell<BuiltTables>,
    /// Set if the objects of the newest session have OIDs.
    is_numbered: AtomicBool,
    /// Held while they are numbered.
    numbering: Mutex<()>,
}

impl SystemTables {
    /// Adds the schemas and functions to a session, which the tables describe from now on.
    pub fn add_to(self: &Arc<Self>, context: &SessionContext) -> Result<()> {
        if let Some(catalog) = context.catalog(CATALOG) {
            for (name, views) in SCHEMAS {
                let (names, tables) = (table_names(name, views), Arc::clone(self));
                catalog.register_schema(name, Arc::new(SystemSchema { name, names, tables }))?;
            }
        }
        let state = context.state_ref();
        let mut state = state.write();
        let options = state.config_mut().options_mut();
        // Replaced by our schema of that name.
        options.catalog.information_schema = false;
        options.execution.time_zone = Some(settings::TIME_ZONE.to_owned());
        drop(state);
        session_functions::register(context, &self.functions);
        self.newest.set(Arc::clone(context.state().catalog_list()));
        self.is_numbered.store(false, Ordering::Release);
        Ok(())
    }

    async fn built(&self) -> Result<&BuiltTables> {
        let build = || BuiltTables::new(&self.newest, &self.functions);
        let built = self.built.get_or_try_init(build).await?;
        let _numbering = self.numbering.lock().await;
        if !self.is_numbered.load(Ordering::Acquire) {
            built.number().await?;
            self.is_numbered.store(true, Ordering::Release);
        }
        Ok(built)
    }
}

/// Schema `pg_catalog` or `information_schema`.
struct SystemSchema {
    name: &'static str,
    /// Sorted.
    names: Vec<String>,
    tables: Arc<SystemTables>,
}

/// Omits the tables, which refer to the schema.
impl fmt::Debug for SystemSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SystemSchema").field(&self.name).finish()
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.table_exist(name) {
            return Ok(None);
        }
        match self.tables.built().await?.schema(self.name) {
            Some(schema) => schema.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionConfig;

    use super::*;
    use crate::server::postgres::rewrite::EMPTY;
    use crate::sql::SCHEMA;

    fn equipped() -> (SessionContext, Arc<SystemTables>) {
        let config = SessionConfig::new().with_default_catalog_and_schema(CATALOG, SCHEMA);
        let context = SessionContext::new_with_config(config);
        let tables = Arc::<SystemTables>::default();
        tables.add_to(&context).unwrap();
        (context, tables)
    }

    async fn rows(context: &SessionContext, sql: &str) -> String {
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&rows).unwrap().to_string()
    }

    #[tokio::test]
    async fn tables_are_built_when_a_query_first_names_one() {
        for (sql, is_built) in [
            ("SELECT 1", false),
            ("SELECT version(), current_schema(), quote_ident('a')", false),
            ("SELECT count(*) FROM (VALUES (1)) AS pg_class(oid)", false),
            ("SELECT count(*) FROM pg_catalog.pg_type", true),
            ("SELECT count(*) FROM information_schema.tables", true),
        ] {
            let (context, tables) = equipped();
            rows(&context, sql).await;
            assert_eq!(tables.built.get().is_some(), is_built, "{sql}");
        }
    }

    #[tokio::test]
    async fn listed_tables_are_those_that_are_built() {
        let (context, tables) = equipped();
        let built = tables.built().await.unwrap();
        for (name, _) in SCHEMAS {
            let listed = context.catalog(CATALOG).unwrap().schema(name).unwrap().table_names();
            let mut known = built.schema(name).unwrap().table_names();
            known.sort();
            assert_eq!(listed, known, "{name}");
        }
    }

    #[tokio::test]
    async fn oids_do_not_depend_on_which_table_is_read_first() {
        const OIDS: &str = "SELECT c.oid, c.relname, n.oid AS schema FROM pg_catalog.pg_class AS c \
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace ORDER BY c.oid";
        let (first, second) = (equipped().0, equipped().0);
        rows(&second, "SELECT oid FROM pg_catalog.pg_class WHERE relname = 'pg_type'").await;
        let of_first = rows(&first, OIDS).await;
        assert!(of_first.contains("pg_type"), "{of_first}");
        assert_eq!(rows(&second, OIDS).await, of_first);
    }

    #[tokio::test]
    async fn system_tables_treated_as_empty_have_no_rows() {
        let (context, _) = equipped();
        for name in EMPTY {
            let table = context.table(format!("pg_catalog.{name}")).await.unwrap();
            assert_eq!(table.count().await.unwrap(), 0, "{name}");
        }
    }
}
