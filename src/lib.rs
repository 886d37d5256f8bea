//! Time in state of stores: how long each was up, and how long down, while it should have been open.
//!
//! In the order a poll travels: [`ingest`] checks CSV rows and [`tables`] keeps them as sorted
//! Parquet under Delta logs; [`engine`] asks them for a report, in SQL over [`functions`] or in
//! lazy frames; [`report`] lays the figures out. What the numbers mean is in [`rules`] alone.

pub mod rules;
