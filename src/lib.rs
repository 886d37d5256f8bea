//! Time in state of stores: durations of uptime and downtime within business hours.
//!
//! Following a poll: [`ingest`] checks CSV rows, and [`tables`] stores them as sorted Parquet under
//! Delta logs. [`engine`] computes figures from them, in SQL over [`functions`] or in lazy frames;
//! [`planner`] extends DataFusion by operators that use the order of the files. [`report`] lays the
//! figures out; [`cli`] and [`server`] deliver them, and run queries within [`limits`]. [`rules`]
//! alone defines the figures and the options; [`generate`] makes synthetic chains.

mod atomic_file;
pub mod cli;
mod client;
pub mod engine;
pub mod error;
mod fair_semaphore;
pub mod functions;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod generate;
pub mod ingest;
pub mod limits;
pub mod planner;
pub mod report;
pub mod rules;
pub mod server;
pub mod sql;
pub mod tables;
#[cfg(unix)]
mod workers;

pub use error::{Error, Result};
