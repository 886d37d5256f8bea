//! Extends DataFusion's planner by what it does not know about our files: they are sorted by store.
//!
//! [`TableFiles`] provides a table at one version. It is scanned by partitions, each of which is a
//! range of stores ([`StoreRanges`]), or by the pages of a few stores. Optimizer rules use the order
//! and the partitions: [`GROUP_BY_STORE`], [`MERGE_JOIN_BY_STORE`], [`REMOVE_SORTS`] and
//! [`SemiJoinReduction`]. Knows neither reports nor the SQL of clients; sessions register the
//! rules.

/// Methods of an operator that is named like its type and has no expressions.
macro_rules! without_expressions {
    () => {
        fn name(&self) -> &str {
            Self::static_name()
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &std::sync::Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> datafusion::error::Result<
                datafusion::common::tree_node::TreeNodeRecursion,
            >,
        ) -> datafusion::error::Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }
    };
}

mod few_stores;
mod file_groups;
mod group_by_store;
mod lineage;
mod local_parquet_reader;
mod merge;
mod merge_join;
mod node_rule;
mod nullable;
mod partitioned_scan;
mod predicates;
mod prefetch;
mod progressive_eval;
mod remove_sorts;
mod semi_join_reduction;
mod store_columns;
mod store_directory;
mod store_keys;
mod store_ranges;
mod table_files;

pub use self::group_by_store::GROUP_BY_STORE;
pub use self::local_parquet_reader::object_path;
pub use self::merge_join::MERGE_JOIN_BY_STORE;
pub use self::prefetch::{PrefetchExec, Prefetched};
pub use self::remove_sorts::REMOVE_SORTS;
pub use self::semi_join_reduction::{SemiJoinReduction, physical_rules};
pub use self::store_columns::{STORE_ID, STORE_NO};
pub use self::store_directory::{NumberedStores, StoreCounts, StoreDirectory};
pub use self::store_ranges::StoreRanges;
pub use self::table_files::TableFiles;
