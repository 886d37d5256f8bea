//! Time in state of stores: how long each was up, and how long down, while it should have been open.
//!
//! In the order a poll travels: [`ingest`] checks CSV rows and [`tables`] keeps them as sorted
//! Parquet under Delta logs; [`engine`] asks them for a report, in SQL over [`functions`] or in lazy
//! frames; [`report`] lays the figures out, and [`cli`] and [`server`] hand them over, asked in the
//! [`words`] of both. What the numbers mean is in
//! [`rules`] alone; [`generate`] makes up a chain to try all of it on.

mod atomic_file;
pub mod cli;
mod client;
pub mod engine;
pub mod error;
mod fair;
pub mod functions;
pub mod generate;
pub mod ingest;
pub mod report;
pub mod rules;
pub mod server;
pub mod sql;
pub mod tables;
pub mod words;
#[cfg(unix)]
mod workers;

pub use error::{Error, Result};
