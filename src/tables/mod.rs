//! Storage: sorted Parquet files under Delta logs, tied together by the version of the dataset.
//!
//! A load may change several tables, each with its own log. The final commit, to `loads`, records
//! the version of each table; every reader starts there. Knows nothing of reports.

mod dataset;
mod delta_log;
mod footer_cache;
mod page_pruning;
mod parquet_files;
mod schema;
mod snapshot_cache;
mod write_lock;
mod zone_rules;
mod zones_in_use;

pub use dataset::{Change, Dataset, Load};
pub use delta_log::TableFile;
pub use page_pruning::{read_range, read_stores};
pub use parquet_files::{NewFile, create_private, read_all, sync_folder, write_sorted};
pub use schema::Table;
pub use write_lock::WriteLock;
pub use zone_rules::{zone_rules_batch, zone_rules_hash};
pub use zones_in_use::{outdated_zone_rules, polled_range, zones_in_use};
