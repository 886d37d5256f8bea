//! Names of the catalog and of the schemas that analysts see.

use std::sync::Arc;

use datafusion::catalog::TableProvider;

pub const CATALOG: &str = "uptally";
pub const SCHEMA: &str = "public";
/// Schema of the tables that are of use to table functions alone.
pub const INTERNAL: &str = "internal";

/// A table outside the dataset, the same at every version.
pub type NamedTable = (String, Arc<dyn TableProvider>);
