//! Columns that identify stores in the tables, and the rows that each store has.

use crate::tables::Table;

/// Column of store ids.
pub const STORE_ID: &str = "store_id";
/// Column whose ranges partition the scans.
pub const STORE_NO: &str = "store_no";

/// Number of rows per store in a table, and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsPerStore {
    One,
    /// Several rows per store, sorted by the column within a file and across files.
    SortedBy(&'static str),
    Any,
}

impl RowsPerStore {
    pub fn in_table(table: Table) -> Self {
        match table {
            // Each file holds one day.
            Table::Polls => Self::SortedBy("polled_at"),
            Table::Stores | Table::TimeZones => Self::One,
            _ => Self::Any,
        }
    }
}
