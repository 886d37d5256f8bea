//! Time in state of stores: durations of uptime and downtime within business hours.
//!
//! A data folder holds tables, which have a version for each load. [`load`] adds the rows of CSV
//! files to them, [`Dataset::open`] opens them at a version, [`answer`] computes a report, and a
//! [`Session`] of a [`Database`] runs SQL over them. [`render_figures`] and [`Writer`] encode the
//! results; the rules of a report are its [`Options`]. Instants are microseconds UTC. A program
//! that does all of this:
//!
#![cfg_attr(doc, doc = "```no_run")]
#![cfg_attr(doc, doc = include_str!("../examples/library/src/main.rs"))]
#![cfg_attr(doc, doc = "```")]
//!
//! Following a poll: `ingest` checks CSV rows, and `tables` stores them as sorted Parquet under
//! Delta logs. `engine` computes figures from them, in SQL over `functions` or in lazy frames;
//! `planner` extends DataFusion by operators that use the order of the files. `report` lays the
//! figures out; `cli` and `server` deliver them, and run queries within `limits`. `rules` alone
//! defines the figures and the options; `generate` makes synthetic chains.
//!
//! Modules are private: what is not listed below is no part of the API, and the compiler warns of
//! items that nothing uses.

// Listeners and platforms that are not compiled leave items without a use.
#![cfg_attr(
    not(all(target_os = "linux", feature = "flight", feature = "postgres")),
    allow(dead_code, unused_imports)
)]

mod atomic_file;
mod cli;
mod client;
mod engine;
mod error;
mod fair_semaphore;
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod generate;
mod ingest;
mod limits;
mod planner;
mod report;
mod rules;
mod server;
mod sql;
mod tables;
#[cfg(unix)]
mod workers;

pub use cli::run;
pub use engine::{Engine, ReportFigures, ReportQuery, StoreCounts, answer};
pub use error::{Error, Fault, Limit, LimitError, QueryError, Result};
pub use ingest::{
    Fallback, FileKind, FileOutcome, LoadControl, LoadOutcome, LoadRequest, MergeCounts, Reject,
    ReplaceMode, Replaced, RulesChange, Unmatched, load,
};
pub use limits::Limits;
pub use report::{Format, Layout, Writer, render_figures};
pub use rules::{
    DailyHours, DefaultHours, Interpolation, NoData, Options, Scope, ZoneName, ZoneRules,
};
pub use sql::{Database, Rows, Session};
pub use tables::{Dataset, Table, WriteLock};

/// Items that tests and benches need beyond the API. They change without notice.
#[doc(hidden)]
pub mod internals {
    pub mod generate {
        pub use crate::generate::{DEFAULT_END_US, RowCounts, Spec, generate};
    }

    pub mod rules {
        pub use crate::rules::opening::{local_days, open_spans};
        pub use crate::rules::{HoursRow, LocalClock, ReportOption, Span, Weekday, WeeklyHours};
    }

    pub mod server {
        pub use crate::server::{
            AuditLog, CompleteAs, Host, Keyring, Listeners, Origin, ROUTES, Role, Service,
            Settings, key_file, router, run,
        };
    }
}
