//! SQL for analysts: the tables at one version and the functions of the rules, read-only and within
//! limits, for every face alike.
//!
//! A [`Database`] is what all queries of a process share. A [`Session`] sees the tables at one
//! version; it plans a statement ([`Session::plan`]), refusing whatever would change something or
//! read anything else, and runs it ([`Session::run`]) until it ends, meets a limit, or nobody
//! wants its rows any more. Knows nothing of who asks.

mod array_literals;
mod as_of;
mod cancellation;
mod column_descriptions;
mod constant_size;
mod corrections;
mod count_distinct;
mod cte_expansion;
mod database;
pub mod dialect;
mod errors;
mod function_docs;
mod functions;
mod group_by_store_number;
mod internal_catalog;
mod limits;
mod memory;
mod parameters;
mod plan_cache;
mod progress;
mod read_only;
mod report_tables;
mod rows;
pub mod spool;
mod statement;
mod statement_depth;
mod tables;
mod threads;
mod time_casts;

#[cfg(test)]
mod tests;

pub use self::column_descriptions::{ColumnDescriptions, columns_of};
pub use self::database::{CATALOG, Database, NamedTable, PlannedStatement, SCHEMA, Session};
pub use self::errors::{error_location, query_error};
pub use self::function_docs::documented;
pub use self::functions::{RANGE_DAYS_MAX, hours_options, instant_parameters};
pub use self::limits::Limits;
pub use self::parameters::coerce_parameter;
pub use self::progress::{FilesRead, Progress};
pub use self::report_tables::{Report, Reports, report_tables};
pub use self::rows::{Rows, Truncation};
pub use self::spool::Deliveries;
pub use self::statement_depth::check_depth;
pub use self::threads::STACK_BYTES;
