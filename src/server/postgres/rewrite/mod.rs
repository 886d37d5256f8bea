//! Rewrites of statements that only PostgreSQL clients send: catalog queries, and expressions that
//! depend on the session. `sql::dialect` holds the rewrites shared by all entry points.

mod catalog_queries;
mod client;

use datafusion::sql::parser::Statement;

#[cfg(test)]
pub use self::catalog_queries::EMPTY;
pub use self::client::ClientContext;
use crate::sql::dialect::rewrite;

/// Rewrites a catalog query, already processed by datafusion-postgres, to what DataFusion can plan.
pub fn rewrite_catalog_query(statement: &mut Statement) {
    rewrite(statement, &mut catalog_queries::CatalogRewrite);
}
