//! Tables with the same rows in every PostgreSQL server, such as `pg_type` and `pg_proc`.

use std::sync::{Arc, OnceLock};

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::error::Result;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;

/// Static tables of datafusion-postgres, decoded on first use: they take a megabyte of Arrow IPC.
#[derive(Default)]
pub struct StaticTables(OnceLock<Arc<PgCatalogStaticTables>>);

impl StaticTables {
    /// # Errors
    /// When they cannot be decoded.
    pub fn decoded(&self) -> Result<Arc<PgCatalogStaticTables>> {
        if let Some(tables) = self.0.get() {
            return Ok(Arc::clone(tables));
        }
        let tables = Arc::new(PgCatalogStaticTables::try_new()?);
        Ok(Arc::clone(self.0.get_or_init(|| tables)))
    }
}

/// Omits the rows.
impl std::fmt::Debug for StaticTables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("StaticTables")
    }
}

/// Table function `pg_get_keywords`.
#[derive(Debug)]
pub struct Keywords(pub Arc<StaticTables>);

impl TableFunctionImpl for Keywords {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        self.0.decoded()?.pg_get_keywords.call_with_args(args)
    }
}
