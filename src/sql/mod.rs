//! SQL for analysts: one session per version of the tables, with the functions of the rules;
//! read-only and within limits. Every interface uses it.
//!
//! A [`Database`] holds the state that the queries of a process share. A [`Session`] sees the
//! tables at one version. [`Session::plan`] plans a statement and refuses everything that writes or
//! reads anything else; [`Session::run`] executes the plan until it ends, exceeds a limit or its
//! rows are dropped. No interface is known here.

mod array_literals;
mod as_of;
mod column_descriptions;
mod corrections;
mod count_distinct;
mod database;
pub mod dialect;
mod errors;
mod function_docs;
mod functions;
mod group_by_store_number;
mod internal_catalog;
mod names;
mod parameters;
mod plan_cache;
mod plan_rule;
mod progress;
mod read_only;
mod report_tables;
mod rows;
pub mod spool;
mod statement;
mod table_descriptions;
mod tables;
mod time_casts;

pub use self::column_descriptions::{ColumnDescriptions, columns_of};
pub use self::database::{Database, PlannedStatement, Session};
pub use self::errors::{error_location, query_error, types_in_sql};
pub use self::function_docs::documented;
#[cfg(test)]
pub use self::functions::hours_options;
pub use self::functions::instant_parameters;
pub use self::names::{CATALOG, NamedTable, SCHEMA};
pub use self::parameters::coerce_parameter;
pub use self::plan_cache::PlanCache;
pub use self::progress::{FilesRead, Progress};
pub use self::report_tables::{Report, Reports, report_tables};
pub use self::rows::{Rows, Truncation};
pub use self::spool::Deliveries;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::statement::prepare;
pub use self::table_descriptions::descriptions as descriptions_of_tables;

#[cfg(test)]
mod tests;
