//! The tables that analysts see, at one version.

use std::sync::Arc;
use std::thread::available_parallelism;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};

use super::database::{CATALOG, NamedTable, SCHEMA};
use crate::engine::tables_of;
use crate::error::Result;
use crate::tables::Dataset;

/// A catalog of one schema, with every table of the dataset and those beside it.
pub fn catalogs(dataset: &Dataset, others: &[NamedTable]) -> Result<Arc<dyn CatalogProviderList>> {
    let threads = available_parallelism().map_or(1, usize::from);
    let schema = MemorySchemaProvider::new();
    for (table, files) in tables_of(dataset, threads)? {
        schema.register_table(table.name().to_owned(), files)?;
    }
    for (name, table) in others {
        schema.register_table(name.clone(), Arc::clone(table))?;
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(catalogs))
}
