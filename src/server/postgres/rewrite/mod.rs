//! What only clients of PostgreSQL say: queries of its system tables, and what depends on who asks.
//! What SQL means by every way in is `sql::dialect`'s.

mod catalog_queries;
mod client;

use datafusion::sql::parser::Statement;

#[cfg(test)]
pub use self::catalog_queries::EMPTY;
pub use self::client::ClientContext;
use crate::sql::dialect::rewrite;

/// A query of system tables means what it means to PostgreSQL, after the rules for it were applied.
pub fn rewrite_catalog_query(statement: &mut Statement) {
    rewrite(statement, &mut catalog_queries::CatalogRewrite);
}
