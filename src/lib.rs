//! Time in state of stores: how long each was up, and how long down, while it should have been open.
//!
//! In the order a poll travels: [`ingest`] checks CSV rows and [`tables`] keeps them as sorted
//! Parquet under Delta logs. What the numbers mean is in [`rules`] alone.

pub mod error;
pub mod functions;
pub mod ingest;
pub mod rules;
pub mod tables;

pub use error::{Error, Result};
