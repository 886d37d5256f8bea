//! Catalog of the tables that analysts see, at one version.
//!
//! `polls`, `business_hours`, `time_zones`, `rejects`, `conflicts` and `loads` are the stored
//! files; `stores` adds the zone in force and the defaults that were used. Tables for table
//! functions alone are in the schema [`INTERNAL`], which listings omit.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::catalog::{CatalogProviderList, MemTable, TableProvider};
use datafusion::error::Result;

use super::internal_catalog::{InternalCatalog, catalogs_of, schema_of};
use super::names::{INTERNAL, NamedTable, SCHEMA};
use super::{column_descriptions, report_tables, table_descriptions};
use crate::tables::Table;

/// Builds the catalog for analysts; `beside` are tables outside the dataset.
pub fn catalogs(
    internal: &InternalCatalog,
    beside: Vec<NamedTable>,
) -> Result<Arc<dyn CatalogProviderList>> {
    let (mut shown, mut hidden) = (beside, Vec::new());
    for (table, files) in &internal.tables.providers {
        let named = (table.name().to_owned(), Arc::clone(files));
        match table {
            Table::Stores => {
                shown.push((
                    named.0,
                    Arc::new(internal.stores(
                        &internal.tables.providers,
                        internal.tables.zone_rules.edition(),
                    )?),
                ));
            }
            Table::Carried | Table::ZoneRules => hidden.push(named),
            _ => shown.push(named),
        }
    }
    hidden.push(("descriptions".to_owned(), descriptions()?));
    catalogs_of([(SCHEMA, schema_of(shown)?), (INTERNAL, schema_of(hidden)?)])
}

fn descriptions() -> Result<Arc<dyn TableProvider>> {
    let told = table_descriptions::descriptions().chain(column_descriptions::descriptions());
    let told: Vec<_> = told.chain(report_tables::descriptions()).collect();
    let column = |of: fn(&[String; 3]) -> &String| -> ArrayRef {
        Arc::new(told.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let rows = RecordBatch::try_from_iter([
        ("table_name", column(|row| &row[0])),
        ("column_name", column(|row| &row[1])),
        ("description", column(|row| &row[2])),
    ])?;
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}
