//! The tables: sorted Parquet files under Delta logs, all named by one version of the dataset.
//!
//! A load may change several tables, each with a log of its own. The commit to `loads`, made
//! last, names the version of each; every reader starts there. Knows nothing of reports.

mod dataset;
mod footers;
mod listing;
mod lock;
mod log;
mod parquet_files;
mod schema;
mod store_rows;
mod zone_rules;

pub use dataset::{Change, Dataset, Load};
pub use lock::WriteLock;
pub use log::TableFile;
pub use parquet_files::{NewFile, create_private, read_all, sync_folder, write_sorted};
pub use schema::Table;
pub use store_rows::{read_range, read_stores};
pub use zone_rules::{
    outdated_zone_rules, polled_range, zone_rules_batch, zone_rules_hash, zones_in_use,
};
