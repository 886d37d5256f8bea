//! SQL for analysts: the tables at one version and the functions of the rules, read-only and within
//! limits, for every face alike.
//!
//! A [`Database`] is what all queries of a process share. A [`Session`] sees the tables at one
//! version; it plans a statement ([`Session::plan`]), refusing whatever would change something or
//! read anything else, and runs it ([`Session::run`]) until it ends, meets a limit, or nobody
//! wants its rows any more. Knows nothing of who asks.

mod array_text;
mod as_of;
mod by_number;
mod chain;
mod columns;
mod constants;
mod cooperation;
mod corrections;
mod database;
mod depth;
pub mod dialect;
mod distinct;
mod documented;
mod expansion;
mod functions;
mod guard;
mod limits;
mod memory;
mod parameters;
mod plans;
mod progress;
mod reports;
mod rows;
pub mod spool;
mod statement;
mod tables;
mod texts;
mod threads;
mod wrong;

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod examples;

pub use self::columns::{Described, columns_of};
pub use self::database::{CATALOG, Database, NamedTable, Planned, SCHEMA, Session};
#[cfg(feature = "fuzzing")]
pub(crate) use self::depth::DEEP_MAX;
pub use self::depth::bounded;
pub use self::documented::documented;
pub use self::functions::{RANGE_DAYS_MAX, hours_options, instants};
pub use self::limits::Limits;
pub use self::parameters::taken_as;
pub use self::progress::{FilesRead, Progress};
pub use self::reports::{Report, Reports, report_tables};
pub use self::rows::{Cut, Rows};
pub use self::spool::Deliveries;
#[cfg(feature = "fuzzing")]
pub(crate) use self::statement::prepare;
pub use self::threads::STACK_BYTES;
pub use self::wrong::{asked_wrongly, place_of};
