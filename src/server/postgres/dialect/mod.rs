//! What only clients of PostgreSQL say: queries of its system tables, and what depends on who asks.
//! What SQL means by every way in is `sql::dialect`'s.

mod catalog;
mod client;

use datafusion::sql::parser::Statement;

#[cfg(test)]
pub use self::catalog::EMPTY;
pub use self::client::Client;
use crate::sql::dialect::rewrite;

/// A query of system tables means what it means to PostgreSQL, after the rules for it were applied.
pub fn of_catalog(statement: &mut Statement) {
    rewrite(statement, &mut catalog::Catalog);
}
